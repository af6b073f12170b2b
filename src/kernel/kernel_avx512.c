/* The kernels for AVX-512 (F, BW, VL, DQ, VBMI, VNNI). The same bits as scalar.c, which defines them.
 *
 * A frozen row block times one vector never leaves the registers: X = 256 h + l is split into signed bytes once, the
 * integer weights are looked up as the two unsigned bytes of w + 32768, and the byte dot product (vpdpbusd,
 * unsigned x signed) does the rest exactly: sum w X = sum (w + 32768) X - 32768 sum X. For several vectors a row
 * is generated once, as 16-bit integers, and multiplied with each. */
#include "base/bytes.h"
#include "kernel/kernel.h"

#include <immintrin.h>
#include <math.h>

#define BYTES 64u /* of a register, and of a step of a stream */
#define LANES 16u /* floats of a register */
#define OFFSET 32768
#define NARROW_COLS 16384u /* up to here the 16 lanes of a sum fit 32 bits together */

/* ---- floats ---- */

/* The halving tree of lanes16. */
static float reduce_tree(__m512 v)
{
	const __m256 h8 = _mm256_add_ps(_mm512_castps512_ps256(v), _mm512_extractf32x8_ps(v, 1));
	const __m128 h4 = _mm_add_ps(_mm256_castps256_ps128(h8), _mm256_extractf128_ps(h8, 1));
	const __m128 h2 = _mm_add_ps(h4, _mm_movehl_ps(h4, h4));
	return _mm_cvtss_f32(_mm_add_ss(h2, _mm_movehdup_ps(h2)));
}

static __mmask16 tail16(size_t n)
{
	return (__mmask16)(n >= LANES ? 0xffffu : (1u << n) - 1u);
}

static __mmask64 tail64(size_t n)
{
	return n >= BYTES ? ~(__mmask64)0 : ((__mmask64)1 << n) - 1;
}

static float dot_f32(const uint8_t *row, const float *x, size_t n)
{
	__m512 acc = _mm512_setzero_ps();
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		acc = _mm512_fmadd_ps(_mm512_loadu_ps(row + 4 * i), _mm512_loadu_ps(x + i), acc);
	if (i < n) {
		const __mmask16 m = tail16(n - i);
		acc = _mm512_mask3_fmadd_ps(_mm512_maskz_loadu_ps(m, row + 4 * i),
		                            _mm512_maskz_loadu_ps(m, x + i), acc, m);
	}
	return reduce_tree(acc);
}

static float dot_f16(const uint8_t *row, const float *x, size_t n)
{
	__m512 acc = _mm512_setzero_ps();
	size_t i = 0;

	for (; i + LANES <= n; i += LANES)
		acc = _mm512_fmadd_ps(_mm512_cvtph_ps(_mm256_loadu_si256((const __m256i *)(row + 2 * i))),
		                      _mm512_loadu_ps(x + i), acc);
	if (i < n) {
		const __mmask16 m = tail16(n - i);
		acc = _mm512_mask3_fmadd_ps(_mm512_cvtph_ps(_mm256_maskz_loadu_epi16(m, row + 2 * i)),
		                            _mm512_maskz_loadu_ps(m, x + i), acc, m);
	}
	return reduce_tree(acc);
}

/* exp of SPEC.md 7. */
static __m512 exp512(__m512 x)
{
	x = _mm512_min_ps(x, _mm512_set1_ps(88.0f));
	x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
	const __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(0x1.715476p+0f)),
	                                      _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
	__m512 r = _mm512_fmadd_ps(n, _mm512_set1_ps(-0x1.63p-1f), x);
	r = _mm512_fmadd_ps(n, _mm512_set1_ps(0x1.bd0106p-13f), r);
	__m512 p = _mm512_set1_ps(0x1.a0d2cep-13f);
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.6e879cp-10f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.11121p-7f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.555382p-5f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1.555554p-3f));
	p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0x1p-1f));
	p = _mm512_fmadd_ps(p, _mm512_mul_ps(r, r), r);
	p = _mm512_add_ps(p, _mm512_set1_ps(1.0f));
	const __m512i exponent = _mm512_slli_epi32(
	        _mm512_add_epi32(_mm512_cvtps_epi32(n), _mm512_set1_epi32(127)), 23);
	return _mm512_mul_ps(p, _mm512_castsi512_ps(exponent));
}

static void exp_all(float *y, const float *x, size_t n)
{
	for (size_t i = 0; i < n; i += LANES) {
		const __mmask16 m = tail16(n - i);
		_mm512_mask_storeu_ps(y + i, m, exp512(_mm512_maskz_loadu_ps(m, x + i)));
	}
}

static void gelu(float *x, size_t n)
{
	for (size_t i = 0; i < n; i += LANES) {
		const __mmask16 m = tail16(n - i);
		const __m512 a = _mm512_maskz_loadu_ps(m, x + i);
		__m512 v = _mm512_mul_ps(a, a);
		v = _mm512_fmadd_ps(v, _mm512_set1_ps(-0x1.2444f2p-4f), _mm512_set1_ps(-0x1.988454p+0f));
		v = _mm512_mul_ps(v, a);
		v = _mm512_add_ps(_mm512_set1_ps(1.0f), exp512(v));
		_mm512_mask_storeu_ps(x + i, m, _mm512_div_ps(a, v));
	}
}

static float sum16(const float *x, size_t n)
{
	__m512 acc = _mm512_setzero_ps();

	for (size_t i = 0; i < n; i += LANES) {
		const __mmask16 m = tail16(n - i);
		acc = _mm512_mask_add_ps(acc, m, acc, _mm512_maskz_loadu_ps(m, x + i));
	}
	return reduce_tree(acc);
}

static void layernorm(float *y, const float *x, const float *gain, const float *bias, float epsilon, size_t n)
{
	const float mean = sum16(x, n) / (float)n;
	const __m512 mean16 = _mm512_set1_ps(mean);
	__m512 acc = _mm512_setzero_ps();

	for (size_t i = 0; i < n; i += LANES) {
		const __mmask16 m = tail16(n - i);
		const __m512 c = _mm512_sub_ps(_mm512_maskz_loadu_ps(m, x + i), mean16);
		acc = _mm512_mask3_fmadd_ps(c, c, acc, m);
	}
	const __m512 rs = _mm512_set1_ps(1.0f / sqrtf(reduce_tree(acc) / (float)n + epsilon));
	for (size_t i = 0; i < n; i += LANES) {
		const __mmask16 m = tail16(n - i);
		__m512 z = _mm512_mul_ps(_mm512_sub_ps(_mm512_maskz_loadu_ps(m, x + i), mean16), rs);
		if (gain)
			z = _mm512_fmadd_ps(z, _mm512_maskz_loadu_ps(m, gain + i),
			                    _mm512_maskz_loadu_ps(m, bias + i));
		_mm512_mask_storeu_ps(y + i, m, z);
	}
}

static void attention(float *o, const float *q, const float *K, const float *V, size_t stride, size_t n_keys,
                      size_t D, float *scores)
{
	const float scale = 1.0f / sqrtf((float)D);
	__m512 max16 = _mm512_set1_ps(-INFINITY);

	for (size_t j = 0; j < n_keys; j++)
		scores[j] = dot_f32((const uint8_t *)(K + j * stride), q, D) * scale;
	for (size_t j = 0; j < n_keys; j += LANES) {
		const __mmask16 m = tail16(n_keys - j);
		max16 = _mm512_mask_max_ps(max16, m, max16, _mm512_maskz_loadu_ps(m, scores + j));
	}
	const __m512 max = _mm512_set1_ps(_mm512_reduce_max_ps(max16));
	for (size_t j = 0; j < n_keys; j += LANES) {
		const __mmask16 m = tail16(n_keys - j);
		_mm512_mask_storeu_ps(scores + j, m,
		                      exp512(_mm512_sub_ps(_mm512_maskz_loadu_ps(m, scores + j), max)));
	}
	const __m512 inverse = _mm512_set1_ps(1.0f / sum16(scores, n_keys));
	for (size_t i = 0; i < D; i += 4 * LANES) {
		__m512 acc[4];
		__mmask16 m[4];
		for (size_t k = 0; k < 4; k++) {
			acc[k] = _mm512_setzero_ps();
			m[k] = i + k * LANES < D ? tail16(D - i - k * LANES) : 0;
		}
		for (size_t j = 0; j < n_keys; j++) {
			const __m512 p = _mm512_set1_ps(scores[j]);
			for (size_t k = 0; k < 4; k++)
				acc[k] = _mm512_fmadd_ps(
				        p, _mm512_maskz_loadu_ps(m[k], V + j * stride + i + k * LANES), acc[k]);
		}
		for (size_t k = 0; k < 4; k++)
			_mm512_mask_storeu_ps(o + i + k * LANES, m[k], _mm512_mul_ps(acc[k], inverse));
	}
}

/* ---- integers ---- */

static float quantise(int16_t *X, const float *x, size_t n)
{
	__m512 max = _mm512_setzero_ps();
	__mmask16 unordered = 0;
	float t;

	for (size_t i = 0; i < n; i += LANES) {
		const __m512 v = _mm512_maskz_loadu_ps(tail16(n - i), x + i);
		unordered |= _mm512_cmp_ps_mask(v, v, _CMP_UNORD_Q);
		max = _mm512_max_ps(max, _mm512_abs_ps(v));
	}
	t = _mm512_reduce_max_ps(max) / 32512.0f;
	/* Not-a-number makes the plain version's results unspecified as well; zeros will do. */
	if (unordered || !(t >= 0x1p-126f)) {
		memset(X, 0, n * sizeof *X);
		return 0;
	}
	for (size_t i = 0; i < n; i += LANES) {
		const __mmask16 m = tail16(n - i);
		const __m512 q = _mm512_div_ps(_mm512_maskz_loadu_ps(m, x + i), _mm512_set1_ps(t));
		_mm256_mask_storeu_epi16(X + i, m, _mm512_cvtepi32_epi16(_mm512_cvtps_epi32(q)));
	}
	return t;
}

static int64_t sum_i32(__m512i v)
{
	const __m512i low = _mm512_cvtepi32_epi64(_mm512_castsi512_si256(v));
	const __m512i high = _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(v, 1));

	return _mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

/* Pairs of products of 16-bit integers, |w X| < 2^30, fit 32 bits and are added in 64. */
static int64_t dot_int16(const int16_t *w, const int16_t *X, size_t n)
{
	__m512i low = _mm512_setzero_si512(), high = low;

	for (size_t i = 0; i < n; i += 32) {
		const __mmask32 m = n - i >= 32 ? ~(__mmask32)0 : ((__mmask32)1 << (n - i)) - 1;
		const __m512i p = _mm512_madd_epi16(_mm512_loadu_si512(w + i), _mm512_maskz_loadu_epi16(m, X + i));
		low = _mm512_add_epi64(low, _mm512_cvtepi32_epi64(_mm512_castsi512_si256(p)));
		high = _mm512_add_epi64(high, _mm512_cvtepi32_epi64(_mm512_extracti64x4_epi64(p, 1)));
	}
	return _mm512_reduce_add_epi64(_mm512_add_epi64(low, high));
}

/* The low and high signed bytes of 64 integers X = 256 h + l. */
static void split64(__m512i *h, __m512i *l, const int16_t *X, size_t n)
{
	const __m512i bias = _mm512_set1_epi16(128);
	const __m512i a = _mm512_maskz_loadu_epi16((__mmask32)tail64(n), X);
	const __m512i b = _mm512_maskz_loadu_epi16((__mmask32)(tail64(n) >> 32), X + 32);
	const __m256i h0 = _mm512_cvtepi16_epi8(_mm512_srai_epi16(_mm512_add_epi16(a, bias), 8));
	const __m256i h1 = _mm512_cvtepi16_epi8(_mm512_srai_epi16(_mm512_add_epi16(b, bias), 8));

	*l = _mm512_inserti64x4(_mm512_castsi256_si512(_mm512_cvtepi16_epi8(a)), _mm512_cvtepi16_epi8(b), 1);
	*h = _mm512_inserti64x4(_mm512_castsi256_si512(h0), h1, 1);
}

/* q + 128 is unsigned: sum q X = sum (q + 128) X - 128 sum X. */
static int64_t dot_q8(const uint8_t *row, const int16_t *X, size_t n)
{
	const __m512i flip = _mm512_set1_epi8((char)0x80);
	__m512i sum_h = _mm512_setzero_si512(), sum_l = sum_h, high = sum_h, low = sum_h;

	for (size_t i = 0; i < n; i += BYTES) {
		__m512i h, l;
		const __m512i q = _mm512_xor_si512(_mm512_maskz_loadu_epi8(tail64(n - i), row + i), flip);
		split64(&h, &l, X + i, n - i);
		sum_h = _mm512_dpbusd_epi32(sum_h, q, h);
		sum_l = _mm512_dpbusd_epi32(sum_l, q, l);
		low = _mm512_dpbusd_epi32(low, flip, l);
		high = _mm512_dpbusd_epi32(high, flip, h);
	}
	return 256 * (sum_i32(sum_h) - sum_i32(high)) + sum_i32(sum_l) - sum_i32(low);
}

/* ---- frozen weights ---- */

struct lanes {
	__m512i a, b, c, d;
};

static inline void lanes_init(struct lanes *s, const struct smol_frozen *t, uint32_t plane, uint32_t block)
{
	struct smol_stream stream;

	smol_stream_init(&stream, t->key, t->tensor, plane, t->purpose, block);
	s->a = _mm512_load_si512(stream.word);
	s->b = _mm512_load_si512(stream.word + 16);
	s->c = _mm512_load_si512(stream.word + 32);
	s->d = _mm512_load_si512(stream.word + 48);
}

/* One step; the emitted bytes are the new d. */
static inline __m512i lanes_step(struct lanes *s)
{
	const __m512i e = _mm512_sub_epi32(s->a, _mm512_rol_epi32(s->b, 27));

	s->a = _mm512_xor_si512(s->b, _mm512_rol_epi32(s->c, 17));
	s->b = _mm512_add_epi32(s->c, s->d);
	s->c = _mm512_add_epi32(s->d, e);
	s->d = _mm512_add_epi32(e, s->a);
	return s->d;
}

/* The bytes of a table of 256 16-bit integers, low and high, 64 to a register. */
struct table {
	__m512i low[4], high[4];
	bool is_narrow; /* the two top bits of an index do not matter: at most six bases */
};

static void table_load(struct table *t, const int16_t *q, uint16_t flip)
{
	uint8_t low[256], high[256];

	t->is_narrow = true;
	for (unsigned u = 0; u < 256; u++) {
		low[u] = (uint8_t)((uint16_t)q[u] ^ flip);
		high[u] = (uint8_t)(((uint16_t)q[u] ^ flip) >> 8);
		t->is_narrow = t->is_narrow && q[u] == q[u & 63];
	}
	for (unsigned i = 0; i < 4; i++) {
		t->low[i] = _mm512_loadu_si512(low + 64 * i);
		t->high[i] = _mm512_loadu_si512(high + 64 * i);
	}
}

static inline __m512i look_up(const __m512i entries[4], __m512i u, bool is_narrow)
{
	if (is_narrow)
		return _mm512_permutexvar_epi8(u, entries[0]);
	const __m512i first = _mm512_permutex2var_epi8(entries[0], u, entries[1]);
	const __m512i second = _mm512_permutex2var_epi8(entries[2], u, entries[3]);
	return _mm512_mask_blend_epi8(_mm512_movepi8_mask(u), first, second);
}

/* A row block times one vector, one plane: split (2 x cols rounded up to 64) has the bytes h, then l. */
static inline void block_single(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t rows,
                                const uint8_t *split, int64_t offset, const struct table *table, bool is_narrow)
{
	const size_t n = smol_round_up(t->cols, BYTES);
	struct lanes s;

	lanes_init(&s, t, 0, block);
	for (uint32_t r = 0; r < rows; r++) {
		__m512i s0 = _mm512_setzero_si512(), s1 = s0, s2 = s0, s3 = s0;
		for (size_t i = 0; i < n; i += BYTES) {
			const __m512i h = _mm512_loadu_si512(split + i), l = _mm512_loadu_si512(split + n + i);
			const __m512i u = lanes_step(&s);
			const __m512i w0 = look_up(table->low, u, is_narrow), w1 = look_up(table->high, u, is_narrow);
			s0 = _mm512_dpbusd_epi32(s0, w0, l);
			s1 = _mm512_dpbusd_epi32(s1, w0, h);
			s2 = _mm512_dpbusd_epi32(s2, w1, l);
			s3 = _mm512_dpbusd_epi32(s3, w1, h);
		}
		s1 = _mm512_add_epi32(s1, s2);
		if (t->cols <= NARROW_COLS)
			sums[r] = _mm512_reduce_add_epi32(s0) + 256 * (int64_t)_mm512_reduce_add_epi32(s1) +
			          65536 * (int64_t)_mm512_reduce_add_epi32(s3) - offset;
		else
			sums[r] = sum_i32(s0) + 256 * sum_i32(s1) + 65536 * sum_i32(s3) - offset;
	}
}

/* X as bytes h, then l; returns the sum of X times the offset of the weights. */
static int64_t split_vector(uint8_t *split, const int16_t *X, size_t cols)
{
	const size_t n = smol_round_up(cols, BYTES);
	const __m512i ones = _mm512_set1_epi8(1);
	__m512i sum_h = _mm512_setzero_si512(), sum_l = sum_h;

	for (size_t i = 0; i < n; i += BYTES) {
		__m512i h, l;
		split64(&h, &l, X + i, cols - i);
		_mm512_storeu_si512(split + i, h);
		_mm512_storeu_si512(split + n + i, l);
		sum_h = _mm512_dpbusd_epi32(sum_h, ones, h);
		sum_l = _mm512_dpbusd_epi32(sum_l, ones, l);
	}
	return OFFSET * (256 * sum_i32(sum_h) + sum_i32(sum_l));
}

/* 64 weights in their order from bytes low and high. */
static inline void interleave(__m512i out[2], __m512i low, __m512i high)
{
	const __m512i first = _mm512_set_epi64(11, 10, 3, 2, 9, 8, 1, 0);
	const __m512i second = _mm512_set_epi64(15, 14, 7, 6, 13, 12, 5, 4);
	const __m512i a = _mm512_unpacklo_epi8(low, high), b = _mm512_unpackhi_epi8(low, high);

	out[0] = _mm512_permutex2var_epi64(a, first, b);
	out[1] = _mm512_permutex2var_epi64(a, second, b);
}

/* One plane of a row, added to row unless it is the first. */
static void add_plane(int16_t *row, struct lanes *s, const int16_t *q, size_t cols, bool is_first)
{
	struct table table;

	table_load(&table, q, 0);
	for (size_t i = 0; i < cols; i += BYTES) {
		const __m512i u = lanes_step(s);
		__m512i w[2];
		interleave(w, look_up(table.low, u, table.is_narrow), look_up(table.high, u, table.is_narrow));
		if (!is_first) {
			w[0] = _mm512_add_epi16(w[0], _mm512_loadu_si512(row + i));
			w[1] = _mm512_add_epi16(w[1], _mm512_loadu_si512(row + i + 32));
		}
		_mm512_storeu_si512(row + i, w[0]);
		_mm512_storeu_si512(row + i + 32, w[1]);
	}
}

/* Several vectors or planes: each row exists once, as integers. */
static void block_rows(int64_t *sums, const struct smol_frozen *t, uint32_t block, uint32_t rows, const int16_t *X,
                       size_t x_stride, size_t n_x, int16_t *row)
{
	struct lanes streams[SMOL_MAX_PLANES];

	for (uint32_t p = 0; p < t->n_planes; p++)
		lanes_init(&streams[p], t, p, block);
	for (uint32_t r = 0; r < rows; r++) {
		for (uint32_t p = 0; p < t->n_planes; p++)
			add_plane(row, &streams[p], t->table + p * SMOL_TABLE_ENTRIES, t->cols, p == 0);
		for (size_t i = 0; i < n_x; i++)
			sums[i * SMOL_ROW_BLOCK + r] = dot_int16(row, X + i * x_stride, t->cols);
	}
}

static void frozen_block(int64_t *sums, const struct smol_frozen *tensor, uint32_t row_block, const int16_t *X,
                         size_t x_stride, size_t n_x, int16_t *row)
{
	const uint32_t first = row_block * SMOL_ROW_BLOCK;
	const uint32_t rows = tensor->rows - first < SMOL_ROW_BLOCK ? tensor->rows - first : SMOL_ROW_BLOCK;
	uint8_t *split = (uint8_t *)row;
	struct table table;
	int64_t offset;

	if (n_x > 1 || tensor->n_planes > 1) {
		block_rows(sums, tensor, row_block, rows, X, x_stride, n_x, row);
		return;
	}
	offset = split_vector(split, X, tensor->cols);
	table_load(&table, tensor->table, 0x8000);
	if (table.is_narrow)
		block_single(sums, tensor, row_block, rows, split, offset, &table, true);
	else
		block_single(sums, tensor, row_block, rows, split, offset, &table, false);
}

const struct smol_kernels smol_kernels_avx512 = {
	.name = "avx512",
	.quantise = quantise,
	.frozen_block = frozen_block,
	.dot_f32 = dot_f32,
	.dot_f16 = dot_f16,
	.dot_q8 = dot_q8,
	.layernorm = layernorm,
	.gelu = gelu,
	.attention = attention,
	.exp = exp_all,
};
