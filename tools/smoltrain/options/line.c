/* smoltrain's options, as popt reads them. */
#include "smoltrain/options/line.h"
#include "cli/cli.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

static struct train_line line = {
    .args = {.eval_every = 250, .save_every = 500, .print_every = 50},
};

static struct poptOption plan[] = {
    CLI_WORD("size", 0, &line.size,
             "bytes of the whole file (any), as 64K or 1M: choose all that makes it good", "SIZE"),
    CLI_REAL("minutes", 0, &line.args.minutes, "time of the training (30 with --size, else any)",
             "X"),
    CLI_FLAG("plan", 0, &line.args.plan_only, "only say what would be trained, in three lines"),
    POPT_TABLEEND,
};

static struct poptOption model[] = {
    CLI_WORD("base", 0, &line.base, "a model to train a small delta of (none)", "MODEL"),
    CLI_WORD("bases", 0, &line.bases,
             "the same of several that are mixed: a.smol,b.smol=0.4 (none)", "LIST"),
    CLI_WORD("mix", 0, &line.mix,
             "what is learned of the mixing: a number for each base and matrix (matrix, default of "
             "--bases), one for each base (file), or none (of --base)",
             "NAME"),
    CLI_WORD("embedding-rows", 0, &line.embedding_rows,
             "so many of the most frequent tokens, or all, learn their embeddings (0)", "N"),
    CLI_WORD("arch", 0, &line.arch, "smol (default) or gpt2", "NAME"),
    CLI_WORD("method", 0, &line.method,
             "mask (default; with --base: lora; gpt2: alpha), ternary, full, embed, alpha-global, "
             "lora, nola, "
             "fastfood, fastfood-global, fourier or fourier-global",
             "NAME"),
    CLI_WORD("features", 0, &line.features.features,
             "of smol: distances, slope-factors, temperatures, half-shift, relu2, output-table "
             "(these), history",
             "LIST"),
    CLI_WORD("without", 0, &line.features.without, "features to leave out: relu2,half-shift (none)",
             "LIST"),
    CLI_FLAG("history", 0, &line.features.history,
             "with distances: expect what followed the same tokens before in the text, too"),
    CLI_WORD(
        "d", 0, &line.d,
        "parameters of each vector (5; nola: 8) or projection (1000); for a sweep a list: 1,2,5",
        "N"),
    CLI_COUNT("rank", 0, &line.args.options.rank, "rank of the factors, 0 = none (lora, nola: 4)",
              "N"),
    CLI_WORD("attn", 0, &line.rules.attn,
             "another method for attention, with its d or rank: alpha:8", "NAME[:N]"),
    CLI_WORD("mlp", 0, &line.rules.mlp, "another method for the feed-forward matrices", "NAME[:N]"),
    CLI_WORD("recipe", 0, &line.rules.recipe, "JSON rules: methods by tensor name", "FILE"),
    CLI_WORD("dist", 0, &line.dist, "frozen weights: sign (default) or gauss", "NAME"),
    CLI_WORD("norms", 0, &line.norms,
             "LayerNorms: frozen (default), alpha or stored (default of gpt2's full)", "NAME"),
    CLI_FLAG("gains", 0, &line.gains,
             "a learned factor for each output of a matrix (default of mask)"),
    CLI_FLAG("no-gains", 0, &line.no_gains, "no such factors"),
    CLI_FLAG("bias", 0, &line.bias, "a learned bias for each output of a matrix"),
    CLI_REAL("sparse", 0, &line.args.options.sparse,
             "parameters in seeded places of each row: a fraction of it, such as 0.03 (0)", "X"),
    CLI_FLAG("layer-gains", 0, &line.layer_gains,
             "a learned factor for each layer's share of a -global projection"),
    CLI_COUNT("layers", 0, &line.args.options.n_layers, "layers (2; gpt2: 4)", "N"),
    CLI_COUNT("width", 0, &line.args.options.width, "width of the residual stream (128)", "N"),
    CLI_COUNT("heads", 0, &line.args.options.n_heads, "attention heads; they divide the width (4)",
              "N"),
    CLI_COUNT("ff", 0, &line.args.options.n_ff, "feed-forward width, 0 (default) = 4 x width", "N"),
    CLI_COUNT("context", 0, &line.args.options.context, "tokens seen at once (128; gpt2: 64)", "N"),
    CLI_REAL("gain", 0, &line.args.options.gain,
             "factor of every frozen matrix's default scale (1)", "X"),
    CLI_REAL("residual-gain", 0, &line.args.options.residual_gain,
             "a further factor for the two c_proj (1)", "X"),
    CLI_WORD("init-alpha", 0, &line.init_alpha,
             "alphas at the start: e1 (default) is (1, 0, ...), uniform 1/sqrt(d) each", "NAME"),
    CLI_WORD("embedding-type", 0, &line.embedding_type,
             "q8 (default), q4, ternary, q4-row, f16 or f32", "TYPE"),
    CLI_WORD("matrix-type", 0, &line.matrix_type,
             "matrices of full: f16 (default), q8, q4, ternary or f32", "TYPE"),
    CLI_WORD("param-type", 0, &line.param_type,
             "parameters in the file: q8 (default of smol), f16 (of gpt2) or f32", "TYPE"),
    CLI_REAL("embedding-std", 0, &line.args.options.embedding_std,
             "standard deviation of the embeddings at the start (0.02)", "X"),
    CLI_REAL("logit-scale", 0, &line.args.options.logit_scale, "factor of the logits (1)", "X"),
    CLI_FLAG("learn-logit-scale", 0, &line.learn_logit_scale,
             "learn that factor (default of smol)"),
    CLI_FLAG("no-learn-logit-scale", 0, &line.no_learn_logit_scale, "leave it as it is"),
    CLI_WORD("vocab", 0, &line.vocab,
             "tokens without --tokenizer: bytes (default of gpt2) or used, those of the text; "
             "used+other: and one for the rest; +end: and one for its end (both default of smol, "
             "+end if there are several documents)",
             "NAME"),
    CLI_COUNT("vocab-min", 0, &line.args.vocab.of.least,
              "leave bytes to `other` that occur fewer than N times in the text to train on (1)",
              "N"),
    CLI_WORD("seed", 0, &line.seed, "seed of frozen weights and training (1)", "N"),
    POPT_TABLEEND,
};

static struct poptOption recipe[] = {
    CLI_COUNT(
        "seed-search", 0, &line.args.seed_search,
        "try N seeds from --seed on, a twentieth of the steps each; keep the best (0: no search)",
        "N"),
    CLI_COUNT("steps", 0, &line.args.options.n_steps, "steps (5000; gpt2: 1000)", "N"),
    CLI_COUNT("batch", 0, &line.args.options.batch, "windows per step (8; gpt2: 16)", "N"),
    CLI_REAL("lr", 0, &line.args.options.lr,
             "learning rate (0.01; smol's embed: 0.04, gpt2's full: 0.003)", "X"),
    CLI_REAL("alpha-lr", 0, &line.args.options.alpha_lr,
             "learning rate of alphas, heads' factors and the logit scale (0.03)", "X"),
    CLI_REAL("matrix-lr", 0, &line.args.options.matrix_lr,
             "learning rate of masks (0.02), full and ternary (0.05)", "X"),
    CLI_REAL("qat-start", 0, &line.args.options.qat_start,
             "share of the steps after which training rounds as the file does (0.5; gpt2: 1)", "X"),
    CLI_COUNT("warmup", 0, &line.args.options.warmup,
              "steps of linear warm-up (default: a tenth, at most 100)", "N"),
    CLI_COUNT("alpha-start", 0, &line.args.options.alpha_start,
              "first step that trains the alphas (0)", "N"),
    CLI_REAL("min-lr-fraction", 0, &line.args.options.min_lr_fraction,
             "where the cosine ends (0.01; gpt2: 0.1)", "X"),
    CLI_REAL("weight-decay", 0, &line.args.options.weight_decay,
             "decay of the matrices of 'full' (0; gpt2: 0.1)", "X"),
    CLI_REAL("clip", 0, &line.args.options.clip, "largest norm of a gradient, 0 = any (1)", "X"),
    CLI_REAL("beta1", 0, &line.args.options.beta1, "AdamW's beta1 (0.9)", "X"),
    CLI_REAL("beta2", 0, &line.args.options.beta2, "AdamW's beta2 (0.99)", "X"),
    CLI_REAL("dropout", 0, &line.args.options.dropout,
             "share of the embeddings and of each sublayer's outputs that a step drops (0)", "X"),
    {"teacher", 0, POPT_ARG_ARGV, &line.args.teacher, 0,
     "a model of the same tokens to learn from too; repeatable (none)", "MODEL"},
    CLI_REAL("teacher-weight", 0, &line.args.options.teacher_weight,
             "share of the teachers' predictions in what is learned (0.5)", "X"),
    CLI_REAL("val-fraction", 0, &line.args.options.val_fraction,
             "share of the text, at its end, for validation (0.1)", "X"),
    CLI_WORD("order", 0, &line.order,
             "windows: random (default), or shuffled, all before any comes again", "NAME"),
    CLI_FLAG("documents", 0, &line.documents,
             "windows of whole documents, as far as they fit; nothing is seen of those before"),
    CLI_WORD("keep", 0, &line.keep, "which parameters the model gets: last (default) or best",
             "NAME"),
    POPT_TABLEEND,
};

static struct poptOption run[] = {
    {"data", 0, POPT_ARG_ARGV, &line.args.data, 0, "files, folders, '*.md': text, .jsonl, .gz",
     "TEXT"},
    {"valid", 0, POPT_ARG_ARGV, &line.args.valid, 0, "text to validate on; may be repeated",
     "TEXT"},
    CLI_WORD("format", 0, &line.format,
             "what the data is: text, jsonl, or auto (default), what its name says", "NAME"),
    CLI_WORD("tokenizer", 0, &line.args.tokenizer, "a tokenizer file or a model; without: bytes",
             "FILE"),
    CLI_WORD("cache", 0, &line.args.cache, "folder that keeps encoded text for reuse", "FOLDER"),
    CLI_WORD("output", 'o', &line.args.output, "the model, .smol; of full also .safetensors",
             "OUT"),
    CLI_FLAG("no-card", 0, &line.args.no_card,
             "leave out the model's card, a kilobyte that says how it was made"),
    CLI_WORD("note", 0, &line.args.note, "for the card too, such as whose text it is", "TEXT"),
    CLI_WORD("sign", 0, &line.args.sign_key, "minisign secret key to sign the model with", "KEY"),
    CLI_WORD("password-file", 0, &line.args.password_file, "its first line is that key's password",
             "FILE"),
    CLI_FLAG("resume", 0, &line.args.resume, "continue from the checkpoint, my.ckpt"),
    CLI_COUNT("threads", 't', &line.args.options.n_threads,
              "threads, 0 (default) = one for each core", "N"),
    CLI_WORD("isa", 0, &line.isa,
             "best (default), scalar, avx2, avx512, neon; the model is the same", "NAME"),
    CLI_FLAG("recompute", 0, &line.recompute,
             "use less memory and a third more time: compute activations twice"),
    CLI_COUNT("eval-every", 0, &line.args.eval_every,
              "steps between validations, 0 = at the end (250)", "N"),
    CLI_COUNT("save-every", 0, &line.args.save_every,
              "steps between checkpoints, 0 = if stopped (500)", "N"),
    CLI_COUNT("print-every", 0, &line.args.print_every,
              "steps between lines if not on a terminal (50)", "N"),
    CLI_WORD("log", 0, &line.args.log, "also write a JSON-lines log", "FILE"),
    POPT_TABLEEND,
};

/* What --help shows, so that it fits a screen; --help-all shows the rest too. */
static const char *const everyday[] = {
    "size",  "minutes",        "plan",   "base",   "method",  "d",   "layers",
    "width", "embedding-type", "seed",   "steps",  "batch",   "lr",  "data",
    "valid", "tokenizer",      "output", "resume", "threads", "log", NULL};

static struct poptOption *const tables[] = {plan, model, recipe, run};
#define N_TABLES (sizeof tables / sizeof tables[0])

static bool is_among(const char *name, const char *const *names)
{
    while (*names && strcmp(*names, name) != 0)
        names++;
    return *names;
}

/* From the help; names NULL: nothing is hidden. */
static void hide_all_but(const char *const *names)
{
    for (size_t i = 0; i < N_TABLES; i++)
        for (struct poptOption *o = tables[i]; o->longName; o++)
            if (names && !is_among(o->longName, names))
                o->argInfo |= POPT_ARGFLAG_DOC_HIDDEN;
            else
                o->argInfo &= ~POPT_ARGFLAG_DOC_HIDDEN;
}

/* ---- what the line gives ---- */

/* popt tells an option by its val once it has read it; the first two are help and version. */
#define FIRST_NUMBER 3
#define MAX_OPTIONS 96
static bool is_given[FIRST_NUMBER + MAX_OPTIONS];

/* Large if it is not there. */
static size_t offset_in_options(const struct poptOption *o)
{
    return (uintptr_t)o->arg - (uintptr_t)&line.args.options;
}

/* Gives each option a val of its own. */
static void number_options(void)
{
    int val = FIRST_NUMBER;

    for (size_t i = 0; i < N_TABLES; i++)
        for (struct poptOption *o = tables[i]; o->longName; o++)
            o->val = val++;
}

bool train_line_gives(const char *name)
{
    for (size_t i = 0; i < N_TABLES; i++)
        for (const struct poptOption *o = tables[i]; o->longName; o++)
            if (strcmp(o->longName, name) == 0)
                return is_given[o->val];
    return false;
}

void train_line_numbers(struct smol_train_options *options)
{
    for (size_t i = 0; i < N_TABLES; i++)
        for (const struct poptOption *o = tables[i]; o->longName; o++)
            if (is_given[o->val] && offset_in_options(o) < sizeof *options)
                memcpy((char *)options + offset_in_options(o), o->arg,
                       (o->argInfo & POPT_ARG_MASK) == POPT_ARG_DOUBLE ? sizeof(double)
                                                                       : sizeof(uint32_t));
}

/* ---- reading it ---- */

static int read_line(poptContext context, const int *help_all)
{
    int code;

    while ((code = poptGetNextOpt(context)) >= FIRST_NUMBER)
        is_given[code] = true;
    code = cli_parsed(context, code);
    if (code == 0 && *help_all) {
        hide_all_but(NULL);
        poptPrintHelp(context, stdout, 0);
        cli_answered(context);
    }
    if (code == 0 && poptPeekArg(context))
        code = cli_usage_error(poptPeekArg(context),
                               "one argument too many: each file takes a --data of its own, and "
                               "a pattern quotes, as --data '*.txt'");
    return code;
}

const struct train_line *train_line_read(int *code, int argc, const char **argv)
{
    static int help_all;
    static const struct poptOption all[] = {
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, plan, 0, "The plan:", NULL},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, model, 0, "The model:", NULL},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, recipe, 0, "The recipe:", NULL},
        {NULL, 0, POPT_ARG_INCLUDE_TABLE, run, 0, "The run:", NULL},
        {"numbers", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, &line.param_type, 0, NULL, NULL},
        CLI_FLAG("help-all", 0, &help_all, "print all options"),
        CLI_VERSION_OPTION,
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };
    poptContext context;

    number_options();
    hide_all_but(everyday);
    context = poptGetContext(cli_program, argc, argv, all, 0);
    if (!context) {
        *code = cli_no_memory(NULL);
        return NULL;
    }
    poptSetOtherOptionHelp(
        context, "[OPTION...] --data TEXT -o OUT\n'smoltrain sweep' takes the same options: "
                 "it trains the method at several --d,\nand embed and full to compare "
                 "with, in the folder OUT.");
    *code = read_line(context, &help_all);
    poptFreeContext(context);
    if (*code == 0)
        *code = cli_numbers(argc, argv, all);
    return *code ? NULL : &line;
}
