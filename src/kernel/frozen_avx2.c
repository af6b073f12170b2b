/* Frozen row blocks with AVX2.
 *
 * Of at most six bases, times one vector, nothing leaves the registers: X = 256 h + l is split into 16-bit integers once, in
 * the order in which the bytes of the weights come together, and w h and w l are summed by vpmaddwd. |w h| <= 32640 x 128,
 * four of them meet in a lane for each 32 columns: 126 x 4 x 32640 x 128 < 2^31, so 4,032 columns fit before the sums move to 64 bits.
 * Otherwise each row exists once, as 16-bit integers. */
#include "kernel/registers_avx2.h"

#include <string.h>

#define STEP 32u /* columns of a register of bytes */
#define CHUNK 4032u
#define LANES 16u

/* ---- the generator: words a, b, c, d of 16 lanes, two registers each ---- */

struct half {
	__m256i a, b, c, d;
};

static inline __m256i rotl(__m256i x, int k)
{
	return _mm256_or_si256(_mm256_slli_epi32(x, k), _mm256_srli_epi32(x, 32 - k));
}

static void lanes_init(struct half s[2], const struct smol_frozen *t, uint32_t plane, uint32_t block)
{
	struct smol_stream stream;

	smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block);
	for (unsigned i = 0; i < 2; i++) {
		s[i].a = load(stream.word + 8 * i);
		s[i].b = load(stream.word + 16 + 8 * i);
		s[i].c = load(stream.word + 32 + 8 * i);
		s[i].d = load(stream.word + 48 + 8 * i);
	}
}

/* One step of eight lanes; the emitted 32 bytes are the new d. */
static inline __m256i half_step(struct half *s)
{
	const __m256i e = _mm256_sub_epi32(s->a, rotl(s->b, 27));

	s->a = _mm256_xor_si256(s->b, rotl(s->c, 17));
	s->b = _mm256_add_epi32(s->c, s->d);
	s->c = _mm256_add_epi32(s->d, e);
	s->d = _mm256_add_epi32(e, s->a);
	return s->d;
}

/* ---- tables of at most six bases: the bytes of 64 integers, 16 to a register, twice ---- */

struct table {
	__m256i low[4], high[4];
	bool is_narrow; /* the two top bits of an index do not matter */
	bool is_32;     /* nor does the third: at most five bases */
};

static void table_load(struct table *t, const int16_t *q)
{
	uint8_t low[64], high[64];

	t->is_narrow = t->is_32 = true;
	for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++) {
		t->is_narrow = t->is_narrow && q[u] == q[u & 63];
		t->is_32 = t->is_32 && q[u] == q[u & 31];
		low[u & 63] = (uint8_t)q[u & 63];
		high[u & 63] = (uint8_t)((uint16_t)q[u & 63] >> 8);
	}
	for (unsigned i = 0; i < 4; i++) {
		t->low[i] = _mm256_broadcastsi128_si256(
			_mm_loadu_si128((const __m128i *)(const void *)(low + 16 * i)));
		t->high[i] = _mm256_broadcastsi128_si256(
			_mm_loadu_si128((const __m128i *)(const void *)(high + 16 * i)));
	}
}

/* Bits 4 and 5 of an index choose the register; blends look at the top bit of a byte. */
static inline __m256i look_up(const __m256i entries[4], __m256i u, bool is_32)
{
	const __m256i index = _mm256_and_si256(u, _mm256_set1_epi8(15)), bit4 = _mm256_slli_epi16(u, 3);
	const __m256i first = _mm256_blendv_epi8(_mm256_shuffle_epi8(entries[0], index),
	                                         _mm256_shuffle_epi8(entries[1], index), bit4);
	if (is_32)
		return first;
	const __m256i second = _mm256_blendv_epi8(_mm256_shuffle_epi8(entries[2], index),
	                                          _mm256_shuffle_epi8(entries[3], index), bit4);
	return _mm256_blendv_epi8(first, second, _mm256_slli_epi16(u, 2));
}

/* ---- one vector ---- */

/* 32 columns of X: in each half of a register, the columns whose weights vpunpck brings there. */
struct split {
	__m256i h[2], l[2];
};

static inline __m256i high_of(__m256i X)
{
	return _mm256_srai_epi16(_mm256_add_epi16(X, _mm256_set1_epi16(128)), 8);
}

static void split_step(struct split *s, const int16_t X[STEP])
{
	const __m256i a = load(X), b = load(X + LANES);
	const __m256i first = _mm256_permute2x128_si256(a, b, 0x20),
		      second = _mm256_permute2x128_si256(a, b, 0x31);

	s->h[0] = high_of(first);
	s->h[1] = high_of(second);
	s->l[0] = _mm256_sub_epi16(first, _mm256_slli_epi16(s->h[0], 8));
	s->l[1] = _mm256_sub_epi16(second, _mm256_slli_epi16(s->h[1], 8));
}

/* Zeros stand in the columns that X does not have. */
static void split_vector(struct split *split, const int16_t *X, size_t cols)
{
	const size_t steps = (cols + 63) / 64 * 2;

	for (size_t i = 0; i < steps; i++) {
		const size_t at = i * STEP, left = at < cols ? cols - at : 0;
		int16_t rest[STEP] = {0};
		memcpy(rest, X + (left ? at : 0), (left < STEP ? left : STEP) * sizeof *X);
		split_step(&split[i], rest);
	}
}

static inline void multiply_step(__m256i *sum_h, __m256i *sum_l, __m256i u, const struct split *x,
                                 const struct table *table, bool is_32)
{
	const __m256i low = look_up(table->low, u, is_32), high = look_up(table->high, u, is_32);
	const __m256i w0 = _mm256_unpacklo_epi8(low, high), w1 = _mm256_unpackhi_epi8(low, high);

	*sum_h = _mm256_add_epi32(*sum_h, _mm256_add_epi32(_mm256_madd_epi16(w0, x->h[0]),
	                                                   _mm256_madd_epi16(w1, x->h[1])));
	*sum_l = _mm256_add_epi32(*sum_l, _mm256_add_epi32(_mm256_madd_epi16(w0, x->l[0]),
	                                                   _mm256_madd_epi16(w1, x->l[1])));
}

static inline void block_single(int64_t *sums, uint32_t rows, struct half s[2], const struct split *x,
                                size_t cols, const struct table *table, bool is_32)
{
	for (uint32_t r = 0; r < rows; r++) {
		__m256i wide_h = _mm256_setzero_si256(), wide_l = wide_h;
		for (size_t i = 0; i < cols;) {
			const size_t end = cols - i < CHUNK ? cols : i + CHUNK;
			__m256i sum_h = _mm256_setzero_si256(), sum_l = sum_h;
			for (; i < end; i += 2 * STEP) {
				multiply_step(&sum_h, &sum_l, half_step(&s[0]), &x[i / STEP], table,
				              is_32);
				multiply_step(&sum_h, &sum_l, half_step(&s[1]), &x[i / STEP + 1], table,
				              is_32);
			}
			wide_h = add_wide(wide_h, sum_h);
			wide_l = add_wide(wide_l, sum_l);
		}
		sums[r] = 256 * sum_i64(wide_h) + sum_i64(wide_l);
	}
}

/* ---- several vectors or planes ---- */

/* Two products of |w X| < 2^30 fit 32 bits. */
static int64_t dot_int16(const int16_t *w, const int16_t *X, size_t n)
{
	__m256i sum = _mm256_setzero_si256();
	int64_t rest = 0;
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		sum = add_wide(sum, _mm256_madd_epi16(load(w + i), load(X + i)));
	for (; i < n; i++)
		rest += (int32_t)w[i] * X[i];
	return sum_i64(sum) + rest;
}

static inline void store(void *p, __m256i v)
{
	_mm256_storeu_si256(p, v);
}

/* 32 weights of one plane, added to w unless it is the first. */
static inline void add_weights(int16_t *w, __m256i u, const struct table *table, const int16_t *q,
                               bool is_first)
{
	int16_t plain[STEP];
	uint8_t bytes[STEP];

	if (table->is_narrow) {
		const __m256i low = look_up(table->low, u, false),
			      high = look_up(table->high, u, false);
		const __m256i a = _mm256_unpacklo_epi8(low, high), b = _mm256_unpackhi_epi8(low, high);
		store(plain, _mm256_permute2x128_si256(a, b, 0x20));
		store(plain + LANES, _mm256_permute2x128_si256(a, b, 0x31));
	} else {
		store(bytes, u);
		for (unsigned i = 0; i < STEP; i++)
			plain[i] = q[bytes[i]];
	}
	for (unsigned i = 0; i < STEP; i += LANES) {
		const __m256i v = load(plain + i);
		store(w + i, is_first ? v : _mm256_add_epi16(load(w + i), v));
	}
}

static void next_row(int16_t *w, const struct smol_frozen *t, struct half (*streams)[2],
                     struct table *table)
{
	for (uint32_t p = 0; p < t->n_planes; p++) {
		const int16_t *q = t->table + p * SMOL_TABLE_ENTRIES;
		if (t->n_planes > 1)
			table_load(table, q);
		for (size_t i = 0; i < t->cols; i += 2 * STEP) {
			add_weights(w + i, half_step(&streams[p][0]), table, q, p == 0);
			add_weights(w + i + STEP, half_step(&streams[p][1]), table, q, p == 0);
		}
	}
}

static void block_rows(int64_t *sums, size_t sums_stride, const struct smol_frozen *t, uint32_t block,
                       uint32_t rows, const int16_t *X, size_t x_stride, size_t n_x, int16_t *row)
{
	struct half streams[SMOL_MAX_PLANES][2];
	struct table table;

	for (uint32_t p = 0; p < t->n_planes; p++)
		lanes_init(streams[p], t, p, block);
	table_load(&table, t->table);
	for (uint32_t r = 0; r < rows; r++) {
		next_row(row, t, streams, &table);
		for (size_t i = 0; i < n_x; i++)
			sums[i * sums_stride + r] = dot_int16(row, X + i * x_stride, t->cols);
	}
}

void smol_frozen_avx2(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t n_blocks,
                      const int16_t *X, size_t x_stride, size_t n_x, void *scratch)
{
	bool is_single = n_x == 1 && t->n_planes == 1;
	struct table table;

	table_load(&table, t->table);
	is_single = is_single && table.is_narrow;
	if (is_single)
		split_vector(scratch, X, t->cols);
	for (uint32_t b = 0; b < n_blocks; b++) {
		const uint32_t left = t->rows - (block + b) * SMOL_ROW_BLOCK,
			       rows = left < SMOL_ROW_BLOCK ? left : SMOL_ROW_BLOCK;
		int64_t *at = sums + b * SMOL_ROW_BLOCK;
		struct half s[2];
		if (!is_single) {
			block_rows(at, (size_t)n_blocks * SMOL_ROW_BLOCK, t, block + b, rows, X,
			           x_stride, n_x, scratch);
			continue;
		}
		lanes_init(s, t, 0, block + b);
		if (table.is_32)
			block_single(at, rows, s, scratch, t->cols, &table, true);
		else
			block_single(at, rows, s, scratch, t->cols, &table, false);
	}
}
