/* smolrun --bench: tokens a second of prompts and generations, in llama-bench's table. */
#include "cli/delta/parts.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "cli/session_args.h"
#include "smolrun/smolrun.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LIST 16u
#define MAX_REPETITIONS 1000
#define DEFAULT_PROMPT 512u
#define DEFAULT_PREDICT 128u

struct list {
    uint32_t n, value[MAX_LIST];
};

enum format { MARKDOWN, CSV, JSON };

struct words {
    char *model, *prompts, *predicts, *threads, *texts, *format;
    struct session_words session;
    struct parts_words parts;
};

struct bench {
    const char *path;
    struct words words;
    struct smol_files files;
    const struct smol_file *file; /* of files what runs */
    struct list prompts, predicts, threads, texts;
    struct smol_session_options options;
    int repetitions;
    enum format format;
    json_t *rows;
};

/* One line of the table. */
struct row {
    uint32_t n_prompt, n_gen, n_threads;
    uint32_t n_texts; /* side by side, of which each gets n_gen tokens */
    double rates[MAX_REPETITIONS], seconds[MAX_REPETITIONS]; /* of each repetition */
    size_t session_bytes;
};

/* ---- arguments ---- */

/* Numbers with commas between them, which are taken out of text, each at most most. */
static bool parse_list(struct list *list, char *text, uint64_t most)
{
    uint64_t value;

    list->n = 0;
    for (char *comma; text; text = comma ? comma + 1 : NULL) {
        if ((comma = strchr(text, ',')))
            *comma = '\0';
        if (list->n == MAX_LIST || !cli_parse_u64(&value, text) || value > most)
            return false;
        list->value[list->n++] = (uint32_t)value;
    }
    return true;
}

/* The option's numbers, or one default; "" never is a list. */
static int take_list(struct list *list, const char *option, char *text, uint32_t otherwise,
                     uint64_t most)
{
    *list = (struct list){.n = 1, .value = {otherwise}};
    if (!text || parse_list(list, text, most))
        return 0;
    return cli_usage_error(option, "takes a number, or up to 16 separated by commas");
}

static int take_format(enum format *format, const char *text)
{
    static const char *const names[] = {"md", "csv", "json"};

    for (unsigned i = 0; i < 3; i++)
        if (!text || strcmp(text, names[i]) == 0) {
            *format = (enum format)i;
            return 0;
        }
    return cli_usage_error("-o", "takes md, csv or json");
}

static bool is_zero(const struct list *list)
{
    for (uint32_t i = 0; i < list->n; i++)
        if (list->value[i])
            return false;
    return true;
}

static int check_words(struct bench *b)
{
    const struct words *w = &b->words;
    int code;

    if ((code = take_list(&b->prompts, "-p", w->prompts, DEFAULT_PROMPT, SMOL_MAX_CONTEXT)) ||
        (code = take_list(&b->predicts, "-n", w->predicts, DEFAULT_PREDICT, SMOL_MAX_CONTEXT)) ||
        (code = take_list(&b->threads, "-t", w->threads, cli_cores(), SMOL_MAX_THREADS)) ||
        (code = take_list(&b->texts, "-np", w->texts, 1, SMOL_MAX_TEXTS)) ||
        (code = take_format(&b->format, w->format)) ||
        (code = session_args_check(&b->options, &w->session)))
        return code;
    for (uint32_t i = 0; i < b->threads.n; i++)
        if (b->threads.value[i] == 0)
            b->threads.value[i] = cli_cores();
    for (uint32_t i = 0; i < b->texts.n; i++)
        if (b->texts.value[i] == 0)
            return cli_usage_error("-np", "takes 1 to 4096");
    if (b->repetitions < 1 || b->repetitions > MAX_REPETITIONS)
        return cli_usage_error("-r", "takes 1 to 1000");
    if (is_zero(&b->prompts) && is_zero(&b->predicts))
        return cli_usage_error("-p and -n", "are both 0, which leaves nothing to measure");
    return 0;
}

/* ---- measuring ---- */

static uint32_t largest(const struct list *list)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < list->n; i++)
        n = list->value[i] > n ? list->value[i] : n;
    return n;
}

/* As many as any test takes, of no meaning, the same in every run. NULL if memory is out. */
static uint32_t *make_tokens(const struct bench *b)
{
    const uint32_t prompt = largest(&b->prompts), predict = largest(&b->predicts),
                   n = prompt > predict ? prompt : predict;
    uint32_t *tokens = malloc(n * sizeof *tokens);

    for (uint32_t i = 0; tokens && i < n; i++)
        tokens[i] = (uint32_t)((i * UINT64_C(2654435761) >> 7) % b->file->config.vocab);
    return tokens;
}

static enum smol_status feed(struct smol_session *session, const struct row *row,
                             const uint32_t *tokens, struct smol_error *error)
{
    uint32_t texts[SMOL_MAX_TEXTS], next[SMOL_MAX_TEXTS];
    enum smol_status status;

    for (uint32_t t = 0; t < row->n_texts; t++) {
        texts[t] = t;
        smol_session_rewind_text(session, t, 0);
    }
    status = smol_session_feed(session, tokens, row->n_prompt, error);
    for (uint32_t i = 0; !status && i < row->n_gen; i++) {
        for (uint32_t t = 0; t < row->n_texts; t++)
            next[t] = tokens[(i + t) % row->n_gen];
        status = smol_session_feed_texts(session, texts, next, row->n_texts, error);
    }
    return status;
}

/* All repetitions after one that warms up. */
static enum smol_status measure(struct row *row, const struct bench *b,
                                struct smol_session *session, const uint32_t *tokens,
                                struct smol_error *error)
{
    for (int i = -1; i < b->repetitions; i++) {
        const double start = cli_seconds();
        const enum smol_status status = feed(session, row, tokens, error);
        const double seconds = cli_seconds() - start;
        if (status)
            return status;
        if (i >= 0) {
            row->seconds[i] = seconds;
            row->rates[i] = (row->n_prompt + (double)row->n_gen * row->n_texts) / seconds;
        }
    }
    return SMOL_OK;
}

/* Mean, and the deviation of a sample. */
static double mean(double *deviation, const double *values, int n)
{
    double sum = 0, squares = 0;

    for (int i = 0; i < n; i++)
        sum += values[i];
    for (int i = 0; i < n; i++)
        squares += (values[i] - sum / n) * (values[i] - sum / n);
    *deviation = n > 1 ? sqrt(squares / (n - 1)) : 0;
    return sum / n;
}

/* ---- printing ---- */

static void print_head(const struct bench *b)
{
    if (b->format == MARKDOWN)
        puts("| model | size | threads | test | t/s | peak memory |\n| --- | ---: | ---: | ---: | "
             "---: | ---: |");
    else if (b->format == CSV)
        puts("model_filename,model_size,n_prompt,n_gen,n_threads,avg_ns,stddev_ns,avg_ts,stddev_ts,"
             "session_bytes,peak_memory_bytes,n_texts");
}

/* A name between quotes, as CSV has it. */
static void print_quoted(const char *text)
{
    putchar('"');
    for (; *text; text++)
        printf(*text == '"' ? "\"%c" : "%c", *text);
    putchar('"');
}

static bool add_json(const struct bench *b, const struct row *row, const double figures[4])
{
    json_t *samples = json_array();
    json_t *object;

    for (int i = 0; i < b->repetitions; i++)
        json_array_append_new(samples, json_real(row->rates[i]));
    object = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:o, s:I, s:I, s:I}",
                       "model_filename", cli_json_string(b->path, strlen(b->path)), "model_size",
                       (json_int_t)b->file->bytes.size_bytes, "n_prompt", (json_int_t)row->n_prompt,
                       "n_gen", (json_int_t)row->n_gen, "n_threads", (json_int_t)row->n_threads,
                       "avg_ns", (json_int_t)(1e9 * figures[0]), "stddev_ns",
                       (json_int_t)(1e9 * figures[1]), "avg_ts", figures[2], "stddev_ts",
                       figures[3], "samples_ts", samples, "session_bytes",
                       (json_int_t)row->session_bytes, "peak_memory_bytes",
                       (json_int_t)cli_peak_bytes(), "n_texts", (json_int_t)row->n_texts);
    return object && json_array_append_new(b->rows, object) == 0;
}

static int print_row(const struct bench *b, const struct row *row)
{
    char size[32], peak[32], test[48];
    double figures[4];

    figures[0] = mean(&figures[1], row->seconds, b->repetitions);
    figures[2] = mean(&figures[3], row->rates, b->repetitions);
    snprintf(test, sizeof test,
             row->n_prompt      ? "pp%u"
             : row->n_texts > 1 ? "tg%u, %u texts"
                                : "tg%u",
             row->n_prompt + row->n_gen, row->n_texts);
    if (b->format == MARKDOWN) {
        fputs("| ", stdout);
        cli_put_escaped(stdout, b->path);
        printf(" | %s | %u | %s | %.2f ± %.2f | %s |\n", cli_size(size, b->file->bytes.size_bytes),
               row->n_threads, test, figures[2], figures[3], cli_size(peak, cli_peak_bytes()));
    } else if (b->format == CSV) {
        print_quoted(b->path);
        printf(",%zu,%u,%u,%u,%.0f,%.0f,%.6f,%.6f,%zu,%llu,%u\n", b->file->bytes.size_bytes,
               row->n_prompt, row->n_gen, row->n_threads, 1e9 * figures[0], 1e9 * figures[1],
               figures[2], figures[3], row->session_bytes, (unsigned long long)cli_peak_bytes(),
               row->n_texts);
    } else if (!add_json(b, row, figures)) {
        return cli_no_memory(NULL);
    }
    fflush(stdout);
    return 0;
}

/* ---- the tests ---- */

/* At most the context, unless it slides; which is said once. */
static void clip(struct list *list, const struct bench *b, const char *option)
{
    const bool slides =
        smol_config_has(&b->file->config, SMOL_FEATURE_DISTANCES) && !b->options.is_fixed;

    for (uint32_t i = 0; i < list->n && !slides; i++)
        if (list->value[i] > b->file->config.context) {
            fprintf(stderr, "smolrun: %s %u is over the model's context, %u instead\n", option,
                    list->value[i], b->file->config.context);
            list->value[i] = b->file->config.context;
        }
}

static int run_tests(const struct bench *b, struct row *row, struct smol_session *session,
                     const uint32_t *tokens)
{
    const uint32_t n = b->prompts.n + b->predicts.n * b->texts.n;
    struct smol_error error;
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < n; i++) {
        const uint32_t k = i < b->prompts.n ? 0 : i - b->prompts.n;
        row->n_prompt = i < b->prompts.n ? b->prompts.value[i] : 0;
        row->n_gen = i < b->prompts.n ? 0 : b->predicts.value[k / b->texts.n];
        row->n_texts = i < b->prompts.n ? 1 : b->texts.value[k % b->texts.n];
        if (row->n_prompt + row->n_gen == 0)
            continue;
        code = measure(row, b, session, tokens, &error) ? cli_complain(b->path, &error)
                                                        : print_row(b, row);
    }
    return code;
}

/* All tests with one number of threads, in a session of their own. */
static int run_threads(const struct bench *b, uint32_t n_threads, const uint32_t *tokens)
{
    struct smol_session_options options = b->options;
    struct row row = {.n_threads = n_threads};
    struct smol_session *session = NULL;
    struct smol_error error;
    void *memory = NULL;
    int code;

    options.n_threads = n_threads;
    options.n_texts = largest(&b->texts);
    if (session_args_budget(&options, b->file, &error) ||
        smol_session_size(&row.session_bytes, b->file, &options, &error))
        return cli_complain(b->path, &error);
    if (!(memory = cli_memory(row.session_bytes)))
        return cli_no_memory(b->path);
    code = smol_session_init(&session, b->file, &options, memory, row.session_bytes, &error)
               ? cli_complain(b->path, &error)
               : run_tests(b, &row, session, tokens);
    smol_session_finish(session);
    cli_memory_free(memory, row.session_bytes);
    return code;
}

static int print_rows(const struct bench *b)
{
    char *text = cli_json_text(b->rows, JSON_INDENT(2) | JSON_REAL_PRECISION(9));

    if (!text)
        return cli_no_memory(NULL);
    puts(text);
    free(text);
    return 0;
}

static int run_all(void *context, const char *const *arguments)
{
    struct bench *b = context;
    uint32_t *tokens;
    int code;

    if ((code = run_model_name(&b->path, b->words.model, arguments[0])) ||
        (code = check_words(b)) ||
        (code = parts_open(&b->files, b->path, &b->words.parts, cli_cores(), false)))
        return code;
    b->file = &b->files.file;
    clip(&b->prompts, b, "-p");
    clip(&b->predicts, b, "-n");
    tokens = make_tokens(b);
    code = tokens ? 0 : cli_no_memory(b->path);
    b->rows = json_array();
    print_head(b);
    for (uint32_t i = 0; code == 0 && i < b->threads.n; i++)
        code = run_threads(b, b->threads.value[i], tokens);
    if (code == 0 && b->format == JSON)
        code = print_rows(b);
    json_decref(b->rows);
    free(tokens);
    code = code ? code : parts_check_unchanged(&b->files);
    parts_close(&b->files);
    return code;
}

int run_bench(int argc, const char **argv)
{
    struct bench b = {.repetitions = 5};
    struct words *w = &b.words;
    struct poptOption session[SESSION_OPTIONS], parts[PARTS_OPTIONS];
    int bench = 0;
    const struct poptOption options[] = {
        CLI_FLAG("bench", 0, &bench, "measure tokens a second"),
        CLI_WORD("model", 'm', &w->model, "the same as MODEL.smol", "FILE"),
        CLI_WORD("n-prompt", 'p', &w->prompts, "tokens of a prompt, 0: no such test (512)",
                 "N,..."),
        CLI_WORD("n-gen", 'n', &w->predicts, "tokens to generate, 0: no such test (128)", "N,..."),
        CLI_WORD("threads", 't', &w->threads, "threads; 0: one for each core (0)", "N,..."),
        CLI_WORD("parallel", 0, &w->texts, "-np N,...: texts generated side by side (1)", "N,..."),
        {"np", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN | POPT_ARGFLAG_ONEDASH, &w->texts, 0,
         NULL, NULL},
        CLI_COUNT("repetitions", 'r', &b.repetitions, "of each test, after one to warm up (5)",
                  "N"),
        CLI_WORD("output", 'o', &w->format, "md (default), csv or json", "FORMAT"),
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, session, 0, "How it is computed:", NULL},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, parts, 0, "Of a delta:", NULL},
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };
    static const struct cli_usage usage = {
        "--bench [OPTION...] MODEL.smol\nMeasures tokens a second, as llama-bench does.",
        "[MODEL.smol]"};

    session_args_table(session, &w->session);
    parts_table(parts, &w->parts);
    return cli_command(argc, argv, options, &usage, run_all, &b);
}
