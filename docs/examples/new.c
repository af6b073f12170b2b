/* A new model: a small one of the method `embed`, which learns nothing but its embeddings, as a
 * trainer would begin with.
 *     cc -std=c11 new.c $(pkg-config --cflags --libs smol) -o new
 * Usage: new SEED OUT.smol */
#include <smol/initial.h>
#include <smol/io.h>

#include <stdio.h>
#include <stdlib.h>

#define LAYERS 2
#define WIDTH 32
#define CONTEXT 64
#define VOCAB 256

/* The tables are of halves and lie one after the other, wherever the layout says. */
static void fill(uint8_t *embeddings, const struct smol_embedding_layout *at,
                 const struct smol_config *config)
{
    static float wte[VOCAB * WIDTH], wpe[CONTEXT * WIDTH];

    smol_initial_wte(wte, config, SMOL_INITIAL_STD, 0, VOCAB);
    smol_initial_wpe(wpe, config, SMOL_INITIAL_STD, 0, CONTEXT);
    smol_encode_numbers(embeddings + at->wte.data, SMOL_F16, wte, VOCAB * WIDTH);
    smol_encode_numbers(embeddings + at->wpe.data, SMOL_F16, wpe, CONTEXT * WIDTH);
}

int main(int argc, char **argv)
{
    const struct smol_scheme matrix = {.kind = SMOL_MATRIX, .source = SMOL_MATRIX_UNIT, .d = 1};
    const struct smol_scheme norm = {.kind = SMOL_NORM, .source = SMOL_NORM_FROZEN};
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    struct smol_parts parts = {0};
    struct smol_config *config = &parts.config;
    struct smol_embedding_layout at;
    uint8_t *embeddings = NULL, *file = NULL;
    uint64_t n;
    int code = 1;

    if (argc != 3) {
        fprintf(stderr, "usage: new SEED OUT.smol\n");
        return 2;
    }
    config->n_layers = LAYERS;
    config->n_heads = 2;
    config->width = WIDTH;
    config->n_ff = 4 * WIDTH;
    config->context = CONTEXT;
    config->vocab = VOCAB;
    config->wte_type = config->wpe_type = SMOL_F16;
    config->seed = strtoull(argv[1], NULL, 10);
    smol_config_fill(config, &matrix, &norm, 1.0);
    smol_embedding_layout(&at, config);
    if (!(embeddings = calloc(1, (size_t)at.size_bytes)))
        goto done;
    fill(embeddings, &at, config);
    parts.embeddings = (struct smol_span){embeddings, (size_t)at.size_bytes};
    if (smol_file_size(&n, &parts, &error) || !(file = malloc((size_t)n)) ||
        smol_file_write(file, n, &parts, &error) ||
        smol_write_file(argv[2], file, (size_t)n, 0666, &error))
        goto done;
    code = 0;
done:
    if (code)
        fprintf(stderr, "new: %s: %s\n", argv[2], error.text);
    free(file);
    free(embeddings);
    return code;
}
