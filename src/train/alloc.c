/* See alloc.h. A step goes through all of its memory several times: with small pages a few percent
 * of its time is looking up where they are. */
#define _DEFAULT_SOURCE /* madvise */
#include "train/alloc.h"

#include <sys/mman.h>
#include <unistd.h>

#define LARGE (UINT64_C(4) << 20) /* bytes from which it matters */

/* Of what nothing is in yet; all of it will be written to at once, so that none is wasted. */
static void ask_for_large_pages(unsigned char *p, size_t bytes)
{
#ifdef MADV_HUGEPAGE
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), before = (page - (uintptr_t)p % page) % page;

    madvise(p + before, (bytes - before) / page * page, MADV_HUGEPAGE);
#else
    (void)p, (void)bytes;
#endif
}

void *smol_train_alloc(uint64_t count, size_t size_bytes)
{
    uint64_t bytes;
    void *p;

    if (!smol_mul(&bytes, count, size_bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    bytes = smol_round_up(bytes > 0 ? bytes : 1, 64);
    p = aligned_alloc(64, (size_t)bytes);
    if (p && bytes >= LARGE)
        ask_for_large_pages(p, (size_t)bytes);
    return p ? memset(p, 0, (size_t)bytes) : NULL;
}
