/* Frozen row blocks times several vectors, or of several planes, with AVX-512.
 *
 * Four rows are generated at a time, as 16-bit integers w and their high bytes w1 = (w + 128) / 256, and multiplied with two vectors at a
 * time. Two sums are taken in each 32-bit lane, over the same columns: P, of the whole products w X (vpdpwssd), which wraps
 * around, and Q, of the high bytes' products w1 h (vpdpbusd). sum w X differs from 65536 Q by less than 2^31 as long as no
 * more than 224 columns meet in a lane: |w X - 65536 w1 h| <= 256 (128 x 128 + 160 x 127) + 160 x 128 < 2^31 / 224. So the
 * wrapped difference P - 65536 Q is exact, with three products where four byte products would be needed. */
#include "kernel/registers_avx512.h"

#include <string.h>

#define ROWS 4u
#define CHUNK (56u * BYTES) /* columns: 4 of each step meet in a lane */

/* High bytes of 64 integers in plain order, a and b 32 each: byte 4 j..4 j + 3 are of columns 2 j, 2 j + 1, 32 + 2 j and 33 + 2 j, those
 * that meet in lane j of the 16-bit products. */
static inline __m512i high_bytes(__m512i a, __m512i b)
{
	const __m512i half = _mm512_set1_epi16(128);
	const __m512i order = _mm512_broadcast_i32x4(
		_mm_setr_epi8(0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));

	a = _mm512_srai_epi16(_mm512_adds_epi16(a, half), 8);
	b = _mm512_srai_epi16(_mm512_adds_epi16(b, half), 8);
	return _mm512_shuffle_epi8(_mm512_packs_epi16(a, b), order);
}

static inline void load64(__m512i *a, __m512i *b, const int16_t *X, size_t n)
{
	*a = _mm512_maskz_loadu_epi16((__mmask32)tail64(n), X);
	*b = _mm512_maskz_loadu_epi16((__mmask32)(tail64(n) >> 32), X + 32);
}

static size_t chunks_of(size_t cols)
{
	return (cols + CHUNK - 1) / CHUNK;
}

/* A vector's high bytes h, whole registers, and for each chunk 128 x their sums by lanes. */
struct input {
	const int16_t *X;
	const uint8_t *h;
	const uint8_t *offsets;
};

static void prepare_input(uint8_t *scratch, const int16_t *X, size_t cols)
{
	const __m512i offset = _mm512_set1_epi8((char)128);
	const size_t n = smol_round_up(cols, BYTES);
	__m512i sum = _mm512_setzero_si512();

	for (size_t i = 0; i < n; i += BYTES) {
		__m512i a, b;
		load64(&a, &b, X + i, cols - i);
		const __m512i h = high_bytes(a, b);
		_mm512_store_si512(scratch + i, h);
		sum = _mm512_dpbusd_epi32(i % CHUNK ? sum : _mm512_setzero_si512(), offset, h);
		_mm512_store_si512(scratch + n + i / CHUNK * BYTES, sum);
	}
}

/* ---- rows of weights ---- */

/* 64 weights in their order from bytes low and high. */
static inline void interleave(__m512i out[2], __m512i low, __m512i high)
{
	const __m512i first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
	const __m512i second = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
	const __m512i a = _mm512_unpacklo_epi8(low, high), b = _mm512_unpackhi_epi8(low, high);

	out[0] = _mm512_permutex2var_epi64(a, first, b);
	out[1] = _mm512_permutex2var_epi64(a, second, b);
}

/* One plane of a row, added to w unless it is the first. */
static void add_plane(int16_t *w, struct lanes *s, const struct table *table, size_t n, bool is_first)
{
	for (size_t i = 0; i < n; i += BYTES) {
		const __m512i u = lanes_step(s);
		__m512i v[2];
		interleave(v, look_up(table->low, u, table->is_narrow),
		           look_up(table->high, u, table->is_narrow));
		if (!is_first) {
			v[0] = _mm512_add_epi16(v[0], _mm512_load_si512(w + i));
			v[1] = _mm512_add_epi16(v[1], _mm512_load_si512(w + i + 32));
		}
		_mm512_store_si512(w + i, v[0]);
		_mm512_store_si512(w + i + 32, v[1]);
	}
}

/* The next rows of a block: w (ROWS, n) and w1 + 128 (ROWS, n). The table of a single plane is loaded once a block. */
static void next_rows(int16_t *w, uint8_t *w1, const struct smol_frozen *t, struct lanes *streams,
                      struct table *table, size_t n)
{
	const __m512i flip = _mm512_set1_epi8((char)0x80);

	for (uint32_t p = 0; p < t->n_planes; p++) {
		if (t->n_planes > 1)
			table_load(table, t->table + p * SMOL_TABLE_ENTRIES, 0);
		for (uint32_t r = 0; r < ROWS; r++)
			add_plane(w + r * n, &streams[p], table, n, p == 0);
	}
	for (size_t i = 0; i < ROWS * n; i += BYTES) {
		const __m512i bytes =
			high_bytes(_mm512_load_si512(w + i), _mm512_load_si512(w + i + 32));
		_mm512_store_si512(w1 + i, _mm512_xor_si512(bytes, flip));
	}
}

/* ---- products ---- */

/* One chunk of ROWS rows by n_in inputs; columns from..to - 1, of which the last step is cut at cols. */
static inline __attribute__((always_inline)) void tile(__m512i P[ROWS][2], __m512i Q[ROWS][2],
                                                       const int16_t *w, const uint8_t *w1, size_t n,
                                                       const struct input *in, unsigned n_in,
                                                       size_t from, size_t to, size_t cols)
{
	for (unsigned r = 0; r < ROWS; r++)
		for (unsigned p = 0; p < n_in; p++)
			P[r][p] = Q[r][p] = _mm512_setzero_si512();
	for (size_t i = from; i < to; i += BYTES) {
		__m512i a[2], b[2], h[2];
		for (unsigned p = 0; p < n_in; p++) {
			if (cols - i >= BYTES) {
				a[p] = _mm512_loadu_si512(in[p].X + i);
				b[p] = _mm512_loadu_si512(in[p].X + i + 32);
			} else {
				load64(&a[p], &b[p], in[p].X + i, cols - i);
			}
			h[p] = _mm512_load_si512(in[p].h + i);
		}
		for (unsigned r = 0; r < ROWS; r++) {
			const __m512i wa = _mm512_load_si512(w + r * n + i),
				      wb = _mm512_load_si512(w + r * n + i + 32);
			const __m512i wh = _mm512_load_si512(w1 + r * n + i);
			for (unsigned p = 0; p < n_in; p++) {
				P[r][p] = _mm512_dpwssd_epi32(P[r][p], wa, a[p]);
				Q[r][p] = _mm512_dpbusd_epi32(Q[r][p], wh, h[p]);
				P[r][p] = _mm512_dpwssd_epi32(P[r][p], wb, b[p]);
			}
		}
	}
}

/* The sums of a chunk's tile, rows by inputs; lanes of P - 65536 Q are exact, as said above. */
static inline __m512i tile_sums(__m512i P[ROWS][2], __m512i Q[ROWS][2], const struct input *in,
                                unsigned n_in, size_t chunk)
{
	__m512i pairs[16];

	for (unsigned p = 0; p < 2; p++)
		for (unsigned r = 0; r < ROWS; r++) {
			if (p >= n_in) {
				pairs[p * ROWS + r] = pairs[8 + p * ROWS + r] = _mm512_setzero_si512();
				continue;
			}
			const __m512i q = _mm512_sub_epi32(
				Q[r][p], _mm512_load_si512(in[p].offsets + chunk * BYTES));
			const __m512i rest = _mm512_sub_epi32(P[r][p], _mm512_slli_epi32(q, 16));
			pairs[p * ROWS + r] = _mm512_and_si512(rest, _mm512_set1_epi32(65535));
			pairs[8 + p * ROWS + r] = _mm512_add_epi32(q, _mm512_srai_epi32(rest, 16));
		}
	return sum_pairs(pairs, 16);
}

/* ROWS rows by n_in inputs; sums (n_in, sums_stride), of which the first n_rows are written. */
static inline __attribute__((always_inline)) void
rows_by_inputs(int64_t *sums, size_t sums_stride, const int16_t *w, const uint8_t *w1, size_t n,
               const struct input *in, unsigned n_in, size_t cols, uint32_t n_rows)
{
	const __mmask8 m = (__mmask8)(n_rows < ROWS ? (1u << n_rows) - 1 : 15);
	__m512i total = _mm512_setzero_si512();

	for (size_t chunk = 0; chunk * CHUNK < n; chunk++) {
		__m512i P[ROWS][2], Q[ROWS][2];
		const size_t from = chunk * CHUNK, to = n - from < CHUNK ? n : from + CHUNK;
		tile(P, Q, w, w1, n, in, n_in, from, to, cols);
		total = _mm512_add_epi64(total, tile_sums(P, Q, in, n_in, chunk));
	}
	_mm256_mask_storeu_epi64(sums, m, _mm512_castsi512_si256(total));
	if (n_in > 1)
		_mm256_mask_storeu_epi64(sums + sums_stride, m, _mm512_extracti64x4_epi64(total, 1));
}

static struct input input_of(const uint8_t *prepared, size_t input_bytes, const int16_t *X,
                             size_t x_stride, size_t i, size_t n)
{
	const uint8_t *at = prepared + i * input_bytes;

	return (struct input){X + i * x_stride, at, at + n};
}

void smol_frozen_batch_avx512(int64_t *sums, const struct smol_frozen *t, uint32_t block,
                              uint32_t n_blocks, const int16_t *X, size_t x_stride, size_t n_x,
                              void *scratch)
{
	const size_t n = smol_round_up(t->cols, BYTES), sums_stride = (size_t)n_blocks * SMOL_ROW_BLOCK;
	const size_t input_bytes = n + chunks_of(t->cols) * BYTES;
	int16_t *w = scratch;                                   /* (ROWS, n) */
	uint8_t *w1 = (uint8_t *)(w + ROWS * n);                /* (ROWS, n) */
	uint8_t *prepared = w1 + ROWS * n;                      /* (n_x, input_bytes) */
	const uint32_t rows = t->rows - block * SMOL_ROW_BLOCK; /* that are left */
	struct lanes streams[SMOL_MAX_PLANES];
	struct table table;

	for (size_t i = 0; i < n_x; i++)
		prepare_input(prepared + i * input_bytes, X + i * x_stride, t->cols);
	table_load(&table, t->table, 0);
	for (uint32_t r = 0; r < n_blocks * SMOL_ROW_BLOCK && r < rows; r += ROWS) {
		for (uint32_t p = 0; r % SMOL_ROW_BLOCK == 0 && p < t->n_planes; p++)
			lanes_init(&streams[p], t, p, block + r / SMOL_ROW_BLOCK);
		next_rows(w, w1, t, streams, &table, n);
		for (size_t i = 0; i < n_x; i += 2) {
			const struct input in[2] = {input_of(prepared, input_bytes, X, x_stride, i, n),
			                            input_of(prepared, input_bytes, X, x_stride,
			                                     i + 1 < n_x ? i + 1 : i, n)};
			if (n_x - i > 1)
				rows_by_inputs(sums + i * sums_stride + r, sums_stride, w, w1, n, in, 2,
				               t->cols, rows - r);
			else
				rows_by_inputs(sums + i * sums_stride + r, sums_stride, w, w1, n, in, 1,
				               t->cols, rows - r);
		}
	}
}
