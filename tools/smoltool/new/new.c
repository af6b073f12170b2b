/* smoltool new: an untrained model of any shape, its numbers as SPEC.md 12 has them, its embeddings
 * perhaps from elsewhere. */
#include "smoltool/new/new.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/tokenizer_file.h"
#include "smoltool/smoltool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct shape {
    const char *name;
    int layers, width, heads;
} shapes[] = {
    {"gpt2", 12, 768, 12},
    {"gpt2-medium", 24, 1024, 16},
    {"gpt2-large", 36, 1280, 20},
    {"gpt2-xl", 48, 1600, 25},
};

/* 0 is a number that was given, and is refused with the rest of the configuration. */
static int given_or(int given, int otherwise) { return given != NOT_GIVEN ? given : otherwise; }

static int apply_shape(struct new_options *o)
{
    for (size_t i = 0; o->shape && i < sizeof shapes / sizeof shapes[0]; i++)
        if (strcmp(o->shape, shapes[i].name) == 0) {
            o->layers = given_or(o->layers, shapes[i].layers);
            o->width = given_or(o->width, shapes[i].width);
            o->heads = given_or(o->heads, shapes[i].heads);
            o->context = given_or(o->context, 1024);
            o->vocab = given_or(o->vocab, 50257);
            return 0;
        }
    return o->shape ? cli_usage_error("--shape", "takes gpt2, gpt2-medium, gpt2-large or gpt2-xl")
                    : 0;
}

/* The shape; what is not given is small. */
static int fill_shape(struct smol_config *c, const struct new_options *o)
{
    const struct {
        int given;
        uint32_t *value, otherwise;
    } sizes[] = {
        {o->layers, &c->n_layers, 4},   {o->width, &c->width, 128},
        {o->heads, &c->n_heads, 4},     {o->ff, &c->n_ff, 0},
        {o->context, &c->context, 256}, {o->vocab, &c->vocab, c->vocab},
    };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        *sizes[i].value = (uint32_t)given_or(sizes[i].given, (int)sizes[i].otherwise);
    c->n_ff = c->n_ff ? c->n_ff : 4 * c->width;
    if (c->n_layers > SMOL_MAX_LAYERS)
        return cli_usage_error("--layers", "takes at most 256");
    if (o->seed && !cli_parse_u64(&c->seed, o->seed))
        return cli_usage_error("--seed", "takes 0..2^64-1");
    return 0;
}

/* A size that a file states: the model's, unless another was asked for. */
static int adopt(int *size, uint64_t stated, const char *path, const char *what)
{
    if (*size != NOT_GIVEN && (uint64_t)*size != stated)
        return cli_fail(path, "%s is %llu, not %d", what, (unsigned long long)stated, *size);
    *size = (int)stated;
    return 0;
}

/* wpe by itself, or beside wte; a file without it leaves it to the seed, unless it was named for
 * it. */
static int import_positions(struct imports *from, struct new_options *o)
{
    const char *path = o->positions ? o->positions : o->embeddings;
    struct smol_error error = {SMOL_E_TENSOR, SMOL_NO_OFFSET, "there is no table named wpe"};
    bool found = false;
    int code;

    if (import_open(&from->wpe, &found, path, "wpe", &error) || (!found && o->positions))
        return cli_complain(path, &error);
    if (!found)
        return 0;
    from->wpe_path = path;
    code = adopt(&o->context, from->wpe.array.shape[0], path, "the context of wpe");
    return code ? code : adopt(&o->width, from->wpe.array.shape[1], path, "the width of wpe");
}

/* As far as the words are right, which is seen to later. */
static bool has_distances(const struct new_options *o)
{
    enum smol_architecture architecture = SMOL_ARCH_GPT2;
    uint16_t features = SMOL_NETWORK_FEATURES;

    return o->arch && smol_architecture_parse(&architecture, o->arch) &&
           architecture == SMOL_ARCH_SMOL &&
           cli_features(&features, architecture, &o->features) == 0 &&
           features & SMOL_FEATURE_DISTANCES;
}

/* Opens what --embeddings and --positions name. */
static int import_tables(struct imports *from, struct new_options *o)
{
    struct smol_error error = {SMOL_E_TENSOR, SMOL_NO_OFFSET, "there is no table named wte"};
    bool found = false;
    int code;

    if (!o->embeddings)
        return o->positions ? import_positions(from, o) : 0;
    if (import_open(&from->wte, &found, o->embeddings, "wte", &error) || !found)
        return cli_complain(o->embeddings, &error);
    from->wte_path = o->embeddings;
    if ((code =
             adopt(&o->vocab, from->wte.array.shape[0], o->embeddings, "the vocabulary of wte")) ||
        (code = adopt(&o->width, from->wte.array.shape[1], o->embeddings, "the width of wte")))
        return code;
    /* An .npy has one table, and a model with distances needs no other. */
    return !has_distances(o) && (from->wte.array.name || from->wte.source.member || o->positions)
               ? import_positions(from, o)
               : 0;
}

static int make_from(struct new_options *o, const struct imports *from,
                     const struct smol_file *tokenizer)
{
    const bool is_set = tokenizer->config.tokenizer == SMOL_TOKENIZER_BYTE_SET;
    struct smol_config config = {.vocab = tokenizer->config.vocab,
                                 .tokenizer = tokenizer->config.tokenizer};
    const char *path = o->output;
    struct smol_error error;
    uint8_t *bytes;
    uint64_t size;
    int code;

    if ((code = fill_shape(&config, o)) || (code = new_schemes(&config, o)))
        return code;
    if (smol_config_check(&config, &error))
        return cli_usage_error("shape", error.text);
    if (config.tokenizer != SMOL_TOKENIZER_BYTES && config.vocab < smol_token_count(tokenizer))
        return cli_usage_error("--vocab", "is too small for the tokens of the tokenizer");
    if (is_set && config.vocab != tokenizer->config.vocab)
        return cli_usage_error("--vocab", "is not the number of tokens that a set of bytes has");
    bytes = new_file(&size, &config, from, tokenizer->tokenizer, &path, &error);
    if (!bytes)
        return cli_complain(path, &error);
    code = cli_write_file(o->output, bytes, size);
    free(bytes);
    return code;
}

/* The one that is named, or that of bytes, which a text may choose. */
static int load_tokenizer(uint8_t **section, struct smol_file *tokenizer,
                          const struct new_options *o)
{
    const char *path = o->tokenizer ? o->tokenizer : o->bytes_of;
    const struct tokenizer_of of = {.with_other = o->other, .with_end = o->end};
    struct smol_mapping text;
    struct smol_error error;
    enum smol_status status;

    if (o->tokenizer && o->bytes_of)
        return cli_usage_error("--bytes-of", "contradicts --tokenizer");
    if ((o->other || o->end) && !o->bytes_of)
        return cli_usage_error(o->other ? "--other" : "--end", "is for --bytes-of");
    if (!path)
        return 0;
    if (o->tokenizer)
        return tokenizer_load(section, tokenizer, path, &error) ? cli_complain(path, &error) : 0;
    if ((status = cli_map(&text, path, &error)) == SMOL_OK) {
        status = text.bytes.size_bytes
                     ? tokenizer_of_bytes(section, tokenizer, text.bytes, &of, &error)
                     : cli_error(&error, SMOL_E_TEXT, "holds no text");
        cli_unmap(&text);
    }
    return status ? cli_complain(path, &error) : 0;
}

static int make(void *context, const char *const *arguments)
{
    struct new_options *o = context;
    struct imports from = {.wte.source.mapping.fd = -1, .wpe.source.mapping.fd = -1};
    struct smol_file tokenizer = {.config = {.vocab = 256, .tokenizer = SMOL_TOKENIZER_BYTES}};
    uint8_t *section = NULL;
    int code;

    (void)arguments;
    if (!o->output)
        return cli_usage_error("--output", "is missing");
    code = load_tokenizer(&section, &tokenizer, o);
    if (!code)
        code = apply_shape(o);
    if (!code && o->positions && has_distances(o))
        code = cli_usage_error("--positions", "is for a model without distances, which has no wpe");
    if (!code)
        code = import_tables(&from, o);
    if (!code)
        code = make_from(o, &from, &tokenizer);
    import_close(&from.wte);
    import_close(&from.wpe);
    free(section);
    return code;
}

int tool_new(int argc, const char **argv)
{
    struct new_options o = {.layers = NOT_GIVEN,
                            .width = NOT_GIVEN,
                            .heads = NOT_GIVEN,
                            .context = NOT_GIVEN,
                            .vocab = NOT_GIVEN,
                            .ff = NOT_GIVEN,
                            .d = NOT_GIVEN,
                            .rank = 4,
                            .gain = 1.0};
    const struct poptOption options[] = {
        CLI_WORD("arch", 0, &o.arch, "gpt2 (default) or smol", "NAME"),
        CLI_WORD("features", 0, &o.features.features, "of smol: relu2,... (all but history)",
                 "LIST"),
        CLI_WORD("without", 0, &o.features.without, "features to leave out (none)", "LIST"),
        CLI_WORD("shape", 0, &o.shape, "gpt2, gpt2-medium, ... (the numbers below)", "NAME"),
        CLI_COUNT("layers", 0, &o.layers, "layers (4)", "N"),
        CLI_COUNT("width", 0, &o.width, "width of the residual stream (128)", "N"),
        CLI_COUNT("heads", 0, &o.heads, "attention heads (4)", "N"),
        CLI_COUNT("context", 0, &o.context, "tokens seen at once (256)", "N"),
        CLI_COUNT("vocab", 0, &o.vocab, "tokens (those of the tokenizer; 256 for bytes)", "N"),
        CLI_WORD("tokenizer", 0, &o.tokenizer, "a tokenizer file or a model (bytes)", "FILE"),
        CLI_WORD("bytes-of", 0, &o.bytes_of, "tokens: the bytes of this text (all)", "FILE"),
        CLI_FLAG("other", 0, &o.other, "and one for all other bytes"),
        CLI_FLAG("end", 0, &o.end, "and one for the end of text"),
        CLI_COUNT("ff", 0, &o.ff, "feed-forward width (4 x width)", "N"),
        CLI_WORD("method", 0, &o.method,
                 "embed, alpha (default), alpha-global, lora, nola, fastfood, fastfood-global, "
                 "fourier, fourier-global, mask, full or ternary",
                 "NAME"),
        CLI_WORD("matrix-type", 0, &o.matrix_type, "of full: f16 (default), q8, q4 ...", "TYPE"),
        CLI_COUNT("d", 0, &o.d,
                  "parameters of each vector of alphas (5; nola: 8) or projection (1000)", "N"),
        CLI_COUNT("rank", 0, &o.rank, "rank of the factors of lora or nola (4)", "N"),
        CLI_WORD("dist", 0, &o.dist, "sign (default) or gauss", "NAME"),
        CLI_WORD("norms", 0, &o.norms, "frozen (default), alpha or stored", "NAME"),
        CLI_FLAG("gains", 0, &o.gains, "a factor for each output of a matrix"),
        CLI_FLAG("bias", 0, &o.bias, "a bias for each output of a matrix"),
        CLI_REAL("sparse", 0, &o.sparse,
                 "parameters in seeded places of each row: a fraction of it, such as 0.03 (0)",
                 "X"),
        CLI_FLAG("layer-gains", 0, &o.layer_gains,
                 "a factor for each layer's share of a -global projection"),
        CLI_WORD("embedding-type", 0, &o.type, "q8 (default), q4, ternary, q4-row, f16, f32",
                 "NAME"),
        CLI_WORD("param-type", 0, &o.params, "of the parameters: f16 (default), f32 or q8", "NAME"),
        CLI_REAL("gain", 0, &o.gain, "factor of the frozen weights' default scale (1)", "X"),
        CLI_WORD("seed", 0, &o.seed, "seed of the frozen weights (0)", "N"),
        CLI_WORD("embeddings", 0, &o.embeddings, "wte, wpe from safetensors, .npz or .npy (random)",
                 "FILE"),
        CLI_WORD("positions", 0, &o.positions, "wpe from another such file (random)", "FILE"),
        CLI_WORD("output", 'o', &o.output, "where the model goes", "FILE"),
        {"numbers", 0, POPT_ARG_STRING | POPT_ARGFLAG_DOC_HIDDEN, &o.params, 0, NULL, NULL},
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(argc, argv, options, &(struct cli_usage){"[OPTION...] -o FILE", ""}, make,
                       &o);
}
