/* The section CONF: bytes to configuration and back. SPEC.md 3.1. */
#include "base/bytes.h"
#include "base/error.h"
#include "format/format.h"

#include <inttypes.h>

static void scheme_decode(struct smol_scheme *s, const uint8_t *b)
{
    s->kind = (enum smol_kind)(b[0] & 7);
    s->terms = b[0] & 0xf8;
    s->source = (enum smol_source)b[1];
    s->dist = (enum smol_dist)b[2];
    s->d = b[3];
    s->rank = smol_le16(b + 4);
    s->alpha_type = (enum smol_dtype)b[6];
    s->value_type = (enum smol_dtype)b[7];
    s->sigma = smol_load_f32(b + 8);
    s->dimensions = smol_le32(b + 12);
}

static void scheme_encode(uint8_t *b, const struct smol_scheme *s)
{
    b[0] = (uint8_t)(s->kind | s->terms);
    b[1] = (uint8_t)s->source;
    b[2] = (uint8_t)s->dist;
    b[3] = s->d;
    smol_put16(b + 4, s->rank);
    b[6] = (uint8_t)s->alpha_type;
    b[7] = (uint8_t)s->value_type;
    smol_put32(b + 8, smol_f32_bits(s->sigma));
    smol_put32(b + 12, s->dimensions);
}

static void fixed_decode(struct smol_config *c, const uint8_t *b)
{
    c->architecture = (enum smol_architecture)smol_le16(b);
    c->features = smol_le16(b + 2);
    c->n_layers = smol_le32(b + 4);
    c->n_heads = smol_le32(b + 8);
    c->width = smol_le32(b + 12);
    c->n_ff = smol_le32(b + 16);
    c->context = smol_le32(b + 20);
    c->vocab = smol_le32(b + 24);
    c->ln_epsilon = smol_load_f32(b + 28);
    c->seed = smol_le64(b + 32);
    c->wte_type = (enum smol_dtype)b[40];
    c->wpe_type = (enum smol_dtype)b[41];
    c->tokenizer = (enum smol_tokenizer_kind)b[42];
    c->n_schemes = b[43];
    c->n_spans = smol_le16(b + 44);
    c->ln_f = b[46];
    c->head_type = (enum smol_dtype)b[47];
    c->logit_scale = smol_load_f32(b + 48);
    c->output_type = (enum smol_dtype)b[52];
    c->n_models = b[53];
    c->n_deltas = smol_le16(b + 54);
}

/* The bits that have no meaning: yet, or for GPT-2. */
static enum smol_status reserved_check(const uint8_t *b, struct smol_error *error)
{
    static const uint8_t at[] = {53, 54, 55, 2, 3, 47, 52};
    const unsigned architecture = smol_le16(b);
    const size_t n = architecture == SMOL_ARCH_GPT2    ? sizeof at
                     : architecture == SMOL_ARCH_DELTA ? 0
                                                       : 3;

    for (size_t i = 0; i < n; i++)
        if (b[at[i]] != 0)
            return smol_fail(error, SMOL_E_RESERVED, at[i],
                             "reserved bits of the configuration are set");
    return SMOL_OK;
}

enum smol_status smol_conf_decode(struct smol_config *c, const uint8_t *bytes, size_t size_bytes,
                                  struct smol_error *error)
{
    enum smol_status status;

    if (size_bytes < CONF_FIXED_BYTES)
        return smol_fail(error, SMOL_E_SIZE, 0,
                         "the configuration has %zu bytes, it needs at least %u", size_bytes,
                         CONF_FIXED_BYTES);
    memset(c, 0, sizeof *c);
    fixed_decode(c, bytes);
    if (c->n_schemes < 2 || c->n_schemes > SMOL_MAX_SCHEMES)
        return smol_fail(error, SMOL_E_RANGE, 43, "%" PRIu32 " schemes, allowed are 2..%u",
                         c->n_schemes, SMOL_MAX_SCHEMES);
    if (c->n_spans < 1 || c->n_spans > SMOL_MAX_LAYERS)
        return smol_fail(error, SMOL_E_RANGE, 44, "%" PRIu32 " spans, allowed are 1..%u",
                         c->n_spans, SMOL_MAX_LAYERS);
    if (size_bytes != smol_conf_bytes(c))
        return smol_fail(error, SMOL_E_SIZE, 0,
                         "the configuration has %zu bytes, %" PRIu32 " schemes and %" PRIu32
                         " spans take %zu",
                         size_bytes, c->n_schemes, c->n_spans, smol_conf_bytes(c));
    status = reserved_check(bytes, error);
    if (status)
        return status;
    if (smol_config_is_delta(c)) {
        c->input_rows = smol_le32(bytes + CONF_FIXED_BYTES);
        c->output_rows = smol_le32(bytes + CONF_FIXED_BYTES + 4);
    }
    bytes += smol_conf_fixed_bytes(c);
    for (uint32_t i = 0; i < c->n_schemes; i++, bytes += SCHEME_BYTES)
        scheme_decode(&c->schemes[i], bytes);
    for (uint32_t i = 0; i < c->n_spans; i++, bytes += SPAN_BYTES) {
        c->spans[i].n_layers = smol_le16(bytes);
        memcpy(c->spans[i].scheme, bytes + 2, SMOL_N_SLOTS);
    }
    return SMOL_OK;
}

size_t smol_conf_fixed_bytes(const struct smol_config *config)
{
    return CONF_FIXED_BYTES + (smol_config_is_delta(config) ? CONF_DELTA_BYTES : 0);
}

size_t smol_conf_bytes(const struct smol_config *config)
{
    return smol_conf_fixed_bytes(config) + SCHEME_BYTES * config->n_schemes +
           SPAN_BYTES * config->n_spans;
}

void smol_conf_encode(uint8_t *b, const struct smol_config *c)
{
    memset(b, 0, CONF_FIXED_BYTES);
    smol_put16(b, (uint16_t)c->architecture);
    smol_put16(b + 2, c->features);
    smol_put32(b + 4, c->n_layers);
    smol_put32(b + 8, c->n_heads);
    smol_put32(b + 12, c->width);
    smol_put32(b + 16, c->n_ff);
    smol_put32(b + 20, c->context);
    smol_put32(b + 24, c->vocab);
    smol_put32(b + 28, smol_f32_bits(c->ln_epsilon));
    smol_put64(b + 32, c->seed);
    b[40] = (uint8_t)c->wte_type;
    b[41] = (uint8_t)c->wpe_type;
    b[42] = (uint8_t)c->tokenizer;
    b[43] = (uint8_t)c->n_schemes;
    smol_put16(b + 44, (uint16_t)c->n_spans);
    b[46] = c->ln_f;
    b[47] = (uint8_t)c->head_type;
    smol_put32(b + 48, smol_f32_bits(c->logit_scale));
    b[52] = (uint8_t)c->output_type;
    b[53] = c->n_models;
    smol_put16(b + 54, c->n_deltas);
    if (smol_config_is_delta(c)) {
        smol_put32(b + CONF_FIXED_BYTES, c->input_rows);
        smol_put32(b + CONF_FIXED_BYTES + 4, c->output_rows);
    }
    b += smol_conf_fixed_bytes(c);
    for (uint32_t i = 0; i < c->n_schemes; i++, b += SCHEME_BYTES)
        scheme_encode(b, &c->schemes[i]);
    for (uint32_t i = 0; i < c->n_spans; i++, b += SPAN_BYTES) {
        smol_put16(b, c->spans[i].n_layers);
        memcpy(b + 2, c->spans[i].scheme, SMOL_N_SLOTS);
    }
}
