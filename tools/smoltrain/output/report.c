/* Progress on stderr, and the log. */
#include "smoltrain/output/report.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/progress.h"
#include "smoltrain/bases.h"
#include "smoltrain/comm/comm.h"
#include "smoltrain/output/log.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void record(struct train_report *r, json_t *object)
{
    char *text = r->log ? cli_json_text(object, JSON_COMPACT | JSON_REAL_PRECISION(9)) : NULL;

    if (r->log && (!text || fprintf(r->log, "%s\n", text) < 0 || fflush(r->log) != 0))
        r->log_failed = true;
    free(text);
    json_decref(object);
}

static json_int_t tokens_per_step(const struct train_report *r)
{
    return (json_int_t)r->args->options.batch * r->args->options.context;
}

/* The one file's name, or all of them. */
static json_t *data_json(char *const *paths)
{
    json_t *list;

    if (!paths[1])
        return cli_json_name(paths[0]);
    list = json_array();
    for (; *paths; paths++)
        json_array_append_new(list, cli_json_name(*paths));
    return list;
}

/* The hashes of a delta's models; NULL without. */
static json_t *bases_json(const struct train_bases *bases)
{
    char hex[2 * SMOL_HASH_BYTES + 1];
    json_t *list = bases->n > 0 ? json_array() : NULL;

    for (size_t i = 0; i < bases->n; i++) {
        cli_hex(hex, bases->files[i].hash, SMOL_HASH_BYTES);
        json_array_append_new(list, json_string(hex));
    }
    return list;
}

static void record_start(struct train_report *r, const struct smol_trainer *t,
                         const struct smol_corpus *corpus, const struct train_bases *bases)
{
    char tokens[TRAIN_LOG_HASH_BYTES], tokenizer[TRAIN_LOG_HASH_BYTES];
    char *text = smol_train_options_json(&r->args->options);
    json_t *options = text ? json_loads(text, 0, NULL) : NULL;
    const struct smol_config *c = smol_trainer_config(t);
    const bool bytes = c->tokenizer != SMOL_TOKENIZER_BPE;
    const bool all_bytes = c->tokenizer == SMOL_TOKENIZER_BYTES;

    train_log_hashes(tokens, tokenizer, corpus);
    record(r,
           json_pack(
               "{s:s, s:s, s:o*, s:o*, s:I, s:I, s:I, s:o*, s:s, s:s, s:I, s:I, s:I, s:I, s:I, "
               "s:o*}",
               "event", "start", "method", smol_train_method(&r->args->options), "data",
               data_json(r->args->data), "options", options, "threads",
               (json_int_t)r->args->options.n_threads, bytes ? "train_bytes" : "train_tokens",
               (json_int_t)smol_trainer_train_tokens(t), bytes ? "val_bytes" : "val_tokens",
               (json_int_t)smol_trainer_val_tokens(t), "vocab",
               all_bytes ? NULL : json_integer((json_int_t)c->vocab), "tokenizer_xxh3", tokenizer,
               "tokens_xxh3", tokens, "learned_numbers", (json_int_t)smol_trainer_parameters(t),
               "non_embedding_params", (json_int_t)train_non_embedding_numbers(t), "memory_bytes",
               (json_int_t)smol_trainer_memory(t), "tokens_per_step", tokens_per_step(r), "step",
               (json_int_t)smol_trainer_steps(t), "base_hashes", bases_json(bases)));
    free(text);
}

bool train_report_open(struct train_report *r, const struct train_args *args,
                       const struct smol_trainer *t, const struct smol_corpus *corpus,
                       const struct train_bases *bases)
{
    char size[32];

    *r = (struct train_report){
        .args = args, .smoothed = -1, .val = -1, .quiet = !train_comm_is_first()};
    if (args->log && !r->quiet) {
        struct smol_error error;

        smol_remove_leftovers(args->log);
        if (args->resume && train_log_cut(args->log, smol_trainer_steps(t), &error) != SMOL_OK) {
            cli_complain(args->log, &error);
            return false;
        }
        r->log = fopen(args->log, args->resume ? "a" : "w");
        if (!r->log) {
            cli_fail_errno(args->log);
            return false;
        }
    }
    r->terminal = !r->quiet && cli_progress_covers();
    r->began = r->shown = cli_seconds();
    r->first_step = smol_trainer_steps(t);
    if (!r->quiet)
        fprintf(stderr, "training takes %s of memory, besides text and program\n",
                cli_size(size, smol_trainer_memory(t)));
    record_start(r, t, corpus, bases);
    return true;
}

/* What there is least need of on a narrow terminal has the least weight. */
static void show(struct train_report *r, unsigned step)
{
    enum { SPEED = 1, SMOOTHED, VAL, LOSS, STEP, LEFT };
    const struct smol_train_options *o = &r->args->options;
    const double seconds = cli_seconds() - r->began, done = (double)(step - r->first_step);
    const double speed = seconds > 0 ? done / seconds : 0;
    const long left = speed > 0 ? (long)((double)(o->n_steps - step) / speed) : 0;
    struct cli_part parts[6];
    size_t n = 0;

    cli_part(&parts[n++], STEP, "step %u/%u", step, (unsigned)o->n_steps);
    cli_part(&parts[n++], LOSS, "loss %.4f", r->loss);
    cli_part(&parts[n++], SMOOTHED, "smoothed %.4f", r->smoothed);
    if (r->val >= 0)
        cli_part(&parts[n++], VAL, "val %.4f", r->val);
    cli_part(&parts[n++], SPEED, "%.0f tokens/s", speed * (double)tokens_per_step(r));
    cli_part(&parts[n++], LEFT, "%ld:%02ld:%02ld left", left / 3600, left / 60 % 60, left % 60);
    cli_progress(parts, n, r->terminal);
    r->shown = cli_seconds();
}

void train_report_step(struct train_report *r, const struct smol_trainer *t,
                       const struct smol_train_step *s)
{
    const unsigned step = smol_trainer_steps(t);
    const bool last = step == r->args->options.n_steps;

    r->loss = s->loss;
    r->smoothed = r->smoothed < 0 ? s->loss : 0.95 * r->smoothed + 0.05 * s->loss;
    record(r, json_pack("{s:s, s:I, s:I, s:f, s:f, s:f, s:f, s:f}", "event", "train", "step",
                        (json_int_t)step, "tokens", tokens_per_step(r) * step, "loss", s->loss,
                        "gradient_norm", s->gradient_norm, "lr", s->lr, "alpha_lr", s->alpha_lr,
                        "seconds", cli_seconds() - r->began));
    if (r->quiet)
        return;
    if (r->terminal ? last || cli_seconds() - r->shown > 0.1
                    : last || (r->args->print_every > 0 && step % r->args->print_every == 0))
        show(r, step);
}

void train_report_score(struct train_report *r, const struct smol_trainer *t,
                        const struct smol_train_score *s, bool stored)
{
    r->val = s->nats_per_token;
    record(r, json_pack("{s:s, s:I, s:b, s:f, s:f, s:I, s:f}", "event", "validation", "step",
                        (json_int_t)smol_trainer_steps(t), "stored", (int)stored, "nats_per_token",
                        s->nats_per_token, "bits_per_byte", s->bits_per_byte, "tokens",
                        (json_int_t)s->n_tokens, "seconds", cli_seconds() - r->began));
    if (r->terminal)
        cli_progress_clear();
    if (!r->quiet)
        fprintf(stderr, "step %u: validation loss%s %.5f nats per token, %.5f bits per byte\n",
                smol_trainer_steps(t), stored ? " as stored" : "", s->nats_per_token,
                s->bits_per_byte);
}

void train_report_bases(struct train_report *r, const struct train_bases *bases)
{
    json_t *list = json_array();

    for (size_t i = 0; i < bases->n; i++) {
        json_array_append_new(list, json_real(r->base_nats[i]));
        if (!r->quiet)
            fprintf(stderr, "%s as it is: validation loss %.5f nats per token\n", bases->paths[i],
                    r->base_nats[i]);
    }
    record(r, json_pack("{s:s, s:o*}", "event", "bases", "nats_per_token", list));
}

void train_report_model(struct train_report *r, const struct smol_trainer *t,
                        const struct train_output *o, const struct train_result *result)
{
    record(r, json_pack("{s:s, s:I, s:I, s:I, s:I, s:o*, s:o*}", "event", "model", "step",
                        (json_int_t)smol_trainer_steps(t), "bytes", (json_int_t)o->size_bytes,
                        "non_embedding_bytes", (json_int_t)o->non_embedding_bytes,
                        "non_embedding_params", (json_int_t)train_non_embedding_numbers(t),
                        "streamed_nats_per_token",
                        result->has_stream ? json_real(result->streamed_nats) : NULL,
                        "streamed_nats_per_token_without_history",
                        result->has_stream_alone ? json_real(result->streamed_alone_nats) : NULL));
}

static void print_rivals(const struct plan_rivals *v, uint64_t size_bytes)
{
    printf("in %" PRIu64 " bytes, on the same text: ", size_bytes);
    if (v->has_table)
        printf("an n-gram table of order %u, counts from %u on, %.5f nats per byte; ",
               v->table_order, v->table_least_count, v->table_nats);
    else
        printf("no n-gram table; ");
    printf("xz after the last %" PRIu64 " bytes of the training text, %.5f\n", v->xz_text_bytes,
           v->xz_nats);
}

void train_report_rivals(struct train_report *r, const struct plan_rivals *v)
{
    json_t *table = json_pack("{s:I, s:I, s:I, s:f}", "order", (json_int_t)v->table_order,
                              "least_count", (json_int_t)v->table_least_count, "bytes",
                              (json_int_t)v->table_bytes, "nats_per_byte", v->table_nats);

    if (!v->has_table) {
        json_decref(table);
        table = NULL;
    }
    record(r, json_pack("{s:s, s:I, s:o*, s:{s:I, s:I, s:f}}", "event", "rivals", "size_bytes",
                        (json_int_t)r->args->size_bytes, "ngram", table, "xz", "text_bytes",
                        (json_int_t)v->xz_text_bytes, "bytes", (json_int_t)v->xz_bytes,
                        "nats_per_byte", v->xz_nats));
    print_rivals(v, r->args->size_bytes);
}

bool train_report_close(struct train_report *r)
{
    bool good = true;

    if (r->terminal)
        cli_progress_clear();
    if (r->log) {
        good = !r->log_failed && ferror(r->log) == 0;
        if (fclose(r->log) != 0)
            good = false;
        if (!good)
            cli_fail(r->args->log, "could not be written");
    }
    r->log = NULL;
    return good;
}
