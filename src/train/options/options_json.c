/* Options as JSON and back, by one table, so that a checkpoint, a log and a card say the same. */
#include "base/error.h"
#include "train/output/safetensors.h"
#include "train/trainer.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

enum form { COUNT, NUMBER, FLAG, SEED, WORD };

struct field {
    const char *name;
    enum form form;
    size_t offset;
    const char *const *words; /* of a WORD, by value, NULL at the end */
    bool optional;            /* left out where it is 0: older files do not have it */
};

static const char *const matrix_words[] = {
    "unit",           "own",       "shared", "fastfood", "fastfood shared", "fourier",
    "fourier shared", "no source", "nola",   NULL};
static const char *const norm_words[] = {"frozen", "alpha", "stored", NULL};
static const char *const dist_words[] = {"sign", "gauss", NULL};
static const char *const order_words[] = {"random", "shuffled", NULL};
static const char *const learned_words[] = {"f16", "f32", "q8", NULL};
static const char *const number_words[] = {"f32", "f16", "q8", "q4", NULL};

#define FIELD(form, member)                                                                        \
    {                                                                                              \
#member, form, offsetof(struct smol_train_options, member), NULL, false                    \
    }
#define LATER(form, member)                                                                        \
    {                                                                                              \
#member, form, offsetof(struct smol_train_options, member), NULL, true                     \
    }
#define WORDS(member, words, optional)                                                             \
    {                                                                                              \
#member, WORD, offsetof(struct smol_train_options, member), words, optional                \
    }

static const struct field fields[] = {
    WORDS(matrices, matrix_words, false),
    WORDS(norms, norm_words, false),
    WORDS(dist, dist_words, false),
    WORDS(embedding_type, number_words, false),
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
    WORDS(order, order_words, true),
    WORDS(numbers, learned_words, true),
    LATER(FLAG, gains),
    LATER(FLAG, bias),
    LATER(FLAG, layer_gains),
    LATER(NUMBER, sparse),
    FIELD(FLAG, keep_best),
};

#define N_FIELDS (sizeof fields / sizeof *fields)

static int word_value(const struct smol_train_options *o, const struct field *f)
{
    if (f->words == matrix_words)
        return (int)o->matrices;
    if (f->words == norm_words)
        return (int)o->norms;
    if (f->words == order_words)
        return (int)o->order;
    if (f->words == learned_words)
        return (int)o->numbers;
    return f->words == dist_words ? (int)o->dist : (int)o->embedding_type;
}

static void set_word(struct smol_train_options *o, const struct field *f, int value)
{
    if (f->words == matrix_words)
        o->matrices = (enum smol_source)value;
    else if (f->words == norm_words)
        o->norms = (enum smol_source)value;
    else if (f->words == order_words)
        o->order = (enum smol_order)value;
    else if (f->words == learned_words)
        o->numbers = (enum smol_params_numbers)value;
    else if (f->words == dist_words)
        o->dist = (enum smol_dist)value;
    else
        o->embedding_type = (enum smol_dtype)value;
}

/* Whether an option has the value that is left out. */
static bool is_left_out(const struct smol_train_options *o, const struct field *f)
{
    if (!f->optional)
        return false;
    if (f->form == NUMBER)
        return *(const double *)(const void *)((const char *)o + f->offset) == 0;
    return f->form == FLAG ? !*(const bool *)((const char *)o + f->offset) : word_value(o, f) == 0;
}

static json_t *encode(const struct smol_train_options *o, const struct field *f)
{
    const void *place = (const char *)o + f->offset;
    char seed[24];

    switch (f->form) {
    case COUNT: return json_integer(*(const uint32_t *)place);
    case NUMBER: return json_real(*(const double *)place);
    case FLAG: return json_boolean(*(const bool *)place);
    case SEED: /* JSON's integers do not hold every u64 */
        snprintf(seed, sizeof seed, "%" PRIu64, *(const uint64_t *)place);
        return json_string(seed);
    case WORD: return json_string(f->words[word_value(o, f)]);
    }
    return NULL;
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

static bool decode_word(struct smol_train_options *o, const struct field *f, const char *text)
{
    for (int i = 0; text && f->words[i]; i++)
        if (strcmp(text, f->words[i]) == 0) {
            set_word(o, f, i);
            return true;
        }
    return false;
}

static bool decode(struct smol_train_options *o, const struct field *f, const json_t *value)
{
    void *place = (char *)o + f->offset;

    switch (f->form) {
    case COUNT:
        if (!json_is_integer(value) || json_integer_value(value) < 0 ||
            json_integer_value(value) > UINT32_MAX)
            return false;
        *(uint32_t *)place = (uint32_t)json_integer_value(value);
        return true;
    case NUMBER: *(double *)place = json_number_value(value); return json_is_number(value);
    case FLAG: *(bool *)place = json_is_true(value); return json_is_boolean(value);
    case SEED: return decode_seed(place, json_string_value(value));
    case WORD: return decode_word(o, f, json_string_value(value));
    }
    return false;
}

json_t *smol_options_to_json(const struct smol_train_options *options)
{
    struct smol_train_options o = *options;
    json_t *object = json_object();

    smol_train_resolve(&o);
    for (size_t i = 0; i < N_FIELDS; i++)
        if (!is_left_out(&o, fields + i) &&
            json_object_set_new(object, fields[i].name, encode(&o, fields + i)) != 0) {
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
    struct smol_train_options o = {.n_threads = 1};
    const json_t *rules = json_object_get(json, "rules");

    for (size_t i = 0; i < N_FIELDS; i++)
        if (!(fields[i].optional && !json_object_get(json, fields[i].name)) &&
            !decode(&o, fields + i, json_object_get(json, fields[i].name)))
            return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
                             "option %s is missing or malformed", fields[i].name);
    if (rules) {
        const enum smol_status status = smol_rules_from_json(&o, rules, error);

        if (status != SMOL_OK)
            return status;
    }
    *out = o;
    return SMOL_OK;
}

const char *smol_options_difference(const struct smol_train_options *a,
                                    const struct smol_train_options *b)
{
    json_t *x = smol_options_to_json(a), *y = smol_options_to_json(b);
    const char *name = NULL;

    for (size_t i = 0; i < N_FIELDS && !name; i++) {
        const json_t *p = json_object_get(x, fields[i].name),
                     *q = json_object_get(y, fields[i].name);

        if ((p || q) && !json_equal(p, q))
            name = fields[i].name;
    }
    if (!name && !json_equal(json_object_get(x, "rules"), json_object_get(y, "rules")) &&
        a->n_rules + b->n_rules > 0)
        name = "rules";
    json_decref(x);
    json_decref(y);
    return name;
}

char *smol_train_options_json(const struct smol_train_options *options)
{
    json_t *object = smol_options_to_json(options);
    char *text = smol_json_text(object, JSON_COMPACT);

    json_decref(object);
    return text;
}
