/* smoltool import of an adapter of Hugging Face's PEFT: low-rank factors of GPT-2's matrices become
 * a delta of a base. */
#include "smoltool/import/adapter.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "smoltool/small_file.h"

#include <smol/arrays.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WEIGHTS "adapter_model.safetensors"

/* The factors of a matrix, or NULL. */
struct pair {
    const struct smol_array *a, *b;
};

struct adapter {
    const struct adapter_import *import;
    struct adapter_config config;
    char *path; /* of the weights */
    struct smol_mapping weights, base_mapping;
    struct smol_safetensors *tensors;
    struct smol_file base;
    struct pair *pairs; /* (L, SMOL_N_SLOTS) */
};

/* ---- the tensors ---- */

static int refuse(const struct adapter *a, const char *name, const char *why)
{
    return cli_fail(a->path, "tensor %.96s: %s", name, why);
}

/* The end of a name behind a layer's number: a slot, and which factor. */
static bool parse_slot(enum smol_slot *slot, bool *is_b, const char *text)
{
    char name[64];

    for (enum smol_slot s = SMOL_LN_1; s < SMOL_N_SLOTS; s++)
        for (int b = 0; smol_slot_is_matrix(s) && b < 2; b++) {
            snprintf(name, sizeof name, "%s.lora_%c.weight", smol_slot_name(s), b ? 'B' : 'A');
            if (strcmp(text, name) == 0) {
                *slot = s;
                *is_b = b != 0;
                return true;
            }
        }
    return false;
}

/* "base_model.model.transformer.h.0.attn.c_attn.lora_A.weight", the third part optional. */
static bool parse_name(uint32_t *layer, enum smol_slot *slot, bool *is_b, const char *name)
{
    static const char prefix[] = "base_model.model.", inner[] = "transformer.";
    char start[16];
    unsigned n;
    int end = 0;

    if (strncmp(name, prefix, sizeof prefix - 1) != 0)
        return false;
    name += sizeof prefix - 1;
    if (strncmp(name, inner, sizeof inner - 1) == 0)
        name += sizeof inner - 1;
    if (sscanf(name, "h.%4u.%n", &n, &end) != 1 || end == 0)
        return false;
    snprintf(start, sizeof start, "h.%u.", n); /* one spelling of each number */
    if (strncmp(name, start, strlen(start)) != 0)
        return false;
    *layer = n;
    return parse_slot(slot, is_b, name + end);
}

static int add_tensor(struct adapter *a, const struct smol_array *array)
{
    const struct smol_config *c = &a->base.config;
    enum smol_slot slot;
    uint32_t layer, rows, cols;
    const struct smol_array **place;
    struct pair *pair;
    bool is_b;

    if (!parse_name(&layer, &slot, &is_b, array->name))
        return refuse(a, array->name, "is no low-rank factor of a matrix of GPT-2");
    if (layer >= c->n_layers)
        return refuse(a, array->name, "the base has fewer layers");
    smol_config_shape(&rows, &cols, c, slot);
    if (array->type == SMOL_ARRAY_OTHER || array->n_dims != 2 ||
        array->shape[is_b ? 0 : 1] != (is_b ? rows : cols))
        return cli_fail(a->path, "tensor %.96s: is no table of floats with %u %s", array->name,
                        is_b ? rows : cols, is_b ? "rows" : "columns");
    pair = &a->pairs[layer * SMOL_N_SLOTS + slot];
    place = is_b ? &pair->b : &pair->a;
    if (*place)
        return refuse(a, array->name, "is there twice");
    *place = array;
    return 0;
}

static int check_pairs(const struct adapter *a)
{
    const size_t n = (size_t)a->base.config.n_layers * SMOL_N_SLOTS;
    size_t n_pairs = 0;

    for (size_t i = 0; i < n; i++) {
        const struct pair *p = &a->pairs[i];

        if (!p->a && !p->b)
            continue;
        if (!p->a || !p->b)
            return refuse(a, p->a ? p->a->name : p->b->name, "comes without the other factor");
        if (p->a->shape[0] != p->b->shape[1] || p->a->shape[0] > SMOL_MAX_RANK ||
            p->a->shape[0] == 0)
            return refuse(a, p->a->name, "its rank is not that of the other factor, or over 4096");
        n_pairs++;
    }
    return n_pairs ? 0 : cli_fail(a->path, "has no factors");
}

/* ---- the delta ---- */

static uint32_t rank_at(const struct adapter *a, uint32_t layer, enum smol_slot slot)
{
    const struct pair *p = &a->pairs[layer * SMOL_N_SLOTS + slot];

    return p->a ? (uint32_t)p->a->shape[0] : 0;
}

/* The scheme of a rank, made if there is none yet; SMOL_MAX_SCHEMES if there is no room. */
static unsigned scheme_of(struct smol_config *c, uint32_t rank, enum smol_dtype type)
{
    unsigned i = 1; /* behind that of norms */

    while (i < c->n_schemes && c->schemes[i].rank != rank)
        i++;
    if (i == c->n_schemes && i < SMOL_MAX_SCHEMES) {
        c->schemes[i] = (struct smol_scheme){.kind = SMOL_MATRIX,
                                             .source = SMOL_MATRIX_UNIT,
                                             .d = 1,
                                             .rank = (uint16_t)rank,
                                             .value_type = rank ? type : SMOL_F32};
        c->n_schemes++;
    }
    return i;
}

/* A span for each layer, until they are put together. */
static int set_config(struct smol_config *c, const struct adapter *a)
{
    const struct smol_config *base = &a->base.config;

    *c = (struct smol_config){.architecture = SMOL_ARCH_DELTA,
                              .n_layers = base->n_layers,
                              .n_heads = base->n_heads,
                              .width = base->width,
                              .n_ff = base->n_ff,
                              .context = base->context,
                              .vocab = base->vocab,
                              .ln_epsilon = base->ln_epsilon,
                              .tokenizer = base->tokenizer,
                              .n_models = 1,
                              .n_schemes = 1,
                              .n_spans = base->n_layers,
                              .schemes = {{.kind = SMOL_NORM, .source = SMOL_NORM_FROZEN}}};
    for (uint32_t layer = 0; layer < c->n_layers; layer++) {
        c->spans[layer] = (struct smol_layer_span){.n_layers = 1};
        for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
            const unsigned scheme = smol_slot_is_matrix(slot)
                                        ? scheme_of(c, rank_at(a, layer, slot), a->import->type)
                                        : 0;

            if (scheme == SMOL_MAX_SCHEMES)
                return cli_fail(a->path, "has more different ranks than a delta can have");
            c->spans[layer].scheme[slot] = (uint8_t)scheme;
        }
    }
    smol_config_canonicalise(c);
    return 0;
}

/* A factor times a scale. */
static enum smol_status put_factor(uint8_t *dest, const struct smol_array *array,
                                   enum smol_dtype type, double scale, struct smol_error *error)
{
    const size_t n = (size_t)(array->shape[0] * array->shape[1]);
    float *values = malloc((n + 1) * sizeof *values);
    enum smol_status status =
        values ? smol_array_values(values, array, 0, n, error) : cli_error_memory(error);

    for (size_t i = 0; !status && i < n; i++) {
        values[i] = (float)((double)values[i] * scale);
        if (!(fabsf(values[i]) <= (type == SMOL_F16 ? 65504.0f : 0x1p60f)))
            status = cli_error(error, SMOL_E_RANGE, "tensor %.96s: a number is too large for %s",
                               array->name, smol_dtype_name(type));
    }
    if (!status)
        smol_encode_numbers(dest, type, values, n);
    free(values);
    return status;
}

static enum smol_status fill(uint8_t *params, const struct smol_config *c, const struct adapter *a,
                             struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    struct smol_params_place at;
    char module[64];

    for (uint32_t layer = 0; layer < c->n_layers; layer++)
        for (enum smol_slot slot = SMOL_LN_1; !status && slot < SMOL_N_SLOTS; slot++) {
            const struct pair *p = &a->pairs[layer * SMOL_N_SLOTS + slot];
            const enum smol_dtype type = a->import->type;

            if (!p->a)
                continue;
            snprintf(module, sizeof module, "h.%u.%s", (unsigned)layer, smol_slot_name(slot));
            smol_params_at(&at, c, layer, slot);
            status = put_factor(params + at.factor_a, p->a, type, 1.0, error);
            if (!status)
                status =
                    put_factor(params + at.factor_b, p->b, type,
                               adapter_scale(&a->config, module, rank_at(a, layer, slot)), error);
        }
    return status;
}

/* For free(); NULL if memory is out. */
static char *card_text(const struct adapter_import *i)
{
    json_t *json = json_pack("{s:s, s:o, s:o*}", "made_by", "smoltool import", "source",
                             cli_json_name(cli_base_name(i->folder)), "note",
                             i->note ? cli_json_name(i->note) : NULL);
    char *text = cli_json_text(json, JSON_COMPACT | JSON_ENSURE_ASCII);

    json_decref(json);
    return text;
}

/* The bytes of the delta, for free(), joined with its base to see that it runs. NULL with an
 * error. */
static uint8_t *make(uint64_t *size_bytes, struct smol_parts *parts, const struct adapter *a,
                     struct smol_error *error)
{
    const struct smol_file_part base = {&a->base, NAN};
    const uint64_t n = smol_params_bytes(&parts->config);
    uint8_t entry[SMOL_BASE_ENTRY_BYTES], *params = calloc(n + 1, 1), *bytes = NULL;
    struct smol_file made;

    smol_base_entry_encode(entry, a->base.hash, 1.0f);
    parts->base = (struct smol_span){entry, sizeof entry};
    parts->params = (struct smol_span){params, n};
    if (!params)
        cli_error_memory(error);
    else if (!fill(params, &parts->config, a, error))
        bytes = small_file_make(size_bytes, parts, error);
    free(params);
    if (bytes && (smol_file_parse(&made, bytes, *size_bytes, error) ||
                  smol_file_join(&made, &made, &base, 1, NAN, error))) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

static int write_delta(const struct adapter *a)
{
    const struct adapter_import *i = a->import;
    char *card = i->no_card ? NULL : card_text(i);
    struct smol_parts parts = {.minor_version = 0};
    struct smol_error error;
    uint64_t size_bytes;
    uint8_t *bytes = NULL;
    int code = i->no_card || card ? set_config(&parts.config, a) : cli_no_memory(NULL);

    if (card)
        parts.card = (struct smol_span){(const uint8_t *)card, strlen(card)};
    if (code == 0 && !(bytes = make(&size_bytes, &parts, a, &error)))
        code = cli_complain(a->path, &error);
    code = code ? code : cli_check_unchanged(&a->weights, a->path);
    code = code ? code : cli_check_unchanged(&a->base_mapping, i->base);
    code = code ? code : small_file_write(i->output, bytes, &size_bytes, i->key, i->password_file);
    free(bytes);
    free(card);
    return code;
}

/* ---- all of it ---- */

static int open_base(struct adapter *a)
{
    struct smol_error error;

    if (cli_open(&a->base_mapping, &a->base, a->import->base, cli_cores(), &error))
        return cli_complain(a->import->base, &error);
    if (smol_config_is_delta(&a->base.config))
        return cli_fail(a->import->base, "is a delta; an adapter is of a model");
    if (a->base.config.features)
        return cli_fail(a->import->base, "is of another architecture than GPT-2's");
    a->pairs = calloc((size_t)a->base.config.n_layers * SMOL_N_SLOTS, sizeof *a->pairs);
    return a->pairs ? 0 : cli_no_memory(NULL);
}

static int open_weights(struct adapter *a)
{
    const struct smol_array *array;
    struct smol_error error;
    int code = 0;

    if (!(a->path = cli_text("%s/" WEIGHTS, a->import->folder)))
        return cli_no_memory(NULL);
    if (cli_map(&a->weights, a->path, &error) ||
        smol_safetensors_create(&a->tensors, a->weights.bytes.data, a->weights.bytes.size_bytes,
                                &error))
        return cli_complain(a->path, &error);
    for (size_t i = 0; code == 0 && (array = smol_safetensors_at(a->tensors, i)); i++)
        code = add_tensor(a, array);
    return code ? code : check_pairs(a);
}

int import_adapter(const struct adapter_import *import)
{
    struct adapter a = {.import = import, .weights.fd = -1, .base_mapping.fd = -1};
    int code = adapter_config_open(&a.config, import->folder);

    code = code ? code : open_base(&a);
    code = code ? code : open_weights(&a);
    code = code ? code : write_delta(&a);
    adapter_config_close(&a.config);
    smol_safetensors_destroy(a.tensors);
    cli_unmap(&a.weights);
    cli_unmap(&a.base_mapping);
    free(a.pairs);
    free(a.path);
    return code;
}
