/* smoltrain: a text in, a model out. */
#include "cli/cli.h"
#include "cli/json.h"
#include "smoltrain/comm/comm.h"
#include "smoltrain/options/args.h"
#include "smoltrain/plan/plan.h"
#include "smoltrain/run.h"
#include "smoltrain/signals.h"
#include "smoltrain/sweep/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Both libraries read the environment before main(), so changing it takes a restart: for the
 * kernels, if OpenBLAS has chosen outdated ones for this processor; and for threads that soon sleep
 * when they wait, since spinning ones would take the core from others on the machine. Soon, not at
 * once: the next loop of a small step is there before a thread has fallen asleep. */
static void prepare_environment(char *const *argv)
{
    const char *core = getenv("OPENBLAS_CORETYPE") == NULL ? smol_train_blas_override() : NULL;
    const bool spins = getenv("OMP_WAIT_POLICY") == NULL;
    char self[4096];
    ssize_t n;

    if (!core && !spins)
        return;
    n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0 || (core && setenv("OPENBLAS_CORETYPE", core, 1) != 0) ||
        (spins && (setenv("OMP_WAIT_POLICY", "passive", 1) != 0 ||
                   setenv("GOMP_SPINCOUNT", "3000", 0) != 0)))
        return;
    self[n] = '\0';
    execv(self, argv); /* if it fails, things are slower, not wrong */
}

/* The text is looked at before the options are known. */
static int plan_line(struct train_args *args)
{
    struct train_data data;
    int code;

    train_signals_catch();
    if ((code = train_data_open(&data, args)) != 0)
        return code;
    code = train_plan(args, &data);
    if (code == 0 && !args->plan_only)
        code = train_run(args, &data);
    train_data_close(&data);
    return code;
}

static int train_line(int argc, const char **argv)
{
    struct train_args args;
    int code;

    if ((code = train_args_parse(&args, argc, argv)) != 0)
        return code;
    train_comm_speak();
    return train_args_plans(&args) ? plan_line(&args) : train_run(&args, NULL);
}

int main(int argc, char **argv)
{
    const bool sweep = argc > 1 && strcmp(argv[1], "sweep") == 0;
    const char **arguments = (const char **)(uintptr_t)argv;
    int code;

    cli_start(sweep ? "smoltrain sweep" : "smoltrain");
    cli_json_start();
    prepare_environment(argv);
    if (sweep)
        arguments[1] = cli_program; /* as its help calls it */
    if (!train_comm_join())
        return CLI_FAILED;
    if (sweep && train_comm() != NULL)
        code = cli_usage_error("sweep", "is for one process");
    else
        code = sweep ? train_sweep(argc - 1, arguments + 1) : train_line(argc, arguments);
    return train_comm_leave(cli_close_output(code));
}
