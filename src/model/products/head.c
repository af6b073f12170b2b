/* Logits of the network: the last LayerNorm of some positions times the rows of the outputs.
 * SPEC.md 8. */
#include "base/bytes.h"
#include "model/pass.h"
#include "model/products/tables.h"

#define HEAD_ROWS 64u /* whose rows have scales, by one call */

/* Logits being made; vector i of h is that of positions[i]. */
struct head_stage {
    const struct smol_session *s;
    const struct heads *heads;
};

/* The products of the vectors of h (n, C), or of their 16 bits, with rows first.. of a table, in
 * memory of the worker. */
static void multiply_table(const struct head_stage *g, uint32_t worker,
                           const struct smol_table_view *t, size_t first, size_t n_rows,
                           bool is_packed)
{
    float *floats = (float *)(void *)g->s->workers[worker].sums;

    if (t->scales)
        table_sums(g->s, worker, t, first, n_rows, g->s->X, g->heads->n, is_packed);
    else
        multiply_floats(g->s, floats, n_rows, t, first, n_rows, g->s->h, g->heads->n);
}

/* v (n_rows): of these the products of vector i. */
static const float *table_products(float *v, const struct head_stage *g, uint32_t worker,
                                   const struct smol_table_view *t, size_t first, size_t n_rows,
                                   uint32_t i)
{
    const int64_t *sums = g->s->workers[worker].sums;

    if (!t->scales)
        return (const float *)(const void *)sums + i * n_rows;
    scale_rows(g->s, v, sums + i * n_rows, t, first, (double)g->s->t[i], n_rows);
    return v;
}

/* Rows of an output, whose products are what logits begin as, or are added to those of their
 * tokens. */
static void output_rows(const struct head_stage *g, uint32_t worker, const struct output *o,
                        size_t begin, size_t end, bool is_first)
{
    float memory[HEAD_ROWS];

    for (size_t row = begin, n; row < end; row += n) {
        n = end - row < HEAD_ROWS ? end - row : HEAD_ROWS;
        multiply_table(g, worker, &o->table, row, n, row > begin);
        for (uint32_t k = 0; k < g->heads->n; k++) {
            const float *v = table_products(memory, g, worker, &o->table, row, n, k);
            float *logits = head_logits(g->s, g->heads, k);
            for (size_t i = 0; i < n; i++) {
                const size_t token = o->rows ? smol_le32(o->rows->tokens + 4 * (row + i)) : row + i;
                const float part = v[i] * o->scale;
                logits[token] = is_first ? part : logits[token] + part;
            }
        }
    }
}

/* Logits of a share of the vocabulary from h (n, C) and its 16 bits. */
static void head_rows(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct head_stage *g = arg;
    const struct smol_session *s = g->s;
    const size_t begin = smol_share(s->config->vocab, worker, n_workers),
                 end = smol_share(s->config->vocab, worker + 1, n_workers);

    for (uint32_t i = 0; i < s->n_outputs; i++) {
        const struct output *o = &s->outputs[i];
        if (o->rows)
            output_rows(g, worker, o, smol_rows_from(o->rows, (uint32_t)begin),
                        smol_rows_from(o->rows, (uint32_t)end), false);
        else
            output_rows(g, worker, o, begin, end, i == 0);
    }
    for (uint32_t i = 0; i < g->heads->n; i++)
        smol_pass_check(s, worker, head_logits(s, g->heads, i) + begin, end - begin);
}

static void head_inputs(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct head_stage *g = arg;
    const struct smol_session *s = g->s;
    const size_t C = s->config->width, n = g->heads->n, end = smol_share(n, worker + 1, n_workers);

    for (size_t i = smol_share(n, worker, n_workers); i < end; i++) {
        s->kernels->layernorm(s->h + i * C, s->x + g->heads->positions[i] * C, s->ln_f.gain,
                              s->ln_f.bias, s->config->ln_epsilon, C);
        smol_pass_quantise(s, worker, i, s->h + i * C, C);
    }
}

void smol_head(struct smol_session *session, const struct heads *heads)
{
    struct head_stage stage = {session, heads};
    const uint64_t C = session->config->width;

    smol_pass_run(session, head_inputs, &stage, heads->n, ELEMENT * C);
    smol_pass_run(session, head_rows, &stage, session->config->vocab, heads->n * C);
}
