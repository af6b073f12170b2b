/* The history by itself: its tokens, what it counts, and what that makes of logits, against counts
 * and logarithms that are taken slowly. SPEC.md 7 and 8. */
#include "model/history/history.h"

#include "kernel/kernel.h"
#include "kernel/scalar/log.h"
#include "make_model.h"
#include "model/slow_history.h"

#include <criterion/criterion.h>

#define WIDE 300u /* a vocabulary whose lengths begin at 1 */

/* ---- a history and what stands for it ---- */

struct pair {
    struct history history;
    uint32_t capacity, vocab;
    uint32_t all[80000], *tokens; /* tokens (n): those that are to be held, marked */
    size_t n;
    struct followers followers;
    void *of_history, *of_followers;
};

/* By what this processor has; tests/isa has all of its instruction sets. */
static void count(struct followers *f, struct history *h)
{
    smol_history_sort(h, f->shortest);
    smol_history_count(f, h, smol_kernels_select(SMOL_ISA_BEST));
}

/* Nothing may rest on what the memory held before. */
static void *room(size_t size) { return memset(malloc(size), 0xa5, size); }

static struct pair *begin(uint32_t capacity, uint32_t vocab)
{
    struct pair *p = malloc(sizeof *p);

    p->capacity = capacity;
    p->vocab = vocab;
    p->tokens = p->all;
    p->n = 0;
    p->of_history = room(smol_history_bytes(capacity));
    smol_history_place(&p->history, capacity, p->of_history);
    p->of_followers = room(smol_followers_bytes(vocab));
    smol_followers_place(&p->followers, vocab, p->of_followers);
    return p;
}

static void end(struct pair *p)
{
    free(p->of_history);
    free(p->of_followers);
    free(p);
}

static void push(struct pair *p, uint32_t token)
{
    smol_history_push(&p->history, token);
    if (p->n == p->capacity) {
        p->tokens++;
        p->n--;
    }
    p->tokens[p->n++] = token;
}

static void drop(struct pair *p, uint32_t n)
{
    smol_history_drop(&p->history, n);
    p->n -= n;
}

static void check_length(const struct pair *p, const struct slow_followers *slow, unsigned k)
{
    const struct followers *f = &p->followers;

    cr_assert_eq(f->n[k], slow->n, "capacity %u, %zu tokens, length %u: %u of %u", p->capacity,
                 p->n, k, f->n[k], slow->n);
    cr_assert_eq(f->u[k], slow->u);
    for (uint32_t v = 0; v < p->vocab; v++)
        cr_assert_eq(f->counts[v * SMOL_HISTORY_LENGTHS + k], slow->counts[v], "token %u", v);
}

/* All that is counted; returns how often the longest were there. */
static uint32_t check(struct pair *p)
{
    struct slow_followers slow = {.counts = malloc(p->vocab * sizeof *slow.counts)};
    uint32_t seen = 0;

    cr_assert_eq(p->history.held, p->n);
    count(&p->followers, &p->history);
    for (unsigned k = 0; k < SMOL_HISTORY_LENGTHS; k++) {
        slow_count(&slow, p->tokens, p->n, p->n, p->vocab, k + 1);
        check_length(p, &slow, k);
        seen = k ? seen : slow.u;
    }
    cr_assert_eq(p->followers.n_seen, seen);
    smol_followers_clear(&p->followers);
    for (size_t i = 0; i < (size_t)p->vocab * SMOL_HISTORY_LENGTHS; i++)
        cr_assert_eq(p->followers.counts[i], 0);
    free(slow.counts);
    return slow.n;
}

/* Token i of a text of n different ones of a vocabulary: now and then one is written, and at times
 * many in a row. */
static uint32_t some_token(uint64_t *random, uint32_t i, uint32_t n, uint32_t vocab)
{
    const uint32_t token = test_random(random) % n * (vocab / n);

    return test_random(random) % 8 > 0 && i % 71 < 50 ? token : token | SMOL_WRITTEN;
}

/* ---- tokens ---- */

static void check_small(uint32_t capacity, uint32_t vocab, uint32_t n_different)
{
    struct pair *p = begin(capacity, vocab);
    uint64_t random = 1 + capacity;
    uint32_t n = 0;

    check(p);
    for (uint32_t i = 0; i < 3 * capacity + 100; i++) {
        push(p, some_token(&random, i, n_different, vocab));
        n += check(p);
    }
    /* What is tested is there. */
    cr_assert(n > 0 || capacity < 12 || n_different > 2, "capacity %u", capacity);
    end(p);
}

/* Of few tokens, so that all lengths have followers, through the memory and from its start again.
 */
Test(history, counts_what_followed)
{
    const uint32_t step = test_is_sanitized() ? 17 : 4;

    for (uint32_t capacity = 2; capacity <= 70; capacity += capacity < 12 ? 1 : step)
        for (uint32_t vocab = 2; vocab <= 5; vocab++) {
            check_small(capacity, vocab, vocab);
            check_small(capacity, WIDE, vocab);
        }
}

Test(history, lengths_begin_at_one_beyond_bytes)
{
    for (uint32_t vocab = 256; vocab <= 258; vocab++) {
        struct pair *p = begin(9, vocab);
        push(p, 5);
        push(p, 6);
        push(p, 5);
        count(&p->followers, &p->history);
        cr_assert_eq(p->followers.n[0], vocab == 258 ? 4 : 0);
        cr_assert_eq(p->followers.counts[6 * SMOL_HISTORY_LENGTHS], vocab == 258 ? 4 : 0);
        smol_followers_clear(&p->followers);
        check(p);
        end(p);
    }
}

/* By hand: a token after itself, whose stretches overlap, follows both lengths as often as is
 * there. */
Test(history, a_token_may_follow_itself)
{
    struct pair *p = begin(100, WIDE);

    for (uint32_t i = 0; i < 4; i++)
        push(p, 299);
    count(&p->followers, &p->history);
    for (unsigned k = 0; k < SMOL_HISTORY_LENGTHS; k++) {
        cr_assert_eq(p->followers.n[k], k < 3 ? 4 * (3 - k) : 0);
        cr_assert_eq(p->followers.u[k], k < 3);
    }
    end(p);
}

/* A b (written) A: b does not follow. A b A (written) b A: it does, twice. */
Test(history, written_tokens_do_not_follow_but_are_compared)
{
    const uint32_t a = 3, b = 4;
    struct pair *p = begin(100, WIDE);

    push(p, a);
    push(p, b | SMOL_WRITTEN);
    push(p, a);
    cr_assert_eq(check(p), 0);
    count(&p->followers, &p->history);
    cr_assert_eq(p->followers.n[0], 0);
    cr_assert_eq(p->followers.n_seen, 0);
    drop(p, 3);
    push(p, a);
    push(p, b);
    push(p, a | SMOL_WRITTEN);
    push(p, b);
    push(p, a);
    count(&p->followers, &p->history);
    cr_assert_eq(p->followers.n[0], 8);
    cr_assert_eq(p->followers.u[0], 1);
    cr_assert_eq(p->followers.n[1], 4); /* b a, then b; a b a was there once as well */
    cr_assert_eq(p->followers.n[2], 4);
    smol_followers_clear(&p->followers);
    check(p);
    end(p);
}

/* 4 for the last 1,024 tokens, 1 for those before. */
Test(history, what_is_recent_counts_four_times)
{
    struct pair *p = begin(65536, WIDE);

    push(p, 7);
    push(p, 8);
    for (uint32_t i = 0; i < 1022; i++)
        push(p, 9);
    push(p, 7); /* 8 is the first of the last 1,024 */
    for (uint32_t i = 0; i < 2; i++) {
        count(&p->followers, &p->history);
        cr_assert_eq(p->followers.counts[8 * SMOL_HISTORY_LENGTHS], i == 0 ? 4 : 1);
        cr_assert_eq(p->followers.n[0], i == 0 ? 4 : 1);
        smol_followers_clear(&p->followers);
        drop(p, 1);
        push(p, 9);
        push(p, 7);
    }
    end(p);
}

/* A long one, with all of its tokens there and without. */
Test(history, counts_in_long_texts)
{
    static const struct {
        uint32_t capacity, vocab, n_different;
    } cases[] = {{65536, 3, 3}, {1100, WIDE, 4}, {1030, 2, 2}};

    for (size_t i = 0; i < 3; i++) {
        struct pair *p = begin(cases[i].capacity, cases[i].vocab);
        uint64_t random = 9 + i;
        for (uint32_t n = 0; n < 1300; n++) {
            push(p, some_token(&random, n, cases[i].n_different, cases[i].vocab));
            if (n % 41 == 0 || (n > 1020 && n < 1040))
                check(p);
        }
        end(p);
    }
}

/* All that a history may hold, and more tokens than that. */
Test(history, counts_in_the_longest_text)
{
    struct pair *p = begin(65536, 65536);
    uint64_t random = 3;

    for (uint32_t n = 0; n < 75000; n++) {
        push(p, some_token(&random, n, 4, 65536));
        if ((n > 65530 && n < 65540) || (n > 73720 && n < 73740 && n % 2) || n == 74999)
            cr_assert_gt(check(p), 10);
    }
    end(p);
}

/* Longer than what is looked through: most places are looked up, sorted anew many times, and some
 * are no more or not yet. Also of tokens that share a slot, of one token alone, and of two that
 * take turns. */
static void check_index(uint32_t vocab, uint32_t n_different)
{
    const uint32_t capacity = 5000, step = test_is_sanitized() ? 419 : 83;
    struct pair *p = begin(capacity, vocab), *other = begin(capacity, vocab);
    uint64_t random = vocab + n_different;
    uint32_t n = 0, n_sorted = 0;

    for (uint32_t i = 0; i < 16000; i++) {
        const bool was_sorted = p->history.index.end > 0;
        push(p, n_different == 2 && i % 4000 > 500 ? i % 2
                                                   : some_token(&random, i, n_different, vocab));
        if (i % step == 0 || (i > 2040 && i < 2060)) {
            n += check(p);
            n_sorted += !was_sorted && p->history.index.end > 0;
        }
        if (i % 3001 == 3000)
            drop(p, i % 2 ? 1 : i % 4 ? 2500 : (uint32_t)p->n);
        if (i % 3500 == 3400) {
            smol_history_copy(&other->history, &p->history);
            other->tokens = memcpy(other->all, p->tokens, p->n * sizeof *p->tokens);
            other->n = p->n;
            for (uint32_t k = 0; k < 300; k++)
                push(other, some_token(&random, k, n_different, vocab));
            check(other);
        }
    }
    cr_assert(n > 0 || n_different > 5);
    cr_assert_gt(n_sorted, 0);
    end(p);
    end(other);
}

Test(history, looks_up_what_is_sorted)
{
    for (uint32_t n_different = 1; n_different <= 5; n_different++) {
        check_index(5, n_different);
        check_index(WIDE, n_different);
    }
    check_index(257, 40);
    check_index(65536, 64);
}

/* ---- tokens that go, and come from another one ---- */

Test(history, tokens_are_dropped_and_copied)
{
    static const uint32_t capacities[] = {2, 3, 8, 13, 64, 70};

    for (size_t i = 0; i < 6; i++) {
        struct pair *p = begin(capacities[i], 3), *other = begin(capacities[i], 3);
        uint64_t random = 40 + i;
        for (uint32_t step = 0; step < 400; step++) {
            const uint32_t what = test_random(&random) % 16;
            if (what == 0) {
                drop(p, test_random(&random) % (uint32_t)(p->n + 1));
            } else if (what == 1) {
                smol_history_copy(&other->history, &p->history);
                other->tokens = memcpy(other->all, p->tokens, p->n * sizeof *p->tokens);
                other->n = p->n;
            } else if (what < 5) {
                push(other, some_token(&random, step, 3, 3));
            } else {
                push(p, some_token(&random, step, 3, 3));
            }
            check(p);
            check(other);
        }
        end(p);
        end(other);
    }
}

/* ---- logits ---- */

/* Within three units of the last place of a float; none at 1. */
Test(history, logarithms)
{
    double worst = 0;

    cr_assert_eq(smol_log(1), 0);
    for (int i = 1; i <= 60000; i++) {
        const double large = pow(10, i / 1000.0), small = 1 + ldexp(1, -i % 50) * (1 + i / 6e4),
                     log_large = log(large), log_small = log(small);
        worst = fmax(worst, fabs((double)smol_log(large) - log_large) / log_large);
        worst = fmax(worst, fabs((double)smol_log(small) - log_small) / log_small);
        worst = fmax(worst, fabs((double)smol_log(ldexp(1, i % 200 + 1)) /
                                     ((i % 200 + 1) * 0.69314718055994530942) -
                                 1));
    }
    cr_assert_lt(worst, 3 * 0x1p-24, "%g", worst / 0x1p-24);
}

static double sum_exp(const float *logits, uint32_t vocab, double most)
{
    double sum = 0;

    for (uint32_t v = 0; v < vocab; v++)
        sum += exp((double)logits[v] - most);
    return sum;
}

/* The logits of p's next token, against shares of the whole that are 1 together. */
static void check_mix(struct pair *p, uint64_t *random, float scale)
{
    const uint32_t V = p->vocab;
    float *logits = malloc(V * sizeof *logits), *mixed = malloc(V * sizeof *mixed), most = -1e9f;
    double numbers[SMOL_HISTORY_LENGTHS], strengths[SMOL_HISTORY_LENGTHS], rest, whole,
        *shares = malloc(V * sizeof *shares);

    for (unsigned k = 0; k < SMOL_HISTORY_LENGTHS; k++) {
        numbers[k] = 4 * (double)test_uniform(random);
        strengths[k] = exp(numbers[k]);
    }
    for (uint32_t v = 0; v < V; v++) {
        mixed[v] = logits[v] = scale * test_uniform(random);
        most = logits[v] > most ? logits[v] : most;
    }
    const double sum = sum_exp(logits, V, (double)most);
    count(&p->followers, &p->history);
    smol_history_mix(mixed, &p->followers, strengths, most, sum,
                     smol_kernels_select(SMOL_ISA_SCALAR));
    smol_followers_clear(&p->followers);
    slow_shares(shares, &rest, numbers, p->tokens, p->n, p->n, V);
    whole = rest;
    for (uint32_t v = 0; v < V; v++)
        whole += shares[v];
    cr_assert_float_eq(whole, 1, 1e-12);
    cr_assert_float_eq(sum_exp(mixed, V, (double)most) / (sum / rest), 1, 1e-5);
    for (uint32_t v = 0; v < V; v++) {
        const double before = exp((double)(logits[v] - most)) / sum,
                     after = exp((double)(mixed[v] - most)) / (sum / rest);
        cr_assert_float_eq(after / (shares[v] + rest * before), 1, 1e-5, "token %u", v);
        cr_assert(shares[v] > 0 ? mixed[v] > logits[v] : mixed[v] == logits[v]);
    }
    free(logits), free(mixed), free(shares);
}

Test(history, mixes_probabilities)
{
    static const struct {
        uint32_t vocab, n_different;
        float scale;
    } cases[] = {{40, 4, 3}, {5, 5, 1}, {257, 2, 10}, {WIDE, 6, 5}, {1000, 1000, 20}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct pair *p = begin(60, cases[i].vocab);
        uint64_t random = 70 + i;
        for (uint32_t n = 0; n < 100; n++) {
            push(p, some_token(&random, n, cases[i].n_different, cases[i].vocab));
            check_mix(p, &random, cases[i].scale);
        }
        end(p);
    }
}
