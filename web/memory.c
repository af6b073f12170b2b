/* malloc and its like, for few and large blocks: 12 kB smaller than the C library's. */
#define _DEFAULT_SOURCE /* sbrk */

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define GRAIN 64u /* of sizes, and the alignment of everything */
#define PAGE 65536u

/* One after another in the order of their addresses; in front of what it describes, and as large as
 * the grain. */
struct block {
    _Alignas(GRAIN) size_t size_bytes; /* without this */
    bool is_used;
    struct block *next;
};
static struct block *first;

static uint8_t *contents(struct block *b) { return (uint8_t *)(b + 1); }

static void merge_free(void)
{
    for (struct block *b = first; b; b = b->next)
        while (!b->is_used && b->next && !b->next->is_used) {
            b->size_bytes += sizeof *b + b->next->size_bytes;
            b->next = b->next->next;
        }
}

/* Memory that is one with what was there: sbrk is asked for at most INTPTR_MAX at once. */
static bool grow(size_t size_bytes)
{
    const size_t most = INTPTR_MAX / PAGE * PAGE;
    struct block **last = &first;

    while (*last)
        last = &(*last)->next;
    for (size_t part; size_bytes > 0; size_bytes -= part) {
        struct block *b;
        part = size_bytes < most ? size_bytes : most;
        b = sbrk((intptr_t)part);
        if (b == (void *)-1)
            return false;
        *b = (struct block){.size_bytes = part - sizeof *b};
        *last = b;
        last = &b->next;
    }
    merge_free();
    return true;
}

/* A free block of at least that size, which is a multiple of the grain, cut to it. */
static struct block *find(size_t size_bytes)
{
    struct block *b = first;

    while (b && (b->is_used || b->size_bytes < size_bytes))
        b = b->next;
    if (b && b->size_bytes > size_bytes + sizeof *b) {
        struct block *rest = (struct block *)(contents(b) + size_bytes);
        *rest =
            (struct block){.size_bytes = b->size_bytes - size_bytes - sizeof *b, .next = b->next};
        b->size_bytes = size_bytes;
        b->next = rest;
    }
    return b;
}

void *malloc(size_t size_bytes)
{
    const size_t needed = (size_bytes / GRAIN + 1) * GRAIN;
    struct block *b;

    if (size_bytes > SIZE_MAX - 2 * PAGE)
        return NULL;
    b = find(needed);
    if (!b && grow((needed + sizeof *b + PAGE - 1) / PAGE * PAGE))
        b = find(needed);
    if (!b)
        return NULL;
    b->is_used = true;
    return contents(b);
}

void free(void *memory)
{
    if (!memory)
        return;
    ((struct block *)memory - 1)->is_used = false;
    merge_free();
}

void *calloc(size_t n, size_t size_bytes)
{
    void *memory = size_bytes && n > SIZE_MAX / size_bytes ? NULL : malloc(n * size_bytes);

    return memory ? memset(memory, 0, n * size_bytes) : NULL;
}

void *realloc(void *memory, size_t size_bytes)
{
    void *moved = malloc(size_bytes);
    size_t old;

    if (!moved || !memory)
        return moved;
    old = ((struct block *)memory - 1)->size_bytes;
    memcpy(moved, memory, old < size_bytes ? old : size_bytes);
    free(memory);
    return moved;
}

/* alignment: the grain at most. */
void *aligned_alloc(size_t alignment, size_t size_bytes)
{
    (void)alignment;
    return malloc(size_bytes);
}
