/* One training: steps, validations and checkpoints, then the model. */
#include "smoltrain/run.h"
#include "cli/cli.h"
#include "smoltrain/bases.h"
#include "smoltrain/comm/comm.h"
#include "smoltrain/output/output.h"
#include "smoltrain/output/report.h"
#include "smoltrain/plan/rivals.h"
#include "smoltrain/search.h"
#include "smoltrain/signals.h"
#include "smoltrain/teachers.h"

#include <stdio.h>

static bool due(unsigned every, unsigned step) { return every > 0 && step % every == 0; }

/* The first process of a group writes; all have the same state. */
static enum smol_status save(struct smol_trainer *t, struct train_output *output,
                             struct smol_error *error)
{
    return train_comm_is_first() ? train_output_save(output, t, error) : SMOL_OK;
}

/* The last step is saved too, so that it is not lost if the model cannot be written. If it is the
 * checkpoint that cannot be, the model, which is smaller, still may. */
static enum smol_status save_last(struct smol_trainer *t, const struct train_args *args,
                                  struct train_output *output, struct smol_error *error)
{
    const enum smol_status status = save(t, output, error);

    if (status != SMOL_E_IO || smol_trainer_steps(t) < args->options.n_steps)
        return status;
    train_output_complain(output, error);
    return SMOL_OK;
}

/* Steps, validations and checkpoints up to the last step or a signal. */
static enum smol_status train(struct smol_trainer *t, const struct train_args *args,
                              struct train_output *output, struct train_report *report,
                              struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    while (status == SMOL_OK && smol_trainer_steps(t) < args->options.n_steps &&
           !train_comm_any(train_stop_asked())) {
        struct smol_train_step step;
        struct smol_train_score score;
        unsigned done;

        status = smol_trainer_step(t, &step, error);
        if (status != SMOL_OK)
            break;
        done = smol_trainer_steps(t);
        train_report_step(report, t, &step);
        if (due(args->eval_every, done) || done == args->options.n_steps) {
            status = smol_trainer_evaluate(t, &score, error);
            if (status == SMOL_OK)
                train_report_score(report, t, &score, false);
        }
        if (status == SMOL_OK && due(args->save_every, done) && done < args->options.n_steps)
            status = save(t, output, error);
    }
    if (status == SMOL_OK)
        status = save_last(t, args, output, error);
    return status;
}

/* With what else fits into the size that was asked for. The model is written: what goes wrong now
 * is no failure. */
static void compare(const struct train_args *args, const struct smol_trainer *t,
                    struct train_report *report, const struct train_data *data)
{
    struct plan_rivals rivals;
    struct smol_error error;
    enum smol_status status;

    if (args->size_bytes == 0)
        return;
    status =
        plan_rivals_find(&rivals, data, smol_trainer_train_tokens(t), args->size_bytes, &error);
    if (status == SMOL_OK)
        train_report_rivals(report, &rivals);
    else if (status != SMOL_E_CANCELLED)
        cli_complain(NULL, &error);
}

/* Rounds, validates what is rounded, writes. */
static enum smol_status finish(struct smol_trainer *t, const struct train_args *args,
                               struct train_output *output, struct train_report *report,
                               const struct train_data *data, const struct train_bases *bases,
                               struct smol_error *error)
{
    struct train_result result = {.bases = bases, .base_nats = report->base_nats};
    enum smol_status status =
        output->is_tensors ? smol_trainer_finish_exact(t, error) : smol_trainer_finish(t, error);

    if (status == SMOL_OK)
        status = smol_trainer_evaluate(t, &result.score, error);
    if (status != SMOL_OK)
        return status;
    train_report_score(report, t, &result.score, true);
    if (!train_comm_is_first())
        return SMOL_OK;
    if (train_bases_check(bases) != 0)
        return cli_error(error, SMOL_E_CHANGED, "so the delta is not written");
    status = train_output_write(output, args, t, &data->corpus, &result, error);
    if (status != SMOL_OK)
        return status;
    train_report_model(report, t, output, &result);
    compare(args, t, report, data);
    if (smol_trainer_steps(t) == args->options.n_steps)
        train_output_done(output);
    return SMOL_OK;
}

/* The teachers of a training, if it has any; only what they predict is kept. */
static enum smol_status teach(struct smol_trainer *t, const struct train_args *args,
                              struct smol_error *error)
{
    struct train_teachers teachers;
    enum smol_status status;

    if (!args->teacher)
        return SMOL_OK;
    if (train_teachers_open(&teachers, args->teacher, args->options.n_threads) != 0)
        return cli_error(error, SMOL_E_CHANGED, "a teacher is no longer what it was");
    status = train_teachers_teach(&teachers, t, error);
    train_teachers_close(&teachers);
    return status;
}

/* What the models of a delta are worth as they are, unless a sweep has a run for that. */
static enum smol_status score_bases(struct train_report *report, const struct train_args *args,
                                    const struct train_data *data, const struct train_bases *bases,
                                    struct smol_error *error)
{
    const enum smol_status status =
        args->in_sweep ? SMOL_OK
                       : train_bases_score(report->base_nats, &args->options, data, bases, error);

    if (status == SMOL_OK && !args->in_sweep && bases->n > 0)
        train_report_bases(report, bases);
    return status;
}

static int run(const struct train_args *args, const struct train_data *data,
               const struct train_bases *bases, struct train_output *output)
{
    struct smol_trainer *trainer = NULL;
    struct train_report report = {0};
    struct smol_error error = {0};
    enum smol_status status;
    bool stopped = false, logged = true;

    status = train_bases_trainer(&trainer, &args->options, data, bases, &error);
    if (status == SMOL_OK && args->resume)
        status = train_output_load(output, trainer, &error);
    if (status == SMOL_OK)
        status = teach(trainer, args, &error);
    if (status == SMOL_OK) {
        if (!train_report_open(&report, args, trainer, &data->corpus, bases)) {
            smol_trainer_destroy(trainer);
            return CLI_FAILED;
        }
        status = score_bases(&report, args, data, bases, &error);
        if (status == SMOL_OK)
            status = train(trainer, args, output, &report, &error);
        stopped = status == SMOL_OK && smol_trainer_steps(trainer) < args->options.n_steps;
        if (status == SMOL_OK)
            status = finish(trainer, args, output, &report, data, bases, &error);
        logged = train_report_close(&report);
    }
    if (status != SMOL_OK)
        train_output_complain(output, &error);
    else if (stopped && train_comm_is_first())
        fprintf(stderr, "stopped after step %u of %u; the same command%s continues\n",
                (unsigned)smol_trainer_steps(trainer), (unsigned)args->options.n_steps,
                args->in_sweep ? "" : " with --resume");
    smol_trainer_destroy(trainer);
    return status == SMOL_OK && !stopped && logged ? 0 : CLI_FAILED;
}

/* A resumed training has its seed. */
static int search_and_run(const struct train_args *args, const struct train_data *data,
                          struct train_output *output)
{
    struct train_args chosen = *args;
    const bool searches = args->seed_search > 1 && !args->resume;
    struct train_bases bases;
    int code = train_bases_open_again(&bases, args);

    if (code != 0)
        return code;
    if (searches)
        code = train_seed_search(&chosen.options.seed, args, data, &bases);
    if (code == 0)
        code = run(&chosen, data, &bases, output);
    train_bases_close(&bases);
    return code;
}

int train_run(const struct train_args *args, const struct train_data *data)
{
    struct train_output output;
    struct train_data own;
    int code;

    if ((code = train_output_open(&output, args)) != 0)
        return code;
    train_signals_catch();
    if (data) {
        code = search_and_run(args, data, &output);
    } else if ((code = train_data_open(&own, args)) == 0) {
        code = search_and_run(args, &own, &output);
        train_data_close(&own);
    }
    train_output_close(&output);
    return code;
}
