/* See models.h: where the numbers of models are, and how they come there. */
#include "train/models/models.h"
#include "train/net/build.h"

#include "base/arena.h"
#include "base/error.h"
#include "train/alloc.h"

#include <smol/weights.h>
#include <stdio.h>

#define ROWS 64u /* read at a time: a row is reached through those before it in its block */

void smol_models_begin(struct smol_net *net, const struct smol_net_options *options)
{
    struct smol_net_models *models = &net->models;

    models->n = options->n_models;
    for (uint32_t m = 0; m < models->n; m++) {
        models->files[m] = options->models[m].file;
        models->factors[m] = (double)options->models[m].factor;
        models->logit_scales[m] = (double)options->models[m].file->config.logit_scale;
    }
    models->tokens = options->rows;
    models->n_rows = net->config.input_rows;
    models->learns_output =
        models->n > 0 && (options->learn_factors || (models->n > 1 && options->learn_logit_scale));
}

static const struct smol_scheme *scheme_of(const struct smol_net *net, uint32_t m, uint32_t layer,
                                           enum smol_slot slot)
{
    return smol_config_scheme(&net->models.files[m]->config, layer, slot);
}

bool smol_models_have_bias(const struct smol_net *net, uint32_t layer, enum smol_slot slot)
{
    for (uint32_t m = 0; m < net->models.n; m++)
        if (smol_scheme_has(scheme_of(net, m, layer, slot), SMOL_TERM_BIASES))
            return true;
    return false;
}

bool smol_models_have_norm(const struct smol_net *net, uint32_t layer, enum smol_slot slot)
{
    for (uint32_t m = 0; m < net->models.n; m++)
        if (scheme_of(net, m, layer, slot)->source != SMOL_NORM_FROZEN)
            return true;
    return false;
}

/* ---- memory ---- */

/* Whether a sum changes, so that the models' numbers are kept one by one. */
static bool is_mixed(const struct smol_net *net, const struct smol_net_base *base)
{
    return net->models.factor != SMOL_NO_PARAM || base->mix != SMOL_NO_PARAM ||
           (base->is_output && net->models.learns_output);
}

void smol_base_place(struct smol_arena *arena, const struct smol_net *net,
                     struct smol_net_base *base)
{
    if (base->size == 0)
        return;
    base->sum = smol_arena_take(arena, base->size, sizeof *base->sum);
    base->changes = is_mixed(net, base);
    if (base->changes)
        base->each =
            smol_arena_take(arena, (uint64_t)net->models.n * base->size, sizeof *base->each);
}

void smol_models_place(struct smol_arena *arena, struct smol_net *net)
{
    struct smol_net_models *models = &net->models;
    const struct smol_config *c = &net->config;
    const size_t table = (size_t)c->vocab * c->width;
    const bool has_output = smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE);

    if (models->n == 0)
        return;
    models->wte.size = table;
    if (!smol_config_has(c, SMOL_FEATURE_DISTANCES))
        models->wpe.size = (size_t)c->context * c->width;
    if (has_output || models->n > 1) /* each model's logits have a scale of its own */
        models->output = (struct smol_net_base){.size = table, .is_output = true};
    smol_base_place(arena, net, &models->wte);
    smol_base_place(arena, net, &models->wpe);
    smol_base_place(arena, net, &models->output);
    if (models->learns_output)
        models->d_output = smol_arena_take(arena, table, sizeof *models->d_output);
    if (models->n_rows == 0)
        return;
    models->row_of = smol_arena_take(arena, c->vocab, sizeof *models->row_of);
    models->row_logits = smol_arena_take(arena, (uint64_t)net->logits_chunk * models->n_rows,
                                         sizeof *models->row_logits);
}

/* ---- numbers ---- */

/* Room for rows of a tensor being read. */
struct room {
    double *values;
    void *scratch;
};

static void keep(const struct smol_net *net, struct smol_net_base *base, uint32_t m, size_t at,
                 const double *values, size_t n)
{
    const struct smol_net_models *models = &net->models;
    double factor = models->factors[m];

    if (base->is_output)
        factor *= smol_models_logit_ratio(net, m);
    for (size_t i = 0; i < n && base->each; i++)
        base->each[m * base->size + at + i] = (real)values[i];
    for (size_t i = 0; i < n && !base->each; i++)
        base->sum[at + i] += (real)(factor * values[i]);
}

/* As many rows of model m's tensor as there is room for in base. */
static enum smol_status read_rows(const struct smol_net *net, struct smol_net_base *base,
                                  uint32_t m, const struct smol_tensor *t, struct room *room,
                                  struct smol_error *error)
{
    const uint32_t n_rows = (uint32_t)(base->size / t->cols);
    enum smol_status status = SMOL_OK;

    for (uint32_t row = 0, n; row < n_rows && status == SMOL_OK; row += n) {
        n = n_rows - row < ROWS ? n_rows - row : ROWS;
        status =
            smol_tensor_read(room->values, net->models.files[m], t, row, n, room->scratch, error);
        if (status == SMOL_OK)
            keep(net, base, m, (size_t)row * t->cols, room->values, (size_t)n * t->cols);
    }
    return status;
}

/* Of a model without such a tensor, a bias, the numbers stay 0. */
static enum smol_status load_base(const struct smol_net *net, struct smol_net_base *base,
                                  const char *name, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    for (uint32_t m = 0; base->size > 0 && m < net->models.n && status == SMOL_OK; m++) {
        const struct smol_file *file = net->models.files[m];
        struct smol_tensor tensor;
        struct room room;

        if (smol_tensor_find(&tensor, &file->config, name, NULL) != SMOL_OK)
            continue;
        room.values = smol_train_alloc((uint64_t)ROWS * tensor.cols, sizeof *room.values);
        room.scratch = smol_train_alloc(smol_tensor_scratch_bytes(file, &tensor), 1);
        status = room.values && room.scratch ? read_rows(net, base, m, &tensor, &room, error)
                                             : smol_fail_memory(error);
        free(room.values);
        free(room.scratch);
    }
    return status;
}

static enum smol_status load_slot(struct smol_net *net, uint32_t layer, enum smol_slot slot,
                                  struct smol_net_base *weight, struct smol_net_base *bias,
                                  struct smol_error *error)
{
    char name[SMOL_MAX_TENSOR_NAME], prefix[16] = "";
    enum smol_status status;

    if (slot != SMOL_LN_F)
        snprintf(prefix, sizeof prefix, "h.%u.", (unsigned)layer);
    snprintf(name, sizeof name, "%s%s.weight", prefix, smol_slot_name(slot));
    status = load_base(net, weight, name, error);
    snprintf(name, sizeof name, "%s%s.bias", prefix, smol_slot_name(slot));
    return status != SMOL_OK ? status : load_base(net, bias, name, error);
}

static enum smol_status load_heads(struct smol_net *net, uint32_t layer, struct smol_error *error)
{
    struct smol_net_layer *l = net->layers + layer;
    char name[SMOL_MAX_TENSOR_NAME];
    enum smol_status status;

    snprintf(name, sizeof name, "h.%u.attn.temperature", (unsigned)layer);
    status = load_base(net, &l->base_temperature, name, error);
    snprintf(name, sizeof name, "h.%u.attn.slope_factor", (unsigned)layer);
    return status != SMOL_OK ? status : load_base(net, &l->base_slope_factor, name, error);
}

static enum smol_status load_layer(struct smol_net *net, uint32_t layer, struct smol_error *error)
{
    struct smol_net_layer *l = net->layers + layer;
    enum smol_status status = load_heads(net, layer, error);

    for (unsigned slot = 0; slot < SMOL_N_SLOTS && status == SMOL_OK; slot++)
        if (smol_slot_is_matrix(slot))
            status = load_slot(net, layer, slot, &l->matrix[slot].base, &l->matrix[slot].base_bias,
                               error);
        else
            status = load_slot(net, layer, slot, &l->norm[slot].base_gain, &l->norm[slot].base_bias,
                               error);
    return status;
}

static enum smol_status load_tables(struct smol_net *net, struct smol_error *error)
{
    const bool has_output = smol_config_has(&net->config, SMOL_FEATURE_OUTPUT_TABLE);
    struct smol_net_models *models = &net->models;
    enum smol_status status = load_base(net, &models->wte, "wte.weight", error);

    if (status == SMOL_OK)
        status = load_base(net, &models->wpe, "wpe.weight", error);
    if (status == SMOL_OK)
        status =
            load_base(net, &models->output, has_output ? "lm_head.weight" : "wte.weight", error);
    return status;
}

enum smol_status smol_models_load(struct smol_net *net, struct smol_error *error)
{
    struct smol_net_models *models = &net->models;
    enum smol_status status = SMOL_OK;

    if (models->n == 0)
        return SMOL_OK;
    status = load_tables(net, error);
    for (uint32_t layer = 0; layer < net->config.n_layers && status == SMOL_OK; layer++)
        status = load_layer(net, layer, error);
    if (status == SMOL_OK)
        status = load_slot(net, 0, SMOL_LN_F, &net->ln_f.base_gain, &net->ln_f.base_bias, error);
    memset(models->files, 0, sizeof models->files);
    for (uint32_t i = 0; i < models->n_rows; i++)
        models->row_of[models->tokens[i]] = i + 1;
    return status;
}
