/* See make_model.h. */
#include "make_model.h"

#include <criterion/criterion.h>
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

float test_uniform(uint64_t *state) { return (float)test_random(state) / 2147483648.0f - 1.0f; }

static uint32_t or_default(uint32_t value, uint32_t standard) { return value ? value : standard; }

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
    config->tokenizer = r->n_merges ? SMOL_TOKENIZER_BPE : SMOL_TOKENIZER_BYTES;
    config->wte_type = r->wte_type;
    config->wpe_type = r->wpe_type;
    matrix.dimensions = r->dimensions;
    matrix.d = r->source == SMOL_MATRIX_UNIT || (r->source >= SMOL_MATRIX_FASTFOOD &&
                                                 r->source <= SMOL_MATRIX_FOURIER_SHARED)
                   ? 1
                   : (uint8_t)or_default(r->d, 5);
    matrix.alpha_type = r->source == SMOL_MATRIX_UNIT ? 0 : r->alpha_type;
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

static void fill_table(uint8_t *embeddings, const struct smol_table_layout *at,
                       enum smol_dtype type, uint32_t rows, uint32_t cols, float scale,
                       uint64_t *random)
{
    uint8_t *data = embeddings + at->data;

    for (size_t i = 0; i < (size_t)rows * cols; i++) {
        const float value = scale * test_uniform(random);
        if (type == SMOL_Q4) {
            const size_t c = i % cols;
            data[i / cols * smol_row_bytes(type, cols) + c / 64 * 32 + c % 32] |=
                (uint8_t)((test_random(random) & 15) << (c % 64 < 32 ? 0 : 4));
            embeddings[at->multipliers + i / cols * smol_row_multipliers(cols) + c / 32] =
                (uint8_t)(test_random(random) & 15);
        } else if (type == SMOL_Q8) {
            data[i] = (uint8_t)test_random(random);
        } else {
            smol_encode_numbers(data + i * smol_dtype_bytes(type), (enum smol_dtype)type, &value,
                                1);
        }
    }
    for (uint32_t r = 0; (type == SMOL_Q8 || type == SMOL_Q4) && r < rows; r++)
        fill_numbers(embeddings + at->scales + 4 * (size_t)r, SMOL_F32, 1, 0.001f, 0.005f, random);
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

uint8_t *model_make(size_t *size_bytes, const struct model_recipe *recipe)
{
    uint64_t random = 0x9e3779b97f4a7c15u + recipe->seed, learned_bytes, size;
    const float scale = recipe->factor_scale != 0 ? recipe->factor_scale : 0.1f;
    const float embedding_scale = recipe->embedding_scale != 0 ? recipe->embedding_scale : 1;
    struct smol_parts parts = {0};
    struct smol_embedding_layout at;
    struct smol_error error = {0};
    uint8_t *params, *embeddings, *bytes, *tokenizer = NULL;
    size_t tokenizer_size;

    model_config(&parts.config, recipe);
    learned_bytes = smol_params_bytes(&parts.config);
    smol_embedding_layout(&at, &parts.config);
    params = calloc(learned_bytes + 1, 1);
    embeddings = calloc(at.size_bytes, 1);
    for (uint32_t layer = 0; layer < parts.config.n_layers; layer++)
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
            fill_slot(params, &parts.config, layer, (enum smol_slot)slot, scale, &random);
    fill_slot(params, &parts.config, 0, SMOL_LN_F, scale, &random);
    fill_table(embeddings, &at.wte, parts.config.wte_type, parts.config.vocab, parts.config.width,
               embedding_scale, &random);
    fill_table(embeddings, &at.wpe, parts.config.wpe_type, parts.config.context, parts.config.width,
               embedding_scale, &random);
    parts.params = (struct smol_span){learned_bytes ? params : NULL, learned_bytes};
    parts.embeddings = (struct smol_span){embeddings, at.size_bytes};
    if (recipe->n_merges) {
        tokenizer = make_tokenizer(&tokenizer_size, recipe->n_merges, &random);
        parts.tokenizer = (struct smol_span){tokenizer + 16, tokenizer_size - 16};
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
