/* Arrays that grow. */
#ifndef SMOL_GROW_H
#define SMOL_GROW_H

#include <stdint.h>
#include <stdlib.h>

/* An array of *capacity elements of size bytes with room for n: itself, or moved and at least twice
 * as large. NULL, and nothing changed, if memory is out. It is never NULL otherwise, even for 0. */
static inline void *smol_grown(void *array, size_t *capacity, size_t n, size_t size)
{
    const size_t twice = 2 * *capacity + 16, larger = n > twice ? n : twice;
    void *moved;

    if (array && n <= *capacity)
        return array;
    moved = larger > SIZE_MAX / 2 / size ? NULL : realloc(array, larger * size);
    if (moved)
        *capacity = larger;
    return moved;
}

#endif
