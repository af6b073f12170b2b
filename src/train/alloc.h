/* Memory as the trainer wants it. */
#ifndef SMOL_TRAIN_ALLOC_H
#define SMOL_TRAIN_ALLOC_H

#include "base/bytes.h"

#include <stdlib.h>
#include <string.h>

/* count x size_bytes zeroed bytes at a 64-byte boundary, to be freed; NULL if out of memory. Much
 * of it is in large pages, if the system has them. */
void *smol_train_alloc(uint64_t count, size_t size_bytes);

#endif
