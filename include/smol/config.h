/* The configuration of a model: its shape, its seed, and how each tensor is made. It mirrors the
 * section CONF (SPEC.md 3.1). Plain data; all functions are pure and thread-safe.
 *
 * Letters used for shapes: L layers, C width, F feed-forward width, H heads, T context, V
 * vocabulary, d bases, r rank; a matrix is R x K, outputs x inputs.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_CONFIG_H
#define SMOL_CONFIG_H

#include <smol/status.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

SMOL_BEGIN_DECLS

/* Limits (SPEC.md 3.1). */
#define SMOL_MAX_LAYERS 256u
#define SMOL_MAX_HEADS 1024u
#define SMOL_MAX_WIDTH 65536u
#define SMOL_MAX_FF 262144u
#define SMOL_MAX_CONTEXT 1048576u
#define SMOL_MAX_VOCAB 16777216u
#define SMOL_MAX_BASES 64u
#define SMOL_MAX_RANK 4096u
#define SMOL_MAX_DIMENSIONS 1048576u
#define SMOL_MAX_SCHEMES 32u
#define SMOL_MAX_MADE_FACTORS 268435456u /* entries of nola's factors, not stored */
#define SMOL_MAX_CARD_BYTES 65536u
#define SMOL_MAX_MERGES 1048576u
#define SMOL_MAX_SPECIALS 256u
#define SMOL_MAX_TOKEN_BYTES 1024u
#define SMOL_MAX_MODELS 8u /* that a delta mixes, and deltas that it adds (SPEC.md 16) */
#define SMOL_MAX_DELTAS 8u

/* Number types. Q8, Q4 and TERNARY are for rows with a scale, Q4_ROW for rows whose table has one
 * (SPEC.md 3.3), Q8_BLOCKS for parameters (SPEC.md 3.2). */
enum smol_dtype {
    SMOL_F32 = 0,
    SMOL_F16 = 1,
    SMOL_Q8 = 2,
    SMOL_Q4 = 3,
    SMOL_Q8_BLOCKS = 4,
    SMOL_TERNARY = 5,
    SMOL_Q4_ROW = 6,
};
/* What number types are used for; not every type suits every use. OF_MATRICES: the rows of stored
 * matrices. */
enum smol_dtype_use { SMOL_OF_EMBEDDINGS, SMOL_OF_PARAMETERS, SMOL_OF_KV, SMOL_OF_MATRICES };
enum smol_dist { SMOL_SIGN = 0, SMOL_GAUSS = 1 };
enum smol_tokenizer_kind {
    SMOL_TOKENIZER_BYTES = 0,
    SMOL_TOKENIZER_BPE = 1,
    SMOL_TOKENIZER_BYTE_SET = 2, /* some of the bytes */
};

/* A delta changes models of the other two. */
enum smol_architecture { SMOL_ARCH_GPT2 = 0, SMOL_ARCH_SMOL = 1, SMOL_ARCH_DELTA = 2 };

/* In what architecture smol differs from GPT-2 (SPEC.md 3.1); bits, at least one. */
enum smol_feature {
    SMOL_FEATURE_DISTANCES = 1,     /* ALiBi over a window that slides; no wpe */
    SMOL_FEATURE_SLOPE_FACTORS = 2, /* of each head; only with distances */
    SMOL_FEATURE_TEMPERATURES = 4,  /* of each head */
    SMOL_FEATURE_HALF_SHIFT = 8,
    SMOL_FEATURE_RELU2 = 16, /* in place of GELU */
    SMOL_FEATURE_OUTPUT_TABLE = 32,
    SMOL_FEATURE_HISTORY = 64, /* what followed the same tokens before; only with distances */
};
#define SMOL_ALL_FEATURES 127u
#define SMOL_NETWORK_FEATURES 63u /* those that a network is trained with */

/* A history: how many of the text's last tokens it has, and how many lengths of what came before a
 * token it compares, each of which has a number (SPEC.md 8). */
#define SMOL_HISTORY_TOKENS 65536u
#define SMOL_HISTORY_LENGTHS 5u

enum smol_kind { SMOL_MATRIX = 1, SMOL_NORM = 2 };

/* Where a scheme's coefficients come from. */
enum smol_source {
    SMOL_MATRIX_UNIT = 0,            /* alpha = (1): one frozen basis, nothing learned */
    SMOL_MATRIX_OWN = 1,             /* d alphas for each tensor */
    SMOL_MATRIX_SHARED = 2,          /* one vector of d alphas for the file */
    SMOL_MATRIX_FASTFOOD = 3,        /* unit, and a projection for each tensor (SPEC.md 5.8) */
    SMOL_MATRIX_FASTFOOD_SHARED = 4, /* the same, of one vector for the file */
    SMOL_MATRIX_FOURIER = 5,         /* these two by a Fourier transform */
    SMOL_MATRIX_FOURIER_SHARED = 6,
    SMOL_MATRIX_NOLA = 8, /* unit, and factors A and B of d alphas each; 7 is no source */
    SMOL_MATRIX_MASK = 9, /* seeded signs, and a stored bit for each that says whether it is there
                           */
    SMOL_MATRIX_STORED = 10, /* rows of numbers, of alpha_type */
    SMOL_NORM_FROZEN = 0,    /* gain 1, bias 0 */
    SMOL_NORM_OWN = 1,       /* d alphas for the gain, d for the bias */
    SMOL_NORM_STORED = 2,    /* C gains and C biases */
};

/* What else a matrix has; bits. */
enum smol_term {
    SMOL_TERM_MODELS = 8,       /* of a delta: a stored number for each model */
    SMOL_TERM_GAINS = 16,       /* a stored factor of each output */
    SMOL_TERM_BIASES = 32,      /* a stored bias added to each output */
    SMOL_TERM_SPARSE = 64,      /* stored parameters in seeded places of each row */
    SMOL_TERM_LAYER_GAIN = 128, /* the layer's factor of the file's projection */
};

/* The places of a layer that have a scheme, in file order. */
enum smol_slot {
    SMOL_LN_1 = 0,
    SMOL_ATTN_C_ATTN = 1,
    SMOL_ATTN_C_PROJ = 2,
    SMOL_LN_2 = 3,
    SMOL_MLP_C_FC = 4,
    SMOL_MLP_C_PROJ = 5,
    SMOL_N_SLOTS = 6,
    SMOL_LN_F = 6, /* once, after the last layer */
};

struct smol_scheme {
    enum smol_kind kind;
    uint8_t terms; /* enum smol_term, of a matrix */
    enum smol_source source;
    enum smol_dist dist;
    uint8_t d;                  /* bases */
    uint16_t rank;              /* of the low-rank factors, 0 = none */
    enum smol_dtype alpha_type; /* F32, F16 or Q8_BLOCKS; of a stored matrix, that of its rows */
    enum smol_dtype value_type; /* the same, for factors, vectors, gains, biases and sparse terms */
    float sigma;
    uint32_t dimensions; /* parameters of a projection, or of a row of the sparse term; else 0 */
};

struct smol_layer_span {
    uint16_t n_layers;
    uint8_t scheme[SMOL_N_SLOTS];
};

struct smol_config {
    uint32_t n_layers; /* L */
    uint32_t n_heads;  /* H */
    uint32_t width;    /* C */
    uint32_t n_ff;     /* F */
    uint32_t context;  /* T */
    uint32_t vocab;    /* V */
    float ln_epsilon;
    float logit_scale; /* of a delta: what is added to it */
    uint64_t seed;
    enum smol_dtype wte_type, wpe_type;
    enum smol_tokenizer_kind tokenizer;
    enum smol_architecture architecture;
    uint16_t features;           /* enum smol_feature; 0 for GPT-2; a delta has its models' */
    enum smol_dtype head_type;   /* of temperatures, slope factors and the history's numbers: F32,
                                    F16 or Q8_BLOCKS */
    enum smol_dtype output_type; /* of the output table */
    uint8_t n_models;            /* M that a delta mixes, else 0 */
    uint16_t n_deltas;           /* D that it adds, else 0 */
    uint32_t input_rows;         /* of a delta: rows of wte, and of the output table, */
    uint32_t output_rows;        /* that it changes; else 0 */
    uint8_t ln_f;                /* scheme of the last LayerNorm */
    uint32_t n_schemes;
    uint32_t n_spans;
    struct smol_scheme schemes[SMOL_MAX_SCHEMES];
    struct smol_layer_span spans[SMOL_MAX_LAYERS];
};

/* Number types by name: "f32", "f16", "q8" (rows and blocks alike), "q4", "ternary" and "q4-row".
 */
const char *smol_dtype_name(enum smol_dtype type);
/* Whether a type suits a use. */
bool smol_dtype_holds(enum smol_dtype type, enum smol_dtype_use use);
/* The type with a name, for a use; false, and *type untouched, if there is none. */
bool smol_dtype_parse(enum smol_dtype *type, const char *name, enum smol_dtype_use use);

/* Whether the values of a type are integers times a scale: of their row or, of Q4_ROW, of their
 * table. */
bool smol_dtype_is_scaled(enum smol_dtype type);

/* Distributions by name: "sign" and "gauss". */
const char *smol_dist_name(enum smol_dist dist);
bool smol_dist_parse(enum smol_dist *dist, const char *name);

/* Sources by name. Of a matrix: "unit", "own", "shared", "fastfood", "fastfood shared", "fourier",
 * "fourier shared", "nola", "mask", "stored"; of a norm: "frozen", "alpha", "stored". */
const char *smol_source_name(enum smol_kind kind, enum smol_source source);
bool smol_source_parse(enum smol_source *source, enum smol_kind kind, const char *name);
/* For a matrix: whether it has a projection, and whether it uses the file's shared vector. */
bool smol_source_projects(enum smol_source source);
bool smol_source_is_shared(enum smol_source source);

/* Slots by name: "ln_1", "attn.c_attn", ..., "ln_f". */
const char *smol_slot_name(enum smol_slot slot);
bool smol_slot_is_matrix(enum smol_slot slot);

/* A method of making the matrices, with the defaults that options start from. */
struct smol_method {
    const char *name; /* "embed", "alpha", "alpha-global", "lora", "fastfood", ... */
    enum smol_source source;
    uint32_t d;           /* bases, or parameters of a projection */
    uint32_t rank;        /* of low-rank factors; 0: it has none */
    enum smol_dtype type; /* of stored rows */
};
/* All methods, in the order of their sources; NULL past the last. */
const struct smol_method *smol_method_at(unsigned index);
/* The method with a name, or NULL. */
const struct smol_method *smol_method_find(const char *name);
/* The method of a scheme of a matrix, or NULL for a mixture that has no name. Stored rows are those
 * of "ternary" if they are ternary, and else of "full". */
const struct smol_method *smol_method_of(const struct smol_scheme *scheme);

/* Whether a configuration is a delta's, which runs only with its parts (file.h, smol_file_join). */
bool smol_config_is_delta(const struct smol_config *config);

/* Architectures by name: "gpt2", "smol" and "delta". */
const char *smol_architecture_name(enum smol_architecture architecture);
bool smol_architecture_parse(enum smol_architecture *architecture, const char *name);
/* Features by name: "distances", "slope-factors", "temperatures", "half-shift", "relu2",
 * "output-table", "history"; for smol_feature_name exactly one. */
const char *smol_feature_name(enum smol_feature feature);
bool smol_feature_parse(enum smol_feature *feature, const char *name);
/* Whether a configuration has a feature. */
bool smol_config_has(const struct smol_config *config, enum smol_feature feature);

/* Checks every rule of SPEC.md 3.1, including those of canonical encoding. The error's offset
 * counts from the start of CONF. */
enum smol_status smol_config_check(const struct smol_config *config, struct smol_error *error);

/* Brings the schemes and spans of an otherwise valid configuration into their
 * canonical encoding: merges spans, drops unused and equal schemes, renumbers. */
void smol_config_canonicalise(struct smol_config *config);

/* The scheme of a slot of a layer. layer < L; for SMOL_LN_F it is ignored. */
const struct smol_scheme *smol_config_scheme(const struct smol_config *config, uint32_t layer,
                                             enum smol_slot slot);

/* Parameters of a scheme's vector of alphas or of a projection: own or shared, or of one
 * vector of a norm. */
uint32_t smol_scheme_parameters(const struct smol_scheme *scheme);
/* Whether a matrix scheme uses the file's shared vector. */
bool smol_scheme_is_shared(const struct smol_scheme *scheme);

/* Whether a scheme has a term. */
bool smol_scheme_has(const struct smol_scheme *scheme, enum smol_term term);
/* A scheme that uses the file's shared vector, or NULL if none does. */
const struct smol_scheme *smol_config_shared(const struct smol_config *config);
/* A scheme of a layer that uses the layer's gain, or NULL if none does. */
const struct smol_scheme *smol_config_layer_gain(const struct smol_config *config, uint32_t layer);
/* Whether a matrix scheme has a projection. */
bool smol_scheme_projects(const struct smol_scheme *scheme);
/* Temperatures and slope factors of a layer together: 0, H or 2 H. */
uint32_t smol_config_head_factors(const struct smol_config *config);
/* Numbers of the history: SMOL_HISTORY_LENGTHS or 0. */
uint32_t smol_config_history(const struct smol_config *config);
/* Whether there is anything that head_type is the type of. */
bool smol_config_has_head_type(const struct smol_config *config);
/* The lowest minor version of the format that a configuration may have: 3 with a history, 2 for a
 * delta, 1 if it uses what 1.1 added, or 0. */
uint16_t smol_config_minor_version(const struct smol_config *config);
/* Stored parameters of a row of the sparse term; 0 if there is none. */
uint32_t smol_scheme_sparse(const struct smol_scheme *scheme);
/* Whether two schemes have the same encoding. */
bool smol_scheme_equal(const struct smol_scheme *a, const struct smol_scheme *b);

/* Rows (outputs R) and columns (inputs K) of a matrix slot; 1 and C of a norm slot. */
void smol_config_shape(uint32_t *rows, uint32_t *cols, const struct smol_config *config,
                       enum smol_slot slot);

/* "embed", "alpha", "alpha-global", "lora", "fastfood", ... or "mixed" for anything else, whatever
 * the norms, gains and biases. */
const char *smol_config_method(const struct smol_config *config);

/* Parameters outside wte, wpe and the output table: those of masks, a bit each, and of stored
 * matrices count like all others. */
uint64_t smol_config_parameters(const struct smol_config *config);

SMOL_END_DECLS
#endif
