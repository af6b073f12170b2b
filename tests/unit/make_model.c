/* See make_model.h. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/initial.h>
#include <smol/params.h>
#include <smol/tokenizer.h>
#include <stdlib.h>
#include <string.h>

uint32_t test_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (uint32_t)(*state >> 32);
}

void test_text(uint32_t *tokens, size_t n, uint32_t vocab, uint64_t *state)
{
    size_t again = 0;

    for (size_t i = 0; i < n; i++, again++) {
        if (i < 6 || test_random(state) % 5 == 0)
            again = test_random(state) % 2 ? i : test_random(state) % (i + 1);
        tokens[i] = again < i ? tokens[again] : test_random(state) % vocab;
    }
}

float test_uniform(uint64_t *state) { return (float)test_random(state) / 2147483648.0f - 1.0f; }

bool test_is_sanitized(void) { return getenv("SMOL_SANITIZED") != NULL; }

static uint32_t or_default(uint32_t value, uint32_t standard) { return value ? value : standard; }

static uint8_t bases(const struct model_recipe *r)
{
    if (r->source == SMOL_MATRIX_STORED)
        return 0;
    return r->source == SMOL_MATRIX_OWN || r->source == SMOL_MATRIX_SHARED ||
                   r->source == SMOL_MATRIX_NOLA
               ? (uint8_t)or_default(r->d, 5)
               : 1;
}

void model_config(struct smol_config *config, const struct model_recipe *r)
{
    struct smol_scheme matrix = {
        .kind = SMOL_MATRIX, .source = r->source, .dist = r->dist, .rank = r->rank};
    struct smol_scheme norm = {.kind = SMOL_NORM, .source = r->norms};

    memset(config, 0, sizeof *config);
    config->n_layers = or_default(r->n_layers, 2);
    config->n_heads = or_default(r->n_heads, 2);
    config->width = or_default(r->width, 16);
    config->n_ff = or_default(r->n_ff, 4 * config->width);
    config->context = or_default(r->context, 12);
    config->vocab = or_default(r->vocab, 256);
    config->seed = r->seed;
    config->tokenizer = r->n_merges  ? SMOL_TOKENIZER_BPE
                        : r->has_set ? SMOL_TOKENIZER_BYTE_SET
                                     : SMOL_TOKENIZER_BYTES;
    config->architecture = r->features ? SMOL_ARCH_SMOL : SMOL_ARCH_GPT2;
    config->features = r->features;
    config->wte_type = r->wte_type;
    config->wpe_type = r->wpe_type;
    config->head_type = r->head_type;
    config->output_type = r->output_type;
    matrix.dimensions = r->dimensions;
    matrix.d = bases(r);
    matrix.alpha_type =
        r->source == SMOL_MATRIX_UNIT || r->source == SMOL_MATRIX_MASK ? 0 : r->alpha_type;
    matrix.terms = r->terms;
    matrix.value_type =
        (r->rank && r->source != SMOL_MATRIX_NOLA) || r->terms & ~(unsigned)SMOL_TERM_LAYER_GAIN
            ? r->value_type
            : 0;
    if (r->norms == SMOL_NORM_OWN) {
        norm.dist = r->dist;
        norm.d = (uint8_t)or_default(r->d, 5);
        norm.alpha_type = r->alpha_type;
    }
    norm.value_type = r->norms == SMOL_NORM_STORED ? r->value_type : 0;
    smol_config_fill(config, &matrix, &norm, 1.0);
}

static void fill_numbers(uint8_t *dest, enum smol_dtype type, size_t n, float scale, float offset,
                         uint64_t *random)
{
    float *values = calloc(n + 1, sizeof *values);

    for (size_t i = 0; i < n; i++)
        values[i] = offset + scale * test_uniform(random);
    smol_encode_numbers(dest, (enum smol_dtype)type, values, n);
    free(values);
}

/* A random number of a table; its bits are 0 before. */
static void fill_number(uint8_t *row, uint8_t *multipliers, enum smol_dtype type, size_t c,
                        uint32_t cols, float scale, uint64_t *random)
{
    const float value = scale * test_uniform(random);

    if (type == SMOL_Q4) {
        row[c / 64 * 32 + c % 32] |= (uint8_t)((test_random(random) & 15) << (c % 64 < 32 ? 0 : 4));
        multipliers[c / 32] = (uint8_t)(test_random(random) & 15);
    } else if (type == SMOL_Q4_ROW) {
        const size_t half = (cols + 1) / 2;
        row[c % half] |= (uint8_t)((test_random(random) & 15) << (c < half ? 0 : 4));
        *multipliers = (uint8_t)(test_random(random) & 15);
    } else if (type == SMOL_Q8) {
        row[c] = (uint8_t)test_random(random);
    } else {
        smol_encode_numbers(row + c * smol_dtype_bytes(type), type, &value, 1);
    }
}

static void fill_ternary(uint8_t *row, uint32_t cols, uint64_t *random)
{
    int8_t *q = calloc(cols, 1);

    for (uint32_t c = 0; c < cols; c++)
        q[c] = (int8_t)(test_random(random) % 3 - 1);
    smol_encode_ternary(row, q, cols);
    free(q);
}

/* A random table. step: of its integers. */
static void fill_table(uint8_t *bytes, const struct smol_table_layout *at, enum smol_dtype type,
                       uint32_t rows, uint32_t cols, float scale, float step, uint64_t *random)
{
    const uint32_t n_scales = type == SMOL_Q4_ROW ? 1 : rows,
                   n_multipliers = type == SMOL_Q4_ROW ? 1 : smol_row_multipliers(cols);

    for (uint32_t r = 0; r < rows; r++) {
        uint8_t *row = bytes + at->data + r * smol_row_bytes(type, cols);
        for (uint32_t c = 0; type != SMOL_TERNARY && c < cols; c++)
            fill_number(row, bytes + at->multipliers + (size_t)r * n_multipliers, type, c, cols,
                        scale, random);
        if (type == SMOL_TERNARY)
            fill_ternary(row, cols, random);
    }
    for (uint32_t r = 0; smol_dtype_is_scaled(type) && r < n_scales; r++)
        fill_numbers(bytes + at->scales + 4 * (size_t)r, SMOL_F32, 1, step / 5, step, random);
}

static void fill_mask(uint8_t *mask, uint32_t rows, uint32_t cols, uint64_t *random)
{
    const uint64_t row_bytes = smol_mask_row_bytes(cols);

    for (size_t i = 0; i < rows * (size_t)cols; i++)
        mask[i / cols * row_bytes + i % cols / 8] |=
            (uint8_t)((test_random(random) & 1) << i % cols % 8);
}

/* A mask, or rows as large as the weights of a frozen matrix. */
static void fill_weights(uint8_t *params, const struct smol_scheme *s,
                         const struct smol_params_place *at, uint32_t rows, uint32_t cols,
                         uint64_t *random)
{
    const enum smol_dtype type = s->alpha_type;
    const float scale = 1 / sqrtf((float)cols);

    if (s->source == SMOL_MATRIX_MASK)
        fill_mask(params + at->mask, rows, cols, random);
    else
        fill_table(params, &at->rows, type, rows, cols, scale,
                   scale / (type == SMOL_Q8   ? 64
                            : type == SMOL_Q4 ? 32
                                              : 1),
                   random);
}

static void fill_heads(uint8_t *params, const struct smol_config *c, uint32_t layer, float scale,
                       uint64_t *random)
{
    struct smol_params_place at;

    smol_params_at(&at, c, layer, SMOL_LN_1);
    if (smol_config_has(c, SMOL_FEATURE_TEMPERATURES))
        fill_numbers(params + at.temperatures, c->head_type, c->n_heads, scale, 1.5f, random);
    if (smol_config_has(c, SMOL_FEATURE_SLOPE_FACTORS))
        fill_numbers(params + at.slope_factors, c->head_type, c->n_heads, scale, 0.75f, random);
}

/* By a generator of their own, so that nothing else depends on them. */
static void fill_history(uint8_t *params, const struct smol_config *c)
{
    static const float around[SMOL_HISTORY_LENGTHS] = {5.5f, 3.25f, 2.25f, 2.25f, 1.75f};
    float numbers[SMOL_HISTORY_LENGTHS];
    uint64_t random = 0xd1b54a32d192ed03u + c->seed;

    for (uint32_t k = 0; k < SMOL_HISTORY_LENGTHS; k++)
        numbers[k] = around[k] + test_uniform(&random);
    smol_encode_numbers(params + smol_params_history_at(c), c->head_type, numbers,
                        smol_config_history(c));
}

static void fill_slot(uint8_t *params, const struct smol_config *c, uint32_t layer,
                      enum smol_slot slot, float scale, uint64_t *random)
{
    const struct smol_scheme *s = smol_config_scheme(c, layer, slot);
    struct smol_params_place at;
    uint32_t rows, cols;

    smol_params_at(&at, c, layer, slot);
    smol_config_shape(&rows, &cols, c, slot);
    if (s->kind == SMOL_NORM && s->source == SMOL_NORM_STORED) {
        fill_numbers(params + at.gain, s->value_type, cols, scale, 1.0f, random);
        fill_numbers(params + at.bias, s->value_type, cols, scale, 0.0f, random);
    } else if (s->kind == SMOL_MATRIX &&
               (s->source == SMOL_MATRIX_MASK || s->source == SMOL_MATRIX_STORED)) {
        fill_weights(params, s, &at, rows, cols, random);
    } else if (s->source != 0) {
        fill_numbers(params + at.alphas, s->alpha_type, smol_scheme_parameters(s), 0.5f, 0.0f,
                     random);
        if (s->kind == SMOL_NORM)
            fill_numbers(params + at.bias_alphas, s->alpha_type, s->d, 0.2f, 0.0f, random);
    }
    if (s->kind == SMOL_MATRIX && s->source == SMOL_MATRIX_NOLA) {
        fill_numbers(params + at.bias_alphas, s->alpha_type, s->d, 0.5f, 0.0f, random);
    } else {
        fill_numbers(params + at.factor_a, s->value_type, (size_t)s->rank * cols, scale, 0.0f,
                     random);
        fill_numbers(params + at.factor_b, s->value_type, (size_t)s->rank * rows, scale, 0.0f,
                     random);
    }
    fill_numbers(params + at.layer_gain, s->alpha_type, smol_scheme_has(s, SMOL_TERM_LAYER_GAIN),
                 0.5f, 1.0f, random);
    fill_numbers(params + at.sparse, s->value_type, (size_t)rows * smol_scheme_sparse(s), scale,
                 0.0f, random);
    fill_numbers(params + at.gain, s->value_type, smol_scheme_has(s, SMOL_TERM_GAINS) ? rows : 0,
                 scale, 1.0f, random);
    fill_numbers(params + at.bias, s->value_type, smol_scheme_has(s, SMOL_TERM_BIASES) ? rows : 0,
                 scale, 0.0f, random);
}

/* A tokenizer file of random merges, the section TOKN from byte 16 on; for free(). */
static uint8_t *make_tokenizer(size_t *size, uint32_t n_merges, uint64_t *random)
{
    static const uint8_t special[] = "\x0d" SMOL_END_OF_TEXT;
    struct smol_merge *merges = calloc(n_merges, sizeof *merges);
    struct smol_error error = {0};
    uint8_t *bytes;

    for (uint32_t i = 0; i < n_merges; i++)
        merges[i] =
            (struct smol_merge){test_random(random) % (256 + i), test_random(random) % (256 + i)};
    cr_assert_eq(smol_tokenizer_write(
                     &bytes, size,
                     &(struct smol_tokenizer_parts){.merges = merges,
                                                    .n_merges = n_merges,
                                                    .specials = {special, sizeof special - 1},
                                                    .n_specials = 1},
                     &error),
                 SMOL_OK, "%s", error.text);
    free(merges);
    return bytes;
}

static void fill_embeddings(uint8_t *embeddings, const struct smol_config *c, float scale,
                            uint64_t *random)
{
    struct smol_embedding_layout at;

    smol_embedding_layout(&at, c);
    fill_table(embeddings, &at.wte, c->wte_type, c->vocab, c->width, scale, 0.005f, random);
    if (!smol_config_has(c, SMOL_FEATURE_DISTANCES))
        fill_table(embeddings, &at.wpe, c->wpe_type, c->context, c->width, scale, 0.005f, random);
    if (smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE))
        fill_table(embeddings, &at.output, c->output_type, c->vocab, c->width, scale, 0.005f,
                   random);
}

/* The section TOKN of a set of bytes. */
static void make_set(uint8_t section[33], uint32_t n, bool has_other, bool has_end)
{
    memset(section, 0, 33);
    for (uint32_t i = 0; i < n; i++)
        section[model_byte(i) / 8] |= (uint8_t)(1u << model_byte(i) % 8);
    section[32] = (uint8_t)(has_other | has_end << 1);
}

uint8_t *model_make(size_t *size_bytes, const struct model_recipe *recipe)
{
    uint64_t random = 0x9e3779b97f4a7c15u + recipe->seed, learned_bytes, size;
    const float scale = recipe->factor_scale != 0 ? recipe->factor_scale : 0.1f;
    const float embedding_scale = recipe->embedding_scale != 0 ? recipe->embedding_scale : 1;
    struct smol_parts parts = {0};
    struct smol_embedding_layout at;
    struct smol_error error = {0};
    uint8_t *params, *embeddings, *bytes, *tokenizer = NULL, set[33];
    size_t tokenizer_size;

    model_config(&parts.config, recipe);
    learned_bytes = smol_params_bytes(&parts.config);
    smol_embedding_layout(&at, &parts.config);
    params = calloc(learned_bytes + 1, 1);
    embeddings = calloc(at.size_bytes, 1);
    for (uint32_t layer = 0; layer < parts.config.n_layers; layer++)
        fill_heads(params, &parts.config, layer, scale, &random);
    for (uint32_t layer = 0; layer < parts.config.n_layers; layer++)
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
            fill_slot(params, &parts.config, layer, (enum smol_slot)slot, scale, &random);
    fill_slot(params, &parts.config, 0, SMOL_LN_F, scale, &random);
    fill_history(params, &parts.config);
    fill_embeddings(embeddings, &parts.config, embedding_scale, &random);
    parts.params = (struct smol_span){learned_bytes ? params : NULL, learned_bytes};
    parts.embeddings = (struct smol_span){embeddings, at.size_bytes};
    if (recipe->n_merges) {
        tokenizer = make_tokenizer(&tokenizer_size, recipe->n_merges, &random);
        parts.tokenizer = (struct smol_span){tokenizer + 16, tokenizer_size - 16};
    }
    if (recipe->has_set) {
        make_set(set, parts.config.vocab - recipe->has_other - recipe->has_end, recipe->has_other,
                 recipe->has_end);
        parts.tokenizer = (struct smol_span){set, sizeof set};
    }
    if (recipe->card)
        parts.card = (struct smol_span){(const uint8_t *)recipe->card, strlen(recipe->card)};
    cr_assert_eq(smol_file_size(&size, &parts, &error), SMOL_OK, "%s", error.text);
    bytes = malloc(size + SMOL_SIGNATURE_BLOCK_BYTES);
    cr_assert_eq(smol_file_write(bytes, size, &parts, &error), SMOL_OK, "%s", error.text);
    free(params);
    free(embeddings);
    free(tokenizer);
    *size_bytes = size;
    return bytes;
}

void model_open(struct smol_file *file, const struct model_recipe *recipe)
{
    struct smol_error error = {0};
    size_t size;
    const uint8_t *bytes = model_make(&size, recipe);

    cr_assert_eq(smol_file_parse(file, bytes, size, &error), SMOL_OK, "byte %llu: %s",
                 (unsigned long long)error.offset, error.text);
}
