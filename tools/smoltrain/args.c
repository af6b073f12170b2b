/* smoltrain's command line. */
#include "smoltrain/args.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "smoltrain/comm.h"
#include "smoltrain/output.h"
#include "smoltrain/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_METHOD "alpha"
#define MAX_SEEDS 10000u

/* Words on the command line that become numbers. */
struct words {
    char *method, *d, *dist, *norms, *numbers, *embedding_type, *keep, *init_alpha, *order, *seed,
        *isa;
    int gains, bias, layer_gains, recompute;
    struct train_rule_words rules;
};

static void free_words(struct words *w)
{
    free(w->method);
    free(w->d);
    free(w->dist);
    free(w->norms);
    free(w->numbers);
    free(w->embedding_type);
    free(w->keep);
    free(w->init_alpha);
    free(w->order);
    free(w->seed);
    free(w->isa);
    free(w->rules.attn);
    free(w->rules.mlp);
    free(w->rules.recipe);
}

struct choice {
    const char *word;
    int value;
};

static const struct choice dists[] = {{"sign", SMOL_SIGN}, {"gauss", SMOL_GAUSS}, {NULL, 0}};
static const struct choice norms[] = {{"frozen", SMOL_NORM_FROZEN},
                                      {"alpha", SMOL_NORM_OWN},
                                      {"stored", SMOL_NORM_STORED},
                                      {NULL, 0}};
static const struct choice numbers[] = {
    {"q8", SMOL_Q8}, {"q4", SMOL_Q4}, {"f16", SMOL_F16}, {"f32", SMOL_F32}, {NULL, 0}};
static const struct choice learned[] = {
    {"f16", SMOL_LEARNED_F16}, {"f32", SMOL_LEARNED_F32}, {"q8", SMOL_LEARNED_Q8}, {NULL, 0}};
static const struct choice keeps[] = {{"last", 0}, {"best", 1}, {NULL, 0}};
static const struct choice orders[] = {
    {"random", SMOL_ORDER_RANDOM}, {"shuffled", SMOL_ORDER_SHUFFLED}, {NULL, 0}};
static const struct choice starts[] = {{"e1", 0}, {"uniform", 1}, {NULL, 0}};

/* The value of word in choices; value stays as it is if there is no word. */
static int choose(int *value, const char *option, const char *word, const struct choice *choices)
{
    if (word == NULL)
        return 0;
    for (; choices->word != NULL; choices++)
        if (strcmp(word, choices->word) == 0) {
            *value = choices->value;
            return 0;
        }
    return cli_usage_error(option, "unknown choice");
}

static bool parse_d(uint32_t *d, const char *text)
{
    uint64_t value;

    if (!cli_parse_u64(&value, text) || value == 0 || value > UINT32_MAX)
        return false;
    *d = (uint32_t)value;
    return true;
}

static int apply_words(struct train_args *args, const struct words *w)
{
    struct smol_train_options *o = &args->options;
    int dist = (int)o->dist, norm = (int)o->norms, type = (int)o->embedding_type;
    int keep = o->keep_best, start = o->uniform_alphas, order = (int)o->order,
        number = (int)o->numbers;
    struct smol_error error;
    int code;

    if (choose(&dist, "--dist", w->dist, dists) || choose(&norm, "--norms", w->norms, norms) ||
        choose(&number, "--numbers", w->numbers, learned) ||
        choose(&type, "--embedding-type", w->embedding_type, numbers) ||
        choose(&keep, "--keep", w->keep, keeps) ||
        choose(&start, "--init-alpha", w->init_alpha, starts) ||
        choose(&order, "--order", w->order, orders) || cli_parse_isa(&o->isa, w->isa))
        return CLI_USAGE;
    if (w->d != NULL && !parse_d(&o->d, w->d))
        return cli_usage_error("--d", "takes a whole number over 0");
    if (w->seed != NULL && !cli_parse_u64(&o->seed, w->seed))
        return cli_usage_error("--seed", "takes 0..2^64-1");
    o->dist = (enum smol_dist)dist;
    o->norms = (enum smol_source)norm;
    o->numbers = (enum smol_params_numbers)number;
    o->embedding_type = (enum smol_dtype)type;
    o->order = (enum smol_order)order;
    o->keep_best = keep != 0;
    o->gains = o->gains || w->gains != 0;
    o->bias = o->bias || w->bias != 0;
    o->layer_gains = o->layer_gains || w->layer_gains != 0;
    o->uniform_alphas = start != 0;
    o->recompute = w->recompute != 0;
    if (o->n_threads == 0)
        o->n_threads =
            cli_cores() / train_group_neighbours() > 0 ? cli_cores() / train_group_neighbours() : 1;
    o->group = train_group();
    if (args->seed_search > MAX_SEEDS)
        return cli_usage_error("--seed-search", "takes 0..10000");
    if ((code = train_rules_apply(o, &w->rules)) != 0)
        return code;
    if (smol_train_options_check(o, &error) != SMOL_OK)
        return cli_usage_error("options", error.text);
    return 0;
}

/* What --help shows, so that it fits a screen; --help-all shows the rest too. */
static const char *const everyday[] = {
    "method",         "d",     "rank",   "layers", "width",  "heads",   "context",
    "embedding-type", "seed",  "steps",  "batch",  "lr",     "data",    "valid",
    "tokenizer",      "cache", "output", "sign",   "resume", "threads", "eval-every",
    "save-every",     "log",   NULL};
#define N_TABLES 3

static bool is_among(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names != NULL;
}

/* From the help; names NULL: nothing is hidden. */
static void hide_all_but(const char *const *names, struct poptOption *const tables[N_TABLES])
{
    for (size_t i = 0; i < N_TABLES; i++)
        for (struct poptOption *o = tables[i]; o->longName; o++)
            if (names && !is_among(o->longName, names))
                o->argInfo |= POPT_ARGFLAG_DOC_HIDDEN;
            else
                o->argInfo &= ~POPT_ARGFLAG_DOC_HIDDEN;
}

/* Runs popt over the line once. The numbers go where the tables point, the words into *w. */
static int run_popt(struct train_args *a, struct words *w, int argc, const char **argv,
                    int *exit_code)
{
    struct smol_train_options *o = &a->options;
    struct poptOption model[] = {
        {"method", 0, POPT_ARG_STRING, &w->method, 0,
         "embed, alpha (default), alpha-global, lora, nola, fastfood, fastfood-global, fourier, "
         "fourier-global or full",
         "NAME"},
        {"d", 0, POPT_ARG_STRING, &w->d, 0,
         "numbers of each vector or projection; of a sweep, a list: 1,2,5", "N"},
        {"rank", 0, POPT_ARG_INT, &o->rank, 0, "rank of the LoRA factors, 0 = none", "N"},
        {"attn", 0, POPT_ARG_STRING, &w->rules.attn, 0,
         "another method for attention, with its d or rank: alpha:8", "NAME[:N]"},
        {"mlp", 0, POPT_ARG_STRING, &w->rules.mlp, 0,
         "another method for the feed-forward matrices", "NAME[:N]"},
        {"recipe", 0, POPT_ARG_STRING, &w->rules.recipe, 0,
         "JSON rules: methods by names of tensors", "FILE"},
        {"dist", 0, POPT_ARG_STRING, &w->dist, 0, "frozen weights: sign (default) or gauss",
         "NAME"},
        {"norms", 0, POPT_ARG_STRING, &w->norms, 0, "LayerNorm's: frozen, alpha or stored", "NAME"},
        {"gains", 0, POPT_ARG_NONE, &w->gains, 0, "a learned factor of each output of a matrix",
         NULL},
        {"bias", 0, POPT_ARG_NONE, &w->bias, 0, "a learned number added to each output of a matrix",
         NULL},
        {"sparse", 0, POPT_ARG_DOUBLE, &o->sparse, 0,
         "learned numbers in seeded places of each row: a part of it, 0.03", "X"},
        {"layer-gains", 0, POPT_ARG_NONE, &w->layer_gains, 0,
         "a learned factor of each layer's share of a -global projection", NULL},
        {"layers", 0, POPT_ARG_INT, &o->n_layers, 0, "layers", "N"},
        {"width", 0, POPT_ARG_INT, &o->width, 0, "width of the residual stream", "N"},
        {"heads", 0, POPT_ARG_INT, &o->n_heads, 0, "attention heads; they divide the width", "N"},
        {"ff", 0, POPT_ARG_INT, &o->n_ff, 0, "feed-forward width, 0 = 4 x width", "N"},
        {"context", 0, POPT_ARG_INT, &o->context, 0, "tokens that the model sees at once", "N"},
        {"gain", 0, POPT_ARG_DOUBLE, &o->gain, 0, "factor of every frozen matrix's default scale",
         "X"},
        {"residual-gain", 0, POPT_ARG_DOUBLE, &o->residual_gain, 0,
         "a further factor for the two c_proj", "X"},
        {"init-alpha", 0, POPT_ARG_STRING, &w->init_alpha, 0,
         "alphas at the start: e1 is (1, 0, ...), uniform 1/sqrt(d) each", "NAME"},
        {"embedding-type", 0, POPT_ARG_STRING, &w->embedding_type, 0,
         "embeddings in the file: q8, q4, f16 or f32", "TYPE"},
        {"numbers", 0, POPT_ARG_STRING, &w->numbers, 0,
         "all other learned numbers in the file: f16 (default), f32 or q8", "TYPE"},
        {"embedding-std", 0, POPT_ARG_DOUBLE, &o->embedding_std, 0,
         "standard deviation of the embeddings at the start", "X"},
        {"logit-scale", 0, POPT_ARG_DOUBLE, &o->logit_scale, 0, "factor of the logits", "X"},
        {"seed", 0, POPT_ARG_STRING, &w->seed, 0, "seed of the frozen weights and of the training",
         "N"},
        POPT_TABLEEND};
    struct poptOption recipe[] = {
        {"seed-search", 0, POPT_ARG_INT, &a->seed_search, 0,
         "try so many seeds, from --seed on, for a twentieth of the steps each; keep the best",
         "N"},
        {"steps", 0, POPT_ARG_INT, &o->n_steps, 0, "steps", "N"},
        {"batch", 0, POPT_ARG_INT, &o->batch, 0, "windows a step", "N"},
        {"lr", 0, POPT_ARG_DOUBLE, &o->lr, 0, "learning rate", "X"},
        {"alpha-lr", 0, POPT_ARG_DOUBLE, &o->alpha_lr, 0, "learning rate of the alphas", "X"},
        {"warmup", 0, POPT_ARG_INT, &o->warmup, 0,
         "steps of linear warm-up (default: a tenth, at most 100)", "N"},
        {"alpha-start", 0, POPT_ARG_INT, &o->alpha_start, 0, "first step that moves the alphas",
         "N"},
        {"min-lr-fraction", 0, POPT_ARG_DOUBLE, &o->min_lr_fraction, 0, "where the cosine ends",
         "X"},
        {"weight-decay", 0, POPT_ARG_DOUBLE, &o->weight_decay, 0, "decay of the matrices of 'full'",
         "X"},
        {"clip", 0, POPT_ARG_DOUBLE, &o->clip, 0, "largest norm of a gradient, 0 = any", "X"},
        {"beta1", 0, POPT_ARG_DOUBLE, &o->beta1, 0, "AdamW's beta1", "X"},
        {"beta2", 0, POPT_ARG_DOUBLE, &o->beta2, 0, "AdamW's beta2", "X"},
        {"val-fraction", 0, POPT_ARG_DOUBLE, &o->val_fraction, 0,
         "last part of the text, for validation", "X"},
        {"order", 0, POPT_ARG_STRING, &w->order, 0,
         "windows: random, or shuffled, all before any comes again", "NAME"},
        {"keep", 0, POPT_ARG_STRING, &w->keep, 0, "which numbers the model gets: last or best",
         "NAME"},
        POPT_TABLEEND};
    struct poptOption run[] = {
        {"data", 0, POPT_ARG_ARGV, &a->data, 0,
         "text, JSON lines or either with .gz; may be repeated", "TEXT"},
        {"valid", 0, POPT_ARG_ARGV, &a->valid, 0, "text to validate with; may be repeated", "TEXT"},
        {"tokenizer", 0, POPT_ARG_STRING, &a->tokenizer, 0,
         "a tokenizer file or a model; without: bytes", "FILE"},
        {"cache", 0, POPT_ARG_STRING, &a->cache, 0, "where encoded text is kept and found again",
         "FOLDER"},
        {"output", 'o', POPT_ARG_STRING, &a->output, 0,
         "the model: a .smol, of full a .safetensors", "OUT"},
        {"sign", 0, POPT_ARG_STRING, &a->sign_key, 0, "minisign secret key to sign the model with",
         "KEY"},
        {"password-file", 0, POPT_ARG_STRING, &a->password_file, 0,
         "its first line is that key's password", "FILE"},
        {"resume", 0, POPT_ARG_NONE, &a->resume, 0, "go on from OUT.ckpt", NULL},
        {"threads", 't', POPT_ARG_INT, &o->n_threads, 0, "threads, 0 = one for each core", "N"},
        {"isa", 0, POPT_ARG_STRING, &w->isa, 0,
         "best, scalar, avx2, avx512, neon; the model is the same", "NAME"},
        {"recompute", 0, POPT_ARG_NONE, &w->recompute, 0,
         "take less memory, and a third more time: activations are computed twice", NULL},
        {"eval-every", 0, POPT_ARG_INT, &a->eval_every, 0,
         "steps between validations, 0 = only at the end", "N"},
        {"save-every", 0, POPT_ARG_INT, &a->save_every, 0,
         "steps between checkpoints, 0 = only when stopped", "N"},
        {"print-every", 0, POPT_ARG_INT, &a->print_every, 0,
         "steps between lines if not on a terminal", "N"},
        {"log", 0, POPT_ARG_STRING, &a->log, 0, "also write a JSON-lines log", "FILE"},
        POPT_TABLEEND};
    struct poptOption *const tables[N_TABLES] = {model, recipe, run};
    int help_all = 0;
    const struct poptOption all[] = {
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, model, 0, "The model:", NULL},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, recipe, 0, "The recipe:", NULL},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, run, 0, "The run:", NULL},
        {"help-all", 0, POPT_ARG_NONE, &help_all, 0, "print all options", NULL},
        CLI_VERSION_OPTION,
        CLI_HELP_OPTION,
        POPT_TABLEEND};
    poptContext context = poptGetContext(cli_program, argc, argv, all, 0);

    poptSetOtherOptionHelp(
        context, "[OPTION...] --data TEXT -o OUT\n'smoltrain sweep' takes the same options: "
                 "it trains the method at several --d,\nand embed and full to compare "
                 "with, in the folder OUT.");
    hide_all_but(everyday, tables);
    *exit_code = cli_parse(context);
    if (*exit_code == 0 && help_all) {
        hide_all_but(NULL, tables);
        poptPrintHelp(context, stdout, 0);
        cli_answered(context);
    }
    if (*exit_code == 0 && poptPeekArg(context) != NULL)
        *exit_code = cli_usage_error(poptPeekArg(context), "one argument too many");
    poptFreeContext(context);
    return *exit_code;
}

/* The options of OUT.ckpt. */
static int checkpoint_options(struct smol_train_options *options, const char *output)
{
    char *path = train_checkpoint_path(output);
    struct smol_mapping mapping;
    struct smol_error error;
    enum smol_status status;

    if (path == NULL)
        return CLI_FAILED;
    status = cli_map(&mapping, path, &error);
    if (status == SMOL_OK) {
        status =
            smol_checkpoint_options(options, mapping.bytes.data, mapping.bytes.size_bytes, &error);
        cli_unmap(&mapping);
    }
    if (status != SMOL_OK)
        cli_complain(path, &error);
    free(path);
    return status != SMOL_OK ? CLI_FAILED : 0;
}

/* What the command line does not say: the method's defaults, or what the checkpoint was made with.
 */
static int base_options(struct smol_train_options *options, const char *method,
                        const struct train_args *args)
{
    struct smol_train_options o, saved;

    if (!smol_train_defaults(&o, method != NULL ? method : DEFAULT_METHOD))
        return cli_usage_error("--method", "unknown choice");
    if (args->resume) {
        const int code = checkpoint_options(&saved, args->output);

        if (code != 0)
            return code;
        if (method != NULL) {
            saved.matrices = o.matrices;
            saved.full = o.full;
        }
        o = saved;
    }
    o.n_threads = 0;
    *options = o;
    return 0;
}

static void free_list(char **list)
{
    for (size_t i = 0; list != NULL && list[i] != NULL; i++)
        free(list[i]);
    free(list);
}

void train_args_free(struct train_args *args)
{
    free_list(args->data);
    free_list(args->valid);
    free(args->tokenizer);
    free(args->cache);
    free(args->output);
    free(args->log);
    free(args->sign_key);
    free(args->password_file);
}

static bool replace(char **place, const char *text)
{
    free(*place);
    *place = text != NULL ? strdup(text) : NULL;
    return text == NULL || *place != NULL;
}

/* What a run of a sweep has of its own; a line that is no sweep's stays as it is. */
static int apply_run(struct train_args *args, struct words *w, const struct train_sweep_run *run)
{
    char d[24];

    if (run == NULL)
        return 0;
    cli_decimal(d, run->d);
    args->in_sweep = true;
    if (replace(&args->output, run->output) && replace(&args->log, run->log) &&
        replace(&w->method, run->method) && replace(&w->d, run->d != 0 ? d : NULL))
        return 0;
    return cli_no_memory(NULL);
}

static const struct train_args blank = {.eval_every = 250, .save_every = 500, .print_every = 50};

static int read_line(struct train_args *args, struct words *words, int argc, const char **argv,
                     const struct train_sweep_run *one, int *exit_code)
{
    if (run_popt(args, words, argc, argv, exit_code) == 0)
        *exit_code = apply_run(args, words, one);
    return *exit_code;
}

/* The line is read twice: the method or the checkpoint decides the defaults of all the rest. */
static int parse(struct train_args *out, int argc, const char **argv,
                 const struct train_sweep_run *one, int *exit_code)
{
    struct train_args first = blank, args = blank;
    struct words words = {0}, same_words = {0};

    if (read_line(&first, &words, argc, argv, one, exit_code) == 0) {
        if (first.data == NULL || first.output == NULL)
            *exit_code = cli_usage_error(first.data == NULL ? "--data" : "--output", "is needed");
        else
            *exit_code = base_options(&args.options, words.method, &first);
    }
    if (*exit_code == 0 && read_line(&args, &same_words, argc, argv, one, exit_code) == 0)
        *exit_code = apply_words(&args, &words);
    train_args_free(&first);
    free_words(&words);
    free_words(&same_words);
    if (*exit_code == 0)
        *out = args;
    else
        train_args_free(&args);
    return *exit_code;
}

int train_args_parse(struct train_args *args, int argc, const char **argv, int *exit_code)
{
    return parse(args, argc, argv, NULL, exit_code);
}

int train_sweep_run_args(struct train_args *args, const struct train_sweep_run *one, int argc,
                         const char **argv, int *exit_code)
{
    return parse(args, argc, argv, one, exit_code);
}

/* "10,30,100" in rising order; list is cut up. */
static int parse_list(struct train_sweep_args *s, char *list)
{
    size_t n = 1;

    for (const char *p = list; *p != '\0'; p++)
        n += *p == ',';
    s->d = calloc(n, sizeof *s->d);
    if (s->d == NULL)
        return cli_no_memory(NULL);
    for (char *next; list != NULL; list = next, s->n++) {
        next = strchr(list, ',');
        if (next != NULL)
            *next++ = '\0';
        if (!parse_d(s->d + s->n, list) || (s->n > 0 && s->d[s->n] <= s->d[s->n - 1]))
            return cli_usage_error("--d", "takes whole numbers in rising order: 1,2,5");
    }
    return 0;
}

static int check_sweep(const struct train_args *args, const struct words *w)
{
    struct smol_train_options o;

    if (args->data == NULL || args->output == NULL)
        return cli_usage_error(args->data == NULL ? "--data" : "--output", "is needed");
    if (w->d == NULL)
        return cli_usage_error("--d", "is needed");
    if (args->log != NULL || args->resume)
        return cli_usage_error(args->log != NULL ? "--log" : "--resume",
                               "is not for a sweep, which does both by itself");
    if (args->sign_key != NULL)
        return cli_usage_error("--sign", "is not for a sweep");
    if (args->seed_search != 0)
        return cli_usage_error("--seed-search", "is not for a sweep");
    if (!smol_train_defaults(&o, w->method != NULL ? w->method : DEFAULT_METHOD))
        return cli_usage_error("--method", "unknown choice");
    if (o.full || o.matrices == SMOL_MATRIX_UNIT)
        return cli_usage_error("--method", "has no d to sweep");
    return 0;
}

int train_sweep_args_parse(struct train_sweep_args *out, int argc, const char **argv,
                           int *exit_code)
{
    struct train_sweep_args s = {0};
    struct train_args args = blank;
    struct words words = {0};

    if (run_popt(&args, &words, argc, argv, exit_code) == 0 &&
        (*exit_code = check_sweep(&args, &words)) == 0 &&
        (*exit_code = parse_list(&s, words.d)) == 0 &&
        (words.method != NULL || replace(&words.method, DEFAULT_METHOD))) {
        s.method = words.method;
        s.folder = args.output;
        words.method = args.output = NULL;
        *out = s;
    } else {
        *exit_code = *exit_code != 0 ? *exit_code : cli_no_memory(NULL);
        free(s.d);
    }
    train_args_free(&args);
    free_words(&words);
    return *exit_code;
}

void train_sweep_args_free(struct train_sweep_args *args)
{
    free(args->method);
    free(args->folder);
    free(args->d);
}
