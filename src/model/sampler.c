/* Choosing a token from logits. SPEC.md 10: every step in order, all ties broken by token id. */
#include "base/arena.h"
#include "base/error.h"
#include "base/fpenv.h"
#include "kernel/kernel.h"
#include "model/model.h"
#include "model/rng.h"

#include <smol/sampler.h>

#include <inttypes.h>
#include <math.h>

struct smol_sampler {
    struct smol_sampler_options options;
    uint32_t vocab;
    uint32_t *counts; /* (V) how often each token is among the recent ones; NULL, like recent, if
                         there is no penalty */
    uint32_t *recent; /* (repeat_last_n) ring */
    uint64_t n_accepted;
    uint64_t *keys; /* (n_sorted, and room) of candidates, the first n_candidates in order */
    void *room;     /* for as many; then n_candidates weights */
    struct smol_rng rng;
    void (*exp)(float *y, const float *x, size_t n);
};

void smol_sampler_defaults(struct smol_sampler_options *options, size_t struct_bytes)
{
    const struct smol_sampler_options defaults = {
        .struct_bytes = struct_bytes,
        .temperature = 0.8f,
        .top_k = 40,
        .top_p = 0.95,
        .min_p = 0.05f,
        .repeat_penalty = 1.0f,
        .repeat_last_n = 64,
    };

    memcpy(options, &defaults, struct_bytes < sizeof defaults ? struct_bytes : sizeof defaults);
}

static bool has_penalty(const struct smol_sampler_options *o)
{
    return o->repeat_penalty != 1.0f && o->repeat_last_n != 0;
}

static uint64_t ring_size(const struct smol_sampler_options *o)
{
    return has_penalty(o) && o->repeat_last_n > 0 ? (uint64_t)o->repeat_last_n : 0;
}

/* How many candidates a draw may have: none if greedy, top-k, or all. */
static uint32_t n_candidates(uint32_t vocab, const struct smol_sampler_options *o)
{
    if (o->temperature <= 0)
        return 0;
    return o->top_k && o->top_k < vocab ? o->top_k : vocab;
}

/* How many tokens are sorted: all, unless far fewer may be drawn, which are then selected before.
 */
static uint32_t n_sorted(uint32_t vocab, const struct smol_sampler_options *o)
{
    const uint32_t k = n_candidates(vocab, o);

    return k && vocab / 4 <= k ? vocab : k;
}

/* Lays a sampler out in the arena; with no memory behind it, only counts. */
static void lay_out(struct smol_sampler *s, struct smol_arena *arena, uint32_t vocab,
                    const struct smol_sampler_options *o)
{
    const uint64_t n = n_sorted(vocab, o), n_keys = n + n / 4; /* as many as sort() takes */

    *s = (struct smol_sampler){.options = *o, .vocab = vocab};
    smol_arena_take(arena, 1, sizeof *s); /* itself, at the arena's start */
    if (has_penalty(o)) {
        s->counts = smol_arena_take(arena, vocab, sizeof *s->counts);
        s->recent = smol_arena_take(arena, ring_size(o), sizeof *s->recent);
    }
    s->keys = smol_arena_take(arena, n_keys, sizeof *s->keys);
    s->room = smol_arena_take(arena, n_keys, sizeof *s->keys);
}

/* Written so that not-a-number is out of range. */
static const char *option_error(const struct smol_sampler_options *o)
{
    if (!isfinite(o->temperature))
        return "the temperature is not a finite number";
    if (!(o->top_p >= 0 && o->top_p <= 1))
        return "top-p is not in 0..1";
    if (!(o->min_p >= 0 && o->min_p <= 1))
        return "min-p is not in 0..1";
    if (!(o->repeat_penalty >= 0x1p-60f && o->repeat_penalty <= 0x1p60f))
        return "the repeat penalty is not in 2^-60..2^60";
    if (o->repeat_last_n < -1)
        return "repeat-last-n is below -1";
    return NULL;
}

static enum smol_status measure(size_t *size_bytes, uint32_t vocab,
                                const struct smol_sampler_options *options,
                                struct smol_error *error)
{
    struct smol_arena arena = {NULL, 0};
    struct smol_sampler counting;
    const char *wrong;

    if (smol_check_struct(options->struct_bytes, sizeof *options, "smol_sampler_options", error))
        return SMOL_E_ARGUMENT;
    wrong = option_error(options);
    if (wrong)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "%s", wrong);
    if (vocab < 1 || vocab > SMOL_MAX_VOCAB)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a vocabulary of %" PRIu32 ", allowed are 1..%u", vocab, SMOL_MAX_VOCAB);
    lay_out(&counting, &arena, vocab, options);
    if (arena.used > SIZE_MAX / 2)
        return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
                         "this sampler does not fit this machine");
    *size_bytes = (size_t)arena.used;
    return SMOL_OK;
}

/* In the environment of the picking: without subnormals a temperature of 1e-40 would be 0. */
enum smol_status smol_sampler_size(size_t *size_bytes, uint32_t vocab,
                                   const struct smol_sampler_options *options,
                                   struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status : measure(size_bytes, vocab, options, error));
}

static enum smol_status init(struct smol_sampler **sampler, uint32_t vocab,
                             const struct smol_sampler_options *options, void *memory,
                             size_t size_bytes, struct smol_error *error)
{
    struct smol_arena arena = {memory, 0};
    struct smol_sampler *s = memory;
    size_t needed;
    const enum smol_status status = measure(&needed, vocab, options, error);

    if (status)
        return status;
    if (size_bytes < needed || (uintptr_t)memory % 64 != 0)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a sampler needs %zu bytes, aligned to 64", needed);
    lay_out(s, &arena, vocab, options);
    if (s->counts)
        memset(s->counts, 0, (size_t)vocab * sizeof *s->counts);
    smol_rng_init(&s->rng, options->seed);
    s->exp = smol_kernels_select(SMOL_ISA_BEST)->exp;
    *sampler = s;
    return SMOL_OK;
}

enum smol_status smol_sampler_init(struct smol_sampler **sampler, uint32_t vocab,
                                   const struct smol_sampler_options *options, void *memory,
                                   size_t size_bytes, struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status
                                        : init(sampler, vocab, options, memory, size_bytes, error));
}

void smol_sampler_accept(struct smol_sampler *s, uint32_t token)
{
    const uint64_t n = ring_size(&s->options);

    if (s->counts && s->options.repeat_last_n < 0)
        s->counts[token] = 1;
    if (n > 0) {
        uint32_t *place = &s->recent[s->n_accepted % n];
        if (s->n_accepted >= n)
            s->counts[*place]--;
        *place = token;
        s->counts[token]++;
    }
    s->n_accepted++;
}

void smol_sampler_copy(struct smol_sampler *to, const struct smol_sampler *from, uint64_t seed)
{
    if (to->counts) {
        memcpy(to->counts, from->counts, (size_t)to->vocab * sizeof *to->counts);
        memcpy(to->recent, from->recent, (size_t)ring_size(&to->options) * sizeof *to->recent);
    }
    to->n_accepted = from->n_accepted;
    to->options.seed = seed;
    smol_rng_init(&to->rng, seed);
}

static float penalised(const struct smol_sampler *s, const float *logits, uint32_t token)
{
    const float l = logits[token], r = s->options.repeat_penalty;

    if (!s->counts || s->counts[token] == 0)
        return l;
    return l > 0 ? l / r : l * r;
}

/* A candidate as a number, the larger the earlier it comes: higher logit first, then lower token.
 * -0 is 0. */
static uint64_t key_of(float logit, uint32_t token)
{
    const uint32_t bits = smol_f32_bits(logit + 0.0f);

    return (uint64_t)(bits >> 31 ? ~bits : bits | 0x80000000u) << 32 | (UINT32_MAX - token);
}

static uint32_t token_of(uint64_t key) { return UINT32_MAX - (uint32_t)key; }

static float logit_of(uint64_t key)
{
    const uint32_t bits = (uint32_t)(key >> 32);

    return smol_bits_f32(bits >> 31 ? bits & 0x7fffffffu : ~bits);
}

/* Moves element i of a heap, whose root is the last in order, down to its place. */
static void sift(uint64_t *heap, size_t n, size_t i)
{
    const uint64_t moving = heap[i];

    for (size_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && heap[child] > heap[child + 1])
            child++;
        if (moving <= heap[child])
            break;
        heap[i] = heap[child];
    }
    heap[i] = moving;
}

/* The first m of all candidates, in any order. */
static void select_first(struct smol_sampler *s, const float *logits, uint32_t m)
{
    uint64_t *keys = s->keys;

    for (uint32_t v = 0; v < m; v++)
        keys[v] = key_of(penalised(s, logits, v), v);
    for (size_t i = m < s->vocab ? m / 2 : 0; i-- > 0;)
        sift(keys, m, i);
    for (uint32_t v = m; v < s->vocab; v++) {
        const uint64_t next = key_of(penalised(s, logits, v), v);
        if (next > keys[0]) {
            keys[0] = next;
            sift(keys, m, 0);
        }
    }
}

/* Two runs of n keys in order become one, from both ends at once; which of them a key comes from is
 * no branch, since nobody can foretell it. */
static void merge(uint64_t *out, const uint64_t *first, size_t n)
{
    const uint64_t *second = first + n, *first_end = second, *second_end = second + n;

    for (size_t i = 0; i < n; i++) {
        const uint64_t a = *first, b = *second, y = first_end[-1], z = second_end[-1];
        const bool is_second = b > a, ends_second = z < y;
        out[i] = is_second ? b : a;
        out[2 * n - 1 - i] = ends_second ? z : y;
        second += is_second;
        first += !is_second;
        second_end -= ends_second;
        first_end -= !ends_second;
    }
}

/* A few keys in order. */
static void sort_short(uint64_t *keys, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k > 0; k--) {
            const uint64_t a = keys[k - 1], b = keys[k];
            keys[k - 1] = a > b ? a : b;
            keys[k] = a > b ? b : a;
        }
}

#define SHORT 8u /* keys of the first runs, at most */

/* Sorts n keys: runs of twice the length, from one place to the other, until there is one. The
 * first ones are a power of two, each of 5 to 8 keys; what fills them is less than any key. */
static void sort(struct smol_sampler *s, size_t n)
{
    size_t run = n, all = 1;

    for (; run > SHORT; all *= 2)
        run = (run + 1) / 2;
    all *= run;
    memset(s->keys + n, 0, (all - n) * sizeof *s->keys);
    for (size_t i = 0; i < all; i += run)
        sort_short(s->keys + i, run);
    for (; run < all; run *= 2) {
        uint64_t *from = s->keys, *to = s->room;
        for (size_t i = 0; i < all; i += 2 * run)
            merge(to + i, from + i, run);
        s->keys = to;
        s->room = from;
    }
}

static uint32_t pick_greedy(const struct smol_sampler *s, const float *logits)
{
    uint64_t best = 0;

    for (uint32_t v = 0; v < s->vocab; v++) {
        const uint64_t key = key_of(penalised(s, logits, v), v);
        best = key > best ? key : best;
    }
    return token_of(best);
}

/* The weights of n candidates: exp of their logits, less the first one's, over the temperature. */
static const float *weigh(struct smol_sampler *s, size_t n, float temperature)
{
    const float first = logit_of(s->keys[0]);
    float *weights = s->room;

    for (size_t i = 0; i < n; i++)
        weights[i] = (logit_of(s->keys[i]) - first) / temperature;
    s->exp(weights, weights, n);
    return weights;
}

/* How many of n candidates in order top-p and min-p leave. */
static size_t cut(struct smol_sampler *s, size_t n)
{
    const float *w = weigh(s, n, 1);
    double total = 0, running = 0;

    if (s->options.top_p < 1) {
        size_t kept = 0;
        for (size_t i = 0; i < n; i++)
            total += (double)w[i];
        do
            running += (double)w[kept++];
        while (kept < n && running < s->options.top_p * total);
        n = kept;
    }
    while (n > 1 && w[n - 1] < s->options.min_p)
        n--;
    return n;
}

static uint32_t pick_at_random(struct smol_sampler *s, size_t n)
{
    const float *w = weigh(s, n, s->options.temperature);
    double total = 0, running = 0, threshold;

    for (size_t i = 0; i < n; i++)
        total += (double)w[i];
    threshold = smol_rng_draw(&s->rng) * total;
    for (size_t i = 0; i < n; i++) {
        running += (double)w[i];
        if (running > threshold)
            return token_of(s->keys[i]);
    }
    return token_of(s->keys[n - 1]);
}

enum smol_status smol_sampler_choose(uint32_t *token, struct smol_sampler *s, const float *logits,
                                     struct smol_error *error)
{
    const uint32_t m = n_sorted(s->vocab, &s->options);

    for (uint32_t v = 0; v < s->vocab; v++)
        if (!isfinite(logits[v]))
            return smol_fail(error, SMOL_E_NUMERIC, SMOL_NO_OFFSET,
                             "the logit of token %" PRIu32 " is not finite", v);
    if (s->options.temperature <= 0) {
        *token = pick_greedy(s, logits);
    } else {
        select_first(s, logits, m);
        sort(s, m);
        *token = pick_at_random(s, cut(s, n_candidates(s->vocab, &s->options)));
    }
    smol_sampler_accept(s, *token);
    return SMOL_OK;
}

enum smol_status smol_sampler_pick(uint32_t *token, struct smol_sampler *s, const float *logits,
                                   struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status : smol_sampler_choose(token, s, logits, error));
}
