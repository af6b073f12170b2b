/* The seeds of deltas: golden ones. */
#include "fuzz.h"
#include "golden_file.h"

#include <stdlib.h>

void fuzz_seeds(fuzz_take *take)
{
    static const char *const paths[] = {"deltas/alpha.smol",       "deltas/every-kind.smol",
                                        "deltas/lora-signed.smol", "deltas/lora.smol",
                                        "deltas/mix.smol",         "deltas/nothing.smol",
                                        "deltas/sum.smol",         "deltas/rows-of-wte.smol"};

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        size_t size;
        uint8_t *bytes = fuzz_golden_bytes(&size, paths[i]);
        take(bytes, size);
        free(bytes);
    }
}
