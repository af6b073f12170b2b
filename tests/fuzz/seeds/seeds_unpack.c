/* The seeds of unpack: what the reference packed, of each of the target's models. */
#include "fuzz.h"
#include "packers.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line of golden/vectors/packed.txt, if it is of a text packed with the i-th model. */
static void take_line(fuzz_take *take, unsigned i, const char *line)
{
    char name[64], text[512], packed[512];
    uint8_t bytes[256] = {0, MAX_UNPACKED};
    unsigned check;
    size_t n = 2;

    if (sscanf(line, "%63s pack %u %511s %511s", name, &check, text, packed) != 4 ||
        strcmp(name, packer_names[i]) != 0)
        return;
    bytes[0] = (uint8_t)(i + N_PACKERS * check);
    for (const char *at = packed; at[0] != '-' && at[0]; at += 2) {
        const char digits[3] = {at[0], at[1], 0};
        bytes[n++] = (uint8_t)strtoul(digits, NULL, 16);
    }
    take(bytes, n);
}

void fuzz_seeds(fuzz_take *take)
{
    char line[1024];

    for (unsigned i = 0; i < N_PACKERS; i++) {
        FILE *f = fopen(TEST_DATA "/golden/vectors/packed.txt", "r");
        fuzz_require(f);
        while (fgets(line, sizeof line, f))
            take_line(take, i, line);
        fclose(f);
    }
}
