/* Frozen row blocks times several vectors, with AVX-512: rows that are turned into lanes.
 *
 * Each lane of a register is a row. ROWS rows of bytes are generated at a time; chunk by chunk of
 * their columns they are turned, so that a lane has four columns of its row, and become weights,
 * which stay in the first cache while all vectors meet them. A tile of two registers of rows and
 * some vectors has its sums in registers, and a vector's four columns are broadcast to all lanes:
 * no sum is taken over lanes. The file that includes this has before:
 *
 *   CHUNK         columns, a multiple of 64
 *   W_STEP        bytes of the weights of four columns
 *   SECTION       columns, whole chunks, whose sums fit struct total
 *   KEEP_WEIGHTS  whether planes add up in the weights, or else in the sums
 *   struct weights (with lookup), weights_load(t, q): a table
 *   put_step(w, half, u, t, lookup, is_first, is_last): the bytes u of four columns and half of the
 *                 rows, looked up, become their weights, added to those that are there unless
 *                 is_first; whole ones if is_last
 *   struct vectors (with n_x, cols) the vectors, made ready
 *   struct total  a vector's sums of ROWS rows
 *   multiply_chunk(totals, w, x, chunk, cols): adds those of a chunk, of all vectors; those of a
 *                 section's first chunk begin them
 *   take_totals(sums, total, half, x, i, chunk): those of half of the rows and vector i, up to a
 *                 section's last chunk, become their sums */
#ifndef SMOL_TURNED_AVX512_H
#define SMOL_TURNED_AVX512_H

#include "kernel/x86/registers_avx512.h"

#define ROWS 32u
#define W_CHUNK (CHUNK / 4u * W_STEP)

ALWAYS_INLINE size_t min_size(size_t a, size_t b) { return a < b ? a : b; }

/* The bytes of ROWS rows that come next. */
static void generate_rows(uint8_t *u, size_t n, struct generator *s)
{
    struct generator own = *s;

    for (size_t i = 0; i < ROWS * n; i += BYTES)
        _mm512_store_si512(u + i, generator_step(&own, 0));
    *s = own;
}

/* 32 bytes of a row and of the fourth after it. */
ALWAYS_INLINE __m512i load_rows(const uint8_t *u, size_t stride)
{
    const __m256i a = _mm256_load_si256((const __m256i *)(const void *)u);
    const __m256i b = _mm256_load_si256((const __m256i *)(const void *)(u + 4 * stride));

    return _mm512_mask_broadcast_i64x4(_mm512_castsi256_si512(a), 0xf0, b);
}

/* v[q] gets dword q of each 16 bytes of four registers. */
ALWAYS_INLINE void turn_four(__m512i v[4], const uint8_t *u, size_t stride)
{
    const __m512i r0 = load_rows(u, stride), r1 = load_rows(u + stride, stride),
                  r2 = load_rows(u + 2 * stride, stride), r3 = load_rows(u + 3 * stride, stride);
    const __m512i a = _mm512_unpacklo_epi32(r0, r1), b = _mm512_unpacklo_epi32(r2, r3),
                  c = _mm512_unpackhi_epi32(r0, r1), d = _mm512_unpackhi_epi32(r2, r3);

    v[0] = _mm512_unpacklo_epi64(a, b);
    v[1] = _mm512_unpackhi_epi64(a, b);
    v[2] = _mm512_unpacklo_epi64(c, d);
    v[3] = _mm512_unpackhi_epi64(c, d);
}

/* 32 columns of sixteen rows: lane r of v[q] has columns 4 q..4 q + 3 of row r. */
ALWAYS_INLINE void turn(__m512i v[8], const uint8_t *u, size_t stride)
{
    __m512i a[4], b[4];

    turn_four(a, u, stride);
    turn_four(b, u + 8 * stride, stride);
    for (unsigned q = 0; q < 4; q++) {
        v[q] = _mm512_shuffle_i32x4(a[q], b[q], 0x88);
        v[4 + q] = _mm512_shuffle_i32x4(a[q], b[q], 0xdd);
    }
}

/* Rows to come, of which as many bytes are generated as are put: a step of a stream waits for the
 * one before, and so would the processor. */
struct ahead {
    uint8_t *u;
    struct generator s;
};

ALWAYS_INLINE void put_chunk_of_kind(uint8_t *w, const uint8_t *u, size_t stride, size_t n,
                                     const struct weights *t, enum lookup lookup, bool is_first,
                                     bool is_last, struct ahead *ahead)
{
    struct generator s = ahead->s;
    uint8_t *next = ahead->u;

    for (size_t c = 0; c < n; c += 32, u += 32, w += 8 * W_STEP)
        for (unsigned half = 0; half < 2; half++) {
            __m512i v[8];
            turn(v, u + half * 16 * stride, stride);
            for (unsigned q = 0; q < 8; q++) {
                put_step(w + q * W_STEP, half, v[q], t, lookup, is_first, is_last);
                if (next)
                    _mm512_store_si512(next + q * BYTES, generator_step(&s, 0));
            }
            next = next ? next + 8 * BYTES : NULL;
        }
    *ahead = (struct ahead){next, s};
}

ALWAYS_INLINE void put_plane(uint8_t *w, const uint8_t *u, size_t stride, size_t n,
                             const struct weights *t, bool is_first, bool is_last,
                             struct ahead *ahead)
{
#define CASE(kind)                                                                                 \
    case kind: put_chunk_of_kind(w, u, stride, n, t, kind, is_first, is_last, ahead); break;
    switch (t->lookup) {
        LOOKUPS(CASE)
    default: break;
    }
#undef CASE
}

/* Of n columns, a multiple of 64. */
static void put_chunk(uint8_t *w, const uint8_t *u, size_t stride, size_t n,
                      const struct weights *t, bool is_first, bool is_last, struct ahead *ahead)
{
    if (is_first && is_last)
        put_plane(w, u, stride, n, t, true, true, ahead);
    else if (is_first)
        put_plane(w, u, stride, n, t, true, false, ahead);
    else if (is_last)
        put_plane(w, u, stride, n, t, false, true, ahead);
    else
        put_plane(w, u, stride, n, t, false, false, ahead);
}

/* Rows of some row blocks, plane by plane, as they are needed. */
struct source {
    const struct smol_frozen *t;
    uint32_t block, end; /* row blocks */
    uint32_t row, plane; /* of what comes next: the first row in the row block */
    struct generator s[SMOL_MAX_PLANES];
};

static void begin_block(struct source *s)
{
    for (uint32_t p = 0; s->block < s->end && p < s->t->n_planes; p++)
        generators_init(&s->s[p], s->t, p, s->block, 1);
}

/* Moves on to the rows that come next. */
static void next_rows(struct source *s)
{
    if (++s->plane < s->t->n_planes)
        return;
    s->plane = 0;
    s->row += ROWS;
    if (s->row < SMOL_ROW_BLOCK && s->block * SMOL_ROW_BLOCK + s->row < s->t->rows)
        return;
    s->row = 0;
    s->block++;
    begin_block(s);
}

struct work {
    struct total *totals; /* (n_x) */
    uint8_t *u[2];        /* (ROWS, n): of a plane of the rows at hand, and what comes next */
    uint8_t *w;           /* W_CHUNK, or of weights that are kept all chunks of a row */
    struct weights weights;
};

static inline bool keeps_weights(uint32_t n_planes) { return KEEP_WEIGHTS && n_planes > 1; }

/* Where sums go, or the numbers that they are with a scale times t (n_x); row r of vector i to
 * place i x stride + r. */
struct output {
    int64_t *sums;
    float *numbers; /* NULL: sums */
    size_t stride;
    double scale;
    const float *t;
};

/* Sums of 16 rows times a scale. */
ALWAYS_INLINE void put_numbers(float *to, __mmask16 rows, const __m512i sums[2], double scale)
{
    const __m512d s = _mm512_set1_pd(scale);
    const __m256 a = _mm512_cvtpd_ps(_mm512_mul_pd(s, _mm512_cvtepi64_pd(sums[0]))),
                 b = _mm512_cvtpd_ps(_mm512_mul_pd(s, _mm512_cvtepi64_pd(sums[1])));

    _mm512_mask_storeu_ps(to, rows, _mm512_insertf32x8(_mm512_castps256_ps512(a), b, 1));
}

/* Totals of n_rows rows, or all that there are, become their sums, or are added to these unless
 * is_first. */
static void put_all(const struct output *to, size_t row, const struct total *totals,
                    const struct vectors *x, size_t chunk, uint32_t n_rows, bool is_first)
{
    for (size_t i = 0; i < x->n_x; i++)
        for (unsigned half = 0; half < 2; half++) {
            const size_t at = i * to->stride + row + 16 * half;
            const uint32_t n = n_rows > 16 * half ? n_rows - 16 * half : 0;
            __m512i sums[2];
            take_totals(sums, &totals[i], half, x, i, chunk);
            if (to->numbers) {
                __builtin_prefetch(to->numbers + at + ROWS, 1); /* which others may have read */
                put_numbers(to->numbers + at, tail16(n), sums, to->scale * (double)to->t[i]);
                continue;
            }
            for (unsigned k = 0; k < 2; k++)
                add_eight(to->sums + at, k, n, is_first, sums[k]);
        }
}

/* The rows of u[0], of a plane, while those that come next are made in u[1]. */
static void plane_multiply(const struct output *to, size_t row, struct work *k, struct source *s,
                           uint32_t plane, uint32_t n_rows, const struct vectors *x)
{
    const size_t n = smol_round_up(x->cols, BYTES);
    const bool is_kept = keeps_weights(s->t->n_planes), is_first = plane == 0 || !is_kept,
               is_last = plane + 1 == s->t->n_planes || !is_kept;
    struct ahead ahead = {s->block < s->end ? k->u[1] : NULL, s->s[s->plane]};

    for (size_t c = 0; c < n; c += CHUNK) {
        uint8_t *w = k->w + (is_kept ? c / CHUNK * W_CHUNK : 0);
        put_chunk(w, k->u[0] + c, n, min_size(n - c, CHUNK), &k->weights, is_first, is_last,
                  &ahead);
        if (!is_last)
            continue;
        multiply_chunk(k->totals, w, x, c / CHUNK, min_size(x->cols - c, CHUNK));
        if ((c + CHUNK) % SECTION == 0 || c + CHUNK >= n)
            put_all(to, row, k->totals, x, c / CHUNK, n_rows,
                    c < SECTION && (plane == 0 || is_kept));
    }
    s->s[s->plane] = ahead.s;
}

static void multiply(const struct output *to, struct source *s, struct work *k,
                     const struct vectors *x)
{
    const size_t n = smol_round_up(x->cols, BYTES);
    const uint32_t first = s->block;

    weights_load(&k->weights, s->t->table);
    begin_block(s);
    generate_rows(k->u[0], n, &s->s[0]);
    while (s->block < s->end) {
        const uint32_t row = s->block * SMOL_ROW_BLOCK + s->row, plane = s->plane;
        uint8_t *made = k->u[1];
        if (s->t->n_planes > 1)
            weights_load(&k->weights, s->t->table + plane * SMOL_TABLE_ENTRIES);
        next_rows(s);
        plane_multiply(to, row - first * SMOL_ROW_BLOCK, k, s, plane, s->t->rows - row, x);
        k->u[1] = k->u[0];
        k->u[0] = made;
    }
}

#define ALONE                                                                                      \
    2u /* vectors that are faster one by one: product_single.h keeps weights in registers */

/* ---- scratch ---- */

/* The next size bytes of it. */
static inline void *take(uint8_t **at, size_t size)
{
    void *p = *at;

    *at += smol_round_up(size, BYTES);
    return p;
}

static void multiply_with(const struct output *to, const struct smol_frozen *t, uint32_t block,
                          uint32_t n_blocks, const struct vectors *x, uint8_t *scratch)
{
    const size_t n = smol_round_up(t->cols, BYTES);
    struct source s = {.t = t, .block = block, .end = block + n_blocks};
    struct work k;

    k.totals = take(&scratch, x->n_x * sizeof *k.totals);
    k.u[0] = take(&scratch, ROWS * n);
    k.u[1] = take(&scratch, ROWS * n);
    k.w = scratch;
    multiply(to, &s, &k, x);
}

/* Whether sums are whole when they are put, so that they can become numbers. */
static inline bool gives_numbers(const struct smol_frozen *t, size_t n_x)
{
    return n_x > ALONE && t->cols <= SECTION && (KEEP_WEIGHTS || t->n_planes == 1);
}

/* What that takes. */
static inline size_t scratch_with(size_t cols, size_t n_x, uint32_t n_planes)
{
    const size_t n = smol_round_up(cols, BYTES), chunks = (n + CHUNK - 1) / CHUNK;

    return n_x * sizeof(struct total) + 2 * ROWS * n +
           (keeps_weights(n_planes) ? chunks : 1) * W_CHUNK;
}

#endif
