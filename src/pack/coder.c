/* A carry-less range coder of 64 bits: symbols with counts to bytes and back. SPEC.md 15. */
#include "pack/coder.h"

#define SMALLEST ((uint64_t)1 << 48) /* what a symbol is coded in, at least */

static void narrow(struct smol_range *g, struct smol_share_of s)
{
    const uint64_t unit = g->size / s.all;

    g->low += unit * s.before;
    g->size = unit * s.own;
}

/* Whether the upper byte is settled: by itself, or because what is left is too little and the part
 * beyond a change of that byte is given up. */
static bool settles(struct smol_range *g)
{
    if ((g->low ^ (g->low + (g->size - 1))) >> 56 == 0)
        return true;
    if (g->size >= SMALLEST)
        return false;
    g->size = SMALLEST - g->low % SMALLEST;
    return true;
}

/* The upper byte leaves. All 2^64 numbers do not fit size: then the last one is given up. */
static void shift(struct smol_range *g)
{
    g->low <<= 8;
    g->size = g->size >> 56 ? UINT64_MAX : g->size << 8;
}

/* The number with the fewest bytes that is in the range; returns how many. */
static uint32_t shortest(uint64_t *number, const struct smol_range *g)
{
    for (uint32_t k = 1; k <= 8 && g->low > 0; k++) {
        const uint64_t below = ((uint64_t)1 << (64 - 8 * k)) - 1, n = (g->low + below) & ~below;
        if (n >= g->low && n - g->low < g->size) {
            *number = n;
            return k;
        }
    }
    *number = 0;
    return 0;
}

static void put(struct smol_coder_writer *w, uint8_t byte)
{
    if (w->n_written < w->capacity_bytes)
        w->dest[w->n_written] = byte;
    w->n_written++;
    if (byte)
        w->n_used = w->n_written;
}

void smol_coder_begin(struct smol_coder_writer *w, uint32_t tag, uint8_t *dest,
                      size_t capacity_bytes)
{
    *w = (struct smol_coder_writer){.range = {(uint64_t)tag << 60, (uint64_t)1 << 60},
                                    .dest = dest,
                                    .capacity_bytes = capacity_bytes};
}

void smol_coder_write(struct smol_coder_writer *w, struct smol_share_of s)
{
    narrow(&w->range, s);
    while (settles(&w->range)) {
        put(w, (uint8_t)(w->range.low >> 56));
        shift(&w->range);
    }
}

void smol_coder_end(struct smol_coder_writer *w)
{
    uint64_t number;
    const uint32_t k = shortest(&number, &w->range);

    for (uint32_t i = 0; i < k; i++)
        put(w, (uint8_t)(number >> (56 - 8 * i)));
}

/* Byte i, or 0 past the end. */
static uint8_t byte_at(const struct smol_coder_reader *r, size_t i)
{
    return i < r->size_bytes ? r->bytes[i] : 0;
}

void smol_coder_open(struct smol_coder_reader *r, const uint8_t *bytes, size_t size_bytes)
{
    *r = (struct smol_coder_reader){
        .range = {(uint64_t)(bytes[0] >> 4) << 60, (uint64_t)1 << 60},
        .bytes = bytes,
        .size_bytes = size_bytes,
        .at = 8,
    };
    for (size_t i = 0; i < 8; i++)
        r->z = r->z << 8 | byte_at(r, i);
}

uint64_t smol_coder_peek(const struct smol_coder_reader *r, uint64_t all)
{
    return (r->z - r->range.low) / (r->range.size / all);
}

bool smol_coder_take(struct smol_coder_reader *r, struct smol_share_of s)
{
    narrow(&r->range, s);
    while (settles(&r->range)) {
        if ((r->z ^ r->range.low) >> 56)
            return false;
        r->z = r->z << 8 | byte_at(r, r->at++);
        shift(&r->range);
    }
    return true;
}

bool smol_coder_is_spent(const struct smol_coder_reader *r)
{
    return r->z == r->range.low && r->at >= r->size_bytes;
}

bool smol_coder_ends(const struct smol_coder_reader *r)
{
    uint64_t number;
    const uint32_t k = shortest(&number, &r->range);

    return r->z == number && r->size_bytes <= r->at - 8 + k && r->bytes[r->size_bytes - 1] != 0;
}
