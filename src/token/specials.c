/* Special tokens, found in text. See split.h. */
#include "token/split.h"

#include <stdlib.h>
#include <string.h>

/* Byte order; a prefix comes before what it begins. */
static int compare(const void *a, const void *b)
{
    const struct smol_span *x = a, *y = b; /* the first member of sorted's */
    const size_t n = x->size_bytes < y->size_bytes ? x->size_bytes : y->size_bytes;
    const int order = memcmp(x->data, y->data, n);

    return order != 0 ? order : (x->size_bytes > y->size_bytes) - (x->size_bytes < y->size_bytes);
}

void smol_specials_init(struct smol_specials *s, uint32_t n)
{
    s->n = n;
    qsort(s->sorted, n, sizeof s->sorted[0], compare);
    memset(s->begins, 0, sizeof s->begins);
    for (uint32_t i = 0; i < n; i++)
        s->begins[s->sorted[i].text.data[0]] = true;
}

/* Byte by byte, the specials from low to high - 1 are those that agree so far; if one of them ends
 * here, it is the first. Few bytes are looked at and few specials are passed over, whatever the
 * text. */
static bool longest_at(uint32_t *which, const struct smol_specials *s, const uint8_t *text,
                       size_t size)
{
    uint32_t low = 0, high = s->n;
    bool found = false;

    for (size_t i = 0; low < high && i < size; i++) {
        while (low < high && s->sorted[low].text.data[i] < text[i])
            low++;
        while (low < high && s->sorted[high - 1].text.data[i] > text[i])
            high--;
        if (low < high && s->sorted[low].text.size_bytes == i + 1) {
            *which = low++;
            found = true;
        }
    }
    return found;
}

size_t smol_specials_find(uint32_t *which, const struct smol_specials *s, const uint8_t *text,
                          size_t size)
{
    for (size_t at = 0; at < size && s->n > 0; at++)
        if (s->begins[text[at]] && longest_at(which, s, text + at, size - at))
            return at;
    return size;
}
