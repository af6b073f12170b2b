/* The forward pass for a batch of positions, stage by stage. SPEC.md 8. Each position is computed
 * by itself. */
#include "base/bytes.h"
#include "model/pass.h"

/* One stage of a layer, and what it works on. */
struct stage {
    const struct pass *pass;
    const struct norm *norm;
    struct shift *shift;
};

void smol_pass_check(const struct smol_session *s, uint32_t worker, const float *x, size_t n)
{
    if (!s->kernels->within(x, n, 0x1.fffffep49f))
        s->workers[worker].overflow = true;
}

bool smol_overflowed(struct smol_session *session)
{
    bool any = false;

    for (uint32_t i = 0; i < session->n_workers; i++) {
        any = any || session->workers[i].overflow;
        session->workers[i].overflow = false;
    }
    return any;
}

#define WORTH_SHARING 32768u /* multiplications */

void smol_pass_run(const struct smol_session *s, smol_work *work, void *arg, uint64_t n_items,
                   uint64_t each)
{
    if (s->n_workers == 1 || n_items < 2 || n_items * each < WORTH_SHARING)
        work(arg, 0, 1);
    else
        smol_pool_run(s->pool, work, arg);
}

static void embed(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct pass *g = arg;
    const struct smol_session *s = g->s;
    const size_t C = s->config->width;
    const size_t end = smol_share(g->n, worker + 1, n_workers);
    float *more = s->workers[worker].scratch;

    for (size_t p = smol_share(g->n, worker, n_workers); p < end; p++) {
        float *x = s->x + p * C, *h = s->h + p * C;
        smol_mixture_row(x, more, &s->mixture, SMOL_PART_WTE, g->tokens[p] & ~SMOL_WRITTEN);
        if (s->file->wpe.data)
            smol_mixture_row(h, more, &s->mixture, SMOL_PART_WPE,
                             s->texts[s->rows[p].text].position + s->rows[p].at);
        for (size_t i = 0; s->file->wpe.data && i < C; i++)
            x[i] += h[i];
        smol_pass_check(s, worker, x, C);
    }
}

void smol_pass_quantise(const struct smol_session *s, uint32_t worker, size_t p, const float *in,
                        size_t n)
{
    smol_pass_check(s, worker, in, n);
    s->t[p] = s->kernels->quantise(s->X + p * s->x_stride, in, n);
}

/* h = LayerNorm(x), and its 16 bits unless it is shifted first. */
static void normalise(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const struct smol_session *s = g->pass->s;
    const size_t C = s->config->width;
    const size_t end = smol_share(g->pass->n, worker + 1, n_workers);

    for (size_t p = smol_share(g->pass->n, worker, n_workers); p < end; p++) {
        s->kernels->layernorm(s->h + p * C, s->x + p * C, g->norm->gain, g->norm->bias,
                              s->config->ln_epsilon, C);
        if (g->shift->is_shifted)
            smol_pass_check(s, worker, s->h + p * C, C);
        else
            smol_pass_quantise(s, worker, p, s->h + p * C, C);
    }
}

/* shifted = h, some channels of it from the position before, and its 16 bits. */
static void shift_channels(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const struct smol_session *s = g->pass->s;
    const size_t C = s->config->width;
    const size_t end = smol_share(g->pass->n, worker + 1, n_workers);

    for (size_t p = smol_share(g->pass->n, worker, n_workers); p < end; p++) {
        const struct row *row = &s->rows[p];
        const float *now = s->h + p * C,
                    *before = row->at ? now - C : g->shift->before + row->text * C;
        float *out = s->shifted + p * C;
        for (size_t i = 0; i < C; i++) {
            const float a = now[i], b = before[i]; /* read both, and many can be at once */
            out[i] = g->shift->is_shifted[i] ? b : a;
        }
        s->t[p] = s->kernels->quantise(s->X + p * s->x_stride, out, C);
    }
}

/* The input of a sublayer's first matrix: LayerNorm(x), shifted with a half-shift. */
static const float *sublayer_input(const struct pass *pass, const struct norm *norm,
                                   struct shift *shift)
{
    const struct smol_session *s = pass->s;
    const size_t C = s->config->width;
    struct stage stage = {.pass = pass, .norm = norm, .shift = shift};

    smol_pass_run(s, normalise, &stage, pass->n, ELEMENT * C);
    if (!shift->is_shifted)
        return s->h;
    for (uint32_t p = 0; p < pass->n; p += s->rows[p].n)
        if (s->texts[s->rows[p].text].position == 0)
            memset(shift->before + s->rows[p].text * C, 0, C * sizeof *shift->before);
    smol_pass_run(s, shift_channels, &stage, pass->n, ELEMENT * C);
    for (uint32_t p = 0, last; p < pass->n; p = last + 1) {
        last = p + s->rows[p].n - 1;
        memcpy(shift->before + s->rows[p].text * C, s->h + last * C, C * sizeof *shift->before);
    }
    return s->shifted;
}

/* The 16 bits of the hidden units (n, F), which GELU leaves in their range. */
static void quantise_hidden(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct stage *g = arg;
    const struct smol_session *s = g->pass->s;
    const size_t F = s->config->n_ff;
    const size_t end = smol_share(g->pass->n, worker + 1, n_workers);

    for (size_t p = smol_share(g->pass->n, worker, n_workers); p < end; p++) {
        const float *f = s->wide + p * F;
        if (s->activation == s->kernels->gelu)
            s->t[p] = s->kernels->quantise(s->X + p * s->x_stride, f, F);
        else
            smol_pass_quantise(s, worker, p, f, F);
    }
}

/* Queries, keys and values are in `wide`, then what attention adds to x; the hidden units of the
 * second half too, and what it adds is in h. */
static void layer_forward(struct pass *pass, struct layer *layer)
{
    struct smol_session *s = pass->s;
    struct stage stage = {.pass = pass};
    const float *in = sublayer_input(pass, norm_of(layer, SMOL_LN_1), &layer->shifts[0]);

    smol_multiply(pass, s->wide, dense_of(layer, SMOL_ATTN_C_ATTN), in, SMOL_THEN_STAY);
    smol_pass_attention(pass);
    smol_multiply(pass, s->wide, dense_of(layer, SMOL_ATTN_C_PROJ), s->h, SMOL_THEN_ADD);
    in = sublayer_input(pass, norm_of(layer, SMOL_LN_2), &layer->shifts[1]);
    smol_multiply(pass, s->wide, dense_of(layer, SMOL_MLP_C_FC), in, SMOL_THEN_ACTIVATE);
    smol_pass_run(s, quantise_hidden, &stage, pass->n, (uint64_t)ELEMENT * s->config->n_ff);
    smol_multiply(pass, s->h, dense_of(layer, SMOL_MLP_C_PROJ), s->wide, SMOL_THEN_ADD);
}

/* Which text each position belongs to, and which of that text's it is. */
static void lay_rows(struct smol_session *s, const uint32_t *texts, uint32_t n)
{
    for (uint32_t p = 0, end; p < n; p = end) {
        const uint32_t text = texts ? texts[p] : 0;
        for (end = p + 1; end < n && (!texts || texts[end] == text);)
            end++;
        for (uint32_t i = p; i < end; i++)
            s->rows[i] = (struct row){text, i - p, end - p};
    }
}

void smol_forward(struct smol_session *session, const uint32_t *texts, const uint32_t *tokens,
                  uint32_t n)
{
    struct pass pass = {.s = session, .tokens = tokens, .n = n};

    lay_rows(session, texts, n);
    smol_cache_advance(&pass);
    smol_pass_run(session, embed, &pass, n, ELEMENT * (uint64_t)session->config->width);
    for (; pass.layer < session->config->n_layers; pass.layer++)
        layer_forward(&pass, &session->layers[pass.layer]);
}
