/* Memory as tests/isa/rows.c takes it, where there are no pages that could be protected: results
 * are compared, and what is read past an end is not seen. */
#ifndef PLAIN_SYS_MMAN_H
#define PLAIN_SYS_MMAN_H

#include <stdlib.h>
#include <string.h>

#define PROT_NONE 0
#define PROT_READ 1
#define PROT_WRITE 2
#define MAP_PRIVATE 2
#define MAP_ANONYMOUS 32
#define MAP_FAILED NULL

static inline void *mmap(void *at, size_t size, int protection, int flags, int file, long offset)
{
    void *p = aligned_alloc(64, size);

    (void)at, (void)protection, (void)flags, (void)file, (void)offset;
    return p ? memset(p, 0, size) : NULL;
}

static inline int mprotect(void *p, size_t size, int protection)
{
    (void)p, (void)size, (void)protection;
    return 0;
}

static inline int munmap(void *p, size_t size)
{
    (void)size;
    free(p);
    return 0;
}

#endif
