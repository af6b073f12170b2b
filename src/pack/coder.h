/* A carry-less range coder of 64 bits: symbols with counts to bytes and back. SPEC.md 15. */
#ifndef SMOL_CODER_H
#define SMOL_CODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the symbols so far leave: size numbers from low on. low + size <= 2^64. */
struct smol_range {
    uint64_t low, size;
};

/* A symbol among others: the count of those before it, its own and that of all, which is below
 * 2^48. */
struct smol_share_of {
    uint64_t before, own, all;
};

/* One of n symbols of the same count. */
static inline struct smol_share_of smol_uniform(uint64_t k, uint64_t n)
{
    return (struct smol_share_of){k, 1, n};
}

struct smol_coder_writer {
    struct smol_range range;
    uint8_t *dest;
    size_t capacity_bytes;
    size_t n_written;
    size_t n_used; /* up to the last byte that is not 0; over the capacity: it does not fit */
};

/* A tag (1..15) begins what is written to dest. */
void smol_coder_begin(struct smol_coder_writer *w, uint32_t tag, uint8_t *dest,
                      size_t capacity_bytes);
void smol_coder_write(struct smol_coder_writer *w, struct smol_share_of s);
/* The shortest ending; n_used bytes have then been written, if they fit. */
void smol_coder_end(struct smol_coder_writer *w);

struct smol_coder_reader {
    struct smol_range range;
    uint64_t z; /* the bytes at the place of range.low */
    const uint8_t *bytes;
    size_t size_bytes;
    size_t at; /* of the byte after z's */
};

/* bytes: size_bytes >= 1, and their first four bits are the tag. */
void smol_coder_open(struct smol_coder_reader *r, const uint8_t *bytes, size_t size_bytes);
/* Where among counts of that sum the next symbol is; not below the sum if the bytes are damaged. */
uint64_t smol_coder_peek(const struct smol_coder_reader *r, uint64_t all);
/* Takes the symbol that is there. false if no writer has written these bytes. */
bool smol_coder_take(struct smol_coder_reader *r, struct smol_share_of s);
/* Whether all symbols to come are the first of theirs, for ever, since nothing but zeros is left.
 */
bool smol_coder_is_spent(const struct smol_coder_reader *r);
/* Whether the bytes end as a writer ends them. */
bool smol_coder_ends(const struct smol_coder_reader *r);

#endif
