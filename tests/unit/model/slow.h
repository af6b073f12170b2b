/* A model's logits once more, slowly and in double, from its exact weights. SPEC.md 8. */
#ifndef TEST_SLOW_H
#define TEST_SLOW_H

#include "make_model.h"
#include "model/slow_history.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/primitives.h>
#include <smol/weights.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline double *slow_tensor(const struct smol_file *file, const char *name, uint32_t layer)
{
    struct smol_tensor t;
    char full[64];
    double *values;
    void *scratch;
    size_t size;

    if (name[0] == '%')
        snprintf(full, sizeof full, "h.%u.%.40s", layer, name + 1);
    else
        snprintf(full, sizeof full, "%s", name);
    cr_assert_eq(smol_tensor_find(&t, &file->config, full, NULL), SMOL_OK, "%s", full);
    values = malloc((size_t)t.rows * t.cols * sizeof *values);
    size = smol_tensor_scratch_bytes(file, &t);
    scratch = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_tensor_read(values, file, &t, 0, t.rows, scratch, NULL), SMOL_OK);
    free(scratch);
    return values;
}

/* y (n, C) = LayerNorm of x (n, C). */
static inline void slow_layernorm(double *y, const double *x, const struct smol_file *f,
                                  const char *norm, uint32_t layer, size_t n)
{
    const size_t C = f->config.width;
    char name[32];
    double *gain, *bias;

    snprintf(name, sizeof name, "%s.weight", norm);
    gain = slow_tensor(f, name, layer);
    snprintf(name, sizeof name, "%s.bias", norm);
    bias = slow_tensor(f, name, layer);
    for (; n > 0; n--, x += C, y += C) {
        double mean = 0, var = 0;
        for (size_t i = 0; i < C; i++)
            mean += x[i] / (double)C;
        for (size_t i = 0; i < C; i++)
            var += (x[i] - mean) * (x[i] - mean) / (double)C;
        for (size_t i = 0; i < C; i++)
            y[i] = (x[i] - mean) / sqrt(var + (double)f->config.ln_epsilon) * gain[i] + bias[i];
    }
    free(gain);
    free(bias);
}

/* y (n, R) = a matrix, and its bias if it has one, of x (n, K). */
static inline void slow_multiply(double *y, const struct smol_file *f, const char *name,
                                 uint32_t layer, const double *x, size_t n)
{
    struct smol_tensor t;
    char full[64];
    double *w = slow_tensor(f, name, layer), *bias = NULL;

    snprintf(full, sizeof full, "h.%u.%.40s", layer, name + 1);
    cr_assert_eq(smol_tensor_find(&t, &f->config, full, NULL), SMOL_OK);
    const size_t R = t.rows, K = t.cols;
    strcpy(strrchr(full, '.'), ".bias");
    if (smol_tensor_find(&t, &f->config, full, NULL) == SMOL_OK)
        bias = slow_tensor(f, full, layer);
    for (; n > 0; n--, x += K)
        for (size_t r = 0; r < R; r++, y++) {
            *y = bias ? bias[r] : 0;
            for (size_t k = 0; k < K; k++)
                *y += w[r * K + k] * x[k];
        }
    free(w);
    free(bias);
}

static inline bool slow_has(const struct smol_file *f, enum smol_feature feature)
{
    return (f->config.features & feature) != 0;
}

/* A text's numbers on their way through the layers, (n, C) each. */
struct slow {
    const struct smol_file *file;
    size_t n;
    uint32_t context; /* T' */
    double *x, *h;
};

/* Half of the channels of h from the position before; number: of the matrix that follows. */
static inline void slow_shift(const struct slow *s, uint32_t number)
{
    const size_t C = s->file->config.width;
    uint8_t stream[512];

    if (!slow_has(s->file, SMOL_FEATURE_HALF_SHIFT))
        return;
    cr_assert(C / 2 <= 8 * sizeof stream);
    smol_primitive_stream(stream, s->file->config.seed, number, 0, 9, 0, sizeof stream / 64);
    for (size_t p = s->n; p-- > 0;)
        for (size_t k = 0; k < C / 2; k++) {
            const size_t c = 2 * k + (stream[k / 8] >> k % 8 & 1);
            s->h[p * C + c] = p ? s->h[(p - 1) * C + c] : 0;
        }
}

/* 2 down to 2^-5, and 1/2 of a single head. */
static inline double slow_slope(uint32_t head, uint32_t n_heads)
{
    return n_heads == 1 ? 0.5 : pow(2, 1 - 6.0 * head / (n_heads - 1.0));
}

/* o (n, C) of one head from qkv (n, 3 C). */
static inline void slow_head(double *o, const struct slow *s, const double *qkv, uint32_t head,
                             double scale, double slope)
{
    const size_t C = s->file->config.width, D = C / s->file->config.n_heads;
    double *p = malloc(s->n * sizeof *p);

    for (size_t q = 0; q < s->n; q++) {
        const size_t first = q + 1 > s->context ? q + 1 - s->context : 0;
        double sum = 0;
        for (size_t j = first; j <= q; j++) {
            p[j] = 0;
            for (size_t i = head * D; i < (head + 1) * D; i++)
                p[j] += qkv[q * 3 * C + i] * qkv[j * 3 * C + C + i];
            p[j] = exp(p[j] * scale - slope * (double)(q - j));
            sum += p[j];
        }
        for (size_t i = head * D; i < (head + 1) * D; i++) {
            o[q * C + i] = 0;
            for (size_t j = first; j <= q; j++)
                o[q * C + i] += p[j] / sum * qkv[j * 3 * C + 2 * C + i];
        }
    }
    free(p);
}

static inline void slow_attention(double *o, const struct slow *s, const double *qkv, uint32_t l)
{
    const struct smol_file *f = s->file;
    const uint32_t H = f->config.n_heads;
    double *temperature = NULL, *factor = NULL;

    if (slow_has(f, SMOL_FEATURE_TEMPERATURES))
        temperature = slow_tensor(f, "%attn.temperature", l);
    if (slow_has(f, SMOL_FEATURE_SLOPE_FACTORS))
        factor = slow_tensor(f, "%attn.slope_factor", l);
    for (uint32_t head = 0; head < H; head++)
        slow_head(o, s, qkv, head,
                  (temperature ? temperature[head] : 1) / sqrt((double)f->config.width / H),
                  slow_has(f, SMOL_FEATURE_DISTANCES)
                      ? slow_slope(head, H) * (factor ? factor[head] : 1)
                      : 0);
    free(temperature);
    free(factor);
}

static inline double slow_activation(const struct smol_file *f, double x)
{
    if (slow_has(f, SMOL_FEATURE_RELU2))
        return x > 0 ? x * x : 0;
    return 0.5 * x * (1 + tanh(sqrt(2 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

/* Layer l of all positions. */
static inline void slow_layer(const struct slow *s, uint32_t l)
{
    const struct smol_file *f = s->file;
    const size_t n = s->n, C = f->config.width, F = f->config.n_ff;
    double *wide = malloc(n * (3 * C + F) * sizeof *wide), *o = malloc(n * C * sizeof *o);

    slow_layernorm(s->h, s->x, f, "%ln_1", l, n);
    slow_shift(s, 4 * l);
    slow_multiply(wide, f, "%attn.c_attn.weight", l, s->h, n);
    slow_attention(o, s, wide, l);
    slow_multiply(s->h, f, "%attn.c_proj.weight", l, o, n);
    for (size_t i = 0; i < n * C; i++)
        s->x[i] += s->h[i];
    slow_layernorm(s->h, s->x, f, "%ln_2", l, n);
    slow_shift(s, 4 * l + 2);
    slow_multiply(wide, f, "%mlp.c_fc.weight", l, s->h, n);
    for (size_t i = 0; i < n * F; i++)
        wide[i] = slow_activation(f, wide[i]);
    slow_multiply(o, f, "%mlp.c_proj.weight", l, wide, n);
    for (size_t i = 0; i < n * C; i++)
        s->x[i] += o[i];
    free(wide);
    free(o);
}

/* Logits (n, V) of a text of n tokens, some of which may be written, whose positions see the last
 * `context`, and whose history is the last H; for free(). */
static inline double *slow_logits_within(const struct smol_file *f, const uint32_t *tokens,
                                         size_t n, uint32_t context, size_t H)
{
    const size_t C = f->config.width, V = f->config.vocab;
    struct slow s = {f, n, context, malloc(n * C * sizeof(double)), malloc(n * C * sizeof(double))};
    double *wte = slow_tensor(f, "wte.weight", 0), *wpe = NULL, *head = wte,
           *logits = calloc(n * V, sizeof *logits);

    if (!slow_has(f, SMOL_FEATURE_DISTANCES))
        wpe = slow_tensor(f, "wpe.weight", 0);
    if (slow_has(f, SMOL_FEATURE_OUTPUT_TABLE))
        head = slow_tensor(f, "lm_head.weight", 0);
    for (size_t i = 0; i < n * C; i++)
        s.x[i] = wte[slow_token(tokens[i / C]) * C + i % C] + (wpe ? wpe[i] : 0);
    for (uint32_t l = 0; l < f->config.n_layers; l++)
        slow_layer(&s, l);
    slow_layernorm(s.h, s.x, f, "ln_f", 0, n);
    for (size_t i = 0; i < n * V; i++) {
        for (size_t k = 0; k < C; k++)
            logits[i] += head[i % V * C + k] * s.h[i / V * C + k];
        logits[i] *= (double)f->config.logit_scale;
    }
    if (slow_has(f, SMOL_FEATURE_HISTORY)) {
        double *numbers = slow_tensor(f, "history", 0);
        for (size_t p = 0; p < n; p++)
            slow_mix(logits + p * V, numbers, tokens, p + 1, H, (uint32_t)V);
        free(numbers);
    }
    free(s.x), free(s.h), free(wpe);
    if (head != wte)
        free(head);
    free(wte);
    return logits;
}

/* The same with a whole history. */
static inline double *slow_logits(const struct smol_file *f, const uint32_t *tokens, size_t n,
                                  uint32_t context)
{
    return slow_logits_within(f, tokens, n, context, 65536);
}

/* The session's logits against those of a position. */
static inline void assert_close(const float *logits, const double *expected, uint32_t vocab,
                                const char *what, size_t position)
{
    for (uint32_t v = 0; v < vocab; v++)
        cr_assert_float_eq((double)logits[v], expected[v], 1e-3 * (1 + fabs(expected[v])),
                           "%s, position %zu, token %u: %g, expected %g", what, position, v,
                           (double)logits[v], expected[v]);
}

#endif
