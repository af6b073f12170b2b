/* A delta without numbers, which only says what it is made of. SPEC.md 16. */
#include "cli/cli.h"
#include "smoltool/merge/merge.h"
#include "smoltool/small_file.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* The type in which the differences of heads and history, all 0, take the fewest bytes. */
static void choose_head_type(struct smol_config *c)
{
    uint64_t n_bytes;

    if (!smol_config_has_head_type(c))
        return;
    c->head_type = SMOL_F16;
    n_bytes = smol_params_bytes(c);
    c->head_type = SMOL_Q8_BLOCKS;
    if (smol_params_bytes(c) >= n_bytes)
        c->head_type = SMOL_F16;
}

/* Everything that it must have is a difference of 0, and takes as few bytes as may be. */
static void set_config(struct smol_config *to, const struct merge *m)
{
    const struct smol_config *c = &m->models[0].file->config;

    *to = (struct smol_config){.architecture = SMOL_ARCH_DELTA,
                               .n_layers = c->n_layers,
                               .n_heads = c->n_heads,
                               .width = c->width,
                               .n_ff = c->n_ff,
                               .context = c->context,
                               .vocab = c->vocab,
                               .ln_epsilon = c->ln_epsilon,
                               .tokenizer = c->tokenizer,
                               .features = c->features,
                               .n_models = (uint8_t)m->n_models,
                               .n_deltas = (uint16_t)m->n_deltas,
                               .n_schemes = 2,
                               .n_spans = 1};
    to->schemes[0] = (struct smol_scheme){.kind = SMOL_NORM, .source = SMOL_NORM_FROZEN};
    to->schemes[1] = (struct smol_scheme){.kind = SMOL_MATRIX, .source = SMOL_MATRIX_UNIT, .d = 1};
    to->spans[0] =
        (struct smol_layer_span){.n_layers = (uint16_t)c->n_layers, .scheme = {0, 1, 1, 0, 1, 1}};
    choose_head_type(to);
}

static void put_links(uint8_t *dest, const struct merge_link *links, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        smol_base_entry_encode(dest + i * SMOL_BASE_ENTRY_BYTES, links[i].hash,
                               (float)links[i].factor);
}

/* What was written, as a program will run it. */
static enum smol_status check(const uint8_t *bytes, uint64_t size_bytes, const struct merge *m,
                              struct smol_error *error)
{
    struct smol_file_part parts[SMOL_MAX_PARTS];
    struct smol_file file;
    size_t n = 0;
    enum smol_status status = smol_file_parse(&file, bytes, size_bytes, error);

    for (uint32_t i = 0; i < m->n_models; i++)
        parts[n++] = (struct smol_file_part){m->models[i].file, NAN};
    for (uint32_t i = 0; i < m->n_deltas; i++)
        parts[n++] = (struct smol_file_part){m->deltas[i].file, NAN};
    return status ? status : smol_file_join(&file, &file, parts, n, NAN, error);
}

uint8_t *merge_file(uint64_t *size_bytes, const struct merge *m, struct smol_error *error)
{
    uint8_t base[SMOL_MAX_PARTS * SMOL_BASE_ENTRY_BYTES], *params, *bytes = NULL;
    struct smol_parts parts = {.base = {base, 0}};
    uint64_t n_params;

    set_config(&parts.config, m);
    put_links(base, m->models, m->n_models);
    put_links(base + m->n_models * SMOL_BASE_ENTRY_BYTES, m->deltas, m->n_deltas);
    parts.base.size_bytes = (size_t)(m->n_models + m->n_deltas) * SMOL_BASE_ENTRY_BYTES;
    n_params = smol_params_bytes(&parts.config);
    params = calloc(n_params + 1, 1);
    if (!params) {
        cli_error_memory(error);
        return NULL;
    }
    parts.params = (struct smol_span){n_params ? params : NULL, n_params};
    bytes = small_file_make(size_bytes, &parts, error);
    free(params);
    if (bytes && check(bytes, *size_bytes, m, error)) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}
