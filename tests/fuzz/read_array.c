/* See read_array.h. */
#include "read_array.h"
#include "fuzz.h"

void fuzz_read_array(const struct smol_array *a)
{
    float values[64];
    uint64_t n = 1;

    for (uint32_t d = 0; d < a->n_dims; d++)
        n *= a->shape[d];
    for (uint64_t i = 0; i < n; i += 64) {
        struct smol_error error = {0};
        const enum smol_status status =
            smol_array_values(values, a, i, n - i < 64 ? (size_t)(n - i) : 64, &error);
        fuzz_require(status == error.code &&
                     (status != SMOL_E_ENUM) == (a->type != SMOL_ARRAY_OTHER));
        if (status)
            return;
    }
}
