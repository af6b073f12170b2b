/* Options as JSON and back, by one table, so that a checkpoint, a log and a card say the same. */
#include "train/options/fields.h"
#include "train/options/options.h"
#include "train/options/rules.h"

#include "base/error.h"
#include "base/fpenv.h"
#include "train/output/safetensors.h"

#include <string.h>

#define ROW(name, form, member, is_optional)                                                       \
    {                                                                                              \
        name, SMOL_FORM_##form, offsetof(struct smol_train_options, member),                       \
            sizeof(((struct smol_train_options *)0)->member), is_optional                          \
    }
#define FIELD(form, member) ROW(#member, form, member, false)
#define LATER(form, member) ROW(#member, form, member, true)

static const struct smol_field fields[] = {
    FIELD(MATRICES, matrices),
    FIELD(NORMS, norms),
    FIELD(DIST, dist),
    FIELD(EMBEDDING_TYPE, embedding_type),
    FIELD(FLAG, full),
    FIELD(FLAG, uniform_alphas),
    FIELD(COUNT, d),
    FIELD(COUNT, rank),
    FIELD(COUNT, n_layers),
    FIELD(COUNT, n_heads),
    FIELD(COUNT, width),
    FIELD(COUNT, n_ff),
    FIELD(COUNT, context),
    FIELD(NUMBER, gain),
    FIELD(NUMBER, residual_gain),
    FIELD(NUMBER, embedding_std),
    FIELD(NUMBER, logit_scale),
    FIELD(NUMBER, ln_epsilon),
    FIELD(SEED, seed),
    FIELD(COUNT, batch),
    FIELD(COUNT, n_steps),
    FIELD(COUNT, warmup),
    FIELD(COUNT, alpha_start),
    FIELD(NUMBER, lr),
    FIELD(NUMBER, alpha_lr),
    FIELD(NUMBER, min_lr_fraction),
    FIELD(NUMBER, beta1),
    FIELD(NUMBER, beta2),
    FIELD(NUMBER, weight_decay),
    FIELD(NUMBER, clip),
    FIELD(NUMBER, val_fraction),
    LATER(ORDER, order),
    ROW("numbers", PARAM_TYPE, param_type, true),
    LATER(FLAG, gains),
    LATER(FLAG, bias),
    LATER(FLAG, layer_gains),
    LATER(NUMBER, sparse),
    LATER(ARCHITECTURE, architecture),
    LATER(FEATURES, features),
    LATER(MATRIX_TYPE, matrix_type),
    LATER(FLAG, learn_logit_scale),
    LATER(NUMBER, matrix_lr),
    LATER(NUMBER, qat_start),
    LATER(NUMBER, dropout),
    LATER(NUMBER, teacher_weight),
    LATER(SEED, teachers),
    LATER(FLAG, documents),
    LATER(COUNT, n_models),
    LATER(COUNT, model_context),
    LATER(COUNT, model_vocab),
    LATER(SEED, models),
    LATER(MIX, mix),
    LATER(COUNT, embedding_rows),
    FIELD(FLAG, keep_best),
};

#define N_FIELDS (sizeof fields / sizeof *fields)

/* What files mean that do not name a later field. */
static const struct smol_train_options older = {.struct_bytes = sizeof(struct smol_train_options),
                                                .n_threads = 1,
                                                .param_type = SMOL_F16,
                                                .qat_start = 1};

static bool is_left_out(const struct smol_train_options *o, const struct smol_field *f)
{
    return f->is_optional && memcmp((const char *)o + f->offset, (const char *)&older + f->offset,
                                    f->size_bytes) == 0;
}

json_t *smol_options_to_json(const struct smol_train_options *options)
{
    struct smol_train_options o = *options;
    json_t *object = json_object();

    smol_train_resolve(&o);
    for (size_t i = 0; i < N_FIELDS; i++)
        if (!is_left_out(&o, fields + i) &&
            json_object_set_new(object, fields[i].name, smol_field_encode(&o, fields + i)) != 0) {
            json_decref(object);
            return NULL;
        }
    if (o.n_rules > 0)
        json_object_set_new(object, "rules", smol_rules_to_json(&o));
    return object;
}

enum smol_status smol_options_from_json(struct smol_train_options *out, const json_t *json,
                                        struct smol_error *error)
{
    struct smol_train_options o = older;
    const json_t *rules = json_object_get(json, "rules");
    enum smol_status status = SMOL_OK;

    for (size_t i = 0; i < N_FIELDS; i++) {
        const json_t *value = json_object_get(json, fields[i].name);

        if (!(fields[i].is_optional && !value) && !smol_field_decode(&o, fields + i, value))
            return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
                             "option %s is missing or malformed", fields[i].name);
    }
    if (rules)
        status = smol_rules_from_json(&o, rules, error);
    if (status == SMOL_OK)
        *out = o;
    return status;
}

const char *smol_options_difference(const struct smol_train_options *a,
                                    const struct smol_train_options *b)
{
    json_t *x = smol_options_to_json(a), *y = smol_options_to_json(b);
    const char *name = NULL;

    for (size_t i = 0; i <= N_FIELDS && !name; i++) {
        const char *each = i < N_FIELDS ? fields[i].name : "rules";
        const json_t *p = json_object_get(x, each), *q = json_object_get(y, each);

        if ((p || q) && !json_equal(p, q))
            name = each;
    }
    json_decref(x);
    json_decref(y);
    return name;
}

char *smol_train_options_json(const struct smol_train_options *options)
{
    struct smol_fpenv host;
    json_t *object;
    char *text;

    smol_fpenv_set(&host, NULL); /* the digits too depend on the rounding */
    object = smol_options_to_json(options);
    text = smol_json_text(object, JSON_COMPACT);
    json_decref(object);
    smol_fpenv_restore(&host);
    return text;
}
