/* The seed search: the first steps of a training, seed by seed. A frozen network is a draw from
 * many, and which one it is shows early. */
#include "smoltrain/search.h"
#include "cli/cli.h"
#include "smoltrain/comm/comm.h"
#include "smoltrain/signals.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

/* A twentieth of the training, but some steps at least and not many. */
static unsigned trial_steps(const struct smol_train_options *o)
{
    const unsigned some = o->n_steps / 20;

    return some < 20 ? (o->n_steps < 20 ? o->n_steps : 20) : some > 200 ? 200 : some;
}

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    va_list arguments;

    if (!train_comm_is_first())
        return;
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
}

/* The validation loss after some steps; a seed whose loss is not finite is infinitely bad. */
static enum smol_status try_seed(double *nats, const struct smol_train_options *options,
                                 unsigned n_steps, const struct train_data *data,
                                 const struct train_bases *bases, struct smol_error *error)
{
    struct smol_trainer *trainer = NULL;
    struct smol_train_score score;
    struct smol_train_step step;
    enum smol_status status = train_bases_trainer(&trainer, options, data, bases, error);

    while (status == SMOL_OK && smol_trainer_steps(trainer) < n_steps &&
           !train_comm_any(train_stop_asked()))
        status = smol_trainer_step(trainer, &step, error);
    if (status == SMOL_OK)
        status = smol_trainer_evaluate(trainer, &score, error);
    smol_trainer_destroy(trainer);
    if (status == SMOL_OK || status == SMOL_E_NUMERIC)
        *nats = status == SMOL_OK ? score.nats_per_token : (double)INFINITY;
    return status == SMOL_E_NUMERIC ? SMOL_OK : status;
}

int train_seed_search(uint64_t *seed, const struct train_args *args, const struct train_data *data,
                      const struct train_bases *bases)
{
    const unsigned n_steps = trial_steps(&args->options);
    struct smol_train_options options = args->options;
    double best = (double)INFINITY, first = best, sum = 0;
    struct smol_error error;

    for (unsigned i = 0; i < args->seed_search; i++, options.seed++) {
        double nats;

        if (try_seed(&nats, &options, n_steps, data, bases, &error) != SMOL_OK)
            return cli_complain(NULL, &error);
        if (train_comm_any(train_stop_asked())) {
            say("stopped during the seed search; nothing is written\n");
            return CLI_FAILED;
        }
        say("seed %" PRIu64 ": %.5f nats per token after %u steps\n", options.seed, nats, n_steps);
        first = i == 0 ? nats : first;
        sum += nats;
        if (i == 0 || nats < best) {
            best = nats;
            *seed = options.seed;
        }
    }
    say("chose seed %" PRIu64
        ": %.5f nats below the first seed's loss, %.5f below the mean of %u\n",
        *seed, first - best, sum / args->seed_search - best, args->seed_search);
    return 0;
}
