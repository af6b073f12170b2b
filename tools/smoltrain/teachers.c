/* See teachers.h. */
#include "smoltrain/teachers.h"
#include "cli/cli.h"
#include "cli/countdown.h"
#include "cli/guard.h"
#include "smoltrain/signals.h"

#include <stdlib.h>

int train_teachers_open(struct train_teachers *out, char *const *paths, uint32_t n_threads)
{
    struct train_teachers t = {.n = 0};
    size_t n = 0;

    while (paths[n])
        n++;
    t.mappings = calloc(n, sizeof *t.mappings);
    t.models = calloc(n, sizeof *t.models);
    t.files = calloc(n, sizeof *t.files);
    if (!t.mappings || !t.models || !t.files) {
        train_teachers_close(&t);
        return cli_no_memory(paths[0]);
    }
    for (; t.n < n; t.n++) {
        struct smol_error error;

        if (cli_open(t.mappings + t.n, t.models + t.n, paths[t.n], n_threads, &error) != SMOL_OK) {
            cli_complain(paths[t.n], &error);
            train_teachers_close(&t);
            return CLI_FAILED;
        }
        t.files[t.n] = t.models + t.n;
    }
    *out = t;
    return 0;
}

void train_teachers_close(struct train_teachers *t)
{
    for (size_t i = 0; i < t->n; i++)
        cli_unmap(t->mappings + i);
    free(t->mappings);
    free(t->models);
    free(t->files);
    *t = (struct train_teachers){.n = 0};
}

static bool show(void *countdown, uint64_t n_done, uint64_t n_tokens)
{
    countdown_show(countdown, (double)n_done, (double)n_tokens);
    return !train_stop_asked();
}

enum smol_status train_teachers_teach(const struct train_teachers *t, struct smol_trainer *trainer,
                                      struct smol_error *error)
{
    struct countdown countdown;
    enum smol_status status;

    countdown_begin(&countdown, "teaching");
    status = smol_trainer_teach(trainer, t->files, t->n, show, &countdown, error);
    countdown_end(&countdown);
    return status;
}
