/* smoltool new: an untrained model of any shape, its numbers as SPEC.md 12 has them, its embeddings
 * perhaps from elsewhere. */
#include "cli/cli.h"
#include "cli/tokenizer_file.h"
#include "smoltool/embedding_rows.h"
#include "smoltool/import/tables.h"
#include "smoltool/smoltool.h"

#include <smol/initial.h>
#include <smol/params.h>

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct new_options {
    int layers, width, heads, context, vocab, ff, d, rank, gains, bias, layer_gains;
    double gain, sparse;
    char *method, *dist, *norms, *type, *numbers, *shape, *seed, *tokenizer, *output, *embeddings,
        *positions;
};

/* Tables that are not made from the seed, and the files they come from; a path is NULL for those
 * that are. */
struct imports {
    struct import_table wte, wpe;
    const char *wte_path, *wpe_path;
};

static const struct shape {
    const char *name;
    int layers, width, heads;
} shapes[] = {
    {"gpt2", 12, 768, 12},
    {"gpt2-medium", 24, 1024, 16},
    {"gpt2-large", 36, 1280, 20},
    {"gpt2-xl", 48, 1600, 25},
};

/* Place of a word in a list that ends with NULL; absent words are the first. -1 if it is not there.
 */
static int choose(const char *word, const char *const *list)
{
    for (int i = 0; list[i]; i++)
        if (!word || strcmp(word, list[i]) == 0)
            return i;
    return -1;
}

static int apply_shape(struct new_options *o)
{
    for (size_t i = 0; o->shape && i < sizeof shapes / sizeof shapes[0]; i++)
        if (strcmp(o->shape, shapes[i].name) == 0) {
            o->layers = o->layers ? o->layers : shapes[i].layers;
            o->width = o->width ? o->width : shapes[i].width;
            o->heads = o->heads ? o->heads : shapes[i].heads;
            o->context = o->context ? o->context : 1024;
            o->vocab = o->vocab ? o->vocab : 50257;
            return 0;
        }
    return o->shape ? cli_usage_error("--shape", "takes gpt2, gpt2-medium, gpt2-large or gpt2-xl")
                    : 0;
}

static int positive(int value, const char *option)
{
    return value >= 0 ? 0 : cli_usage_error(option, "takes a whole number over 0");
}

/* The shape; what is not given is small. */
static int fill_shape(struct smol_config *c, struct new_options *o)
{
    int code;

    if ((code = positive(o->layers, "--layers")) || (code = positive(o->width, "--width")) ||
        (code = positive(o->heads, "--heads")) || (code = positive(o->context, "--context")) ||
        (code = positive(o->vocab, "--vocab")) || (code = positive(o->ff, "--ff")))
        return code;
    c->n_layers = o->layers ? (uint32_t)o->layers : 4;
    c->width = o->width ? (uint32_t)o->width : 128;
    c->n_heads = o->heads ? (uint32_t)o->heads : 4;
    c->context = o->context ? (uint32_t)o->context : 256;
    c->vocab = o->vocab ? (uint32_t)o->vocab : c->vocab;
    c->n_ff = o->ff ? (uint32_t)o->ff : 4 * c->width;
    if (c->n_layers > SMOL_MAX_LAYERS)
        return cli_usage_error("--layers", "takes at most 256");
    if (o->seed && !cli_parse_u64(&c->seed, o->seed))
        return cli_usage_error("--seed", "takes 0..2^64-1");
    return 0;
}

/* A part of each row gets numbers of a sparse term: so many that matrices of different lengths need
 * schemes of their own. */
static void add_sparse(struct smol_config *c, double part)
{
    struct smol_scheme schemes[SMOL_N_SLOTS];

    for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++) {
        uint32_t rows, cols;

        schemes[slot] = *smol_config_scheme(c, 0, (enum smol_slot)slot);
        c->spans[0].scheme[slot] = (uint8_t)slot;
        if (schemes[slot].kind == SMOL_NORM)
            continue;
        smol_config_shape(c, (enum smol_slot)slot, &rows, &cols);
        schemes[slot].terms |= SMOL_TERM_SPARSE;
        schemes[slot].dimensions = smol_sparse_numbers(part, cols);
    }
    memcpy(c->schemes, schemes, sizeof schemes);
    c->n_schemes = SMOL_N_SLOTS;
    c->ln_f = SMOL_LN_1;
    smol_config_canonicalise(c);
}

static int fill_schemes(struct smol_config *c, const struct new_options *o)
{
    static const char *const methods[] = {
        "alpha",           "embed",   "alpha-global",   "lora", "fastfood",
        "fastfood-global", "fourier", "fourier-global", "nola", NULL};
    static const char *const dists[] = {"sign", "gauss", NULL};
    static const char *const norms[] = {"frozen", "alpha", "stored", NULL};
    static const char *const types[] = {"q8", "q4", "f16", "f32", NULL};
    static const uint8_t sources[] = {
        SMOL_MATRIX_OWN,     SMOL_MATRIX_UNIT,           SMOL_MATRIX_SHARED,
        SMOL_MATRIX_UNIT,    SMOL_MATRIX_FASTFOOD,       SMOL_MATRIX_FASTFOOD_SHARED,
        SMOL_MATRIX_FOURIER, SMOL_MATRIX_FOURIER_SHARED, SMOL_MATRIX_NOLA};
    static const uint8_t numbers[] = {SMOL_Q8, SMOL_Q4, SMOL_F16, SMOL_F32};
    static const char *const learned_types[] = {"f16", "f32", "q8", NULL};
    static const uint8_t learned_numbers[] = {SMOL_F16, SMOL_F32, SMOL_Q8_BLOCKS};
    const int method = choose(o->method, methods), dist = choose(o->dist, dists);
    const int norm = choose(o->norms, norms), type = choose(o->type, types),
              learned = choose(o->numbers, learned_types);
    struct smol_scheme matrix = {.kind = SMOL_MATRIX}, norm_scheme = {.kind = SMOL_NORM};
    bool is_projection;
    int d;

    if (method < 0)
        return cli_usage_error("--method", "takes embed, alpha, alpha-global, lora, fastfood, "
                                           "fastfood-global, fourier, fourier-global or nola");
    if (dist < 0 || norm < 0 || type < 0 || learned < 0)
        return cli_usage_error(dist < 0   ? "--dist"
                               : norm < 0 ? "--norms"
                               : type < 0 ? "--embedding-type"
                                          : "--numbers",
                               "unknown choice");
    is_projection =
        sources[method] >= SMOL_MATRIX_FASTFOOD && sources[method] <= SMOL_MATRIX_FOURIER_SHARED;
    d = o->d != INT_MIN ? o->d : is_projection ? 1000 : sources[method] == SMOL_MATRIX_NOLA ? 8 : 5;
    if (d < 1 || d > (int)(is_projection ? SMOL_MAX_DIMENSIONS : SMOL_MAX_BASES))
        return cli_usage_error("--d", is_projection ? "takes 1..1048576" : "takes 1..64");
    if (o->rank < 1 || o->rank > (int)SMOL_MAX_RANK)
        return cli_usage_error("--rank", "takes 1..4096");
    matrix.source = sources[method];
    matrix.dist = (uint8_t)dist;
    matrix.d = matrix.source == SMOL_MATRIX_UNIT || is_projection ? 1 : (uint8_t)d;
    matrix.dimensions = is_projection ? (uint32_t)d : 0;
    matrix.alpha_type = matrix.source == SMOL_MATRIX_UNIT ? SMOL_F32 : learned_numbers[learned];
    matrix.rank = strcmp(methods[method], "lora") == 0 || matrix.source == SMOL_MATRIX_NOLA
                      ? (uint16_t)o->rank
                      : 0;
    matrix.terms = (uint8_t)((o->gains ? SMOL_TERM_GAINS : 0) | (o->bias ? SMOL_TERM_BIASES : 0));
    if (o->layer_gains && matrix.source != SMOL_MATRIX_FASTFOOD_SHARED &&
        matrix.source != SMOL_MATRIX_FOURIER_SHARED)
        return cli_usage_error("--layer-gains", "takes fastfood-global or fourier-global");
    if (!(o->sparse >= 0 && o->sparse <= 1) || (o->sparse > 0 && is_projection))
        return cli_usage_error("--sparse",
                               is_projection ? "is for any method but projections" : "takes 0..1");
    matrix.value_type =
        (matrix.rank && matrix.source != SMOL_MATRIX_NOLA) || matrix.terms || o->sparse > 0
            ? learned_numbers[learned]
            : SMOL_F32;
    matrix.terms |= o->layer_gains ? SMOL_TERM_LAYER_GAIN : 0;
    norm_scheme.source = (uint8_t)norm;
    if (norm == SMOL_NORM_OWN) {
        norm_scheme.dist = (uint8_t)dist;
        norm_scheme.d = is_projection ? 1 : (uint8_t)d;
        norm_scheme.alpha_type = learned_numbers[learned];
    } else if (norm == SMOL_NORM_STORED) {
        norm_scheme.value_type = learned_numbers[learned];
    }
    c->wte_type = c->wpe_type = numbers[type];
    smol_config_fill(c, &matrix, &norm_scheme, o->gain);
    if (o->sparse > 0)
        add_sparse(c, o->sparse);
    return 0;
}

/* An array of n learned numbers, the first n_ones of them 1 and the others 0. */
static bool fill_ones(uint8_t *dest, uint8_t type, size_t n, size_t n_ones)
{
    float *values = calloc(n, sizeof *values);

    if (!values)
        return false;
    for (size_t i = 0; i < n_ones; i++)
        values[i] = 1.0f;
    smol_encode_numbers(dest, (enum smol_dtype)type, values, n);
    free(values);
    return true;
}

/* The factor A from the seed. */
static bool fill_factor(uint8_t *dest, const struct smol_config *c, uint32_t layer,
                        enum smol_slot slot, const struct smol_scheme *s)
{
    uint32_t rows, cols;
    float *a;

    smol_config_shape(c, slot, &rows, &cols);
    a = malloc((size_t)s->rank * cols * sizeof *a);
    if (!a)
        return false;
    smol_initial_factor(a, c, layer, slot, s->rank);
    smol_encode_numbers(dest, (enum smol_dtype)s->value_type, a, (size_t)s->rank * cols);
    free(a);
    return true;
}

/* One slot's learned numbers: alphas (1, 0, ...), projections and sparse terms 0, gains 1 and
 * biases 0, factor A from the seed, B zero. All is zero before. */
static bool fill_slot(uint8_t *learned, const struct smol_config *c, uint32_t layer,
                      enum smol_slot slot)
{
    const struct smol_scheme *s = smol_config_scheme(c, layer, slot);
    struct smol_params_place at;

    smol_params_at(&at, c, layer, slot);
    if (s->kind == SMOL_NORM)
        return s->source != SMOL_NORM_STORED ||
               fill_ones(learned + at.gain, s->value_type, c->width, c->width);
    if ((s->source == SMOL_MATRIX_OWN || s->source == SMOL_MATRIX_SHARED ||
         s->source == SMOL_MATRIX_NOLA) &&
        !fill_ones(learned + at.alphas, s->alpha_type, s->d, 1))
        return false;
    if (smol_scheme_has(s, SMOL_TERM_LAYER_GAIN) &&
        !fill_ones(learned + at.layer_gain, s->alpha_type, 1, 1))
        return false;
    if (smol_scheme_has(s, SMOL_TERM_GAINS)) {
        uint32_t rows, cols;
        smol_config_shape(c, slot, &rows, &cols);
        if (!fill_ones(learned + at.gain, s->value_type, rows, rows))
            return false;
    }
    return s->rank == 0 || s->source == SMOL_MATRIX_NOLA ||
           fill_factor(learned + at.factor_a, c, layer, slot, s);
}

static bool fill_learned(uint8_t *learned, const struct smol_config *c)
{
    for (uint32_t layer = 0; layer < c->n_layers; layer++)
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
            if (!fill_slot(learned, c, layer, (enum smol_slot)slot))
                return false;
    return fill_slot(learned, c, 0, SMOL_LN_F);
}

typedef void initial_rows(float *values, const struct smol_config *config, double std,
                          uint32_t row_begin, uint32_t n_rows);

/* Where the rows of a table come from: a file's array, or the seed if that is NULL. */
struct table_from {
    const struct smol_array *array;
    initial_rows *initial;
};

/* One table, a row block of 64 at a time. */
static enum smol_status fill_table(uint8_t *embeddings, const struct smol_table_layout *at,
                                   const struct smol_config *c, uint32_t n_rows, uint8_t type,
                                   struct table_from from, float *values, struct smol_error *error)
{
    for (uint32_t row = 0; row < n_rows; row += 64) {
        const uint32_t n = n_rows - row < 64 ? n_rows - row : 64;
        if (!from.array)
            from.initial(values, c, SMOL_INITIAL_STD, row, n);
        else if (smol_array_values(values, from.array, (uint64_t)row * c->width,
                                   (size_t)n * c->width, error))
            return error->code;
        for (uint32_t r = 0; r < n; r++)
            table_put_row(embeddings, at, type, row + r, values + (size_t)r * c->width, c->width);
    }
    return SMOL_OK;
}

/* NULL, or the path of the file to complain of. */
static const char *fill_embeddings(uint8_t *embeddings, const struct smol_config *c,
                                   const struct imports *from, float *values,
                                   struct smol_error *error)
{
    const struct table_from wte = {from->wte_path ? &from->wte.array : NULL, smol_initial_wte};
    const struct table_from wpe = {from->wpe_path ? &from->wpe.array : NULL, smol_initial_wpe};
    struct smol_embedding_layout at;

    smol_embedding_layout(&at, c);
    if (fill_table(embeddings, &at.wte, c, c->vocab, c->wte_type, wte, values, error))
        return from->wte_path;
    if (fill_table(embeddings, &at.wpe, c, c->context, c->wpe_type, wpe, values, error))
        return from->wpe_path;
    return NULL;
}

/* The file's bytes, for free(). NULL, with an error and the path that it concerns, if they cannot
 * be made. */
static uint8_t *make_file(uint64_t *size, const struct smol_config *c, const struct imports *from,
                          struct smol_span tokenizer, const char **path, struct smol_error *error)
{
    struct smol_parts parts = {.config = *c, .tokenizer = tokenizer};
    uint8_t *learned = NULL, *embeddings = NULL, *bytes = NULL;
    uint64_t learned_bytes, embedding_bytes;
    const char *bad = NULL;
    float *values;

    cli_error_memory(error);
    smol_params_bytes(&learned_bytes, c);
    smol_embedding_bytes(&embedding_bytes, c);
    learned = calloc(learned_bytes + 1, 1);
    embeddings = calloc(embedding_bytes, 1);
    values = malloc((size_t)64 * c->width * sizeof *values);
    if (!learned || !embeddings || !values || !fill_learned(learned, c) ||
        (bad = fill_embeddings(embeddings, c, from, values, error)) != NULL)
        goto done;
    parts.learned = (struct smol_span){learned_bytes ? learned : NULL, learned_bytes};
    parts.embeddings = (struct smol_span){embeddings, embedding_bytes};
    bytes = table_file(size, &parts, error);
done:
    if (bad)
        *path = bad;
    free(learned);
    free(embeddings);
    free(values);
    return bytes;
}

/* A size that a file states: the model's, unless another was asked for. */
static int adopt(int *size, uint64_t stated, const char *path, const char *what)
{
    if (*size != 0 && (uint64_t)*size != stated)
        return cli_fail(path, "%s is %llu, not %d", what, (unsigned long long)stated, *size);
    *size = (int)stated;
    return 0;
}

/* wpe by itself, or beside wte; a file without it leaves it to the seed, unless it was named for
 * it. */
static int import_positions(struct imports *from, struct new_options *o)
{
    const char *path = o->positions ? o->positions : o->embeddings;
    struct smol_error error = {SMOL_E_TENSOR, SMOL_NO_OFFSET, "there is no table of the name wpe"};
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

/* Opens what --embeddings and --positions name. */
static int import_tables(struct imports *from, struct new_options *o)
{
    struct smol_error error = {SMOL_E_TENSOR, SMOL_NO_OFFSET, "there is no table of the name wte"};
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
    /* An .npy has one table. */
    return from->wte.array.name || from->wte.source.member || o->positions
               ? import_positions(from, o)
               : 0;
}

static int make_from(struct new_options *o, const struct imports *from,
                     const struct smol_file *tokenizer)
{
    struct smol_config config = {.vocab = tokenizer->config.vocab,
                                 .tokenizer = tokenizer->config.tokenizer};
    const char *path = o->output;
    struct smol_error error;
    uint8_t *bytes;
    uint64_t size;
    int code;

    if ((code = fill_shape(&config, o)) || (code = fill_schemes(&config, o)))
        return code;
    if (smol_config_check(&config, &error))
        return cli_usage_error("shape", error.text);
    if (config.tokenizer != SMOL_TOKENIZER_BYTES && config.vocab < smol_token_count(tokenizer))
        return cli_usage_error("--vocab", "has no room for the tokens of the tokenizer");
    bytes = make_file(&size, &config, from, tokenizer->tokenizer, &path, &error);
    if (!bytes)
        return cli_complain(path, &error);
    code = cli_write_file(o->output, bytes, size);
    free(bytes);
    return code;
}

/* With the tokenizer that is named, or with that of bytes. */
static int make(void *context, const char *const *arguments)
{
    struct new_options *o = context;
    struct imports from = {.wte.source.mapping.fd = -1, .wpe.source.mapping.fd = -1};
    struct smol_file tokenizer = {.config = {.vocab = 256, .tokenizer = SMOL_TOKENIZER_BYTES}};
    struct smol_error error;
    uint8_t *section = NULL;
    int code;

    (void)arguments;
    if (!o->output)
        return cli_usage_error("--output", "is missing");
    if (o->tokenizer && tokenizer_load(&section, &tokenizer, o->tokenizer, &error))
        return cli_complain(o->tokenizer, &error);
    code = apply_shape(o);
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
    struct new_options o = {.d = INT_MIN, .rank = 4, .gain = 1.0};
    const struct poptOption options[] = {
        CLI_WORD("shape", 0, &o.shape, "gpt2, gpt2-medium, gpt2-large or gpt2-xl", "NAME"),
        CLI_INT("layers", 0, &o.layers, "layers (4)", "N"),
        CLI_INT("width", 0, &o.width, "width of the residual stream (128)", "N"),
        CLI_INT("heads", 0, &o.heads, "attention heads (4)", "N"),
        CLI_INT("context", 0, &o.context, "tokens seen at once (256)", "N"),
        CLI_INT("vocab", 0, &o.vocab, "tokens (those of the tokenizer: of bytes 256)", "N"),
        CLI_WORD("tokenizer", 0, &o.tokenizer, "a tokenizer file, or a model that has one", "FILE"),
        CLI_INT("ff", 0, &o.ff, "feed-forward width (4 x width)", "N"),
        CLI_WORD("method", 0, &o.method,
                 "embed, alpha (default), alpha-global, lora, nola, fastfood, fastfood-global, "
                 "fourier or "
                 "fourier-global",
                 "NAME"),
        CLI_INT("d", 0, &o.d, "numbers of each vector of alphas (5) or projection (1000)", "N"),
        CLI_INT("rank", 0, &o.rank, "rank of the factors of lora or nola (4)", "N"),
        CLI_WORD("dist", 0, &o.dist, "sign (default) or gauss", "NAME"),
        CLI_WORD("norms", 0, &o.norms, "frozen (default), alpha or stored", "NAME"),
        CLI_FLAG("gains", 0, &o.gains, "a factor of each output of a matrix"),
        CLI_FLAG("bias", 0, &o.bias, "a number added to each output of a matrix"),
        CLI_REAL("sparse", 0, &o.sparse, "numbers in seeded places of each row: a part of it, 0.03",
                 "X"),
        CLI_FLAG("layer-gains", 0, &o.layer_gains,
                 "a factor of each layer's share of a -global projection"),
        CLI_WORD("embedding-type", 0, &o.type, "q8 (default), q4, f16 or f32", "NAME"),
        CLI_WORD("numbers", 0, &o.numbers, "learned numbers: f16 (default), f32 or q8", "NAME"),
        CLI_REAL("gain", 0, &o.gain, "multiplies the default scale of the frozen weights (1)", "X"),
        CLI_WORD("seed", 0, &o.seed, "seed of the frozen weights (0)", "N"),
        CLI_WORD("embeddings", 0, &o.embeddings,
                 "wte, and wpe if it is there, from safetensors, .npz or .npy", "FILE"),
        CLI_WORD("positions", 0, &o.positions, "wpe from another such file", "FILE"),
        CLI_WORD("output", 'o', &o.output, "where the model goes", "FILE"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(argc, argv, options, &(struct cli_usage){"[OPTION...] -o FILE", ""}, make,
                       &o);
}
