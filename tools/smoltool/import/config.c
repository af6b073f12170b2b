/* See config.h. */
#include "smoltool/import/config.h"
#include "cli/cli.h"

#include <smol/initial.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD_WIDTH 64u /* of all of GPT-2's own models */
#define EPSILON 1e-5   /* the same */
#define OUTPUT "lm_head.weight"

/* ---- what the shapes say ---- */

static int missing(const struct checkpoint *c, const char *name)
{
    return cli_fail(c->n_files == 1 ? c->files[0].path : c->folder,
                    "there is no tensor %s, which GPT-2 has", name);
}

/* The sizes of a table or matrix, as they stand there. */
static int shape_of(uint64_t *rows, uint64_t *cols, const struct checkpoint *c, const char *name)
{
    const struct checkpoint_tensor *t = checkpoint_find(c, name);

    if (!t)
        return missing(c, name);
    if (t->array->n_dims != 2)
        return cli_fail(t->file->path, "tensor %s: has %u dimensions, not 2", name,
                        (unsigned)t->array->n_dims);
    *rows = t->array->shape[0];
    *cols = t->array->shape[1];
    return 0;
}

/* One more than the highest that a tensor names. */
static uint32_t count_layers(const struct checkpoint *c)
{
    uint32_t n = 0;

    for (size_t i = 0; i < c->n_tensors; i++) {
        unsigned layer;
        if (sscanf(c->tensors[i].name, "h.%4u.", &layer) == 1 && layer >= n)
            n = layer + 1;
    }
    return n;
}

static bool fits(uint64_t a, uint64_t b, uint64_t most_a, uint64_t most_b)
{
    return a >= 1 && a <= most_a && b >= 1 && b <= most_b;
}

static int take_shapes(struct smol_config *config, const struct checkpoint *c)
{
    uint64_t vocab = 0, width = 0, context = 0, wpe_width = 0, in = 0, out = 0;

    if (shape_of(&vocab, &width, c, "wte.weight") ||
        shape_of(&context, &wpe_width, c, "wpe.weight") ||
        shape_of(&in, &out, c, "h.0.mlp.c_fc.weight"))
        return CLI_FAILED;
    if (!c->is_transposed)
        out = in;
    if (!fits(vocab, width, SMOL_MAX_VOCAB, SMOL_MAX_WIDTH) ||
        !fits(context, out, SMOL_MAX_CONTEXT, SMOL_MAX_FF))
        return cli_fail(c->files[0].path, "its tensors have sizes that no .smol file can have");
    config->vocab = (uint32_t)vocab;
    config->width = (uint32_t)width;
    config->context = (uint32_t)context;
    config->n_ff = (uint32_t)out;
    config->n_layers = count_layers(c);
    if (config->n_layers > SMOL_MAX_LAYERS)
        return cli_fail(c->files[0].path, "over %u layers", SMOL_MAX_LAYERS);
    return 0;
}

/* ---- what is stated ---- */

static int compare(const struct smol_config *config, const struct import_stated *s)
{
    const struct {
        const char *what;
        uint32_t stated, found;
    } sizes[] = {
        {"layers", s->n_layers, config->n_layers},
        {"width", s->width, config->width},
        {"feed-forward width",
         s->n_ff    ? s->n_ff
         : s->where ? 4 * s->width
                    : 0,
         config->n_ff},
        {"context", s->context, config->context},
        {"vocabulary", s->vocab, config->vocab},
    };

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (sizes[i].stated != 0 && sizes[i].stated != sizes[i].found)
            return cli_fail(s->where, "%s: %u are stated, but the tensors have %u", sizes[i].what,
                            (unsigned)sizes[i].stated, (unsigned)sizes[i].found);
    return 0;
}

static int choose_heads(struct smol_config *config, const struct import_stated *s, uint32_t heads)
{
    if (s->n_heads && heads && s->n_heads != heads)
        return cli_fail(s->where, "%u heads are stated, not %u", (unsigned)s->n_heads,
                        (unsigned)heads);
    config->n_heads = s->n_heads ? s->n_heads : heads;
    if (config->n_heads == 0 && config->width % HEAD_WIDTH != 0)
        return cli_usage_error("--heads", "is missing: nothing says how many there are, and the "
                                          "width is no multiple of 64");
    if (config->n_heads == 0)
        config->n_heads = config->width / HEAD_WIDTH;
    return 0;
}

/* ---- whether everything is there ---- */

static void say_shape(char text[32], const uint64_t *shape, uint32_t n)
{
    if (n == 1)
        snprintf(text, 32, "(%llu)", (unsigned long long)shape[0]);
    else
        snprintf(text, 32, "(%llu, %llu)", (unsigned long long)shape[0],
                 (unsigned long long)shape[1]);
}

static int check_shape(const struct checkpoint *c, const struct smol_tensor *want,
                       const struct checkpoint_tensor *t)
{
    const bool is_matrix = checkpoint_is_matrix(want), swaps = is_matrix && c->is_transposed;
    const bool is_vector = !is_matrix && !checkpoint_is_table(want);
    const uint64_t shape[2] = {is_vector || swaps ? want->cols : want->rows,
                               swaps ? want->rows : want->cols};
    const uint32_t n = is_vector ? 1 : 2;
    char needed[32], found[32];

    if (t->array->type == SMOL_ARRAY_OTHER)
        return cli_fail(t->file->path, "tensor %s: its numbers are of a type that is not read",
                        t->name);
    if (t->array->n_dims == n && memcmp(t->array->shape, shape, n * sizeof *shape) == 0)
        return 0;
    say_shape(needed, shape, n);
    if (t->array->n_dims < 1 || t->array->n_dims > 2)
        return cli_fail(t->file->path, "tensor %s: has %u dimensions where %s is needed", t->name,
                        (unsigned)t->array->n_dims, needed);
    say_shape(found, t->array->shape, t->array->n_dims);
    return cli_fail(t->file->path, "tensor %s: its shape is %s where %s is needed", t->name, found,
                    needed);
}

/* Masks of attention that older versions saved with the weights. */
static bool is_buffer(const char *name)
{
    return strncmp(name, "h.", 2) == 0 &&
           (cli_ends_with(name, ".attn.bias") || cli_ends_with(name, ".attn.masked_bias"));
}

static int check_tensors(const struct smol_config *config, const struct checkpoint *c)
{
    struct smol_tensor want;

    for (uint32_t i = 0; i < smol_tensor_count(config); i++) {
        const struct checkpoint_tensor *t;
        smol_tensor_at(&want, config, i);
        t = checkpoint_find(c, want.name);
        if (!t)
            return missing(c, want.name);
        if (check_shape(c, &want, t))
            return CLI_FAILED;
    }
    for (size_t i = 0; i < c->n_tensors; i++) {
        const struct checkpoint_tensor *t = &c->tensors[i];
        if (smol_tensor_find(&want, config, t->name, NULL) && !is_buffer(t->name) &&
            strcmp(t->name, OUTPUT) != 0)
            return cli_fail(t->file->path, "tensor %s: GPT-2 has none of that name", t->name);
    }
    return 0;
}

/* ---- the output table ---- */

/* Whether two tables have the same numbers, by the floats that they are read as. */
static int same_numbers(bool *same, const struct checkpoint_tensor *a,
                        const struct checkpoint_tensor *b)
{
    const size_t n = (size_t)a->array->shape[1];
    float *x = malloc(2 * n * sizeof *x), *y = x + n;
    struct smol_error error;
    int code = x ? 0 : cli_no_memory(NULL);

    *same = true;
    for (uint64_t row = 0; !code && *same && row < a->array->shape[0]; row++) {
        if (smol_array_values(x, a->array, row * n, n, &error))
            code = cli_fail(a->file->path, "tensor %s: %s", a->name, error.text);
        else if (smol_array_values(y, b->array, row * n, n, &error))
            code = cli_fail(b->file->path, "tensor %s: %s", b->name, error.text);
        else
            *same = memcmp(x, y, n * sizeof *x) == 0;
        if (row % 1024 == 1023) {
            smol_mapping_release(&a->file->mapping, a->array->data, a->array->size_bytes);
            smol_mapping_release(&b->file->mapping, b->array->data, b->array->size_bytes);
        }
    }
    free(x);
    return code;
}

/* GPT-2's logits come from wte. A table of its own makes architecture 1 of it, with that feature
 * and no other (SPEC.md 3.1). */
static int choose_output(struct smol_config *config, const struct checkpoint *c,
                         const struct import_stated *s, enum smol_dtype type)
{
    const struct checkpoint_tensor *wte = checkpoint_find(c, "wte.weight"),
                                   *output = checkpoint_find(c, OUTPUT);
    bool same;

    if (!output)
        return s->is_untied ? missing(c, OUTPUT) : 0;
    if (output->array->n_dims == 2 &&
        memcmp(output->array->shape, wte->array->shape, 2 * sizeof *output->array->shape) == 0) {
        if (same_numbers(&same, wte, output))
            return CLI_FAILED;
        if (same)
            return 0;
    }
    if (s->is_tied)
        return cli_fail(output->file->path,
                        "tensor " OUTPUT ": is not wte.weight, but %s says that they are tied",
                        cli_base_name(s->where));
    config->architecture = SMOL_ARCH_SMOL;
    config->features = SMOL_FEATURE_OUTPUT_TABLE;
    config->output_type = type;
    return 0;
}

/* ---- all of it ---- */

static void fill_schemes(struct smol_config *config, const struct import_types *types)
{
    const struct smol_scheme matrix = {.kind = SMOL_MATRIX,
                                       .source = SMOL_MATRIX_STORED,
                                       .terms = SMOL_TERM_BIASES,
                                       .alpha_type = types->matrices,
                                       .value_type = SMOL_F32};
    const struct smol_scheme norm = {
        .kind = SMOL_NORM, .source = SMOL_NORM_STORED, .value_type = SMOL_F32};

    smol_config_fill(config, &matrix, &norm, 1.0);
    config->wte_type = types->wte;
    config->wpe_type = types->wpe;
}

int import_config(struct smol_config *config, const struct checkpoint *c,
                  const struct import_stated *s, const struct import_types *types, uint32_t heads)
{
    struct smol_error error;
    int code;

    if (take_shapes(config, c) || compare(config, s))
        return CLI_FAILED;
    if ((code = choose_heads(config, s, heads)) != 0 ||
        (code = choose_output(config, c, s, types->wte)) != 0)
        return code;
    fill_schemes(config, types);
    config->ln_epsilon = (float)(s->epsilon > 0 ? s->epsilon : EPSILON);
    if (smol_config_check(config, &error)) {
        error.offset = SMOL_NO_OFFSET; /* of a file that is not there yet */
        return cli_complain(s->where ? s->where : c->files[0].path, &error);
    }
    return check_tensors(config, c);
}
