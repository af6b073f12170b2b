/* Seconds for all entries of a projection of GPT-2 124M's matrices, and for the transpose:
 * bench_projection [D [THREADS [ROUNDS]]]. */
#define _POSIX_C_SOURCE 200809L
#include "train/net/build.h"
#include "train/net/projection.h"

#include <smol/config.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static struct smol_net *make(enum smol_source source, uint32_t d, uint32_t n_threads)
{
    static struct smol_config config;
    const struct smol_net_options options = {
        .batch = 1, .n_threads = n_threads, .embedding_std = 0.02};
    struct smol_net *net = NULL;
    struct smol_error error = {0};

    config = (struct smol_config){.n_layers = 12,
                                  .n_heads = 12,
                                  .width = 768,
                                  .n_ff = 3072,
                                  .context = 8,
                                  .vocab = 256,
                                  .ln_epsilon = 1e-5f,
                                  .logit_scale = 1,
                                  .n_schemes = 2,
                                  .n_spans = 1,
                                  .schemes = {{.kind = SMOL_NORM},
                                              {.kind = SMOL_MATRIX,
                                               .source = (uint8_t)source,
                                               .d = 1,
                                               .dimensions = d,
                                               .sigma = 0.04f}},
                                  .spans = {{.n_layers = 12, .scheme = {0, 1, 1, 0, 1, 1}}}};
    smol_config_canonicalise(&config);
    if (smol_config_check(&config, &error) != SMOL_OK ||
        smol_net_create(&net, &config, &options, &error) != SMOL_OK) {
        fprintf(stderr, "bench_projection: %s\n", error.text);
        exit(1);
    }
    for (size_t i = 0; i < net->n_values; i++)
        net->value[i] = (real)((double)(i % 17) / 17 - 0.5);
    return net;
}

static void each_matrix(struct smol_net *net, bool backward)
{
    for (uint32_t l = 0; l < net->config.n_layers; l++)
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++) {
            const struct smol_net_matrix *m = &net->layers[l].matrix[slot];

            if (smol_slot_is_matrix(slot) && backward)
                smol_projection_gradient(net, m, m->weight);
            else if (smol_slot_is_matrix(slot))
                smol_projection_add(net, m);
        }
}

static double best(struct smol_net *net, bool backward, unsigned rounds)
{
    double least = 1e9;

    for (unsigned i = 0; i < rounds; i++) {
        const double start = now();
        double seconds;
        each_matrix(net, backward);
        seconds = now() - start;
        least = seconds < least ? seconds : least;
    }
    return least;
}

int main(int argc, char **argv)
{
    const uint32_t d = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 1000;
    const uint32_t n_threads = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 2;
    const unsigned rounds = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 5;

    for (int i = 0; i < 2; i++) {
        struct smol_net *net = make(i ? SMOL_MATRIX_FOURIER : SMOL_MATRIX_FASTFOOD, d, n_threads);
        const double forward = best(net, false, rounds), backward = best(net, true, rounds);
        printf("%s, d %u, %u threads: forward %.4f s, backward %.4f s\n",
               i ? "fourier" : "fastfood", (unsigned)d, (unsigned)n_threads, forward, backward);
        smol_net_destroy(net);
    }
    return 0;
}
