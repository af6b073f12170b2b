/* The rules of a configuration, the canonical ones included. SPEC.md 3.1. Offsets count from the
 * start of CONF. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/fpenv.h"
#include "format/format.h"

#include <inttypes.h>

#define SCALE_MIN 0x1p-60f
#define SCALE_MAX 0x1p60f
#define KNOWN_TERMS                                                                                \
    ((unsigned)(SMOL_TERM_MODELS | SMOL_TERM_GAINS | SMOL_TERM_BIASES | SMOL_TERM_SPARSE |         \
                SMOL_TERM_LAYER_GAIN))
#define STORED_TERMS                                                                               \
    ((unsigned)(SMOL_TERM_MODELS | SMOL_TERM_GAINS | SMOL_TERM_BIASES | SMOL_TERM_SPARSE))

/* Comparisons so written that not-a-number fails them. */
static bool is_scale(float f, float max) { return f >= SCALE_MIN && f <= max; }

static enum smol_status range(uint64_t value, uint64_t max, uint64_t offset, const char *what,
                              struct smol_error *error)
{
    if (value >= 1 && value <= max)
        return SMOL_OK;
    return smol_fail(error, SMOL_E_RANGE, offset, "%s is %llu, allowed is 1..%llu", what,
                     (unsigned long long)value, (unsigned long long)max);
}

static enum smol_status check_logit_scale(const struct smol_config *c, struct smol_error *error)
{
    const float s = c->logit_scale;

    if (!smol_config_is_delta(c))
        return is_scale(s, SCALE_MAX)
                   ? SMOL_OK
                   : smol_fail(error, SMOL_E_RANGE, 48, "the logit scale is not in 2^-60..2^60");
    if (!(s >= -SCALE_MAX && s <= SCALE_MAX))
        return smol_fail(error, SMOL_E_RANGE, 48,
                         "the difference of the logit scale is beyond 2^60");
    if (smol_f32_bits(s) == 0x80000000u)
        return smol_fail(error, SMOL_E_CANONICAL, 48, "the difference of the logit scale is -0");
    return SMOL_OK;
}

static enum smol_status check_shape(const struct smol_config *c, struct smol_error *error)
{
    enum smol_status status;

    if ((status = range(c->n_layers, SMOL_MAX_LAYERS, 4, "the number of layers", error)) ||
        (status = range(c->n_heads, SMOL_MAX_HEADS, 8, "the number of heads", error)) ||
        (status = range(c->width, SMOL_MAX_WIDTH, 12, "the width", error)) ||
        (status = range(c->n_ff, SMOL_MAX_FF, 16, "the feed-forward width", error)) ||
        (status = range(c->context, SMOL_MAX_CONTEXT, 20, "the context", error)) ||
        (status = range(c->vocab, SMOL_MAX_VOCAB, 24, "the vocabulary", error)))
        return status;
    if (c->width % c->n_heads != 0)
        return smol_fail(error, SMOL_E_RANGE, 8,
                         "%" PRIu32 " heads do not divide the width %" PRIu32, c->n_heads,
                         c->width);
    if (!is_scale(c->ln_epsilon, 1.0f))
        return smol_fail(error, SMOL_E_RANGE, 28, "the epsilon of LayerNorm is not in 2^-60..1");
    if ((status = check_logit_scale(c, error)))
        return status;
    if (!smol_dtype_holds(c->wte_type, SMOL_OF_EMBEDDINGS))
        return smol_fail(error, SMOL_E_ENUM, 40, "number type %u of wte is unknown", c->wte_type);
    if (!smol_dtype_holds(c->wpe_type, SMOL_OF_EMBEDDINGS))
        return smol_fail(error, SMOL_E_ENUM, 41, "number type %u of wpe is unknown", c->wpe_type);
    if (!smol_dtype_holds(c->output_type, SMOL_OF_EMBEDDINGS))
        return smol_fail(error, SMOL_E_ENUM, 52, "number type %u of the output table is unknown",
                         c->output_type);
    if (!smol_dtype_holds(c->head_type, SMOL_OF_PARAMETERS))
        return smol_fail(error, SMOL_E_ENUM, 47, "number type %u cannot hold factors of heads",
                         c->head_type);
    if (c->tokenizer > SMOL_TOKENIZER_BYTE_SET)
        return smol_fail(error, SMOL_E_ENUM, 42, "tokenizer %u is unknown", c->tokenizer);
    return SMOL_OK;
}

/* A number type of something that is not there. */
static enum smol_status absent(bool is_there, enum smol_dtype type, uint64_t offset,
                               const char *what, struct smol_error *error)
{
    if (is_there || type == SMOL_F32)
        return SMOL_OK;
    return smol_fail(error, SMOL_E_CANONICAL, offset,
                     "a number type of %s, which the model does not have", what);
}

/* What only a delta has: its parts, and rows. */
static enum smol_status check_delta(const struct smol_config *c, struct smol_error *error)
{
    enum smol_status status =
        range(c->n_models, SMOL_MAX_MODELS, 53, "the number of models of a delta", error);

    if (status)
        return status;
    if (c->n_deltas > SMOL_MAX_DELTAS)
        return smol_fail(error, SMOL_E_RANGE, 54, "%u deltas, allowed are 0..%u", c->n_deltas,
                         SMOL_MAX_DELTAS);
    if (c->input_rows > c->vocab)
        return smol_fail(error, SMOL_E_RANGE, 56,
                         "%" PRIu32 " input rows, the vocabulary has %" PRIu32, c->input_rows,
                         c->vocab);
    if (c->output_rows > (smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE) ? c->vocab : 0))
        return smol_fail(error, SMOL_E_RANGE, 60,
                         "%" PRIu32 " output rows, the output table has %" PRIu32, c->output_rows,
                         smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE) ? c->vocab : 0);
    if ((status = absent(c->input_rows > 0, c->wte_type, 40, "input rows", error)))
        return status;
    return absent(c->output_rows > 0, c->output_type, 52, "output rows", error);
}

static enum smol_status check_features(const struct smol_config *c, struct smol_error *error)
{
    const bool distances = smol_config_has(c, SMOL_FEATURE_DISTANCES),
               is_delta = smol_config_is_delta(c);
    enum smol_status status;

    if (c->architecture > SMOL_ARCH_DELTA)
        return smol_fail(error, SMOL_E_ENUM, 0,
                         "architecture %u is unknown, 0 is GPT-2, 1 is smol and 2 is a delta",
                         c->architecture);
    if ((c->features & ~SMOL_ALL_FEATURES) != 0)
        return smol_fail(error, SMOL_E_RESERVED, 2, "reserved features are set");
    if (c->architecture == SMOL_ARCH_GPT2 && c->features != 0)
        return smol_fail(error, SMOL_E_RANGE, 2, "GPT-2, architecture 0, has no features");
    if (c->architecture == SMOL_ARCH_SMOL && c->features == 0)
        return smol_fail(error, SMOL_E_CANONICAL, 2,
                         "architecture 1 without features is GPT-2, architecture 0");
    if (smol_config_has(c, SMOL_FEATURE_SLOPE_FACTORS) && !distances)
        return smol_fail(error, SMOL_E_RANGE, 2, "slope factors need distances");
    if (smol_config_has(c, SMOL_FEATURE_HISTORY) && !distances)
        return smol_fail(error, SMOL_E_RANGE, 2, "a history needs distances");
    if (smol_config_has(c, SMOL_FEATURE_HISTORY) && c->vocab > 65536)
        return smol_fail(error, SMOL_E_RANGE, 24,
                         "a vocabulary of %" PRIu32 ", with a history at most 65536", c->vocab);
    if ((status = absent(!distances && !is_delta, c->wpe_type, 41, "wpe", error)) ||
        (status =
             absent(smol_config_has_head_type(c), c->head_type, 47, "factors of heads", error)))
        return status;
    if (is_delta)
        return check_delta(c, error);
    if (c->n_models || c->n_deltas || c->input_rows || c->output_rows)
        return smol_fail(error, SMOL_E_RANGE, 53, "a model that is no delta changes no other");
    return absent(smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE), c->output_type, 52,
                  "an output table", error);
}

/* A field of a scheme that must be zero since nothing uses it. */
static enum smol_status unused(unsigned value, uint64_t offset, unsigned index, const char *what,
                               struct smol_error *error)
{
    if (value == 0)
        return SMOL_OK;
    return smol_fail(error, SMOL_E_CANONICAL, offset, "scheme %u has a %s that nothing uses", index,
                     what);
}

/* Distribution, bases, type and sigma of a scheme that has alphas or a unit basis; is_nothing: the
 * one of a delta, which has no sigma. */
static enum smol_status check_bases(const struct smol_scheme *s, bool is_nothing, unsigned i,
                                    uint64_t at, struct smol_error *error)
{
    if (s->dist > SMOL_GAUSS)
        return smol_fail(error, SMOL_E_ENUM, at + 2, "scheme %u: distribution %u is unknown", i,
                         s->dist);
    if (s->d < 1 || s->d > SMOL_MAX_BASES)
        return smol_fail(error, SMOL_E_RANGE, at + 3, "scheme %u: d is %u, allowed is 1..64", i,
                         s->d);
    if (!smol_dtype_holds(s->alpha_type, SMOL_OF_PARAMETERS))
        return smol_fail(error, SMOL_E_ENUM, at + 6, "scheme %u: number type %u cannot hold alphas",
                         i, s->alpha_type);
    if (is_nothing)
        return unused(smol_f32_bits(s->sigma), at + 8, i, "sigma", error);
    if (!is_scale(s->sigma, SCALE_MAX))
        return smol_fail(error, SMOL_E_RANGE, at + 8, "scheme %u: sigma is not in 2^-60..2^60", i);
    return SMOL_OK;
}

static enum smol_status check_dimensions(const struct smol_scheme *s, unsigned i, uint64_t at,
                                         struct smol_error *error)
{
    if (smol_scheme_has(s, SMOL_TERM_SPARSE) && smol_scheme_projects(s))
        return smol_fail(error, SMOL_E_RANGE, at, "scheme %u: a sparse term beside a projection",
                         i);
    if (!smol_scheme_projects(s) && !smol_scheme_has(s, SMOL_TERM_SPARSE))
        return unused(s->dimensions, at + 12, i, "number of dimensions", error);
    if (s->dimensions < 1 || s->dimensions > SMOL_MAX_DIMENSIONS)
        return smol_fail(error, SMOL_E_RANGE, at + 12,
                         "scheme %u: %" PRIu32 " dimensions, allowed are 1..%u", i, s->dimensions,
                         SMOL_MAX_DIMENSIONS);
    return SMOL_OK;
}

/* What the weights of a matrix are made of: bases, or stored rows, which have none; in a delta
 * perhaps nothing. */
static enum smol_status check_weights(const struct smol_scheme *s, bool is_delta, unsigned i,
                                      uint64_t at, struct smol_error *error)
{
    const bool is_nola = s->source == SMOL_MATRIX_NOLA, is_mask = s->source == SMOL_MATRIX_MASK;
    const bool is_unit =
        s->source != SMOL_MATRIX_OWN && s->source != SMOL_MATRIX_SHARED && !is_nola;
    enum smol_status status;

    if (s->source != SMOL_MATRIX_STORED) {
        if ((status = check_bases(s, is_delta && s->source == SMOL_MATRIX_UNIT, i, at, error)))
            return status;
        if (is_unit && s->d != 1)
            return smol_fail(error, SMOL_E_RANGE, at + 3,
                             "scheme %u: d is %u, but a unit basis has 1", i, s->d);
        if (is_mask && (status = unused(s->dist, at + 2, i, "distribution", error)))
            return status;
        return s->source == SMOL_MATRIX_UNIT || is_mask
                   ? unused(s->alpha_type, at + 6, i, "type of alphas", error)
                   : SMOL_OK;
    }
    if (!smol_dtype_holds(s->alpha_type, SMOL_OF_MATRICES))
        return smol_fail(error, SMOL_E_ENUM, at + 6, "scheme %u: number type %u cannot hold rows",
                         i, s->alpha_type);
    if ((status = unused(s->dist, at + 2, i, "distribution", error)) ||
        (status = unused(s->d, at + 3, i, "d", error)))
        return status;
    return unused(smol_f32_bits(s->sigma), at + 8, i, "sigma", error);
}

static enum smol_status check_matrix(const struct smol_config *c, const struct smol_scheme *s,
                                     unsigned i, uint64_t at, struct smol_error *error)
{
    const bool is_nola = s->source == SMOL_MATRIX_NOLA;
    enum smol_status status;

    if (s->source > SMOL_MATRIX_STORED ||
        (s->source > SMOL_MATRIX_FOURIER_SHARED && s->source < SMOL_MATRIX_NOLA))
        return smol_fail(error, SMOL_E_ENUM, at + 1, "scheme %u: source %u of a matrix is unknown",
                         i, s->source);
    if ((status = check_weights(s, smol_config_is_delta(c), i, at, error)))
        return status;
    if ((status = check_dimensions(s, i, at, error)))
        return status;
    if (s->rank > SMOL_MAX_RANK)
        return smol_fail(error, SMOL_E_RANGE, at + 4, "scheme %u: rank %u is over %u", i, s->rank,
                         SMOL_MAX_RANK);
    if (is_nola && s->rank == 0)
        return smol_fail(error, SMOL_E_RANGE, at + 4, "scheme %u: factors of rank 0", i);
    if (smol_scheme_has(s, SMOL_TERM_LAYER_GAIN) &&
        (!smol_scheme_is_shared(s) || !smol_scheme_projects(s)))
        return smol_fail(error, SMOL_E_RANGE, at, "scheme %u: layer gains need a shared projection",
                         i);
    if ((s->rank == 0 || is_nola) && (s->terms & STORED_TERMS) == 0)
        return unused(s->value_type, at + 7, i, "type of factors", error);
    if (!smol_dtype_holds(s->value_type, SMOL_OF_PARAMETERS))
        return smol_fail(error, SMOL_E_ENUM, at + 7,
                         "scheme %u: number type %u cannot hold factors", i, s->value_type);
    return SMOL_OK;
}

static enum smol_status check_norm(const struct smol_scheme *s, unsigned i, uint64_t at,
                                   struct smol_error *error)
{
    enum smol_status status;

    if (s->source > SMOL_NORM_STORED)
        return smol_fail(error, SMOL_E_ENUM, at + 1, "scheme %u: source %u of a norm is unknown", i,
                         s->source);
    if ((status = unused(s->rank, at + 4, i, "rank", error)) ||
        (status = unused(s->dimensions, at + 12, i, "number of dimensions", error)))
        return status;
    if (s->source == SMOL_NORM_STORED) {
        if (!smol_dtype_holds(s->value_type, SMOL_OF_PARAMETERS))
            return smol_fail(error, SMOL_E_ENUM, at + 7,
                             "scheme %u: number type %u cannot hold vectors", i, s->value_type);
    } else if ((status = unused(s->value_type, at + 7, i, "type of vectors", error))) {
        return status;
    }
    if (s->source == SMOL_NORM_OWN)
        return check_bases(s, false, i, at, error);
    if ((status = unused(s->dist, at + 2, i, "distribution", error)) ||
        (status = unused(s->d, at + 3, i, "d", error)) ||
        (status = unused(s->alpha_type, at + 6, i, "type of alphas", error)) ||
        (status = unused(smol_f32_bits(s->sigma), at + 8, i, "sigma", error)))
        return status;
    return SMOL_OK;
}

/* Scheme i against the ones before it: different from each, and one vector of shared alphas. */
static enum smol_status check_against(const struct smol_config *c, uint32_t i, uint64_t at,
                                      struct smol_error *error)
{
    const struct smol_scheme *s = &c->schemes[i];

    for (uint32_t j = 0; j < i; j++) {
        const struct smol_scheme *o = &c->schemes[j];
        if (smol_scheme_equal(s, o))
            return smol_fail(error, SMOL_E_CANONICAL, at,
                             "schemes %" PRIu32 " and %" PRIu32 " are equal", j, i);
        if (smol_scheme_is_shared(s) && smol_scheme_is_shared(o) &&
            (s->source != o->source || smol_scheme_parameters(s) != smol_scheme_parameters(o) ||
             s->alpha_type != o->alpha_type))
            return smol_fail(
                error, SMOL_E_RANGE, at,
                "schemes %" PRIu32 " and %" PRIu32 " disagree on the shared parameters", j, i);
    }
    return SMOL_OK;
}

/* What a scheme may be in a delta alone, or not there. */
static enum smol_status check_in_delta(const struct smol_config *c, const struct smol_scheme *s,
                                       unsigned i, uint64_t at, struct smol_error *error)
{
    const bool is_delta = smol_config_is_delta(c);

    if (smol_scheme_has(s, SMOL_TERM_MODELS) && !is_delta)
        return smol_fail(error, SMOL_E_RANGE, at, "scheme %u: numbers of models, in no delta", i);
    if (!is_delta || s->kind != SMOL_MATRIX || s->source != SMOL_MATRIX_UNIT)
        return SMOL_OK;
    return unused(s->dist, at + 2, i, "distribution", error);
}

static enum smol_status check_schemes(const struct smol_config *c, struct smol_error *error)
{
    for (uint32_t i = 0; i < c->n_schemes; i++) {
        const struct smol_scheme *s = &c->schemes[i];
        const uint64_t at = smol_conf_fixed_bytes(c) + SCHEME_BYTES * i;
        enum smol_status status;

        if (s->kind == SMOL_MATRIX && (s->terms & ~KNOWN_TERMS) == 0)
            status = check_matrix(c, s, i, at, error);
        else if (s->kind == SMOL_NORM && s->terms == 0)
            status = check_norm(s, i, at, error);
        else
            return smol_fail(error, SMOL_E_ENUM, at, "scheme %" PRIu32 ": kind %u is unknown", i,
                             s->kind | s->terms);
        if (status || (status = check_in_delta(c, s, i, at, error)) ||
            (status = check_against(c, i, at, error)))
            return status;
    }
    return SMOL_OK;
}

/* One use of a scheme: it exists, is of the right kind, and new ones come in order. */
static enum smol_status check_use(const struct smol_config *c, uint8_t index, enum smol_slot slot,
                                  uint32_t *n_used, uint64_t offset, struct smol_error *error)
{
    uint32_t rows, cols;
    const bool norm = !smol_slot_is_matrix(slot);

    smol_config_shape(&rows, &cols, c, slot);
    if (index >= c->n_schemes)
        return smol_fail(error, SMOL_E_RANGE, offset,
                         "scheme %u does not exist, there are %" PRIu32, index, c->n_schemes);
    if (c->schemes[index].kind != (norm ? SMOL_NORM : SMOL_MATRIX))
        return smol_fail(error, SMOL_E_RANGE, offset, "scheme %u is not for a %s", index,
                         norm ? "norm" : "matrix");
    if (smol_scheme_sparse(&c->schemes[index]) > cols)
        return smol_fail(error, SMOL_E_RANGE, offset,
                         "scheme %u has %" PRIu32
                         " parameters in a sparse row, a row here has only %" PRIu32 " columns",
                         index, c->schemes[index].dimensions, cols);
    if (index > *n_used)
        return smol_fail(error, SMOL_E_CANONICAL, offset,
                         "scheme %u is used before scheme %" PRIu32, index, *n_used);
    if (index == *n_used)
        ++*n_used;
    return SMOL_OK;
}

/* Entries of the factors of nola in a layer of a span: what a session would make of a few bytes.
 * The limits keep sums below 2^64. */
static uint64_t made_factors(const struct smol_config *c, const struct smol_layer_span *span)
{
    uint64_t n = 0;

    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
        const struct smol_scheme *s = &c->schemes[span->scheme[slot]];
        uint32_t rows, cols;
        smol_config_shape(&rows, &cols, c, slot);
        if (s->kind == SMOL_MATRIX && s->source == SMOL_MATRIX_NOLA)
            n += (uint64_t)s->rank * ((uint64_t)rows + cols);
    }
    return n;
}

static enum smol_status check_spans(const struct smol_config *c, struct smol_error *error)
{
    const uint64_t spans_at = smol_conf_fixed_bytes(c) + SCHEME_BYTES * (uint64_t)c->n_schemes;
    uint32_t n_used = 0, n_layers = 0;
    uint64_t n_made = 0;
    enum smol_status status;

    for (uint32_t i = 0; i < c->n_spans; i++) {
        const struct smol_layer_span *span = &c->spans[i];
        const uint64_t at = spans_at + SPAN_BYTES * (uint64_t)i;
        if (span->n_layers < 1)
            return smol_fail(error, SMOL_E_RANGE, at, "span %" PRIu32 " has no layers", i);
        n_layers += span->n_layers;
        for (enum smol_slot s = SMOL_LN_1; s < SMOL_N_SLOTS; s++)
            if ((status = check_use(c, span->scheme[s], s, &n_used, at + 2 + s, error)))
                return status;
        if (i > 0 && memcmp(span->scheme, c->spans[i - 1].scheme, SMOL_N_SLOTS) == 0)
            return smol_fail(error, SMOL_E_CANONICAL, at,
                             "spans %" PRIu32 " and %" PRIu32 " are alike, they are one", i - 1, i);
        n_made += span->n_layers * made_factors(c, span);
        if (n_made > SMOL_MAX_MADE_FACTORS)
            return smol_fail(error, SMOL_E_RANGE, at,
                             "the factors of nola have more than %u entries",
                             SMOL_MAX_MADE_FACTORS);
    }
    if (n_layers != c->n_layers)
        return smol_fail(error, SMOL_E_RANGE, 4,
                         "the spans have %" PRIu32 " layers, the model %" PRIu32, n_layers,
                         c->n_layers);
    if ((status = check_use(c, c->ln_f, SMOL_LN_F, &n_used, 46, error)))
        return status;
    if (n_used != c->n_schemes)
        return smol_fail(error, SMOL_E_CANONICAL, 43, "scheme %" PRIu32 " is not used", n_used);
    return SMOL_OK;
}

static enum smol_status check(const struct smol_config *config, struct smol_error *error)
{
    enum smol_status status = check_shape(config, error);

    if (status)
        return status;
    if (config->n_schemes < 2 || config->n_schemes > SMOL_MAX_SCHEMES)
        return smol_fail(error, SMOL_E_RANGE, 43, "%" PRIu32 " schemes, allowed are 2..32",
                         config->n_schemes);
    if (config->n_spans < 1 || config->n_spans > config->n_layers)
        return smol_fail(error, SMOL_E_RANGE, 44,
                         "%" PRIu32 " spans, allowed are 1 to the number of layers",
                         config->n_spans);
    if ((status = check_features(config, error)) || (status = check_schemes(config, error)))
        return status;
    return check_spans(config, error);
}

enum smol_status smol_config_check(const struct smol_config *config, struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status : check(config, error));
}

/* Where a scheme is among the new ones, adding it if need be. */
static uint8_t renumber(struct smol_scheme *schemes, uint32_t *n, const struct smol_scheme *s)
{
    uint32_t i = 0;

    while (i < *n && !smol_scheme_equal(&schemes[i], s))
        i++;
    if (i == *n)
        schemes[(*n)++] = *s;
    return (uint8_t)i;
}

void smol_config_canonicalise(struct smol_config *config)
{
    struct smol_scheme schemes[SMOL_MAX_SCHEMES];
    uint32_t n_schemes = 0, n_spans = 0;

    for (uint32_t i = 0; i < config->n_spans; i++) {
        struct smol_layer_span span = config->spans[i];
        for (enum smol_slot s = SMOL_LN_1; s < SMOL_N_SLOTS; s++)
            span.scheme[s] = renumber(schemes, &n_schemes, &config->schemes[span.scheme[s]]);
        if (n_spans > 0 &&
            memcmp(span.scheme, config->spans[n_spans - 1].scheme, SMOL_N_SLOTS) == 0)
            config->spans[n_spans - 1].n_layers =
                (uint16_t)(config->spans[n_spans - 1].n_layers + span.n_layers);
        else
            config->spans[n_spans++] = span;
    }
    config->ln_f = renumber(schemes, &n_schemes, &config->schemes[config->ln_f]);
    memcpy(config->schemes, schemes, n_schemes * sizeof *schemes);
    memset(config->schemes + n_schemes, 0, (SMOL_MAX_SCHEMES - n_schemes) * sizeof *schemes);
    memset(config->spans + n_spans, 0, (SMOL_MAX_LAYERS - n_spans) * sizeof *config->spans);
    config->n_schemes = n_schemes;
    config->n_spans = n_spans;
}
