/* Memory between two zones that nobody may write. It begins at a multiple of `align`, but of
 * nothing larger, and is filled with a pattern, so that what was left alone can be told. */
#ifndef TEST_GUARD_H
#define TEST_GUARD_H

#include <stddef.h>
#include <stdint.h>

#define GUARD_BYTE 0xa5

void *guard_take(size_t size_bytes, size_t align);

/* Fails the test if a zone was written; frees. */
void guard_give(void *memory);

#endif
