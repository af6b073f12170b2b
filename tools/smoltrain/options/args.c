/* smoltrain's command line. */
#include "smoltrain/options/args.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "smoltrain/comm/comm.h"
#include "smoltrain/options/architecture.h"
#include "smoltrain/options/delta.h"
#include "smoltrain/output/output.h"
#include "smoltrain/teachers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SEEDS 10000u
#define MAX_SIZE ((uint64_t)4 << 20) /* of a file that is planned */
#define TEACHER_WEIGHT 0.5           /* unless another is given */

/* Whether the second of two words was given; *is_second stays as it is if neither was. */
static bool choose(bool *is_second, const char *word, const char *first, const char *second)
{
    if (!word)
        return true;
    *is_second = strcmp(word, second) == 0;
    return *is_second || strcmp(word, first) == 0;
}

/* As --format names it. */
static bool choose_format(enum train_format *format, const char *word)
{
    static const char *const names[] = {"auto", "text", "jsonl"};

    for (unsigned i = 0; word && i < sizeof names / sizeof names[0]; i++)
        if (strcmp(word, names[i]) == 0) {
            *format = (enum train_format)i;
            return true;
        }
    return !word;
}

/* As --vocab names it. */
static bool parse_vocab(struct train_vocab *vocab, const char *word)
{
    static const struct {
        const char *name;
        struct train_vocab vocab;
    } names[] = {
        {"bytes", {.is_used = false}},
        {"used", {.is_used = true}},
        {"used+other", {.is_used = true, .of.with_other = true}},
        {"used+end", {.is_used = true, .of.with_end = true}},
        {"used+other+end", {.is_used = true, .of = {.with_other = true, .with_end = true}}},
    };

    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(word, names[i].name) == 0) {
            *vocab = names[i].vocab;
            return true;
        }
    return false;
}

/* What the text's tokens are, and how many bytes are left to `other`. */
static int choose_vocab(struct train_args *args, const struct train_line *line)
{
    const bool is_gpt2 = args->options.architecture == SMOL_ARCH_GPT2;
    const char *by_default = args->options.documents ? "used+other+end"
                             : is_gpt2               ? "bytes"
                                                     : "used+other";
    struct train_vocab vocab = {.is_used = false};

    if (args->tokenizer && (line->vocab || line->args.vocab.of.least > 0))
        return cli_usage_error(line->vocab ? "--vocab" : "--vocab-min",
                               "is for training without --tokenizer, which has its own");
    if (!args->tokenizer && !parse_vocab(&vocab, line->vocab ? line->vocab : by_default))
        return cli_usage_error("--vocab",
                               "takes bytes, used, used+other, used+end or used+other+end");
    vocab.may_end = vocab.is_used && !line->vocab;
    vocab.of.least = line->args.vocab.of.least;
    if (vocab.of.least > 0 && !vocab.of.with_other)
        return cli_usage_error("--vocab-min", "is for --vocab used+other or used+other+end");
    args->vocab = vocab;
    return 0;
}

static bool parse_d(uint32_t *d, const char *text)
{
    uint64_t value;

    if (!cli_parse_u64(&value, text) || value == 0 || value > UINT32_MAX)
        return false;
    *d = (uint32_t)value;
    return true;
}

/* The words that are names of something. */
static int apply_names(struct smol_train_options *o, const struct train_line *w)
{
    bool is_shuffled = o->order == SMOL_ORDER_SHUFFLED;
    const char *bad = NULL;

    if (w->dist && !smol_dist_parse(&o->dist, w->dist))
        bad = "--dist";
    else if (w->norms && !smol_source_parse(&o->norms, SMOL_NORM, w->norms))
        bad = "--norms";
    else if (w->param_type && !smol_dtype_parse(&o->param_type, w->param_type, SMOL_OF_PARAMETERS))
        bad = "--param-type";
    else if (w->embedding_type &&
             !smol_dtype_parse(&o->embedding_type, w->embedding_type, SMOL_OF_EMBEDDINGS))
        bad = "--embedding-type";
    else if (!choose(&o->keep_best, w->keep, "last", "best"))
        bad = "--keep";
    else if (!choose(&o->uniform_alphas, w->init_alpha, "e1", "uniform"))
        bad = "--init-alpha";
    else if (!choose(&is_shuffled, w->order, "random", "shuffled"))
        bad = "--order";
    o->order = is_shuffled ? SMOL_ORDER_SHUFFLED : SMOL_ORDER_RANDOM;
    return bad ? cli_usage_error(bad, "unknown choice") : cli_parse_isa(&o->isa, w->isa);
}

/* Which teachers a training has: those that are named, which a checkpoint only knows by number. */
static int apply_teachers(struct train_args *args)
{
    struct smol_train_options *o = &args->options;
    struct train_teachers teachers;
    int code;

    if (!args->teacher)
        return o->teachers != 0
                   ? cli_usage_error("--teacher", "is needed: the training has teachers")
                   : 0;
    if (args->in_sweep || args->seed_search > 1)
        return cli_usage_error("--teacher", "is for one training, not for a sweep or seed search");
    if ((code = train_teachers_open(&teachers, args->teacher, o->n_threads)) != 0)
        return code;
    o->teachers = smol_train_teachers(teachers.files, teachers.n);
    o->teacher_weight = o->teacher_weight > 0 ? o->teacher_weight : TEACHER_WEIGHT;
    train_teachers_close(&teachers);
    return 0;
}

static int apply_words(struct train_args *args, const struct train_line *w)
{
    struct smol_train_options *o = &args->options;
    const uint32_t cores = cli_cores() / train_comm_neighbours();
    struct smol_error error;
    int code;

    if ((code = apply_names(o, w)) != 0)
        return code;
    if (w->seed && !cli_parse_u64(&o->seed, w->seed))
        return cli_usage_error("--seed", "takes 0..2^64-1");
    if (!choose_format(&args->format, w->format))
        return cli_usage_error("--format", "unknown choice");
    o->documents = o->documents || w->documents;
    if ((code = train_architecture_apply(args, w)) != 0 || (code = choose_vocab(args, w)) != 0)
        return code;
    o->bias = o->bias || w->bias;
    o->layer_gains = o->layer_gains || w->layer_gains;
    o->recompute = w->recompute != 0;
    if (o->n_threads == 0)
        o->n_threads = cores > 0 ? cores : 1;
    o->comm = train_comm();
    if (args->seed_search > MAX_SEEDS)
        return cli_usage_error("--seed-search", "takes 0..10000");
    if ((code = train_rules_apply(o, &w->rules)) != 0 || (code = apply_teachers(args)) != 0)
        return code;
    return smol_train_options_check(o, &error) ? cli_usage_error("options", error.text) : 0;
}

/* The options of the checkpoint. */
static int checkpoint_options(struct smol_train_options *options, const char *output)
{
    char *path = train_checkpoint_path(output);
    struct smol_mapping mapping;
    struct smol_error error;
    enum smol_status status;

    if (!path)
        return cli_no_memory(output);
    status = cli_map(&mapping, path, &error);
    if (status == SMOL_OK) {
        status = smol_checkpoint_options(options, sizeof *options, mapping.bytes.data,
                                         mapping.bytes.size_bytes, &error);
        cli_unmap(&mapping);
    }
    if (status != SMOL_OK)
        cli_complain(path, &error);
    free(path);
    return status != SMOL_OK ? CLI_FAILED : 0;
}

/* What the command line does not say: the defaults of a method, NULL: the architecture's, or what
 * the checkpoint has. */
static int base_options(struct smol_train_options *options, const char *method,
                        const struct train_line *line, const struct train_args *args)
{
    struct smol_train_options o, saved;
    enum smol_architecture architecture;
    const char *name;
    int code = train_architecture(&architecture, line);

    if (code != 0)
        return code;
    name = method              ? method
           : args->n_bases > 0 ? train_delta_method(args)
                               : train_architecture_method(architecture);
    if (!smol_train_defaults(&o, sizeof o, name))
        return cli_usage_error("--method", "unknown choice");
    if (args->n_bases == 0)
        train_architecture_use(&o, architecture);
    else if ((code = train_delta_use(&o, args)) != 0)
        return code;
    if (args->resume) {
        if ((code = checkpoint_options(&saved, args->output)) != 0 ||
            (code = train_delta_check(&saved, args)) != 0)
            return code;
        if (line->arch && saved.architecture != architecture)
            return cli_usage_error("--arch", "is not that of the checkpoint");
        if (method) {
            saved.matrices = o.matrices;
            saved.full = o.full;
            saved.matrix_type = o.matrix_type;
        }
        o = saved;
    }
    o.n_threads = 0;
    *options = o;
    return 0;
}

/* How large and how long. */
static int apply_plan(struct train_args *args, const struct train_line *line)
{
    if (line->size &&
        (!cli_parse_size(&args->size_bytes, line->size) || args->size_bytes > MAX_SIZE))
        return cli_usage_error("--size", "takes bytes, or K or M of them, such as 64K; at most 4M");
    if (line->size && args->output && cli_ends_with(args->output, ".safetensors"))
        return cli_usage_error("--size", "is for a .smol");
    if (train_line_gives("minutes") && !(args->minutes > 0 && args->minutes <= 1e6))
        return cli_usage_error("--minutes", "takes a number over 0");
    if (args->resume && args->plan_only)
        return cli_usage_error("--plan", "is not for --resume, which has its plan");
    return 0;
}

bool train_args_plans(const struct train_args *args)
{
    return !args->resume && (args->size_bytes > 0 || args->minutes > 0 || args->plan_only);
}

/* A folder's name is what comes before. */
static void cut_slashes(char **names)
{
    for (; names && *names; names++)
        for (size_t n = strlen(*names); n > 1 && (*names)[n - 1] == '/'; n--)
            (*names)[n - 1] = '\0';
}

/* A width that heads divide, to begin with where a plan is to choose it. */
static uint32_t divisible(uint32_t width, uint32_t n_heads)
{
    return n_heads == 0 || n_heads > SMOL_MAX_HEADS ? width
           : n_heads > width                        ? n_heads
                                                    : width - width % n_heads;
}

static int needs(const struct train_args *args)
{
    if (!args->data || (!args->output && !args->plan_only))
        return cli_usage_error(args->data ? "--output" : "--data", "is needed");
    return 0;
}

/* What a run of a sweep has of its own; NULL: a training by itself, with a method for a line that
 * has none, NULL: the architecture's. */
static int make(struct train_args *out, const struct train_line *line,
                const struct train_sweep_run *run, const char *method)
{
    struct train_args args = line->args;
    int code;

    if (run) {
        args.output = run->output;
        args.log = run->log;
        args.in_sweep = true;
    }
    cut_slashes(args.data);
    if ((code = needs(&args)) != 0 || (code = apply_plan(&args, line)) != 0 ||
        (code = train_delta_find(&args, line)) != 0)
        return code;
    method = run ? run->method : line->method ? line->method : method;
    if ((code = base_options(&args.options, method, line, &args)) != 0)
        return code;
    train_line_numbers(&args.options);
    if (args.size_bytes > 0 && !args.resume && !train_line_gives("width"))
        args.options.width = divisible(args.options.width, args.options.n_heads);
    if (!run && line->d && !train_architecture_has_d(&args.options))
        return cli_usage_error("--d", "is for methods with alphas or projections");
    if (run && run->d != 0)
        args.options.d = run->d;
    else if (!run && line->d && !parse_d(&args.options.d, line->d))
        return cli_usage_error("--d", "takes a whole number over 0");
    if ((code = train_delta_apply(&args, line, run)) == 0 && (code = apply_words(&args, line)) == 0)
        *out = args;
    return code;
}

static const struct train_line *series; /* the line, for several runs and for plans */

int train_args_parse(struct train_args *args, int argc, const char **argv)
{
    int code;
    const struct train_line *line = train_line_read(&code, argc, argv);

    series = line;
    return line ? make(args, line, NULL, NULL) : code;
}

int train_args_of_method(struct train_args *args, const char *method)
{
    return make(args, series, NULL, method);
}

/* ---- a series ---- */

/* "10,30,100" in rising order. */
static int parse_list(struct train_sweep_args *s, const char *list)
{
    const char *const why = "takes whole numbers in rising order: 1,2,5";
    size_t n = 1;

    for (const char *p = list; *p != '\0'; p++)
        n += *p == ',';
    s->d = calloc(n, sizeof *s->d);
    if (!s->d)
        return cli_no_memory(NULL);
    for (; s->n < n; s->n++) {
        const size_t length = strcspn(list, ",");
        char number[24] = "";

        if (length < sizeof number)
            memcpy(number, list, length);
        if (!parse_d(s->d + s->n, number) || (s->n > 0 && s->d[s->n] <= s->d[s->n - 1]))
            return cli_usage_error("--d", why);
        list += length + 1;
    }
    return 0;
}

/* The architecture, and the method of all runs but two. */
static int sweep_method(struct train_sweep_args *s, const struct train_line *line)
{
    const int code = train_architecture(&s->architecture, line);

    if (line->base || line->bases)
        s->architecture = SMOL_ARCH_DELTA;
    if (code == 0)
        s->method = line->method ? line->method : train_architecture_method(s->architecture);
    return code;
}

static int check_sweep(const struct train_line *line, const char *method)
{
    const struct train_args *args = &line->args;
    const struct smol_method *found = smol_method_find(method);

    if (!args->data || !args->output)
        return cli_usage_error(args->data ? "--output" : "--data", "is needed");
    if (!line->d)
        return cli_usage_error("--d", "is needed");
    if (args->log || args->resume)
        return cli_usage_error(args->log ? "--log" : "--resume",
                               "is not for a sweep, which does both by itself");
    if (args->sign_key)
        return cli_usage_error("--sign", "is not for a sweep");
    if (args->seed_search != 0)
        return cli_usage_error("--seed-search", "is not for a sweep");
    if (line->size || args->minutes > 0 || args->plan_only)
        return cli_usage_error(line->size          ? "--size"
                               : args->minutes > 0 ? "--minutes"
                                                   : "--plan",
                               "is not for a sweep");
    if (!found)
        return cli_usage_error("--method", "unknown choice");
    if (found->source == SMOL_MATRIX_UNIT || found->source == SMOL_MATRIX_MASK ||
        found->source == SMOL_MATRIX_STORED)
        return cli_usage_error("--method", "has no d to sweep");
    return 0;
}

int train_sweep_args_parse(struct train_sweep_args *out, int argc, const char **argv)
{
    int code;
    const struct train_line *line = train_line_read(&code, argc, argv);
    struct train_sweep_args s = {0};

    if (!line || (code = sweep_method(&s, line)) != 0 ||
        (code = check_sweep(line, s.method)) != 0 || (code = parse_list(&s, line->d)) != 0) {
        free(s.d);
        return code;
    }
    s.folder = line->args.output;
    series = line;
    *out = s;
    return 0;
}

int train_sweep_run_args(struct train_args *args, const struct train_sweep_run *run)
{
    return make(args, series, run, NULL);
}
