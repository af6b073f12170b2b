/* Trainers of deltas: that they begin as their models, learn, go on, and that the runtime computes
 * what they evaluate. SPEC.md 16. */
#include "train/trainers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/session.h>
#include <stdlib.h>

/* What a case has besides a method; zeros leave the defaults. */
struct variant {
    const char *method;
    unsigned first, n_models; /* of the bases below */
    enum smol_mix mix;
    bool gains, bias;
    enum smol_source norms;
    uint32_t n_rows, context, rank;
    enum smol_dtype embedding_type, param_type;
    double sparse, rounded;
    bool disturbs; /* does not begin as nothing */
};

/* Bases 0 and 1 are GPT-2's, with biases and stored norms, and 2 and 3 smol's. */
static const struct variant variants[] = {
    {.method = "embed", .n_models = 1},
    {.method = "embed", .first = 2, .n_models = 1, .norms = SMOL_NORM_STORED, .n_rows = 9},
    {.method = "lora", .n_models = 1, .gains = true, .bias = true, .rank = 2},
    {.method = "lora", .first = 2, .n_models = 1, .param_type = SMOL_Q8_BLOCKS, .rounded = 0.5},
    {.method = "alpha", .n_models = 1, .norms = SMOL_NORM_OWN, .context = 9},
    {.method = "alpha", .first = 2, .n_models = 1, .sparse = 0.2, .mix = SMOL_MIX_FILE},
    {.method = "alpha-global", .first = 2, .n_models = 1, .gains = true},
    {.method = "nola", .n_models = 1},
    {.method = "fastfood", .n_models = 1, .bias = true},
    {.method = "fastfood-global", .first = 2, .n_models = 1},
    {.method = "fourier-global", .first = 2, .n_models = 1},
    {.method = "mask", .n_models = 1, .gains = true, .disturbs = true},
    {.method = "mask", .first = 2, .n_models = 1, .sparse = 0.2, .disturbs = true},
    {.method = "ternary", .first = 2, .n_models = 1, .gains = true},
    {.method = "full",
     .n_models = 1,
     .norms = SMOL_NORM_STORED,
     .n_rows = SMOL_ALL_ROWS,
     .embedding_type = SMOL_F16},
    {.method = "full",
     .first = 2,
     .n_models = 1,
     .n_rows = 30,
     .embedding_type = SMOL_Q4,
     .rounded = 1},
    {.method = "embed", .n_models = 2, .mix = SMOL_MIX_MATRIX},
    {.method = "embed", .first = 2, .n_models = 2, .mix = SMOL_MIX_MATRIX, .n_rows = 4},
    {.method = "alpha", .first = 2, .n_models = 2, .mix = SMOL_MIX_FILE},
    {.method = "lora", .n_models = 2, .gains = true, .norms = SMOL_NORM_STORED},
};
enum { N_VARIANTS = sizeof variants / sizeof *variants, N_BASES = 4 };

static struct smol_file bases[N_BASES];
static struct smol_corpus corpus;

static void shape(struct smol_train_options *o)
{
    o->n_layers = 2;
    o->width = 24;
    o->n_heads = 3;
    o->context = 20;
    o->batch = 4;
    o->n_steps = 12;
    o->qat_start = 1;
}

/* One that has learned a little; smol's have one seed, because of their half-shift. */
static void make_base(struct smol_file *file, unsigned i)
{
    struct smol_train_options o;
    struct smol_error error;
    struct smol_trainer *t;
    uint8_t *bytes;
    size_t size;

    cr_assert(smol_train_defaults(&o, sizeof o, i % 2 == 0 ? "lora" : "full"));
    if (i >= 2)
        smol_train_use(&o, SMOL_ARCH_SMOL);
    shape(&o);
    o.norms = i == 0 ? SMOL_NORM_STORED : SMOL_NORM_FROZEN;
    o.bias = i == 0;
    o.seed = i < 2 ? i : 7;
    o.logit_scale = i == 3 ? 1.5 : 1;
    t = create(&o);
    steps(t, 12);
    cr_assert_eq(smol_trainer_finish(t, &error), SMOL_OK, "%s", error.text);
    cr_assert_eq(smol_trainer_model(&bytes, &size, t, NULL, 0, &error), SMOL_OK, "%s", error.text);
    cr_assert_eq(smol_file_parse(file, bytes, size, &error), SMOL_OK, "%s", error.text);
    smol_trainer_destroy(t);
}

static void make_bases(void)
{
    for (unsigned i = 0; i < N_BASES; i++)
        make_base(bases + i, i);
    smol_corpus_of_bytes(&corpus, text, TEXT_BYTES);
}

static void free_bases(void)
{
    for (unsigned i = 0; i < N_BASES; i++)
        free((void *)(uintptr_t)bases[i].bytes.data);
}

TestSuite(train_delta, .init = make_bases, .fini = free_bases);

/* The first of two that are mixed counts alone at the start. */
static void parts_of(struct smol_file_part parts[2], const struct variant *v)
{
    for (unsigned m = 0; m < v->n_models; m++)
        parts[m] = (struct smol_file_part){bases + v->first + m, m == 0};
}

static struct smol_train_options options_of(const struct variant *v)
{
    struct smol_file_part parts[2];
    struct smol_train_options o;
    struct smol_error error;

    parts_of(parts, v);
    cr_assert(smol_train_defaults(&o, sizeof o, v->method));
    cr_assert_eq(smol_train_on(&o, parts, v->n_models, &error), SMOL_OK, "%s", error.text);
    o.batch = 4;
    o.n_steps = 12;
    o.mix = v->mix;
    o.gains = v->gains;
    o.bias = v->bias;
    o.norms = v->norms;
    o.embedding_rows = v->n_rows;
    o.context = v->context > 0 ? v->context : o.context;
    o.rank = v->rank > 0 ? v->rank : o.rank;
    o.d = smol_source_projects(o.matrices) ? 50 : o.d;
    o.embedding_type = v->embedding_type != 0 ? v->embedding_type : o.embedding_type;
    o.param_type = v->param_type != 0 ? v->param_type : o.param_type;
    o.sparse = v->sparse;
    o.qat_start = 1 - v->rounded;
    o.learn_logit_scale = true;
    return o;
}

static struct smol_trainer *create_on(const struct smol_train_options *o, const struct variant *v)
{
    struct smol_file_part parts[2];
    struct smol_trainer *t = NULL;
    struct smol_error error;

    parts_of(parts, v);
    cr_assert_eq(smol_trainer_create_on(&t, o, &corpus, parts, v->n_models, &error), SMOL_OK,
                 "%s: %s", v->method, error.text);
    return t;
}

/* Windows of the context over the text for validation, with a session. */
static double runtime_loss(const struct smol_file *file, uint32_t context, size_t n_train)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .n_threads = 1};
    struct smol_session *session;
    uint32_t tokens[TEXT_BYTES];
    double losses[TEXT_BYTES], sum = 0;
    struct smol_error error;
    void *memory;
    size_t size;

    cr_assert_eq(smol_session_size(&size, file, &options, &error), SMOL_OK, "%s", error.text);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_session_init(&session, file, &options, memory, size, &error), SMOL_OK, "%s",
                 error.text);
    for (size_t i = 0; i < TEXT_BYTES; i++)
        tokens[i] = text[i];
    for (size_t at = n_train, n; at + 1 < TEXT_BYTES; at += n) {
        n = TEXT_BYTES - 1 - at < context ? TEXT_BYTES - 1 - at : context;
        smol_session_rewind(session, 0);
        cr_assert_eq(smol_session_score(session, losses, tokens + at, tokens + at + 1, n, &error),
                     SMOL_OK, "%s", error.text);
        for (size_t i = 0; i < n; i++)
            sum += losses[i];
    }
    smol_session_finish(session);
    free(memory);
    return sum / (double)(TEXT_BYTES - 1 - n_train);
}

/* Differences that are 0 change nothing. */
Test(train_delta, begins_as_its_model)
{
    for (size_t i = 0; i < N_VARIANTS; i++) {
        const struct smol_train_options o = options_of(variants + i);
        if (variants[i].disturbs)
            continue;
        struct smol_trainer *t = create_on(&o, variants + i);
        const double expected = runtime_loss(bases + variants[i].first, o.context,
                                             (size_t)smol_trainer_train_tokens(t));

        cr_assert_float_eq(evaluate(t), expected, 1e-4 * expected, "variant %zu: %g, its model %g",
                           i, evaluate(t), expected);
        smol_trainer_destroy(t);
    }
}

Test(train_delta, learns)
{
    for (size_t i = 0; i < N_VARIANTS; i++) {
        struct smol_train_options o = options_of(variants + i);
        struct smol_trainer *t;
        double before;

        o.n_steps = 40;
        t = create_on(&o, variants + i);
        before = evaluate(t);
        steps(t, 40);
        cr_assert_lt(evaluate(t), before - 0.01, "variant %zu: %g, before %g", i, evaluate(t),
                     before);
        smol_trainer_destroy(t);
    }
}

Test(train_delta, the_number_of_threads_changes_nothing)
{
    for (size_t i = 0; i < N_VARIANTS; i++) {
        struct smol_train_options o = options_of(variants + i);
        struct smol_trainer *one = create_on(&o, variants + i), *three;

        o.n_threads = 3;
        three = create_on(&o, variants + i);
        end_alike(one, three, 4, false, i);
    }
}

Test(train_delta, goes_on_to_the_same_numbers)
{
    for (size_t i = 0; i < N_VARIANTS; i++) {
        struct smol_train_options o = options_of(variants + i);
        struct smol_trainer *whole, *rest;
        uint8_t *bytes;
        size_t size;

        o.keep_best = true;
        whole = create_on(&o, variants + i);
        steps(whole, 7);
        evaluate(whole);
        cr_assert_eq(smol_trainer_save(&bytes, &size, whole, NULL), SMOL_OK);
        rest = create_on(&o, variants + i);
        cr_assert_eq(smol_trainer_load(rest, bytes, size, NULL), SMOL_OK);
        free(bytes);
        end_alike(whole, rest, 12, true, i);
    }
}

/* A file of the size that was foretold, which the runtime reads with its models as the trainer
 * does. */
static void check_runtime(struct smol_trainer *t, const struct smol_train_options *o,
                          const struct smol_file_part parts[2], size_t i)
{
    struct smol_file_part named[2];
    struct smol_file file;
    struct smol_error error;
    uint64_t foretold;
    double expected;
    uint8_t *bytes;
    size_t size;

    cr_assert_eq(smol_trainer_finish(t, &error), SMOL_OK, "%s", error.text);
    cr_assert_eq(smol_trainer_model(&bytes, &size, t, NULL, 0, &error), SMOL_OK, "%s", error.text);
    cr_assert_eq(smol_train_file_size(&foretold, o, parts[0].file, 0, &error), SMOL_OK, "%s",
                 error.text);
    cr_assert_eq(size, foretold, "variant %zu", i);
    cr_assert_eq(smol_file_parse(&file, bytes, size, &error), SMOL_OK, "%s", error.text);
    for (size_t m = 0; m < o->n_models; m++) /* with the factors of the file */
        named[m] = (struct smol_file_part){parts[m].file, (float)NAN};
    cr_assert_eq(smol_file_join(&file, &file, named, o->n_models, 1, &error), SMOL_OK, "%s",
                 error.text);
    expected = runtime_loss(&file, o->context, (size_t)smol_trainer_train_tokens(t));
    cr_assert_float_eq(evaluate(t), expected, 1e-4 * expected, "variant %zu: %g, runtime %g", i,
                       evaluate(t), expected);
    free(bytes);
}

Test(train_delta, evaluates_what_the_runtime_computes)
{
    for (size_t i = 0; i < N_VARIANTS; i++) {
        const struct smol_train_options o = options_of(variants + i);
        struct smol_trainer *t = create_on(&o, variants + i);
        struct smol_file_part parts[2];

        parts_of(parts, variants + i);
        steps(t, 12);
        check_runtime(t, &o, parts, i);
        smol_trainer_destroy(t);
    }
}

/* A difference of logit scales that stays as it is, over models whose own differ. */
Test(train_delta, mixes_tables_by_logit_scales_with_a_difference)
{
    const struct variant v = {.method = "embed", .first = 2, .n_models = 2};
    const struct smol_file_part parts[] = {{bases + 2, 0.6f}, {bases + 3, 0.4f}};
    struct smol_train_options o = options_of(&v);
    struct smol_trainer *t = NULL;
    struct smol_error error;

    o.learn_logit_scale = false;
    o.logit_scale = 2;
    o.models = smol_train_models(parts, 2);
    cr_assert_eq(smol_trainer_create_on(&t, &o, &corpus, parts, 2, &error), SMOL_OK, "%s",
                 error.text);
    check_runtime(t, &o, parts, 0);
    smol_trainer_destroy(t);
}

/* The tokens "e", "o" and the space are the most frequent ones of the text. */
Test(train_delta, rows_are_of_frequent_tokens)
{
    static const char letters[] = " eo";
    struct variant v = {.method = "embed", .first = 2, .n_models = 1, .n_rows = 3};
    const struct smol_train_options o = options_of(&v);
    struct smol_trainer *t = create_on(&o, &v);

    for (unsigned i = 0; i < 3; i++)
        cr_assert_eq(t->net->models.tokens[i], (uint32_t)letters[i]);
    smol_trainer_destroy(t);
}

static void check_refused(const struct smol_train_options *o, const struct smol_file_part *parts,
                          size_t n, enum smol_status expected, const char *why)
{
    struct smol_trainer *t = NULL;
    struct smol_error error;

    cr_assert_eq(smol_trainer_create_on(&t, o, &corpus, parts, n, &error), expected, "%s", why);
    cr_assert_not_null(strstr(error.text, why), "%s", error.text);
}

Test(train_delta, refuses_other_models)
{
    struct variant v = {.method = "lora", .n_models = 1};
    struct smol_file_part one = {bases, 1}, other = {bases + 1, 1},
                          mixed[] = {{bases, 1}, {bases + 2, 1}};
    struct smol_train_options o = options_of(&v), longer = o;
    struct smol_trainer *t = create_on(&o, &v), *on_other = NULL;
    struct smol_error error;
    uint8_t *bytes;
    size_t size;

    check_refused(&o, &other, 1, SMOL_E_ARGUMENT, "not the models of the options");
    check_refused(&o, mixed, 2, SMOL_E_BASE, "has other features");
    mixed[1].file = bases;
    check_refused(&o, mixed, 2, SMOL_E_BASE, "once more");
    one.factor = 0.5f;
    check_refused(&o, &one, 1, SMOL_E_ARGUMENT, "not the models of the options");
    longer.context = 21;
    one.factor = 1;
    check_refused(&longer, &one, 1, SMOL_E_ARGUMENT, "longer than the models'");
    cr_assert_eq(smol_trainer_create_corpus(&t, &o, &corpus, NULL, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_trainer_save(&bytes, &size, t, NULL), SMOL_OK);
    longer = o;
    longer.context = 20;
    longer.models = smol_train_models(&other, 1);
    cr_assert_eq(smol_trainer_create_on(&on_other, &longer, &corpus, &other, 1, &error), SMOL_OK,
                 "%s", error.text);
    cr_assert_eq(smol_trainer_load(on_other, bytes, size, &error), SMOL_E_ARGUMENT);
    cr_assert_not_null(strstr(error.text, "models"), "%s", error.text);
    free(bytes);
    smol_trainer_destroy(t);
    smol_trainer_destroy(on_other);
}
