/* See projection.h. Blocks are shared out to the threads; a gradient is summed in a fixed number of
 * parts, so that the number of threads changes no bit. */
#include "train/net/projection.h"

#include "base/arena.h"
#include "train/alloc.h"

#include <omp.h>

#define SMOL_NUMBER real

#ifdef SMOL_REAL_DOUBLE

#include <fftw3.h>

static void hadamard(double *x, size_t n)
{
    for (size_t h = 1; h < n; h *= 2)
        for (size_t i = 0; i < n; i++)
            if (!(i & h)) {
                const double a = x[i], b = x[i + h];
                x[i] = a + b;
                x[i + h] = a - b;
            }
}

static void scale_by_bytes(double *x, const uint8_t *bytes, const double *table, size_t n)
{
    for (size_t i = 0; i < n; i++)
        x[i] *= table[bytes[i]];
}

struct transform {
    fftw_plan backward, forward;
};

static bool plan(struct transform *t, size_t n, double *x, double *y)
{
    t->backward = fftw_plan_dft_c2r_1d((int)n, (fftw_complex *)(void *)x, y,
                                       FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
    t->forward = fftw_plan_dft_r2c_1d((int)n, y, (fftw_complex *)(void *)x,
                                      FFTW_ESTIMATE | FFTW_DESTROY_INPUT);
    return t->backward && t->forward;
}

static void unplan(struct transform *t)
{
    if (t->backward)
        fftw_destroy_plan(t->backward);
    if (t->forward)
        fftw_destroy_plan(t->forward);
}

#define SMOL_HADAMARD(f, x, n) hadamard(x, n)
#define SMOL_SCALE(f, x, bytes, table, n) scale_by_bytes(x, bytes, table, n)
#define SMOL_FFT_BACKWARD(f, y, x)                                                                 \
    fftw_execute_dft_c2r(((const struct transform *)(f)->fft)->backward,                           \
                         (fftw_complex *)(void *)(x), y)
#define SMOL_FFT_FORWARD(f, x, y)                                                                  \
    fftw_execute_dft_r2c(((const struct transform *)(f)->fft)->forward, y,                         \
                         (fftw_complex *)(void *)(x))

#else

#include "base/fft.h"

struct transform {
    struct smol_fft *fft;
};

static bool plan(struct transform *t, size_t n, float *x, float *y)
{
    (void)x, (void)y;
    return smol_fft_plan(&t->fft, n, NULL) == SMOL_OK;
}

static void unplan(struct transform *t) { smol_fft_free(t->fft); }

#define SMOL_HADAMARD(f, x, n) (f)->kernels->hadamard(x, n)
#define SMOL_SCALE(f, x, bytes, table, n) (f)->kernels->scale_by_bytes(x, bytes, table, n)
#define SMOL_FFT_BACKWARD(f, y, x)                                                                 \
    smol_fft_backward(((const struct transform *)(f)->fft)->fft, y, x)
#define SMOL_FFT_FORWARD(f, x, y) smol_fft_forward(((const struct transform *)(f)->fft)->fft, x, y)

#endif

#include "kernel/fastfood.h"
#include "kernel/fourier.h"

#define MAX_PARTS 16u

/* What a thread has for itself. */
struct worker {
    real *block, *more, *p, *q; /* (D) */
    real *scratch;              /* (D + 2) */
    uint8_t *bytes;             /* (3 D) */
};

struct smol_projections {
    uint32_t *order; /* (D) */
    uint8_t *bytes;  /* (D), of Fourier */
    struct smol_root *coarse, *fine;
    real *parts;  /* (parts of a gradient, n) */
    void *memory; /* of all these, and of the workers */
    struct transform transforms[SMOL_N_BLOCK_SIZES];
    uint32_t n_workers;
    struct worker workers[];
};

static uint64_t n_blocks(uint64_t n_entries, uint32_t D) { return (n_entries + D - 1) / D; }

static uint64_t n_parts(uint64_t blocks) { return blocks < MAX_PARTS ? blocks : MAX_PARTS; }

/* The largest of what there is. */
struct sizes {
    uint32_t D;
    uint64_t entries, parts; /* of a matrix; numbers in all parts of a gradient */
};

static struct sizes sizes_of(const struct smol_config *c)
{
    struct sizes s = {0};

    for (uint32_t i = 0; i < c->n_layers * SMOL_N_SLOTS; i++) {
        const enum smol_slot slot = i % SMOL_N_SLOTS;
        const struct smol_scheme *scheme = smol_config_scheme(c, i / SMOL_N_SLOTS, slot);
        const uint32_t D = smol_projection_size(scheme->dimensions);
        uint32_t rows, cols;
        uint64_t n, parts;

        if (!smol_slot_is_matrix(slot) || !smol_scheme_projects(scheme))
            continue;
        smol_config_shape(&rows, &cols, c, slot);
        n = (uint64_t)rows * cols;
        parts = n_parts(n_blocks(n, D)) * scheme->dimensions;
        s.D = D > s.D ? D : s.D;
        s.entries = n > s.entries ? n : s.entries;
        s.parts = parts > s.parts ? parts : s.parts;
    }
    return s;
}

/* Counts the memory, or hands it out. */
static void place(struct smol_arena *arena, struct smol_projections *p, const struct sizes *s)
{
    const size_t n_roots = fourier_roots(s->entries, s->D);

    for (uint32_t i = 0; i < p->n_workers; i++) {
        struct worker *w = p->workers + i;

        w->block = smol_arena_take(arena, s->D, sizeof *w->block);
        w->scratch = smol_arena_take(arena, s->D + 2, sizeof *w->scratch);
        w->more = smol_arena_take(arena, s->D, sizeof *w->more);
        w->p = smol_arena_take(arena, s->D, sizeof *w->p);
        w->q = smol_arena_take(arena, s->D, sizeof *w->q);
        w->bytes = smol_arena_take(arena, s->D, 3);
    }
    p->order = smol_arena_take(arena, s->D, sizeof *p->order);
    p->bytes = smol_arena_take(arena, s->D, 1);
    p->coarse = smol_arena_take(arena, n_roots, sizeof *p->coarse);
    p->fine = smol_arena_take(arena, n_roots, sizeof *p->fine);
    p->parts = smol_arena_take(arena, s->parts, sizeof *p->parts);
}

static bool take(struct smol_projections *p, const struct sizes *s)
{
    struct smol_arena arena = {0};

    place(&arena, p, s);
    p->memory = smol_train_alloc(arena.used, 1);
    arena = (struct smol_arena){.base = p->memory};
    if (p->memory)
        place(&arena, p, s);
    return p->memory;
}

bool smol_projections_create(struct smol_projections **out, const struct smol_net *net)
{
    const struct sizes s = sizes_of(&net->config);
    struct smol_projections *p;
    bool good;

    *out = NULL;
    if (s.D == 0)
        return true;
    p = smol_train_alloc(1, sizeof *p + net->n_threads * sizeof *p->workers);
    if (!p)
        return false;
    p->n_workers = net->n_threads;
    good = take(p, &s);
    for (uint32_t i = 0; good && i < net->config.n_schemes; i++) {
        const uint32_t D = smol_projection_size(net->config.schemes[i].dimensions),
                       at = smol_block_size_index(D);
        const struct transform none = {0};

        if (smol_scheme_is_fourier(net->config.schemes + i) &&
            memcmp(&p->transforms[at], &none, sizeof none) == 0)
            good = plan(&p->transforms[at], D, p->workers->scratch, p->workers->more);
    }
    if (!good) {
        smol_projections_destroy(p);
        return false;
    }
    *out = p;
    return true;
}

void smol_projections_destroy(struct smol_projections *p)
{
    if (!p)
        return;
    for (uint32_t i = 0; i < SMOL_N_BLOCK_SIZES; i++)
        unplan(&p->transforms[i]);
    free(p->memory);
    free(p);
}

/* One matrix's projection, as every thread starts from it. */
struct job {
    struct smol_projection projection;
    struct fastfood fastfood;
    struct fourier fourier;
    uint64_t entries, blocks;
};

static void begin(struct job *j, const struct smol_net *net, const struct smol_net_matrix *m)
{
    struct smol_projections *p = net->projections;

    j->projection = smol_projection_of(m->scheme, &net->key, m->tensor);
    j->entries = (uint64_t)m->rows * m->cols;
    j->blocks = n_blocks(j->entries, j->projection.size);
    if (j->projection.is_fourier) {
        j->fourier = (struct fourier){
            .order = p->order, .bytes = p->bytes, .coarse = p->coarse, .fine = p->fine};
        fourier_init(&j->fourier, &j->projection, net->kernels, j->entries,
                     &p->transforms[smol_block_size_index(j->projection.size)]);
    } else {
        fastfood_init(&j->fastfood, &j->projection, net->kernels, p->order, NULL, NULL);
    }
}

/* The thread's own copy, with its own memory. */
static struct worker *join(struct job *mine, const struct smol_net *net, const struct job *j)
{
    struct worker *w = net->projections->workers + omp_get_thread_num();

    *mine = *j;
    mine->fastfood.projection = mine->fourier.projection = &mine->projection;
    mine->fastfood.scratch = mine->fourier.x = w->scratch;
    mine->fastfood.bytes = w->bytes;
    mine->fourier.p = w->p;
    mine->fourier.q = w->q;
    return w;
}

/* Entries of a block that exist. */
static size_t block_entries(const struct job *j, uint64_t block)
{
    const uint64_t left = j->entries - block * j->projection.size;

    return (size_t)(left < j->projection.size ? left : j->projection.size);
}

static real layer_gain(const struct smol_net *net, const struct smol_net_matrix *m)
{
    return m->layer_gain != SMOL_NO_PARAM ? *smol_net_used(net, m->layer_gain) : 1;
}

void smol_projection_add(struct smol_net *net, const struct smol_net_matrix *m)
{
    const real *theta = smol_net_used(net, m->alpha), gain = layer_gain(net, m);
    struct job job = {0};

    begin(&job, net, m);
#pragma omp parallel num_threads((int)net->n_threads)
    {
        struct job mine;
        struct worker *w = join(&mine, net, &job);

#pragma omp for schedule(static)
        for (uint64_t b = 0; b < job.blocks; b++) {
            const size_t n = block_entries(&job, b);
            real *weight = m->weight + b * job.projection.size;

            if (job.projection.is_fourier)
                fourier_block(w->block, w->more, &mine.fourier, theta, (uint32_t)b);
            else
                fastfood_block(w->block, &mine.fastfood, theta, (uint32_t)b);
            for (size_t i = 0; i < n; i++)
                weight[i] += gain * w->block[i];
        }
    }
}

static void transpose(real *grad, struct job *mine, struct worker *w, const real *d_weight,
                      uint64_t block)
{
    const size_t D = mine->projection.size, n = block_entries(mine, block);

    memcpy(w->block, d_weight + block * D, n * sizeof *w->block);
    memset(w->block + n, 0, (D - n) * sizeof *w->block);
    if (mine->projection.is_fourier)
        fourier_transpose(grad, w->more, &mine->fourier, w->block, (uint32_t)block);
    else
        fastfood_transpose(grad, &mine->fastfood, w->block, (uint32_t)block);
}

/* Adds the parts (count, n) of P^T d_weight, in order, to the gradients of theta and of the layer's
 * gain. */
static void add_parts(struct smol_net *net, const struct smol_net_matrix *m, const real *parts,
                      uint64_t count)
{
    const size_t n = m->scheme->dimensions;
    const real *theta = smol_net_used(net, m->alpha), gain = layer_gain(net, m);
    real *grad = smol_net_grad(net, m->alpha), d_gain = 0;

    for (uint64_t part = 0; part < count; part++)
        for (size_t k = 0; k < n; k++) {
            grad[k] += gain * parts[part * n + k];
            d_gain += theta[k] * parts[part * n + k];
        }
    if (m->layer_gain != SMOL_NO_PARAM)
        *smol_net_grad(net, m->layer_gain) += d_gain;
}

void smol_projection_gradient(struct smol_net *net, const struct smol_net_matrix *m,
                              const real *d_weight)
{
    const size_t n = m->scheme->dimensions;
    real *parts = net->projections->parts;
    struct job job = {0};
    uint64_t count;

    begin(&job, net, m);
    count = n_parts(job.blocks);
#pragma omp parallel num_threads((int)net->n_threads)
    {
        struct job mine;
        struct worker *w = join(&mine, net, &job);

#pragma omp for schedule(static)
        for (uint64_t part = 0; part < count; part++) {
            real *sums = parts + part * n;

            memset(sums, 0, n * sizeof *sums);
            for (uint64_t b = job.blocks * part / count; b < job.blocks * (part + 1) / count; b++)
                transpose(sums, &mine, w, d_weight, b);
        }
    }
    add_parts(net, m, parts, count);
}
