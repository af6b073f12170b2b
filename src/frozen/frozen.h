/* Seed to weights: keys, streams, tables and integer weights. SPEC.md 5.
 * Nothing here fails or allocates; arguments are preconditions. */
#ifndef SMOL_FROZEN_H
#define SMOL_FROZEN_H

#include <smol/config.h>

#include <string.h>

#define SMOL_ROW_BLOCK 64u  /* rows that share a stream */
#define SMOL_STEP_BYTES 64u /* bytes a step of a stream emits */
#define SMOL_TABLE_ENTRIES 256u
#define SMOL_MAX_PLANES 64u

/* What a stream serves (SPEC.md 6). */
enum smol_purpose {
    SMOL_PURPOSE_MATRIX = 0,
    SMOL_PURPOSE_VECTOR = 1,
    SMOL_PURPOSE_EMBEDDING = 2,
    SMOL_PURPOSE_FACTOR = 3,
    SMOL_PURPOSE_PROJECTION = 4,
    SMOL_PURPOSE_FACTOR_A = 5, /* of nola */
    SMOL_PURPOSE_FACTOR_B = 6,
    SMOL_PURPOSE_SPARSE = 7,
    SMOL_PURPOSE_MASK = 8,  /* signs, packed in bits */
    SMOL_PURPOSE_SHIFT = 9, /* channels of a half-shift */
};

struct smol_frozen_key {
    uint8_t bytes[32];
};

/* 16 lanes of JSF32: word[0..15] a, word[16..31] b, word[32..47] c, word[48..63] d. */
struct smol_stream {
    _Alignas(64) uint32_t word[64];
};

/* One frozen tensor: where its bytes come from and what they mean. */
struct smol_frozen {
    const struct smol_frozen_key *key;
    uint32_t tensor; /* its number */
    enum smol_purpose purpose;
    uint32_t rows, cols;
    uint32_t n_planes;
    const int16_t *table; /* (n_planes, 256) Q_p[u]; Q_p[255 - u] = -Q_p[u] */
    double scale;         /* sigma x s: a weight is scale x its integer */
    const uint8_t *ahead; /* bytes that are read after a product of some row blocks, which may fetch
                             them while weights are made; or NULL */
    size_t ahead_bytes;
    bool is_packed; /* the call before was of the same tensor and vectors, and its scratch is as
                       that left it: what was made of the vectors is still there */
};

/* Whether six bits of a byte say which weight it is: of a plane of up to six sign bases. */
static inline bool smol_frozen_is_narrow(const struct smol_frozen *t)
{
    const size_t part = SMOL_TABLE_ENTRIES / 4;

    return t->n_planes == 1 &&
           memcmp(t->table, t->table + part, (SMOL_TABLE_ENTRIES - part) * sizeof *t->table) == 0;
}

/* The normal table of SPEC.md appendix A. */
extern const double smol_gauss_table[SMOL_TABLE_ENTRIES];

void smol_frozen_key_init(struct smol_frozen_key *key, uint64_t seed);

void smol_stream_init(struct smol_stream *stream, const struct smol_frozen_key *key,
                      uint32_t tensor, uint32_t plane, enum smol_purpose purpose,
                      uint32_t row_block);
void smol_stream_step(struct smol_stream *stream, uint8_t bytes[SMOL_STEP_BYTES]);

/* bytes (n_blocks, n): the first n bytes of a tensor's streams of a plane and n_blocks row blocks
 * from block on, n a multiple of a step's 64: in plain C, and the type of faster ones
 * (kernel/kernel.h). */
typedef void smol_stream_function(uint8_t *bytes, size_t n, const struct smol_frozen *tensor,
                                  uint32_t plane, uint32_t block, uint32_t n_blocks);
smol_stream_function smol_stream_bytes;

/* Bytes of the signs of a row block of a mask of cols columns, whole steps. */
static inline size_t smol_mask_signs_bytes(uint32_t cols)
{
    return SMOL_ROW_BLOCK * (((size_t)cols + 7) / 8);
}

/* The signs of n_blocks row blocks of a mask (SPEC.md 5.10) in the layout of the mask, 1 for minus:
 * row r is at signs + r x ceil(cols / 8). signs: n_blocks x smol_mask_signs_bytes(cols), of which
 * those of rows past the tensor's end are not written. tensor: of purpose SMOL_PURPOSE_MASK. */
void smol_mask_signs(uint8_t *signs, const struct smol_frozen *tensor, uint32_t block,
                     uint32_t n_blocks, smol_stream_function *stream);

/* Which of C channels a half-shift takes from the position before, 1 or 0 each (SPEC.md 8). tensor:
 * the number of the matrix that it comes before. */
void smol_shift_channels(uint8_t *is_shifted, const struct smol_frozen_key *key, uint32_t tensor,
                         uint32_t C);

/* Planes that d bases take: ceil(d / 8) for sign, d for gauss. */
uint32_t smol_frozen_planes(enum smol_dist dist, uint32_t d);

/* Fills table (n_planes, 256) from alpha (d) and returns s. */
double smol_frozen_table(int16_t *table, enum smol_dist dist, const double *alpha, uint32_t d);

/* A tensor's table, in memory for all its planes, and its scale, times sigma. alphas: the scheme's
 * d, in file encoding, or NULL for one basis. With table NULL, the number of planes alone. */
void smol_frozen_fill(struct smol_frozen *tensor, int16_t *table, const struct smol_scheme *scheme,
                      float sigma, const uint8_t *alphas);

/* The number of a matrix slot, or of a norm slot's gain (bias: one more), in its layer. */
uint32_t smol_frozen_number(const struct smol_config *config, uint32_t layer, enum smol_slot slot);

/* Integer weights of rows row_begin..row_begin + n_rows - 1; weights: (n_rows, cols). */
void smol_frozen_weights(int16_t *weights, const struct smol_frozen *tensor, uint32_t row_begin,
                         uint32_t n_rows);

/* The raw bytes of one plane of the same rows; bytes: (n_rows, cols). For a tensor's
 * initial values and for trainers; the tensor's table is not used. */
void smol_frozen_bytes(uint8_t *bytes, const struct smol_frozen *tensor, uint32_t plane,
                       uint32_t row_begin, uint32_t n_rows);

/* Columns of a sparse term of q parameters a row (SPEC.md 5.9), ascending in each of rows
 * row_begin..; columns: (n_rows, q). tensor: of purpose SMOL_PURPOSE_SPARSE, its cols those of the
 * matrix. */
void smol_sparse_columns(uint32_t *columns, const struct smol_frozen *tensor, uint32_t q,
                         uint32_t row_begin, uint32_t n_rows);

/* Initial values (SPEC.md 12): (float)(std x g[u]) of plane 0; values: (n_rows, cols). */
void smol_frozen_gauss_rows(float *values, const struct smol_frozen *tensor, double std,
                            uint32_t row_begin, uint32_t n_rows);

#endif
