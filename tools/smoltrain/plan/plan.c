/* See plan.h. */
#include "smoltrain/plan/plan.h"
#include "cli/cli.h"
#include "smoltrain/comm/comm.h"
#include "smoltrain/options/line.h"
#include "smoltrain/plan/shapes.h"
#include "smoltrain/plan/speed.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#define LEAST_TRAIN 2000u /* tokens: with fewer there is nothing to learn, and nothing to see */
#define LEAST_VALIDATION 200u
#define DEFAULT_MINUTES 30.0
#define FIRST_GUESS 4e10    /* products a second and thread, before anything is measured */
#define SHARE_FOR_STEPS 0.9 /* of the time; the rest is for validations and the rivals */
#define N_VALIDATIONS 20u
#define SEED_SHARE 0.05 /* of the steps, for each seed of a search */

/* Long cards go with large files only: a short one is a hundredth of this, a long one too. */
uint64_t train_plan_card_room(uint64_t size_bytes)
{
    return size_bytes >= 100 << 10 ? 1500 : size_bytes >= 32 << 10 ? 400 : 0;
}

static void divide(struct plan_search *s, const struct smol_corpus *c)
{
    s->n_train = c->n_train;
    if (s->n_train == c->n_tokens)
        s->n_train = (uint64_t)((double)c->n_tokens * (1 - s->args->options.val_fraction));
    s->n_validation = c->n_tokens - s->n_train;
}

static int check_text(const struct plan_search *s)
{
    if (s->n_train >= LEAST_TRAIN && s->n_validation >= LEAST_VALIDATION)
        return 0;
    return cli_fail(s->args->data[0],
                    "%" PRIu64 " tokens to train on and %" PRIu64
                    " to hold out are too few; a plan takes %u and %u",
                    s->n_train, s->n_validation, LEAST_TRAIN, LEAST_VALIDATION);
}

static int check_size(const struct plan_choice *choice)
{
    const uint64_t size = choice->args.size_bytes;

    if (choice->n_fitting > 0)
        return 0;
    if (choice->n_slow > 0)
        return cli_fail(NULL, "--minutes: too short to train any model that fits");
    if (choice->least_bytes == 0) { /* no network at all: say why */
        struct smol_error error = {0};
        smol_train_options_check(&choice->args.options, &error);
        return cli_usage_error("--size", error.text);
    }
    return cli_fail(NULL,
                    "--size: no such model fits into %" PRIu64 " bytes; the least of them takes "
                    "%" PRIu64 ", room for a signature included",
                    size,
                    choice->least_bytes + SMOL_SIGNATURE_BLOCK_BYTES + train_plan_card_room(size));
}

/* Chooses, measures what was chosen, and chooses again with what was measured. */
static int settle(struct plan_choice *choice, double *seconds_per_step, struct plan_search *search,
                  const struct train_data *data)
{
    int code = 0;

    search->work_per_second = FIRST_GUESS * search->args->options.n_threads;
    for (unsigned i = 0; i < 3; i++) {
        const struct smol_train_options before = choice->args.options;

        if ((code = plan_choose(choice, search)) != 0 || (code = check_size(choice)) != 0)
            return code;
        if (i > 0 && before.n_layers == choice->args.options.n_layers &&
            before.width == choice->args.options.width &&
            before.matrices == choice->args.options.matrices &&
            before.full == choice->args.options.full)
            break;
        if ((code = plan_measure(seconds_per_step, &choice->args.options, data)) != 0)
            return code;
        search->work_per_second =
            plan_step_work(&choice->args.options, data->tokenizer.config.vocab) / *seconds_per_step;
    }
    choice->args.options.n_steps = plan_steps(&choice->args.options, search);
    return 0;
}

/* ---- in three lines ---- */

/* Room for an optional s, so that one is not many. */
static const char *s_of(size_t n) { return n == 1 ? "" : "s"; }

static void say_text(FILE *to, const struct train_data *data, const struct plan_search *search)
{
    const struct smol_corpus *c = &data->corpus;
    const struct smol_config *tokens = &data->tokenizer.config;

    fprintf(to, "text: %zu file%s, %" PRIu64 " bytes; ", data->n_files, s_of(data->n_files),
            c->text_bytes);
    if (tokens->tokenizer == SMOL_TOKENIZER_BPE)
        fprintf(to, "the tokenizer's %u tokens", (unsigned)tokens->vocab);
    else
        fprintf(to, "bytes as tokens, %u of them", (unsigned)tokens->vocab);
    fprintf(to, "; %" PRIu64 " to train on, %" PRIu64 " held out\n", search->n_train,
            search->n_validation);
}

/* A method in words. */
static const char *words_of(const struct smol_train_options *o)
{
    const char *name = smol_train_method(o);

    return strcmp(name, "mask") == 0              ? "masks over the seed's signs"
           : strcmp(name, "ternary") == 0         ? "ternary weights"
           : o->full && o->matrix_type == SMOL_Q4 ? "weights of 4 bits"
                                                  : name;
}

/* Why the file is not larger. */
static const char *why_no_larger(const struct plan_choice *choice, const struct plan_text *text)
{
    if (choice->file_bytes * 4 > choice->args.size_bytes * 3)
        return "the best expected of those that fit";
    return plan_is_short(&choice->args.options, text)
               ? "a larger one would learn this text by heart"
               : "a larger one would not learn enough in the time";
}

static void say_model(FILE *to, const struct plan_choice *choice, const struct plan_text *text)
{
    const struct train_args *a = &choice->args;
    const struct smol_train_options *o = &a->options;

    fprintf(to, "model: %s, %u layer%s of width %u, embeddings of %s%s: ", words_of(o),
            (unsigned)o->n_layers, s_of(o->n_layers), (unsigned)o->width,
            smol_dtype_name(o->embedding_type),
            o->features & SMOL_FEATURE_HISTORY ? ", a history" : "");
    if (a->size_bytes == 0)
        fprintf(to, "%" PRIu64 " bytes without a card\n", choice->file_bytes);
    else
        fprintf(to, "%" PRIu64 " of %" PRIu64 " bytes before card and signature; %s\n",
                choice->file_bytes, a->size_bytes, why_no_larger(choice, text));
}

static void say_training(FILE *to, const struct plan_choice *choice, const struct plan_text *text,
                         double seconds_per_step)
{
    const struct smol_train_options *o = &choice->args.options;
    const double seconds = o->n_steps * seconds_per_step;
    const bool is_short = seconds < 90;
    const double time = round(is_short ? seconds : seconds / 60);

    fprintf(to,
            "training: %u steps of %u windows of %u, the text %.3g times; about %.0f %s%s at the "
            "%.0f tokens/s measured",
            (unsigned)o->n_steps, (unsigned)o->batch, (unsigned)o->context,
            text->n_seen / text->n_train, time, is_short ? "second" : "minute", s_of((size_t)time),
            o->batch * o->context / seconds_per_step);
    if (o->dropout > 0)
        fprintf(to, "; dropout %.3g", o->dropout);
    fprintf(to, "%s\n", o->keep_best ? "; the best of its validations is kept" : "");
}

/* ---- the plan ---- */

/* Against learning by heart, and as many validations to see it as take a twentieth of the time: one
 * is as long as two fifths of the steps over as much text. */
static void take_care(struct train_args *args, const struct plan_search *search,
                      const struct plan_text *text)
{
    struct smol_train_options *o = &args->options;
    const double affordable = 0.05 * text->n_seen / (0.4 * (double)search->n_validation);
    const double n = affordable < 1 ? 1 : affordable < N_VALIDATIONS ? affordable : N_VALIDATIONS;

    if (!train_line_gives("eval-every"))
        args->eval_every = (unsigned)(o->n_steps / n) + 1;
    if (!plan_is_short(o, text))
        return;
    if (!train_line_gives("keep"))
        o->keep_best = true;
    if (!train_line_gives("dropout"))
        o->dropout = 0.1;
}

int train_plan(struct train_args *args, const struct train_data *data)
{
    const double minutes = args->minutes > 0 ? args->minutes : DEFAULT_MINUTES;
    struct plan_search search = {.args = args,
                                 .tokenizer = &data->tokenizer,
                                 .seconds = 60 * minutes * SHARE_FOR_STEPS /
                                            (1 + SEED_SHARE * args->seed_search)};
    struct plan_choice choice = {0};
    struct plan_text text;
    double seconds_per_step;
    FILE *to = args->plan_only ? stdout : stderr;
    int code;

    divide(&search, &data->corpus);
    if ((code = check_text(&search)) != 0 ||
        (code = settle(&choice, &seconds_per_step, &search, data)) != 0)
        return code;
    text.n_train = (double)search.n_train;
    text.n_seen = (double)choice.args.options.n_steps * choice.args.options.batch *
                  choice.args.options.context;
    take_care(&choice.args, &search, &text);
    *args = choice.args;
    if (!train_comm_is_first())
        return 0;
    say_text(to, data, &search);
    say_model(to, &choice, &text);
    say_training(to, &choice, &text, seconds_per_step);
    return 0;
}
