/* The configuration of a model: its shape, and for every matrix its size and where its weights come
 * from.
 *     cc -std=c11 schemes.c $(pkg-config --cflags --libs smol) -o schemes
 * Usage: schemes MODEL.smol */
#include <smol/config.h>
#include <smol/io.h>

#include <stdio.h>

static void print_layer(const struct smol_config *config, uint32_t layer)
{
    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++) {
        const struct smol_scheme *s = smol_config_scheme(config, layer, slot);
        uint32_t rows, cols;

        if (s->kind != SMOL_MATRIX)
            continue;
        smol_config_shape(&rows, &cols, config, slot);
        printf("h.%u.%s %u x %u source %u dist %u numbers %u rank %u sigma %.9g\n", (unsigned)layer,
               smol_slot_name(slot), (unsigned)rows, (unsigned)cols, (unsigned)s->source,
               (unsigned)s->dist, (unsigned)smol_scheme_parameters(s), (unsigned)s->rank,
               (double)s->sigma);
    }
}

int main(int argc, char **argv)
{
    struct smol_mapping mapping;
    struct smol_error error;
    struct smol_file file;
    const struct smol_config *c = &file.config;

    if (argc != 2) {
        fprintf(stderr, "usage: schemes MODEL.smol\n");
        return 2;
    }
    if (smol_file_open(&mapping, &file, argv[1], 1, &error)) {
        fprintf(stderr, "schemes: %s: %s\n", argv[1], error.text);
        return 1;
    }
    printf("%s: %u layers, width %u, %u heads, context %u, vocabulary %u, seed %llu, learned "
           "%llu\n",
           smol_config_method(c), (unsigned)c->n_layers, (unsigned)c->width, (unsigned)c->n_heads,
           (unsigned)c->context, (unsigned)c->vocab, (unsigned long long)c->seed,
           (unsigned long long)smol_config_parameters(c));
    for (uint32_t layer = 0; layer < c->n_layers; layer++)
        print_layer(c, layer);
    smol_mapping_close(&mapping);
    return 0;
}
