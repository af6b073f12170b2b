/* See facts.h. */
#include "facts.h"

#include <smol/params.h>
#include <smol/session.h>
#include <smol/tokenizer.h>

#include <string.h>

struct facts {
    char *text;
    size_t n;
};

static void put(struct facts *f, const char *text)
{
    const size_t n = strlen(text);

    memcpy(f->text + f->n, text, n); /* FACTS_BYTES is more than all names and numbers here take */
    f->n += n;
}

static void put_decimal(struct facts *f, uint64_t value)
{
    char digits[21], *at = digits + sizeof digits - 1;

    *at = 0;
    do
        *--at = (char)('0' + value % 10);
    while (value /= 10);
    put(f, at);
}

static void put_hex(struct facts *f, const uint8_t *bytes, size_t n, const char *digits)
{
    for (size_t i = 0; i < n; i++)
        put(f, (const char[]){digits[bytes[i] >> 4], digits[bytes[i] & 15], 0});
}

/* A member's name, after those before it. */
static void put_key(struct facts *f, const char *name)
{
    put(f, f->n > 1 ? ",\"" : "\"");
    put(f, name);
    put(f, "\":");
}

static void put_number(struct facts *f, const char *name, uint64_t value)
{
    put_key(f, name);
    put_decimal(f, value);
}

/* NULL: null. None of the names here needs escapes. */
static void put_name(struct facts *f, const char *name, const char *value)
{
    put_key(f, name);
    put(f, value ? "\"" : "null");
    put(f, value ? value : "");
    put(f, value ? "\"" : "");
}

static void put_bytes(struct facts *f, const char *name, const uint8_t *bytes, size_t n,
                      const char *digits)
{
    put_key(f, name);
    put(f, "\"");
    put_hex(f, bytes, n, digits);
    put(f, "\"");
}

static void put_bits(struct facts *f, const char *name, float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    put_number(f, name, bits);
}

static void put_sizes(struct facts *f, const struct smol_file *file)
{
    struct smol_size_report r;

    smol_file_sizes(&r, file);
    put_number(f, "file_bytes", r.file);
    put_number(f, "embedding_bytes", r.embeddings);
    put_number(f, "non_embedding_bytes", r.non_embedding);
    put_number(f, "non_embedding_params", smol_config_parameters(&file->config));
    put_number(f, "learned_bytes", r.params);
    put_number(f, "tokenizer_bytes", r.tokenizer);
    put_number(f, "card_bytes", r.card);
    put_number(f, "padding_bytes", r.padding);
    put_number(f, "directory_bytes", r.header + r.directory);
    put_number(f, "config_bytes", r.config);
    put_number(f, "base_bytes", r.base);
    put_number(f, "hash_bytes", r.hash);
    put_number(f, "signature_bytes", r.signature);
}

static void put_features(struct facts *f, const struct smol_config *c)
{
    const char *between = "";

    put_key(f, "features");
    put(f, "[");
    for (unsigned bit = 1; bit <= SMOL_ALL_FEATURES; bit *= 2)
        if (smol_config_has(c, (enum smol_feature)bit)) {
            put(f, between);
            put(f, "\"");
            put(f, smol_feature_name((enum smol_feature)bit));
            put(f, "\"");
            between = ",";
        }
    put(f, "]");
}

/* Of a layer: its matrices, the biases that some have, and a gain and a bias of each norm. */
static uint64_t layer_numbers(const struct smol_config *c, const struct smol_layer_span *span)
{
    uint64_t sum = 0;

    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
        const struct smol_scheme *s = &c->schemes[span->scheme[slot]];
        uint32_t rows, cols;
        smol_config_shape(&rows, &cols, c, slot);
        sum += (uint64_t)rows * cols;
        if (!smol_slot_is_matrix(slot))
            sum += cols;
        else if (smol_scheme_has(s, SMOL_TERM_BIASES))
            sum += rows;
    }
    return sum;
}

/* The numbers that the same model would store if nothing were regenerated. */
static uint64_t dense_numbers(const struct smol_config *c)
{
    const uint64_t in = c->vocab + (smol_config_has(c, SMOL_FEATURE_DISTANCES) ? 0 : c->context),
                   out = smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE) ? c->vocab : 0,
                   per_head = (smol_config_has(c, SMOL_FEATURE_TEMPERATURES) ? 1u : 0u) +
                              (smol_config_has(c, SMOL_FEATURE_SLOPE_FACTORS) ? 1u : 0u);
    uint64_t sum =
        (in + out + 2) * c->width + per_head * c->n_heads * c->n_layers + smol_config_history(c);

    for (uint32_t i = 0; i < c->n_spans; i++)
        sum += c->spans[i].n_layers * layer_numbers(c, &c->spans[i]);
    return sum;
}

/* Of a table, if there is one. */
static void put_type(struct facts *f, const char *name, enum smol_dtype type, bool is_there)
{
    put_name(f, name, is_there ? smol_dtype_name(type) : NULL);
}

static void put_shape(struct facts *f, const struct smol_config *c)
{
    const bool is_delta = smol_config_is_delta(c);

    put_name(f, "architecture", smol_architecture_name(c->architecture));
    put_name(f, "method", smol_config_method(c));
    put_key(f, "seed"); /* as text, for it may be beyond 2^53 */
    put(f, "\"");
    put_decimal(f, c->seed);
    put(f, "\"");
    put_number(f, "layers", c->n_layers);
    put_number(f, "width", c->width);
    put_number(f, "heads", c->n_heads);
    put_number(f, "feed_forward", c->n_ff);
    put_number(f, "context", c->context);
    put_number(f, "vocab", c->vocab);
    put_features(f, c);
    put_bits(f, "ln_epsilon_bits", c->ln_epsilon);
    put_bits(f, "logit_scale_bits", c->logit_scale);
    put_type(f, "wte_type", c->wte_type, !is_delta || c->input_rows);
    put_type(f, "wpe_type", c->wpe_type, !is_delta && !smol_config_has(c, SMOL_FEATURE_DISTANCES));
    put_type(f, "output_type", c->output_type,
             smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE) && (!is_delta || c->output_rows));
    put_number(f, "dense_numbers", dense_numbers(c));
}

static void put_tokenizer(struct facts *f, const struct smol_file *file)
{
    static const char *const names[] = {"bytes", "bpe", "byte set"};
    const bool is_here =
        file->config.tokenizer == SMOL_TOKENIZER_BYTES || file->tokenizer.size_bytes;
    uint32_t end;

    put_name(f, "tokenizer", names[file->config.tokenizer]);
    if (!is_here) /* it is its model's */
        return;
    put_number(f, "tokens", smol_token_count(file));
    put_number(f, "merges",
               file->config.tokenizer == SMOL_TOKENIZER_BPE ? smol_tokenizer_merge_count(file) : 0);
    if (smol_end_token(&end, file))
        put_number(f, "end_token", end);
    else
        put_name(f, "end_token", NULL);
}

/* In the whole context, with one thread; null of a delta. */
static void put_session(struct facts *f, const struct smol_file *file)
{
    struct smol_error error;
    size_t size;

    if (smol_file_is_whole(file) && smol_session_size(&size, file, NULL, &error) == SMOL_OK)
        put_number(f, "session_bytes", size);
    else
        put_name(f, "session_bytes", NULL);
}

/* minisign writes a key's number as that of a little-endian integer. */
static void put_signer(struct facts *f, const struct smol_signature *s)
{
    uint8_t number[SMOL_KEY_NUMBER_BYTES];

    for (size_t i = 0; i < sizeof number; i++)
        number[i] = s->key_number[sizeof number - 1 - i];
    put_bytes(f, "signer", number, sizeof number, "0123456789ABCDEF");
    put_bytes(f, "public_key", s->public_key, SMOL_PUBLIC_KEY_BYTES, "0123456789abcdef");
}

size_t facts_write(char text[FACTS_BYTES], const struct smol_file *file)
{
    struct facts f = {text, 0};

    put(&f, "{");
    put_sizes(&f, file);
    put_shape(&f, &file->config);
    put_tokenizer(&f, file);
    put_session(&f, file);
    put_bytes(&f, "hash", file->hash, SMOL_HASH_BYTES, "0123456789abcdef");
    put_key(&f, "signed");
    put(&f, file->is_signed ? "true" : "false");
    if (file->is_signed)
        put_signer(&f, &file->signature);
    else
        put_name(&f, "signer", NULL);
    put(&f, "}");
    return f.n;
}
