/* The KV cache and the attention over it. SPEC.md 8. A cache that slides has a few rows more than a
 * position sees: when it is full, the rows that are still seen move to its front, so that the rows
 * of a head always lie together and a token costs a constant time. */
#include "base/bytes.h"
#include "model/pass.h"

#include <smol/params.h>

#include <math.h>

/* Which row of the cache is the first of a head of the present layer, of the text of a position. */
static size_t cache_row(const struct pass *g, size_t head, size_t p)
{
    return (g->s->rows[p].text * all_heads(g->s) + g->layer * (size_t)g->s->config->n_heads +
            head) *
           g->s->capacity;
}

void smol_cache_move(const struct smol_session *s, size_t to, size_t from, size_t n)
{
    const size_t row_bytes =
        (size_t)smol_row_bytes(s->kv_type, s->config->width / s->config->n_heads);

    memmove(s->keys + to * row_bytes, s->keys + from * row_bytes, n * row_bytes);
    memmove(s->values + to * row_bytes, s->values + from * row_bytes, n * row_bytes);
    if (s->kv_type == SMOL_Q8) {
        memmove(s->key_scales + to, s->key_scales + from, n * sizeof *s->key_scales);
        memmove(s->value_scales + to, s->value_scales + from, n * sizeof *s->value_scales);
    }
}

/* Whether the cache of a position's text has no room for its positions; true once for each text. */
static bool is_to_slide(const struct smol_session *s, const struct row *row)
{
    return s->slides && row->at == 0 && row->n > s->capacity - s->texts[row->text].held;
}

/* Of the texts that are to slide, the last T' - 1 rows of a share of the heads of all layers to
 * their front. */
static void slide(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct pass *g = arg;
    const struct smol_session *s = g->s;
    const size_t heads = all_heads(s), end = smol_share(heads, worker + 1, n_workers),
                 n = s->context - 1;

    for (uint32_t p = 0; p < g->n; p++) {
        const uint32_t text = s->rows[p].text;
        if (!is_to_slide(s, &s->rows[p]))
            continue;
        for (size_t head = smol_share(heads, worker, n_workers); head < end; head++) {
            const size_t to = (text * heads + head) * s->capacity;
            smol_cache_move(s, to, to + s->texts[text].held - n, n);
        }
    }
}

void smol_cache_advance(struct pass *pass)
{
    struct smol_session *s = pass->s;
    uint32_t n = 0;

    for (uint32_t p = 0; p < pass->n; p++)
        n += is_to_slide(s, &s->rows[p]);
    if (n == 0)
        return;
    smol_pass_run(s, slide, pass, all_heads(s),
                  (uint64_t)n * s->context * (s->config->width / s->config->n_heads));
    for (uint32_t p = 0; p < pass->n; p++)
        if (is_to_slide(s, &s->rows[p]))
            s->texts[s->rows[p].text].held = s->context - 1;
}

void smol_cache_copy(const struct smol_session *s, uint32_t to, uint32_t from)
{
    const size_t heads = all_heads(s);

    for (size_t head = 0; head < heads; head++)
        smol_cache_move(s, (to * heads + head) * s->capacity, (from * heads + head) * s->capacity,
                        s->texts[from].held);
}

/* A row of D numbers into one half of the cache. */
static void store_row(const struct smol_session *s, uint8_t *rows, float *scales, size_t row,
                      const float *v, size_t D)
{
    uint8_t *dest = rows + row * smol_row_bytes(s->kv_type, (uint32_t)D);

    if (s->kv_type == SMOL_F32)
        memcpy(dest, v, D * sizeof *v);
    else if (s->kv_type == SMOL_F16)
        for (size_t i = 0; i < D; i++)
            smol_put16(dest + 2 * i, smol_f32_to_f16(v[i]));
    else
        scales[row] = smol_f32_to_q8(dest, v, D);
}

/* Stores K and V of the batch in the cache; halves hold values up to 65504. */
static void store_kv(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct pass *g = arg;
    const struct smol_session *s = g->s;
    const size_t C = s->config->width, H = s->config->n_heads, D = C / H;
    const size_t end = smol_share(g->n, worker + 1, n_workers);

    for (size_t p = smol_share(g->n, worker, n_workers); p < end; p++) {
        const float *qkv = s->wide + p * 3 * C;
        smol_pass_check(s, worker, qkv, 3 * C);
        if (s->kv_type == SMOL_F16 && !s->kernels->within(qkv + C, 2 * C, 65504.0f))
            s->workers[worker].overflow = true;
        for (size_t head = 0; head < H; head++) {
            const size_t row =
                cache_row(g, head, p) + s->texts[s->rows[p].text].held + s->rows[p].at;
            store_row(s, s->keys, s->key_scales, row, qkv + C + head * D, D);
            store_row(s, s->values, s->value_scales, row, qkv + 2 * C + head * D, D);
        }
    }
}

/* n rows of one half of the cache as floats, in memory of the worker unless they are floats. */
static const float *cached(const struct smol_session *s, const uint8_t *rows, const float *scales,
                           size_t row, size_t n, size_t D, float *memory)
{
    const uint8_t *data = rows + row * smol_row_bytes(s->kv_type, (uint32_t)D);

    if (s->kv_type == SMOL_F32)
        return (const float *)(const void *)data;
    if (s->kv_type == SMOL_F16)
        s->kernels->from_f16(memory, data, n * D);
    else
        for (size_t j = 0; j < n; j++)
            smol_numbers_to_f32(memory + j * D, SMOL_Q8, data + j * D, scales[row + j], D);
    return memory;
}

/* One head of one position. */
struct item {
    size_t p, head;
    bool is_first; /* of the positions of its text */
};

/* Texts one behind the other, of each the heads, of each the positions. */
static struct item item_at(const struct pass *g, size_t i)
{
    const size_t H = g->s->config->n_heads, some = i / H, first = some - g->s->rows[some].at,
                 n = g->s->rows[some].n, left = i - first * H;

    return (struct item){first + left % n, left / n, left % n == 0};
}

/* Attention by (text, head, position), so that a head's rows are converted to floats once for all
 * positions of a text, and several items side by side; outputs go into h. Rows are counted from the
 * first that the first position of its text sees. */
static void attend(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct pass *g = arg;
    const struct smol_session *s = g->s;
    const struct worker *w = &s->workers[worker];
    const struct layer *layer = &s->layers[g->layer];
    const size_t C = s->config->width, H = s->config->n_heads, D = C / H, T = s->context;
    const size_t end = smol_share(g->n * H, worker + 1, n_workers);
    const float *K = NULL, *V = NULL, plain = 1.0f / sqrtf((float)D);
    size_t n = 0;

    for (size_t i = smol_share(g->n * H, worker, n_workers); i < end; i++) {
        const struct item at = item_at(g, i);
        const struct row *r = &s->rows[at.p];
        const size_t held = s->texts[r->text].held, first = held < T ? 0 : held + 1 - T,
                     last = held + r->at + 1 - first, n_keys = last < T ? last : T;
        if (n == s->n_queries || (n > 0 && at.is_first && s->kv_type != SMOL_F32)) {
            s->kernels->attention(w->queries, n, D, D, w->scores, T);
            n = 0;
        }
        if (!K || at.is_first) {
            const size_t row = cache_row(g, at.head, at.p) + first, rows = held + r->n - first;
            K = cached(s, s->keys, s->key_scales, row, rows, D, w->keys);
            V = cached(s, s->values, s->value_scales, row, rows, D, w->values);
        }
        w->queries[n++] =
            (struct smol_query){.o = s->h + at.p * C + at.head * D,
                                .q = s->wide + at.p * 3 * C + at.head * D,
                                .K = K + (last - n_keys) * D,
                                .V = V + (last - n_keys) * D,
                                .n_keys = n_keys,
                                .scale = layer->scales ? layer->scales[at.head] : plain,
                                .slope = layer->slopes ? layer->slopes[at.head] : 0};
    }
    s->kernels->attention(w->queries, n, D, D, w->scores, T);
}

static void quantise_attention(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct pass *g = arg;
    const size_t C = g->s->config->width;
    const size_t end = smol_share(g->n, worker + 1, n_workers);

    for (size_t p = smol_share(g->n, worker, n_workers); p < end; p++)
        smol_pass_quantise(g->s, worker, p, g->s->h + p * C, C);
}

void smol_pass_attention(struct pass *pass)
{
    const struct smol_session *s = pass->s;
    const size_t C = s->config->width, H = s->config->n_heads;
    size_t n_keys = 0; /* of the position that sees most */

    for (uint32_t p = 0; p < pass->n; p += s->rows[p].n) {
        const size_t n = s->texts[s->rows[p].text].held + s->rows[p].n;
        n_keys = n > n_keys ? n : n_keys;
    }
    smol_pass_run(s, store_kv, pass, pass->n, ELEMENT * C);
    smol_pass_run(s, attend, pass, pass->n * H, 2 * n_keys * (C / H));
    smol_pass_run(s, quantise_attention, pass, pass->n, ELEMENT * C);
}
