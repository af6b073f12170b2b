/* Parameters where they lie in the file: prints the alphas of every matrix that has its own.
 *     cc -std=c11 alphas.c $(pkg-config --cflags --libs smol) -o alphas
 * Usage: alphas MODEL.smol */
#include <smol/initial.h>
#include <smol/io.h>
#include <smol/params.h>

#include <stdio.h>

static void print_alphas(const struct smol_file *file, uint32_t layer, enum smol_slot slot)
{
    const struct smol_scheme *s = smol_config_scheme(&file->config, layer, slot);
    struct smol_params_place at;
    float alphas[SMOL_MAX_BASES];

    if (s->kind != SMOL_MATRIX || s->source != SMOL_MATRIX_OWN)
        return;
    smol_params_at(&at, &file->config, layer, slot);
    smol_decode_numbers(alphas, s->alpha_type, file->params.data + at.alphas, s->d);
    printf("layer %u slot %d:", (unsigned)layer, (int)slot);
    for (unsigned k = 0; k < s->d; k++)
        printf(" %.9g", (double)alphas[k]);
    printf("\n");
}

int main(int argc, char **argv)
{
    struct smol_mapping mapping;
    struct smol_error error;
    struct smol_file file;

    if (argc != 2) {
        fprintf(stderr, "usage: alphas MODEL.smol\n");
        return 2;
    }
    if (smol_file_open(&mapping, &file, argv[1], 1, &error)) {
        fprintf(stderr, "alphas: %s: %s\n", argv[1], error.text);
        return 1;
    }
    for (uint32_t layer = 0; layer < file.config.n_layers; layer++)
        for (int slot = 0; slot < SMOL_N_SLOTS; slot++)
            print_alphas(&file, layer, (enum smol_slot)slot);
    smol_mapping_close(&mapping);
    return 0;
}
