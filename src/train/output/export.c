/* A fully trained network as safetensors, as Hugging Face's GPT-2 wants it: Conv1D weights stored
 * inputs x outputs, and biases, as zeros where this network does not have them. */
#include "base/error.h"
#include "base/fpenv.h"
#include "train/output/safetensors.h"
#include "train/trainer.h"

#include <stdio.h>
#include <stdlib.h>

struct list {
    struct smol_tensor_source *items;
    size_t n;
};

static void add(struct list *list, const char *owner, const char *part, size_t rows, size_t cols,
                const real *values, double scale)
{
    struct smol_tensor_source *s = list->items + list->n++;

    snprintf(s->name, sizeof s->name, "%s.%s", owner, part);
    s->rows = rows;
    s->cols = cols;
    s->values = values;
    s->scale = scale;
}

static void add_norm(struct list *list, const struct smol_net *net,
                     const struct smol_net_norm *norm, const char *owner, double scale)
{
    add(list, owner, "weight", 0, net->config.width, norm->gain.weight, scale);
    add(list, owner, "bias", 0, net->config.width, norm->bias.weight, scale);
}

static void add_matrix(struct list *list, const struct smol_net *net,
                       const struct smol_net_matrix *m, const char *owner)
{
    add(list, owner, "weight", m->rows, m->cols, m->weight, 1);
    list->items[list->n - 1].transposed = true;
    add(list, owner, "bias", 0, m->rows,
        m->bias != SMOL_NO_PARAM ? smol_net_value(net, m->bias) : NULL, 1);
}

/* Norms first, then matrices, as these files have always had them. */
static void add_layer(struct list *list, const struct smol_net *net, uint32_t layer)
{
    const struct smol_net_layer *l = net->layers + layer;

    for (unsigned i = 0; i < 2 * SMOL_N_SLOTS; i++) {
        const enum smol_slot slot = i % SMOL_N_SLOTS;
        char owner[40];

        if (smol_slot_is_matrix(slot) != (i >= SMOL_N_SLOTS))
            continue;
        snprintf(owner, sizeof owner, "h.%u.%s", (unsigned)layer, smol_slot_name(slot));
        if (smol_slot_is_matrix(slot))
            add_matrix(list, net, &l->matrix[slot], owner);
        else
            add_norm(list, net, &l->norm[slot], owner, 1);
    }
}

/* What config.json would say. */
static char *config_text(const struct smol_config *c)
{
    json_t *json = json_pack(
        "{s:[s], s:s, s:i, s:i, s:i, s:i, s:i, s:i, s:i, s:s, s:f, s:b, s:b, s:s}", "architectures",
        "GPT2LMHeadModel", "model_type", "gpt2", "vocab_size", (int)c->vocab, "n_positions",
        (int)c->context, "n_ctx", (int)c->context, "n_embd", (int)c->width, "n_layer",
        (int)c->n_layers, "n_head", (int)c->n_heads, "n_inner", (int)c->n_ff, "activation_function",
        "gelu_new", "layer_norm_epsilon", (double)c->ln_epsilon, "tie_word_embeddings", 1,
        "scale_attn_weights", 1, "torch_dtype", "float32");
    char *text = smol_json_text(json, JSON_COMPACT | JSON_REAL_PRECISION(9));

    json_decref(json);
    return text;
}

static enum smol_status list_tensors(struct list *out, const struct smol_trainer *t,
                                     struct smol_error *error)
{
    const struct smol_net *net = t->net;
    const struct smol_config *c = &net->config;
    struct list list = {0};

    if (!t->finished || t->embeddings)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "only a training that was finished without rounding is exported");
    list.items = calloc(4 + 12 * (size_t)c->n_layers, sizeof *list.items);
    if (!list.items)
        return smol_fail_memory(error);
    add(&list, "wte", "weight", c->vocab, c->width, smol_net_value(net, net->wte), 1);
    add(&list, "wpe", "weight", c->context, c->width, smol_net_value(net, net->wpe), 1);
    for (uint32_t l = 0; l < c->n_layers; l++)
        add_layer(&list, net, l);
    /* GPT-2 has no logit scale: the last LayerNorm absorbs it. */
    add_norm(&list, net, &net->ln_f, "ln_f", (double)c->logit_scale);
    *out = list;
    return SMOL_OK;
}

static enum smol_status put(uint64_t *size_bytes, struct smol_writer *writer,
                            const struct smol_trainer *t, const char *card,
                            struct smol_error *error)
{
    struct list list = {0};
    enum smol_status status = list_tensors(&list, t, error);
    char *config;

    if (status != SMOL_OK)
        return status;
    config = config_text(&t->net->config);
    const struct smol_safetensors_member metadata[] = {
        {"format", "pt"}, {"smol.config", config}, {"smol.card", card}};
    const struct smol_tensor_sources sources = {list.items, list.n, metadata, 3};
    status = config ? smol_tensor_file_write(NULL, size_bytes, writer, &sources, error)
                    : smol_fail_memory(error);
    free(config);
    free(list.items);
    return status;
}

enum smol_status smol_trainer_safetensors_to(uint64_t *size_bytes, struct smol_writer *writer,
                                             const struct smol_trainer *t, const char *card,
                                             struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status : put(size_bytes, writer, t, card, error));
}
