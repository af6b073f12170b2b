/* The pieces of the arithmetic, for those who write another implementation: what a seed becomes.
 *     cc -std=c11 primitives.c $(pkg-config --cflags --libs smol) -o primitives
 * Usage: primitives SEED */
#include <smol/primitives.h>

#include <stdio.h>
#include <stdlib.h>

static void print_hex(const char *name, const uint8_t *bytes, size_t n)
{
    printf("%s ", name);
    for (size_t i = 0; i < n; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    static const double alpha[] = {1.0, -0.25};
    int16_t table[256];
    uint8_t key[32], stream[64];
    double draws[4], scale;
    uint64_t seed;

    if (argc != 2) {
        fprintf(stderr, "usage: primitives SEED\n");
        return 2;
    }
    seed = strtoull(argv[1], NULL, 10);
    smol_primitive_key(key, seed);
    print_hex("key", key, sizeof key);
    /* Of the weights of tensor 0: plane 0, purpose 1, row block 0. A byte is one weight. */
    smol_primitive_stream(stream, seed, 0, 0, 1, 0, 1);
    print_hex("stream", stream, sizeof stream);
    /* What each byte stands for under the alphas: an integer, times the scale. */
    scale = smol_primitive_table(table, SMOL_SIGN, alpha, 2);
    printf("scale %.17g\nweights", scale);
    for (int i = 0; i < 8; i++)
        printf(" %d", table[stream[i]]);
    smol_primitive_draws(draws, seed, 4);
    printf("\ndraws");
    for (int i = 0; i < 4; i++)
        printf(" %.17g", draws[i]);
    printf("\n");
    return 0;
}
