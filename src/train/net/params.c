/* See params.h. */
#include "train/net/params.h"
#include "train/models/models.h"
#include "train/net/weights.h"

#include "base/error.h"
#include "model/frozen_parts.h"
#include "train/alloc.h"

#include <smol/initial.h>
#include <stdio.h>

static uint32_t add(struct smol_net *net, const char *owner, const char *part,
                    enum smol_param_group group, enum smol_dtype type, size_t rows, size_t cols)
{
    struct smol_param *p = net->params + net->n_params;

    snprintf(p->name, sizeof p->name, "%s%s%s", owner, *owner != '\0' ? "." : "", part);
    p->param_group = group;
    p->type = type;
    p->rows = rows;
    p->cols = cols;
    p->offset = net->n_values;
    p->place = SMOL_IN_NUMBERS;
    p->unit = 1;
    p->sum = -1;
    p->squares = -1;
    net->n_values += rows * cols;
    return net->n_params++;
}

/* The same of what does not stand in LRND as an array. */
static uint32_t add_elsewhere(struct smol_net *net, const char *owner, const char *part,
                              enum smol_param_group group, enum smol_param_place place,
                              enum smol_dtype type, size_t rows, size_t cols)
{
    const uint32_t param = add(net, owner, part, group, type, rows, cols);

    net->params[param].place = place;
    return param;
}

static struct smol_net_frozen nola_factor(struct smol_net *net, const struct smol_net_matrix *m,
                                          const char *owner, bool is_b)
{
    const struct smol_scheme *s = m->scheme;

    return (struct smol_net_frozen){.scheme = smol_factor_scheme(s, is_b),
                                    .purpose = is_b ? SMOL_PURPOSE_FACTOR_B : SMOL_PURPOSE_FACTOR_A,
                                    .tensor = m->tensor,
                                    .alpha =
                                        add(net, owner, is_b ? "factor_b.alpha" : "factor_a.alpha",
                                            SMOL_GROUP_ALPHA, s->alpha_type, 1, s->d),
                                    .rows = is_b ? m->rows : s->rank,
                                    .cols = is_b ? s->rank : m->cols};
}

/* Every weight of a matrix. */
static void add_rows(struct smol_net *net, struct smol_net_matrix *m, const char *owner)
{
    const enum smol_dtype type = m->scheme->alpha_type;
    const bool ternary = type == SMOL_TERNARY;

    m->full = add_elsewhere(net, owner, "weight", ternary ? SMOL_GROUP_LATENT : SMOL_GROUP_MATRIX,
                            SMOL_IN_ROWS, type, m->rows, m->cols);
    net->params[m->full].is_latent = ternary;
    if (ternary)
        m->row_scale = add_elsewhere(net, owner, "scale", SMOL_GROUP_NORM, SMOL_IN_SCALES, SMOL_F32,
                                     1, m->rows);
    else if (net->unit_rates)
        net->params[m->full].unit = (double)m->sigma;
}

/* What a matrix is made of besides the seed. */
static void add_terms(struct smol_net *net, struct smol_net_matrix *m, const char *owner)
{
    const struct smol_scheme *s = m->scheme;

    if (s->source == SMOL_MATRIX_NOLA) {
        m->a = nola_factor(net, m, owner, false);
        m->b = nola_factor(net, m, owner, true);
        return;
    }
    if (s->source == SMOL_MATRIX_STORED)
        add_rows(net, m, owner);
    else if (s->source == SMOL_MATRIX_MASK)
        m->score = add_elsewhere(net, owner, "score", SMOL_GROUP_LATENT, SMOL_IN_MASK, SMOL_F32,
                                 m->rows, m->cols);
    else if (smol_scheme_is_shared(s))
        m->alpha = net->shared;
    else if (smol_scheme_parameters(s) > 0)
        m->alpha = add(net, owner, smol_scheme_projects(s) ? "theta" : "alpha", SMOL_GROUP_ALPHA,
                       s->alpha_type, 1, smol_scheme_parameters(s));
    if (s->rank > 0) {
        m->factor_a =
            add(net, owner, "factor_a", SMOL_GROUP_FACTOR, s->value_type, s->rank, m->cols);
        m->factor_b =
            add(net, owner, "factor_b", SMOL_GROUP_FACTOR, s->value_type, m->rows, s->rank);
    }
}

/* What a delta's matrix begins with. Its gains multiply that alone. */
static void add_base(struct smol_net *net, struct smol_net_matrix *m, const char *owner,
                     uint32_t layer, enum smol_slot slot)
{
    m->has_gains_inside = m->gain != SMOL_NO_PARAM;
    if (smol_scheme_has(m->scheme, SMOL_TERM_MODELS))
        m->mix =
            add(net, owner, "models", SMOL_GROUP_ALPHA, m->scheme->value_type, 1, net->models.n);
    m->base = (struct smol_net_base){.size = m->rows * m->cols, .mix = m->mix};
    if (smol_models_have_bias(net, layer, slot))
        m->base_bias = (struct smol_net_base){.size = m->rows, .mix = m->mix};
}

static void add_matrix(struct smol_net *net, struct smol_net_matrix *m, const char *owner,
                       uint32_t layer, enum smol_slot slot)
{
    const struct smol_scheme *s = smol_config_scheme(&net->config, layer, slot);
    uint32_t rows, cols;

    smol_config_shape(&rows, &cols, &net->config, slot);
    *m = (struct smol_net_matrix){.scheme = s,
                                  .rows = rows,
                                  .cols = cols,
                                  .tensor = smol_frozen_number(&net->config, layer, slot)};
    m->sigma = s->source == SMOL_MATRIX_STORED ? net->sigma[slot] : s->sigma;
    add_terms(net, m, owner);
    if (smol_scheme_has(s, SMOL_TERM_SPARSE))
        m->sparse = add(net, owner, "sparse", SMOL_GROUP_FACTOR, s->value_type, rows,
                        smol_scheme_sparse(s));
    if (smol_scheme_has(s, SMOL_TERM_GAINS))
        m->gain = add(net, owner, "gain", SMOL_GROUP_NORM, s->value_type, 1, rows);
    /* Of new sources only, so that what others learn stays the same to the bit; and not beside
     * factors, whose gradients need the outputs' by itself. */
    m->has_gains_inside = m->gain != SMOL_NO_PARAM && s->rank == 0 &&
                          (m->score != SMOL_NO_PARAM || m->full != SMOL_NO_PARAM);
    if (smol_scheme_has(s, SMOL_TERM_BIASES))
        m->bias = add(net, owner, "bias", SMOL_GROUP_NORM, s->value_type, 1, rows);
    if (net->models.n > 0)
        add_base(net, m, owner, layer, slot);
}

static struct smol_net_frozen add_vector(struct smol_net *net, const char *owner, const char *part,
                                         const struct smol_scheme *s, uint32_t tensor)
{
    struct smol_net_frozen v = {.scheme = *s,
                                .purpose = SMOL_PURPOSE_VECTOR,
                                .tensor = tensor,
                                .rows = 1,
                                .cols = net->config.width};
    char name[16];

    snprintf(name, sizeof name, "%s.alpha", part);
    if (s->source == SMOL_NORM_STORED)
        v.alpha = add(net, owner, part, SMOL_GROUP_NORM, s->value_type, 1, v.cols);
    else if (s->source == SMOL_NORM_OWN)
        v.alpha = add(net, owner, name, SMOL_GROUP_ALPHA, s->alpha_type, 1, s->d);
    return v;
}

static void add_norm(struct smol_net *net, struct smol_net_norm *norm, const char *owner,
                     uint32_t layer, enum smol_slot slot)
{
    const struct smol_scheme *s = smol_config_scheme(&net->config, layer, slot);
    const uint32_t tensor = smol_frozen_number(&net->config, layer, slot);

    norm->gain = add_vector(net, owner, "weight", s, tensor);
    norm->bias = add_vector(net, owner, "bias", s, tensor + 1);
    if (net->models.n > 0 &&
        (s->source != SMOL_NORM_FROZEN || smol_models_have_norm(net, layer, slot)))
        norm->base_gain.size = norm->base_bias.size = net->config.width;
}

/* The layer's gain, which its matrices share. */
static uint32_t add_layer_gain(struct smol_net *net, uint32_t layer)
{
    const struct smol_scheme *s = smol_config_layer_gain(&net->config, layer);
    char owner[32];

    if (!s)
        return SMOL_NO_PARAM;
    snprintf(owner, sizeof owner, "h.%u", (unsigned)layer);
    return add(net, owner, "gain", SMOL_GROUP_ALPHA, s->alpha_type, 1, 1);
}

static void add_head_factors(struct smol_net *net, struct smol_net_layer *l, uint32_t layer)
{
    const struct smol_config *c = &net->config;
    char owner[32];

    snprintf(owner, sizeof owner, "h.%u.attn", (unsigned)layer);
    if (smol_config_has(c, SMOL_FEATURE_TEMPERATURES))
        l->temperature =
            add(net, owner, "temperature", SMOL_GROUP_ALPHA, c->head_type, 1, c->n_heads);
    if (smol_config_has(c, SMOL_FEATURE_SLOPE_FACTORS))
        l->slope_factor =
            add(net, owner, "slope_factor", SMOL_GROUP_ALPHA, c->head_type, 1, c->n_heads);
    if (net->models.n > 0 && l->temperature != SMOL_NO_PARAM)
        l->base_temperature.size = c->n_heads;
    if (net->models.n > 0 && l->slope_factor != SMOL_NO_PARAM)
        l->base_slope_factor.size = c->n_heads;
}

static void add_layer(struct smol_net *net, uint32_t layer)
{
    const uint32_t layer_gain = add_layer_gain(net, layer);
    struct smol_net_layer *l = net->layers + layer;

    add_head_factors(net, l, layer);

    for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++) {
        struct smol_net_matrix *m = &l->matrix[slot];
        char owner[32];

        snprintf(owner, sizeof owner, "h.%u.%s", (unsigned)layer, smol_slot_name(slot));
        if (!smol_slot_is_matrix(slot)) {
            add_norm(net, &l->norm[slot], owner, layer, slot);
            continue;
        }
        add_matrix(net, m, owner, layer, slot);
        if (smol_scheme_has(m->scheme, SMOL_TERM_LAYER_GAIN))
            m->layer_gain = layer_gain;
    }
}

/* Of a delta: rows of them, perhaps none. */
static void add_rows_of_tables(struct smol_net *net)
{
    const struct smol_config *c = &net->config;
    struct smol_net_models *models = &net->models;

    models->rows = add_elsewhere(net, "wte", "rows", SMOL_GROUP_EMBEDDING, SMOL_IN_ROWS,
                                 c->wte_type, c->input_rows, c->width);
    models->output_rows = models->rows;
    if (c->output_rows > 0)
        models->output_rows = add_elsewhere(net, "lm_head", "rows", SMOL_GROUP_EMBEDDING,
                                            SMOL_IN_ROWS, c->output_type, c->output_rows, c->width);
    net->n_tables = net->n_params;
}

static void add_tables(struct smol_net *net)
{
    const struct smol_config *c = &net->config;

    net->wte = add_elsewhere(net, "wte", "weight", SMOL_GROUP_EMBEDDING, SMOL_IN_ROWS, c->wte_type,
                             c->vocab, c->width);
    net->wpe = SMOL_NO_PARAM;
    net->output = net->wte;
    if (!smol_config_has(c, SMOL_FEATURE_DISTANCES))
        net->wpe = add_elsewhere(net, "wpe", "weight", SMOL_GROUP_EMBEDDING, SMOL_IN_ROWS,
                                 c->wpe_type, c->context, c->width);
    if (smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE))
        net->output = add_elsewhere(net, "lm_head", "weight", SMOL_GROUP_EMBEDDING, SMOL_IN_ROWS,
                                    c->output_type, c->vocab, c->width);
    net->n_tables = net->n_params;
}

enum smol_status smol_params_register(struct smol_net *net, bool learn_scale, bool learn_factors,
                                      struct smol_error *error)
{
    const struct smol_config *c = &net->config;
    const struct smol_scheme *shared = smol_config_shared(c);

    /* Three tables, shared, ln_f, the history, the logit scale and factors of models; a layer has
     * at most 2 a norm, 8 a matrix, its gain, and factors of heads. */
    net->params =
        smol_train_alloc(9 + (size_t)c->n_layers * (3 + 8 * SMOL_N_SLOTS), sizeof *net->params);
    if (!net->params)
        return smol_fail_memory(error);
    if (net->models.n > 0)
        add_rows_of_tables(net);
    else
        add_tables(net);
    if (shared)
        net->shared = add(net, "", smol_scheme_projects(shared) ? "theta" : "alpha",
                          SMOL_GROUP_ALPHA, shared->alpha_type, 1, smol_scheme_parameters(shared));
    for (uint32_t l = 0; l < c->n_layers; l++)
        add_layer(net, l);
    add_norm(net, &net->ln_f, "ln_f", 0, SMOL_LN_F);
    net->history = SMOL_NO_PARAM;
    if (smol_config_has(c, SMOL_FEATURE_HISTORY))
        net->history =
            add(net, "", "history", SMOL_GROUP_ALPHA, c->head_type, 1, SMOL_HISTORY_LENGTHS);
    if (learn_scale)
        net->logit_scale =
            add_elsewhere(net, "", "logit_scale", SMOL_GROUP_ALPHA, SMOL_IN_CONFIG, SMOL_F32, 1, 1);
    if (learn_factors)
        net->models.factor = add_elsewhere(net, "", "factors", SMOL_GROUP_ALPHA, SMOL_IN_BASE,
                                           SMOL_F32, 1, net->models.n);
    return SMOL_OK;
}

/* The trainer's gaussian initial values, row by row, so that no float copy of a table is needed in
 * a double build. */
static void gauss_rows(real *dest, const struct smol_net *net, uint32_t tensor,
                       enum smol_purpose purpose, size_t rows, size_t cols, double std)
{
    const struct smol_frozen frozen = {.key = &net->key,
                                       .tensor = tensor,
                                       .purpose = purpose,
                                       .rows = (uint32_t)rows,
                                       .cols = (uint32_t)cols};
    float *block = net->scratch;

    for (size_t row = 0; row < rows; row += SMOL_ROW_BLOCK) {
        const size_t n = rows - row < SMOL_ROW_BLOCK ? rows - row : SMOL_ROW_BLOCK;

        smol_frozen_gauss_rows(block, &frozen, std, (uint32_t)row, (uint32_t)n);
        for (size_t i = 0; i < n * cols; i++)
            dest[row * cols + i] = (real)block[i];
    }
}

static void start_alphas(const struct smol_net *net, uint32_t param, bool uniform)
{
    real *alpha = smol_net_value(net, param);
    const size_t d = net->params[param].cols;

    for (size_t k = 0; k < d; k++)
        alpha[k] = uniform ? (real)(1 / sqrt((double)d)) : k == 0;
}

static void start_at_one(const struct smol_net *net, uint32_t param)
{
    for (size_t i = 0; i < smol_param_size(net->params + param); i++)
        smol_net_value(net, param)[i] = 1;
}

/* The magnitudes of normal numbers. */
static void start_scores(const struct smol_net *net, const struct smol_net_matrix *m)
{
    real *u = smol_net_value(net, m->score);

    gauss_rows(u, net, m->tensor, SMOL_PURPOSE_FACTOR, m->rows, m->cols, 1);
    for (size_t i = 0; i < m->rows * m->cols; i++)
        u[i] = u[i] < 0 ? -u[i] : u[i];
}

/* What multiplies others, since with both at 0 neither would learn, and scores; all other numbers
 * of a delta, which are differences, start as 0. */
static void start_difference(struct smol_net *net, const struct smol_net_matrix *m, bool uniform)
{
    if (m->row_scale != SMOL_NO_PARAM)
        gauss_rows(smol_net_value(net, m->full), net, m->tensor, SMOL_PURPOSE_FACTOR, m->rows,
                   m->cols, 1);
    if (m->a.alpha != SMOL_NO_PARAM)
        start_alphas(net, m->a.alpha, uniform);
    if (m->layer_gain != SMOL_NO_PARAM)
        *smol_net_value(net, m->layer_gain) = 1;
    if (m->score != SMOL_NO_PARAM)
        start_scores(net, m);
    if (m->factor_a != SMOL_NO_PARAM)
        gauss_rows(smol_net_value(net, m->factor_a), net, m->tensor, SMOL_PURPOSE_FACTOR,
                   m->scheme->rank, m->cols, 1 / sqrt((double)m->cols));
}

static void start_delta(struct smol_net *net, bool uniform)
{
    const struct smol_net_models *models = &net->models;

    for (uint32_t l = 0; l < net->config.n_layers; l++)
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
            if (smol_slot_is_matrix(slot))
                start_difference(net, &net->layers[l].matrix[slot], uniform);
    if (net->logit_scale != SMOL_NO_PARAM)
        *smol_net_value(net, net->logit_scale) = (real)net->config.logit_scale;
    for (uint32_t m = 0; models->factor != SMOL_NO_PARAM && m < models->n; m++)
        smol_net_value(net, models->factor)[m] = (real)models->factors[m];
}

static void start_heads(const struct smol_net *net, const struct smol_net_layer *l)
{
    if (l->temperature != SMOL_NO_PARAM)
        start_at_one(net, l->temperature);
    if (l->slope_factor != SMOL_NO_PARAM)
        start_at_one(net, l->slope_factor);
}

static void start_matrix(struct smol_net *net, const struct smol_net_matrix *m, bool uniform)
{
    if (m->row_scale != SMOL_NO_PARAM)
        start_at_one(net, m->row_scale);
    if (m->row_scale != SMOL_NO_PARAM)
        gauss_rows(smol_net_value(net, m->full), net, m->tensor, SMOL_PURPOSE_FACTOR, m->rows,
                   m->cols, 1);
    else if (m->full != SMOL_NO_PARAM)
        smol_net_start_rows(net, m);
    if (m->alpha != SMOL_NO_PARAM && !smol_scheme_projects(m->scheme)) /* projections start at 0 */
        start_alphas(net, m->alpha, uniform);
    if (m->a.alpha != SMOL_NO_PARAM) /* B starts at 0 */
        start_alphas(net, m->a.alpha, uniform);
    if (m->layer_gain != SMOL_NO_PARAM)
        *smol_net_value(net, m->layer_gain) = 1;
    if (m->score != SMOL_NO_PARAM)
        start_scores(net, m);
    if (m->gain != SMOL_NO_PARAM)
        start_at_one(net, m->gain);
    if (m->factor_a != SMOL_NO_PARAM)
        gauss_rows(smol_net_value(net, m->factor_a), net, m->tensor, SMOL_PURPOSE_FACTOR,
                   m->scheme->rank, m->cols, 1 / sqrt((double)m->cols));
}

static void start_norm(struct smol_net *net, const struct smol_net_norm *norm)
{
    if (norm->gain.scheme.source == SMOL_NORM_STORED)
        start_at_one(net, norm->gain.alpha);
}

/* No step changes them: smol_trainer_set_history does. */
static void start_history(struct smol_net *net)
{
    float numbers[SMOL_HISTORY_LENGTHS];

    smol_initial_history(numbers);
    for (uint32_t k = 0; k < SMOL_HISTORY_LENGTHS; k++)
        smol_net_value(net, net->history)[k] = (real)numbers[k];
}

void smol_params_initialise(struct smol_net *net, bool uniform, double std)
{
    const struct smol_config *c = &net->config;

    if (net->models.n > 0) {
        start_delta(net, uniform);
        return;
    }
    gauss_rows(smol_net_value(net, net->wte), net, 0, SMOL_PURPOSE_EMBEDDING, c->vocab, c->width,
               std);
    if (net->wpe != SMOL_NO_PARAM)
        gauss_rows(smol_net_value(net, net->wpe), net, 1, SMOL_PURPOSE_EMBEDDING, c->context,
                   c->width, std);
    if (net->output != net->wte)
        gauss_rows(smol_net_value(net, net->output), net, 2, SMOL_PURPOSE_EMBEDDING, c->vocab,
                   c->width, std);
    if (net->logit_scale != SMOL_NO_PARAM)
        *smol_net_value(net, net->logit_scale) = (real)c->logit_scale;
    for (uint32_t l = 0; l < c->n_layers; l++) {
        start_heads(net, net->layers + l);
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
            if (smol_slot_is_matrix(slot))
                start_matrix(net, &net->layers[l].matrix[slot], uniform);
            else
                start_norm(net, &net->layers[l].norm[slot]);
    }
    start_norm(net, &net->ln_f);
    if (net->history != SMOL_NO_PARAM)
        start_history(net);
}
