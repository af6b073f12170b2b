/* See bases.h. */
#include "smoltrain/bases.h"
#include "cli/cli.h"
#include "cli/guard.h"

int train_bases_open(struct train_bases *out, const struct train_args *args)
{
    struct train_bases b = {.paths = args->bases};

    for (; b.n < args->n_bases; b.n++) {
        struct smol_error error;
        const char *path = args->bases[b.n];

        if (cli_open(b.mappings + b.n, b.files + b.n, path,
                     args->options.n_threads > 0 ? args->options.n_threads : 1,
                     &error) != SMOL_OK) {
            cli_complain(path, &error);
            train_bases_close(&b);
            return CLI_FAILED;
        }
    }
    *out = b;
    for (size_t i = 0; i < b.n; i++)
        out->parts[i] = (struct smol_file_part){out->files + i, args->factors[i]};
    return 0;
}

void train_bases_close(struct train_bases *b)
{
    for (size_t i = 0; i < b->n; i++)
        cli_unmap(b->mappings + i);
    b->n = 0;
}

int train_bases_open_again(struct train_bases *b, const struct train_args *args)
{
    const int code = train_bases_open(b, args);

    if (code != 0 || smol_train_models(b->parts, b->n) == args->options.models)
        return code;
    train_bases_close(b);
    return cli_fail(args->bases[0], args->n_bases > 1 ? "or another base is no longer what it was"
                                                      : "is no longer what it was");
}

int train_bases_check(const struct train_bases *b)
{
    int code = 0;

    for (size_t i = 0; i < b->n && code == 0; i++)
        code = cli_check_unchanged(b->mappings + i, b->paths[i]);
    return code;
}

enum smol_status train_bases_trainer(struct smol_trainer **trainer,
                                     const struct smol_train_options *options,
                                     const struct train_data *data, const struct train_bases *b,
                                     struct smol_error *error)
{
    return b->n > 0 ? smol_trainer_create_on(trainer, options, &data->corpus, b->parts, b->n, error)
                    : smol_trainer_create_corpus(trainer, options, &data->corpus, &data->tokenizer,
                                                 error);
}

/* A delta that changes nothing computes what its model does. */
static enum smol_status score(double *nats, const struct smol_train_options *options,
                              const struct train_data *data, const struct smol_file *model,
                              struct smol_error *error)
{
    const struct smol_file_part part = {model, 1};
    struct smol_trainer *trainer = NULL;
    struct smol_train_options o;
    struct smol_train_score found;
    enum smol_status status;

    smol_train_defaults(&o, sizeof o, "embed");
    status = smol_train_on(&o, &part, 1, error);
    o.context = options->context;
    o.batch = options->batch;
    o.documents = options->documents;
    o.val_fraction = options->val_fraction;
    o.n_threads = options->n_threads;
    o.isa = options->isa;
    o.comm = options->comm;
    if (status == SMOL_OK)
        status = smol_trainer_create_on(&trainer, &o, &data->corpus, &part, 1, error);
    if (status == SMOL_OK)
        status = smol_trainer_evaluate(trainer, &found, error);
    if (status == SMOL_OK)
        *nats = found.nats_per_token;
    smol_trainer_destroy(trainer);
    return status;
}

enum smol_status train_bases_score(double nats[SMOL_MAX_MODELS],
                                   const struct smol_train_options *options,
                                   const struct train_data *data, const struct train_bases *b,
                                   struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    for (size_t i = 0; i < b->n && status == SMOL_OK; i++)
        status = score(nats + i, options, data, b->files + i, error);
    return status;
}
