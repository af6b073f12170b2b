/* See fields.h. */
#include "train/options/fields.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const orders[] = {
    [SMOL_ORDER_RANDOM] = "random", [SMOL_ORDER_SHUFFLED] = "shuffled"};

static const char *const mixes[] = {
    [SMOL_MIX_NONE] = "none", [SMOL_MIX_FILE] = "file", [SMOL_MIX_MATRIX] = "matrix"};

static json_t *encode_features(uint16_t features)
{
    json_t *list = json_array();

    for (unsigned bit = 1; bit <= SMOL_ALL_FEATURES; bit *= 2)
        if ((features & bit) != 0)
            json_array_append_new(list, json_string(smol_feature_name((enum smol_feature)bit)));
    return list;
}

static bool decode_features(uint16_t *features, const json_t *list)
{
    size_t i;
    json_t *item;

    *features = 0;
    json_array_foreach(list, i, item)
    {
        enum smol_feature feature;

        if (!smol_feature_parse(&feature, json_string_value(item)))
            return false;
        *features |= (uint16_t)feature;
    }
    return json_is_array(list);
}

json_t *smol_field_encode(const void *base, const struct smol_field *f)
{
    const void *place = (const char *)base + f->offset;
    char seed[24];

    switch (f->form) {
    case SMOL_FORM_COUNT: return json_integer(*(const uint32_t *)place);
    case SMOL_FORM_SEED: /* JSON's integers do not hold every u64 */
        snprintf(seed, sizeof seed, "%" PRIu64, *(const uint64_t *)place);
        return json_string(seed);
    case SMOL_FORM_NUMBER: return json_real(*(const double *)place);
    case SMOL_FORM_FLAG: return json_boolean(*(const bool *)place);
    case SMOL_FORM_MATRICES:
        return json_string(smol_source_name(SMOL_MATRIX, *(const enum smol_source *)place));
    case SMOL_FORM_NORMS:
        return json_string(smol_source_name(SMOL_NORM, *(const enum smol_source *)place));
    case SMOL_FORM_DIST: return json_string(smol_dist_name(*(const enum smol_dist *)place));
    case SMOL_FORM_EMBEDDING_TYPE:
    case SMOL_FORM_MATRIX_TYPE:
    case SMOL_FORM_PARAM_TYPE: return json_string(smol_dtype_name(*(const enum smol_dtype *)place));
    case SMOL_FORM_ORDER: return json_string(orders[*(const enum smol_order *)place]);
    case SMOL_FORM_ARCHITECTURE:
        return json_string(smol_architecture_name(*(const enum smol_architecture *)place));
    case SMOL_FORM_FEATURES: return encode_features(*(const uint16_t *)place);
    case SMOL_FORM_MIX: return json_string(mixes[*(const enum smol_mix *)place]);
    }
    return NULL;
}

static bool decode_count(uint32_t *count, const json_t *value)
{
    const json_int_t n = json_integer_value(value);

    *count = (uint32_t)n;
    return json_is_integer(value) && n >= 0 && n <= UINT32_MAX;
}

static bool decode_seed(uint64_t *seed, const char *text)
{
    char *end;

    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    *seed = strtoull(text, &end, 10);
    return errno == 0 && *end == '\0';
}

static bool decode_order(enum smol_order *order, const char *text)
{
    *order = text && strcmp(text, orders[SMOL_ORDER_SHUFFLED]) == 0 ? SMOL_ORDER_SHUFFLED
                                                                    : SMOL_ORDER_RANDOM;
    return text && strcmp(text, orders[*order]) == 0;
}

static bool decode_mix(enum smol_mix *mix, const char *text)
{
    for (unsigned i = 0; text && i < sizeof mixes / sizeof *mixes; i++)
        if (strcmp(text, mixes[i]) == 0) {
            *mix = (enum smol_mix)i;
            return true;
        }
    return false;
}

bool smol_field_decode(void *base, const struct smol_field *f, const json_t *value)
{
    void *place = (char *)base + f->offset;
    const char *text = json_string_value(value);

    switch (f->form) {
    case SMOL_FORM_COUNT: return decode_count(place, value);
    case SMOL_FORM_SEED: return decode_seed(place, text);
    case SMOL_FORM_NUMBER:
        *(double *)place = json_number_value(value);
        return json_is_number(value);
    case SMOL_FORM_FLAG: *(bool *)place = json_is_true(value); return json_is_boolean(value);
    case SMOL_FORM_MATRICES: return smol_source_parse(place, SMOL_MATRIX, text);
    case SMOL_FORM_NORMS: return smol_source_parse(place, SMOL_NORM, text);
    case SMOL_FORM_DIST: return smol_dist_parse(place, text);
    case SMOL_FORM_EMBEDDING_TYPE: return smol_dtype_parse(place, text, SMOL_OF_EMBEDDINGS);
    case SMOL_FORM_MATRIX_TYPE: return smol_dtype_parse(place, text, SMOL_OF_MATRICES);
    case SMOL_FORM_PARAM_TYPE: return smol_dtype_parse(place, text, SMOL_OF_PARAMETERS);
    case SMOL_FORM_ORDER: return decode_order(place, text);
    case SMOL_FORM_ARCHITECTURE: return smol_architecture_parse(place, text);
    case SMOL_FORM_FEATURES: return decode_features(place, value);
    case SMOL_FORM_MIX: return decode_mix(place, text);
    }
    return false;
}

const char *smol_field_wants(const struct smol_field *f)
{
    static const char *const wants[] = {
        [SMOL_FORM_COUNT] = "a whole number",
        [SMOL_FORM_SEED] = "a whole number as a text",
        [SMOL_FORM_NUMBER] = "a number",
        [SMOL_FORM_FLAG] = "true or false",
        [SMOL_FORM_MATRICES] = "a source of matrices",
        [SMOL_FORM_NORMS] = "frozen, alpha or stored",
        [SMOL_FORM_DIST] = "sign or gauss",
        [SMOL_FORM_EMBEDDING_TYPE] = "q8, q4, ternary, q4-row, f16 or f32",
        [SMOL_FORM_MATRIX_TYPE] = "q8, q4, ternary, f16 or f32",
        [SMOL_FORM_PARAM_TYPE] = "f16, f32 or q8",
        [SMOL_FORM_ORDER] = "random or shuffled",
        [SMOL_FORM_ARCHITECTURE] = "gpt2, smol or delta",
        [SMOL_FORM_FEATURES] = "a list of features",
        [SMOL_FORM_MIX] = "none, file or matrix",
    };

    return wants[f->form];
}
