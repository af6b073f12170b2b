/* Logits: those of the network and, with a history, what followed the same tokens before;
 * SPEC.md 8. And how well they predict a token; SPEC.md 11. */
#include "model/pass.h"

#include <math.h>

#define PORTION 64u /* logits whose exp is taken at once */

/* Logits being made, or looked at. */
struct stage {
    const struct smol_session *s;
    const struct heads *heads;
    const float *logits; /* (n, V) */
    const uint32_t *targets;
    double *nats; /* (n) */
    uint32_t n;
};

/* The sum of exp(logit - most), in double, in the order of the tokens. */
static double sum_exp(const struct smol_session *s, const float *logits, float most)
{
    const size_t V = s->config->vocab;
    float e[PORTION];
    double sum = 0;

    for (size_t v = 0, n; v < V; v += n) {
        n = V - v < PORTION ? V - v : PORTION;
        for (size_t i = 0; i < n; i++)
            e[i] = logits[v + i] - most;
        s->kernels->exp(e, e, n);
        for (size_t i = 0; i < n; i++)
            sum += (double)e[i];
    }
    return sum;
}

/* The history before the token that logits i are of. */
static struct history history_of(const struct smol_session *s, const struct heads *h, uint32_t i)
{
    return h->before ? smol_history_after(h->before, i + 1)
                     : s->texts[s->rows[h->positions[i]].text].history;
}

static void mix(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const struct smol_session *s = g->s;
    const uint32_t end = (uint32_t)smol_share(g->n, worker + 1, n_workers);
    struct followers *f = &s->workers[worker].followers;

    for (uint32_t i = (uint32_t)smol_share(g->n, worker, n_workers); i < end; i++) {
        const struct history history = history_of(s, g->heads, i);
        float *logits = head_logits(s, g->heads, i), most;
        smol_history_count(f, &history, s->kernels);
        if (f->n_seen > 0) {
            most = smol_largest(logits, s->config->vocab);
            smol_history_mix(logits, f, s->strengths, most, sum_exp(s, logits, most), s->kernels);
        }
        smol_followers_clear(f);
    }
}

#define MOST_LOOKED_AT 4096u

/* What is done for a text, in multiplications: tokens that are looked at, and the sum. */
static uint64_t effort(const struct smol_session *s, const struct heads *h)
{
    uint64_t tokens = 0;

    for (uint32_t i = 0; i < h->n; i++) {
        const uint32_t held = s->texts[s->rows[h->positions[i]].text].history.held;
        tokens += held < MOST_LOOKED_AT ? held : MOST_LOOKED_AT;
    }
    return tokens / h->n + (uint64_t)ELEMENT * s->config->vocab;
}

void smol_logits(struct smol_session *s, const struct heads *heads)
{
    struct stage stage = {.s = s, .heads = heads, .n = heads->n};

    smol_head(s, heads);
    if (s->history_capacity)
        smol_pass_run(s, mix, &stage, heads->n, effort(s, heads));
}

/* The logarithm, from libm, is the one step that is not bound to a bit. */
static void lose(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const size_t V = g->s->config->vocab, end = smol_share(g->n, worker + 1, n_workers);

    for (size_t i = smol_share(g->n, worker, n_workers); i < end; i++) {
        const float *logits = g->logits + i * V, most = smol_largest(logits, V);
        g->nats[i] =
            log(sum_exp(g->s, logits, most)) + (double)most - (double)logits[g->targets[i]];
    }
}

void smol_losses(const struct smol_session *session, double *nats, const float *logits,
                 const uint32_t *targets, uint32_t n)
{
    struct stage stage = {.s = session, .logits = logits, .targets = targets, .nats = nats, .n = n};

    smol_pass_run(session, lose, &stage, n, (uint64_t)ELEMENT * session->config->vocab);
}

static uint64_t text_bytes(const struct smol_session *s)
{
    return smol_round_up(smol_history_bytes(s->history_capacity), sizeof(uint16_t));
}

void smol_history_begin(struct smol_session *s)
{
    for (uint32_t i = 0; s->history_capacity && i < s->n_texts; i++)
        smol_history_place(&s->texts[i].history, s->history_capacity,
                           s->history_memory + i * text_bytes(s));
}

void smol_history_set_up(struct smol_session *s, struct smol_arena *arena)
{
    const uint32_t V = s->config->vocab;
    float numbers[SMOL_HISTORY_LENGTHS];

    if (!s->history_capacity)
        return;
    s->history_memory = smol_arena_take(arena, s->n_texts, text_bytes(s));
    for (uint32_t i = 0; i < s->n_workers; i++) {
        void *memory = smol_arena_take(arena, 1, smol_followers_bytes(V));
        if (arena->base)
            smol_followers_place(&s->workers[i].followers, V, memory);
    }
    if (!arena->base)
        return;
    smol_mixture_history(numbers, &s->mixture);
    s->kernels->exp(numbers, numbers, SMOL_HISTORY_LENGTHS);
    for (uint32_t k = 0; k < SMOL_HISTORY_LENGTHS; k++)
        s->strengths[k] = (double)numbers[k];
}
