/* Logits: those of the network and, with a history, what followed the same tokens before. SPEC.md
 * 8. */
#include "model/pass.h"

#define PORTION 64u /* logits whose exp is taken at once */

/* Positions whose logits are made. */
struct stage {
    const struct smol_session *s;
    const uint32_t *positions; /* (n) */
    uint32_t n;
};

static float largest(const float *logits, size_t V)
{
    float most = logits[0];

    for (size_t v = 1; v < V; v++)
        most = logits[v] > most ? logits[v] : most;
    return most;
}

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

static void mix(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const struct smol_session *s = g->s;
    const size_t end = smol_share(g->n, worker + 1, n_workers);
    struct followers *f = &s->workers[worker].followers;

    for (size_t i = smol_share(g->n, worker, n_workers); i < end; i++) {
        const uint32_t text = s->rows[g->positions[i]].text;
        float *logits = logits_of(s, text), most;
        smol_history_count(f, &s->texts[text].history, s->kernels);
        if (f->n_seen > 0) {
            most = largest(logits, s->config->vocab);
            smol_history_mix(logits, f, s->strengths, most, sum_exp(s, logits, most),
                             s->kernels->exp);
        }
        smol_followers_clear(f);
    }
}

/* What is done for a text, in multiplications: tokens that are looked at, and the sum. */
static uint64_t effort(const struct smol_session *s, const uint32_t *positions, uint32_t n)
{
    uint64_t tokens = 0;

    for (uint32_t i = 0; i < n; i++)
        tokens += s->texts[s->rows[positions[i]].text].history.held;
    return tokens / n + (uint64_t)ELEMENT * s->config->vocab;
}

void smol_logits(struct smol_session *s, const uint32_t *positions, uint32_t n)
{
    struct stage stage = {s, positions, n};

    smol_head(s, positions, n);
    if (s->history_capacity)
        smol_pass_run(s, mix, &stage, n, effort(s, positions, n));
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
