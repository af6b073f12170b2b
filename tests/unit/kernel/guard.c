/* Memory between two zones that nobody may write. */
#include "guard.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#define ZONE 256u

/* Before the memory: the size, at the very start, then the zone. */
void *guard_take(size_t size_bytes, size_t align)
{
    const size_t before = ZONE + align;
    uint8_t *block = aligned_alloc(ZONE, (before + size_bytes + 2 * ZONE - 1) / ZONE * ZONE);

    cr_assert_not_null(block);
    cr_assert(align >= 1 && align <= 64);
    memset(block, GUARD_BYTE, before + size_bytes + ZONE - align);
    memcpy(block, &size_bytes, sizeof size_bytes);
    memcpy(block + sizeof size_bytes, &align, sizeof align);
    return block + before;
}

/* The start of the block: memory begins `align` < ZONE beyond a multiple of ZONE. */
void guard_give(void *memory)
{
    uint8_t *p = memory;
    uint8_t *block = p - (uintptr_t)p % ZONE - ZONE;
    size_t size_bytes, align;

    memcpy(&size_bytes, block, sizeof size_bytes);
    memcpy(&align, block + sizeof size_bytes, sizeof align);
    for (const uint8_t *q = block + sizeof size_bytes + sizeof align; q < p; q++)
        cr_assert_eq(*q, GUARD_BYTE, "written %td bytes before the start", p - q);
    for (size_t i = 0; i < ZONE - align; i++)
        cr_assert_eq(p[size_bytes + i], GUARD_BYTE, "written %zu bytes after the end", i);
    free(block);
}
