/* The reader's seeds: models of every method. */
#include "fuzz.h"
#include "recipes.h"

#include <stdlib.h>

void fuzz_seeds(fuzz_take *take)
{
    for (unsigned i = 0; i < N_RECIPES; i++) {
        size_t size;
        uint8_t *model = model_make(&size, &fuzz_recipes[i]);
        take(model, size);
        free(model);
    }
}
