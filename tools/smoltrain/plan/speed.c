/* See speed.h. */
#include "smoltrain/plan/speed.h"
#include "cli/cli.h"
#include "smoltrain/comm/comm.h"
#include "smoltrain/signals.h"

#define ENOUGH_SECONDS 0.5
#define MOST_STEPS 50u
#define FIRST_STEPS 4u

/* The first steps do not count: one is slower, and quick ones find out how many threads are best.
 */
static enum smol_status begin(struct smol_trainer *t, struct smol_error *error)
{
    const double began = cli_seconds();
    enum smol_status status = SMOL_OK;

    for (uint32_t n = 0; status == SMOL_OK && n < FIRST_STEPS && !train_stop_asked() &&
                         (n == 0 || cli_seconds() - began < ENOUGH_SECONDS);
         n++)
        status = smol_trainer_step(t, &(struct smol_train_step){0}, error);
    return status;
}

static enum smol_status measure(double *seconds, struct smol_trainer *t, struct smol_error *error)
{
    struct smol_train_step step;
    enum smol_status status = begin(t, error);
    const double began = cli_seconds();
    uint32_t n = 0;

    while (status == SMOL_OK && n < MOST_STEPS && !train_stop_asked() &&
           (n == 0 || cli_seconds() - began < ENOUGH_SECONDS)) {
        status = smol_trainer_step(t, &step, error);
        n++;
    }
    *seconds = n > 0 ? (cli_seconds() - began) / n : 0;
    return status;
}

/* All processes of a group have to choose the same, so it is the mean of what each measures on its
 * share of the batch. */
static bool agree(double *seconds)
{
    const struct smol_train_comm *comm = train_comm();

    if (!comm)
        return true;
    if (!comm->sum(comm->context, seconds, 1, true))
        return false;
    *seconds /= comm->size;
    return true;
}

int plan_measure(double *seconds_per_step, const struct smol_train_options *options,
                 const struct train_data *data)
{
    struct smol_train_options o = *options;
    struct smol_trainer *trainer = NULL;
    struct smol_error error = {0};
    enum smol_status status;

    if (o.comm)
        o.batch /= o.comm->size;
    o.comm = NULL;
    o.teachers = 0; /* they take time before the steps */
    o.teacher_weight = 0;
    o.n_steps = FIRST_STEPS + MOST_STEPS;
    if (o.qat_start < 1)
        o.qat_start = 0;
    status = smol_trainer_create_corpus(&trainer, &o, &data->corpus, &data->tokenizer, &error);
    if (status == SMOL_OK)
        status = measure(seconds_per_step, trainer, &error);
    smol_trainer_destroy(trainer);
    if (status != SMOL_OK)
        return cli_complain(NULL, &error);
    if (train_comm_any(train_stop_asked()))
        return cli_fail(NULL, "stopped while planning; nothing is written");
    return agree(seconds_per_step) ? 0 : cli_fail(NULL, "the other processes cannot be reached");
}
