/* The forward pass for a batch of positions. SPEC.md 8. Each position is computed by itself, each row of a frozen
 * matrix is generated once for the whole batch and never kept. Work is split so that no sum crosses workers. */
#include "base/bytes.h"
#include "model/model.h"

/* What the stages of a batch know. */
struct stage {
	struct smol_session *s;
	const uint32_t *tokens;
	uint32_t n; /* positions */
	uint32_t layer;
	const struct norm *norm;
	const struct matrix *matrix;
	float *y;          /* (n, R) output of a product */
	const float *in;   /* (n, K) input of a matrix */
	uint32_t in_width; /* K */
};

/* Below 2^50 in magnitude: no later sum or square can leave the range of a float. */
static bool in_range(const float *x, size_t n)
{
	uint32_t largest = 0;

	for (size_t i = 0; i < n; i++) {
		const uint32_t bits = smol_f32_bits(x[i]) & 0x7fffffffu;
		largest = bits > largest ? bits : largest;
	}
	return largest < smol_f32_bits(0x1p50f);
}

static void check(struct stage *g, uint32_t worker, const float *x, size_t n)
{
	if (!in_range(x, n))
		g->s->workers[worker].overflow = true;
}

bool smol_overflowed(struct smol_session *session)
{
	bool any = false;

	for (uint32_t i = 0; i < session->pool.n_workers; i++) {
		any = any || session->workers[i].overflow;
		session->workers[i].overflow = false;
	}
	return any;
}

static void run(struct stage *g, smol_work *work, uint64_t n_items)
{
	if (n_items < 2)
		work(g, 0, 1);
	else
		smol_pool_run(&g->s->pool, work, g);
}

static void embed(void *arg, uint32_t worker, uint32_t n_workers)
{
	struct stage *g = arg;
	const size_t C = g->s->config->width;
	uint64_t begin, end;

	smol_share(&begin, &end, g->n, worker, n_workers);
	for (uint64_t p = begin; p < end; p++) {
		float *x = g->s->x + p * C, *h = g->s->h + p * C;
		smol_embedding_row(x, &g->s->file->wte, g->tokens[p]);
		smol_embedding_row(h, &g->s->file->wpe, g->s->position + (uint32_t)p);
		for (size_t i = 0; i < C; i++)
			x[i] += h[i];
		check(g, worker, x, C);
	}
}

static void quantise(struct stage *g, uint32_t worker, uint64_t p, const float *in, size_t n)
{
	check(g, worker, in, n);
	g->s->t[p] = g->s->kernels->quantise(g->s->X + p * g->s->x_stride, in, n);
}

/* h = LayerNorm(x), and its 16 bits. */
static void normalise(void *arg, uint32_t worker, uint32_t n_workers)
{
	struct stage *g = arg;
	const struct smol_session *s = g->s;
	const size_t C = s->config->width;
	uint64_t begin, end;

	smol_share(&begin, &end, g->n, worker, n_workers);
	for (uint64_t p = begin; p < end; p++) {
		s->kernels->layernorm(s->h + p * C, s->x + p * C, g->norm->gain, g->norm->bias, s->config->ln_epsilon, C);
		quantise(g, worker, p, s->h + p * C, C);
	}
}

static float factor_dot(const struct smol_session *s, const struct matrix *m, const uint8_t *factor, uint64_t row,
                        const float *x, size_t n)
{
	return m->type == SMOL_F32 ? s->kernels->dot_f32(factor + row * n * 4, x, n)
	                           : s->kernels->dot_f16(factor + row * n * 2, x, n);
}

/* z = A x for each position. */
static void factors(void *arg, uint32_t worker, uint32_t n_workers)
{
	struct stage *g = arg;
	const struct matrix *m = g->matrix;
	uint64_t begin, end;

	smol_share(&begin, &end, m->rank, worker, n_workers);
	for (uint64_t j = begin; j < end; j++)
		for (uint64_t p = 0; p < g->n; p++)
			g->s->z[p * m->rank + j] =
			        factor_dot(g->s, m, m->a, j, g->in + p * g->in_width, g->in_width);
}

/* Rows first.. of a group from their exact sums (n, stride) to floats, with the factors' share. */
static void finish_rows(struct stage *g, const int64_t *sums, uint64_t stride, uint64_t first)
{
	const struct matrix *m = g->matrix;
	const uint64_t R = m->frozen.rows, left = R - first, rows = left < stride ? left : stride;

	for (uint64_t p = 0; p < g->n; p++) {
		const double scale = m->frozen.scale * (double)g->s->t[p];
		float *y = g->y + p * R + first;
		for (uint64_t r = 0; r < rows; r++)
			y[r] = (float)(scale * (double)sums[p * stride + r]);
		for (uint64_t r = 0; m->rank && r < rows; r++)
			y[r] += factor_dot(g->s, m, m->b, first + r, g->s->z + p * m->rank, m->rank);
	}
}

/* Row blocks go in groups of nearly equal size. */
static void row_blocks(void *arg, uint32_t worker, uint32_t n_workers)
{
	struct stage *g = arg;
	const struct smol_session *s = g->s;
	const struct smol_frozen *f = &g->matrix->frozen;
	uint64_t begin, end, n;

	smol_share(&begin, &end, (f->rows + SMOL_ROW_BLOCK - 1) / SMOL_ROW_BLOCK, worker, n_workers);
	for (uint64_t b = begin; b < end; b += n) {
		const uint64_t groups = (end - b + SMOL_MAX_GROUP - 1) / SMOL_MAX_GROUP;
		n = (end - b + groups - 1) / groups;
		s->kernels->frozen(s->workers[worker].sums, f, (uint32_t)b, (uint32_t)n, s->X, s->x_stride, g->n,
		                   s->workers[worker].scratch);
		finish_rows(g, s->workers[worker].sums, n * SMOL_ROW_BLOCK, b * SMOL_ROW_BLOCK);
	}
}

/* y (n, R) = the matrix times in (n, K), whose 16 bits are in X. */
static void multiply(struct stage *g, float *y, const struct matrix *m, const float *in)
{
	g->y = y;
	g->matrix = m;
	g->in = in;
	g->in_width = m->frozen.cols;
	if (m->rank)
		run(g, factors, m->rank);
	run(g, row_blocks, (m->frozen.rows + SMOL_ROW_BLOCK - 1) / SMOL_ROW_BLOCK);
}

/* Where the cache holds a head's rows of the present layer. */
static uint64_t cache_at(const struct stage *g, uint64_t head)
{
	const struct smol_session *s = g->s;

	return (g->layer * (uint64_t)s->config->n_heads + head) * s->context * (s->config->width / s->config->n_heads);
}

/* K and V of the batch into the cache. */
static void keep(void *arg, uint32_t worker, uint32_t n_workers)
{
	struct stage *g = arg;
	const struct smol_session *s = g->s;
	const size_t C = s->config->width, H = s->config->n_heads, D = C / H;
	uint64_t begin, end;

	smol_share(&begin, &end, g->n, worker, n_workers);
	for (uint64_t p = begin; p < end; p++) {
		const float *qkv = s->qkv + p * 3 * C;
		check(g, worker, qkv, 3 * C);
		for (uint64_t head = 0; head < H; head++) {
			const uint64_t at = cache_at(g, head) + (s->position + p) * D;
			memcpy(s->keys + at, qkv + C + head * D, D * sizeof *qkv);
			memcpy(s->values + at, qkv + 2 * C + head * D, D * sizeof *qkv);
		}
	}
}

/* Attention by (position, head); outputs into h. */
static void attend(void *arg, uint32_t worker, uint32_t n_workers)
{
	struct stage *g = arg;
	const struct smol_session *s = g->s;
	const size_t C = s->config->width, H = s->config->n_heads, D = C / H;
	uint64_t begin, end;

	smol_share(&begin, &end, g->n * H, worker, n_workers);
	for (uint64_t i = begin; i < end; i++) {
		const uint64_t p = i / H, head = i % H, at = cache_at(g, head);
		s->kernels->attention(s->h + p * C + head * D, s->qkv + p * 3 * C + head * D, s->keys + at, s->values + at, D,
		                      s->position + p + 1, D, s->workers[worker].scores);
	}
}

static void quantise_attention(void *arg, uint32_t worker, uint32_t n_workers)
{
	struct stage *g = arg;
	const size_t C = g->s->config->width;
	uint64_t begin, end;

	smol_share(&begin, &end, g->n, worker, n_workers);
	for (uint64_t p = begin; p < end; p++)
		quantise(g, worker, p, g->s->h + p * C, C);
}

static void activate(void *arg, uint32_t worker, uint32_t n_workers)
{
	struct stage *g = arg;
	const size_t F = g->s->config->n_ff;
	uint64_t begin, end;

	smol_share(&begin, &end, g->n, worker, n_workers);
	for (uint64_t p = begin; p < end; p++) {
		float *f = g->s->ff + p * F;
		check(g, worker, f, F);
		g->s->kernels->gelu(f, F);
		quantise(g, worker, p, f, F);
	}
}

/* x += y, the projection's output. */
static void add(void *arg, uint32_t worker, uint32_t n_workers)
{
	struct stage *g = arg;
	const size_t C = g->s->config->width;
	uint64_t begin, end;

	smol_share(&begin, &end, g->n, worker, n_workers);
	for (uint64_t i = begin * C; i < end * C; i++)
		g->s->x[i] += g->y[i];
	check(g, worker, g->s->x + begin * C, (end - begin) * C);
}

static void layer_forward(struct stage *g, const struct layer *layer)
{
	struct smol_session *s = g->s;

	g->norm = &layer->ln_1;
	run(g, normalise, g->n);
	multiply(g, s->qkv, &layer->c_attn, s->h);
	run(g, keep, g->n);
	run(g, attend, (uint64_t)g->n * s->config->n_heads);
	run(g, quantise_attention, g->n);
	multiply(g, s->qkv, &layer->attn_proj, s->h);
	run(g, add, g->n);
	g->norm = &layer->ln_2;
	run(g, normalise, g->n);
	multiply(g, s->ff, &layer->c_fc, s->h);
	run(g, activate, g->n);
	multiply(g, s->h, &layer->mlp_proj, s->ff);
	run(g, add, g->n);
}

void smol_forward(struct smol_session *session, const uint32_t *tokens, uint32_t n)
{
	struct stage g = {.s = session, .tokens = tokens, .n = n};

	run(&g, embed, n);
	for (g.layer = 0; g.layer < session->config->n_layers; g.layer++)
		layer_forward(&g, &session->layers[g.layer]);
}

#define HEAD_ROWS 64u /* of 8 bits, by one call */

static void head_rows_q8(struct stage *g, uint32_t worker, uint64_t begin, uint64_t end)
{
	const struct smol_session *s = g->s;
	const struct smol_table_view *t = &s->file->wte;
	const double step = (double)s->t[0];
	int64_t *sums = s->workers[worker].sums;
	struct smol_rows rows = {.cols = t->cols};

	for (uint64_t v = begin; v < end; v += rows.n_rows) {
		rows.data = t->data + v * t->cols;
		rows.n_rows = end - v < HEAD_ROWS ? end - v : HEAD_ROWS;
		s->kernels->rows_q8(sums, &rows, s->X, s->x_stride, 1, s->workers[worker].scratch);
		for (size_t i = 0; i < rows.n_rows; i++)
			g->y[v + i] = (float)((double)smol_load_f32(t->scales + 4 * (v + i)) * step * (double)sums[i]);
	}
}

static void head_rows_float(struct stage *g, uint64_t begin, uint64_t end)
{
	const struct smol_session *s = g->s;
	const struct smol_table_view *t = &s->file->wte;
	const size_t C = t->cols;

	for (uint64_t v = begin; v < end; v++)
		g->y[v] = t->type == SMOL_F32 ? s->kernels->dot_f32(t->data + v * C * 4, s->h, C)
		                              : s->kernels->dot_f16(t->data + v * C * 2, s->h, C);
}

/* Logits of a share of the vocabulary from h (C) and its 16 bits. */
static void head_rows(void *arg, uint32_t worker, uint32_t n_workers)
{
	struct stage *g = arg;
	const struct smol_config *c = g->s->config;
	uint64_t begin, end;

	smol_share(&begin, &end, c->vocab, worker, n_workers);
	if (c->wte_type == SMOL_Q8)
		head_rows_q8(g, worker, begin, end);
	else
		head_rows_float(g, begin, end);
	for (uint64_t v = begin; v < end; v++)
		g->y[v] *= c->logit_scale;
	check(g, worker, g->y + begin, end - begin);
}

void smol_head(struct smol_session *session, float *logits, uint32_t p)
{
	const size_t C = session->config->width;
	struct stage g = {.s = session, .y = logits};

	session->kernels->layernorm(session->h, session->x + p * C, session->ln_f.gain, session->ln_f.bias,
	                            session->config->ln_epsilon, C);
	quantise(&g, 0, 0, session->h, C);
	run(&g, head_rows, session->config->vocab);
}
