/* No index, in the minimal library, whose texts are short: all places are looked through. */
#include "model/history/history.h"

size_t smol_index_bytes(uint32_t capacity)
{
    (void)capacity;
    return 0;
}

void smol_index_place(struct index *x, uint32_t capacity, void *memory)
{
    (void)capacity;
    (void)memory;
    *x = (struct index){0};
}

void smol_index_copy(struct index *to, const struct index *from, uint32_t capacity)
{
    (void)to;
    (void)from;
    (void)capacity;
}

void smol_index_sort(struct index *x, const uint16_t *tokens, const uint8_t *is_written,
                     uint32_t from, uint32_t to, uint32_t length)
{
    (void)x;
    (void)tokens;
    (void)is_written;
    (void)from;
    (void)to;
    (void)length;
}

void smol_search_look_up(const struct search *s, uint32_t from, uint32_t to)
{
    (void)s;
    (void)from;
    (void)to;
}
