/* Memory as the trainer wants it. */
#ifndef SMOL_TRAIN_ALLOC_H
#define SMOL_TRAIN_ALLOC_H

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

/* count x size_bytes zeroed bytes at a 64-byte boundary, to be freed; NULL if out of memory. */
static inline void *smol_train_alloc(uint64_t count, size_t size_bytes)
{
    uint64_t bytes;
    void *p;

    if (!smol_mul(&bytes, count, size_bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes = smol_round_up(bytes > 0 ? bytes : 1, 64);
    p = aligned_alloc(64, (size_t)bytes);
    return p ? memset(p, 0, (size_t)bytes) : NULL;
}

#endif
