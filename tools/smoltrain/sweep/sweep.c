/* smoltrain sweep: trains a method at several d, and the two runs that its intrinsic dimension is
 * measured between; each run keeps its model and log in one folder, so that a sweep goes on where
 * it stopped. */
#include "smoltrain/sweep/sweep.h"
#include "cli/cli.h"
#include "cli/json.h"
#include "cli/text_stream.h"
#include "plot/plot.h"
#include "smoltrain/output/log.h"
#include "smoltrain/output/output.h"
#include "smoltrain/run.h"
#include "smoltrain/signals.h"
#include "smoltrain/sweep/table.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct run {
    char *model, *log, *checkpoint; /* paths, owned */
    struct train_args args;
};

struct series {
    struct train_sweep_args args;
    char *markdown, *csv, *picture; /* paths */
    struct run *runs;               /* (n): the baseline, full, then every d */
    struct run_log *logs;           /* (n_done), finished */
    size_t n, n_done;
};

static int set_up_run(struct run *r, const struct train_sweep_args *sweep, const char *method,
                      uint32_t d)
{
    const bool is_tensors =
        strcmp(method, SWEEP_FULL) == 0 && sweep->architecture == SMOL_ARCH_GPT2;
    const char *folder = sweep->folder;
    char number[16] = "";

    if (d)
        snprintf(number, sizeof number, "-%lu", (unsigned long)d);
    r->model = cli_text("%s/%s%s%s", folder, method, number, is_tensors ? ".safetensors" : ".smol");
    r->log = cli_text("%s/%s%s.jsonl", folder, method, number);
    r->checkpoint = r->model ? train_checkpoint_path(r->model) : NULL;
    if (!r->log || !r->checkpoint)
        return cli_no_memory(folder);
    return train_sweep_run_args(&r->args, &(struct train_sweep_run){method, r->model, r->log, d});
}

/* Every run's options are checked before the first one trains. */
static int set_up(struct series *s)
{
    const char *folder = s->args.folder;
    int code = 0;

    s->runs = calloc(s->args.n + 2, sizeof *s->runs);
    s->logs = calloc(s->args.n + 2, sizeof *s->logs);
    s->markdown = cli_text("%s/sweep.md", folder);
    s->csv = cli_text("%s/sweep.csv", folder);
    s->picture = cli_text("%s/sweep.svg", folder);
    if (!s->runs || !s->logs || !s->markdown || !s->csv || !s->picture)
        return cli_no_memory(folder);
    while (code == 0 && s->n < s->args.n + 2) {
        const size_t i = s->n++;
        code = set_up_run(s->runs + i, &s->args,
                          i == 0   ? SWEEP_BASELINE
                          : i == 1 ? SWEEP_FULL
                                   : s->args.method,
                          i < 2 ? 0 : s->args.d[i - 2]);
    }
    if (code == 0 && mkdir(folder, 0777) != 0 && errno != EEXIST)
        code = cli_fail_errno(folder);
    return code;
}

static void free_series(struct series *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free(s->runs[i].model);
        free(s->runs[i].log);
        free(s->runs[i].checkpoint);
    }
    for (size_t i = 0; i < s->n_done; i++)
        run_log_free(s->logs + i);
    free(s->runs);
    free(s->logs);
    free(s->markdown);
    free(s->csv);
    free(s->picture);
    free(s->args.d);
}

/* Options as a log rounds them. */
static char *rounded(const json_t *options)
{
    return cli_json_text(options, JSON_COMPACT | JSON_SORT_KEYS | JSON_REAL_PRECISION(9));
}

/* A number of the log's start; logs of byte tokens call them bytes. */
static json_int_t start_number(const struct run_log *log, const char *tokens, const char *bytes)
{
    const json_t *number = json_object_get(log->start, tokens);

    return json_integer_value(number ? number : json_object_get(log->start, bytes));
}

static bool has_options(const struct run_log *log, const struct run *r)
{
    char *text = smol_train_options_json(&r->args.options);
    json_t *options = text ? json_loads(text, 0, NULL) : NULL;
    char *wanted = rounded(options), *found = rounded(json_object_get(log->start, "options"));
    const bool same = wanted && found && strcmp(wanted, found) == 0;

    json_decref(options);
    free(text);
    free(wanted);
    free(found);
    return same;
}

/* Logs that have no hash, of before there were any, are trusted. */
static bool has_hash(const struct run_log *log, const char *name, const char *hash)
{
    const char *found = json_string_value(json_object_get(log->start, name));

    return !found || strcmp(found, hash) == 0;
}

/* What a log has that is not this run's; NULL if it is of this run on this text. */
static const char *difference(const struct run_log *log, const struct run *r,
                              const struct smol_corpus *corpus)
{
    const json_int_t train = start_number(log, "train_tokens", "train_bytes");
    const json_int_t tokens = train + start_number(log, "val_tokens", "val_bytes");
    const json_t *vocab = json_object_get(log->start, "vocab");
    char text[TRAIN_LOG_HASH_BYTES], tokenizer[TRAIN_LOG_HASH_BYTES];

    train_log_hashes(text, tokenizer, corpus);
    if (!has_options(log, r))
        return "other options";
    if ((vocab ? json_integer_value(vocab) : 256) != (json_int_t)corpus->vocab ||
        !has_hash(log, "tokenizer_xxh3", tokenizer))
        return "another tokenizer";
    if (tokens != (json_int_t)corpus->n_tokens || !has_hash(log, "tokens_xxh3", text))
        return "another text";
    if (corpus->n_train < corpus->n_tokens && train != (json_int_t)corpus->n_train)
        return "another part of the text for validation";
    return NULL;
}

/* Takes the log of a run that was finished before. *done is false if there is none, or one that was
 * killed before its first checkpoint or just before its end. */
static int take_finished(struct run_log *log, bool *done, const struct run *r,
                         const struct smol_corpus *corpus)
{
    const char *other;
    int code;

    *done = false;
    if (access(r->model, F_OK) != 0 || access(r->log, F_OK) != 0 ||
        access(r->checkpoint, F_OK) == 0)
        return 0;
    code = run_log_read(log, r->log);
    if (code != 0)
        return code;
    *done = log->finished;
    other = log->finished ? difference(log, r, corpus) : NULL;
    if (!log->finished || other)
        run_log_free(log);
    if (!other)
        return 0;
    return cli_fail(r->model, "was made with %s; choose another folder, or delete it", other);
}

static int do_run(struct run_log *log, struct run *r, const struct train_data *data, size_t i,
                  size_t n)
{
    bool done;
    int code = take_finished(log, &done, r, &data->corpus);

    if (code != 0 || done)
        return code;
    fprintf(stderr, "run %zu of %zu: %s\n", i + 1, n, r->model);
    r->args.resume = access(r->checkpoint, F_OK) == 0;
    code = train_run(&r->args, data);
    if (code == 0)
        code = take_finished(log, &done, r, &data->corpus);
    if (code == 0 && !done)
        code = cli_fail(r->log, "does not contain the run that just ended");
    return code;
}

typedef void write_table(FILE *to, const struct sweep *sweep, const struct run_log *logs, size_t n);

static int write_file(const char *path, write_table *table, const struct sweep *sweep,
                      const struct series *s)
{
    struct text_stream text;
    int code;

    if (!text_stream_open(&text))
        return cli_no_memory(path);
    table(text.to, sweep, s->logs, s->n_done);
    code = text_stream_close(&text) ? cli_write_file(path, text.text, text.n) : cli_no_memory(path);
    free(text.text);
    return code;
}

/* Once all runs are there: the conclusion on the standard output, the plot. */
static int report(const struct series *s)
{
    static const struct plot_options options = {.kind = PLOT_SWEEP};
    struct sweep sweep;
    int code;

    if (sweep_make(&sweep, s->logs, s->n_done) != 0)
        return cli_no_memory(s->args.folder);
    code = write_file(s->markdown, sweep_table_markdown, &sweep, s);
    if (code == 0)
        code = write_file(s->csv, sweep_table_csv, &sweep, s);
    if (code == 0 && s->n_done == s->n) {
        sweep_table_conclusion(stdout, &sweep);
        code = plot_write(s->picture, &options, s->logs, s->n_done);
    }
    sweep_free(&sweep);
    return code;
}

/* The tables follow every run, so that a sweep that stops early has them too. */
static int run_all(struct series *s)
{
    struct train_data data;
    int code;

    train_signals_catch();
    if ((code = train_data_open(&data, &s->runs->args)) != 0)
        return code;
    while (code == 0 && s->n_done < s->n && !train_stop_asked()) {
        code = do_run(s->logs + s->n_done, s->runs + s->n_done, &data, s->n_done, s->n);
        if (code == 0) {
            s->n_done++;
            code = report(s);
        }
    }
    train_data_close(&data);
    if (code != 0 || s->n_done == s->n)
        return code;
    fprintf(stderr, "stopped after run %zu of %zu; the same command continues\n", s->n_done, s->n);
    return CLI_FAILED;
}

int train_sweep(int argc, const char **argv)
{
    struct series s = {0};
    int code;

    if ((code = train_sweep_args_parse(&s.args, argc, argv)) != 0)
        return code;
    code = set_up(&s);
    if (code == 0)
        code = run_all(&s);
    free_series(&s);
    return code;
}
