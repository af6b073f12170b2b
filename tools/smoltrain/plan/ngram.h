/* A table of n-grams of bytes: the rival that counts. Its probabilities are interpolated by Witten
 * and Bell's method: with contexts h of up to k bytes,
 *
 *     p_j(b | h) = (c(h b) + u(h) p_(j-1)(b | h')) / (c(h) + u(h))
 *
 * c are the counts that are kept, those of at least m, clipped at 255; u(h) is how many bytes are
 * kept after h, c(h) the sum of their counts, h' is h without its first byte, and p_(-1) uniform
 * over the vocabulary. A context after which nothing is kept leaves p_(j-1) as it is. */
#ifndef SMOLTRAIN_NGRAM_H
#define SMOLTRAIN_NGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NGRAM_MOST_ORDER 6u

/* Of one order: (n) strings of order + 1 bytes, as big-endian numbers, in ascending order, and how
 * often each occurs, at most 255. */
struct ngram_order {
    uint64_t *strings;
    uint8_t *counts;
    size_t n;
};

struct ngram_counts {
    struct ngram_order order[NGRAM_MOST_ORDER + 1];
    uint32_t vocab; /* byte values in use, and one for all others */
};

/* All that a text contains. False if there is no memory. For ngram_free. */
bool ngram_count(struct ngram_counts *counts, const uint8_t *text, size_t n);
void ngram_free(struct ngram_counts *counts);

/* The table of orders 0..k with counts of at least m as bytes, before xz: order by order, for each
 * context in ascending order the number of bytes that follow (of the empty one, less 1; of others
 * at most 255, and a 256th is left out), these bytes, their counts. Contexts are not written: those
 * of an order are the strings of the order before, with 0 followers if none are kept. *bytes for
 * free(). */
bool ngram_table(uint8_t **bytes, size_t *size_bytes, const struct ngram_counts *counts, unsigned k,
                 unsigned m);

/* The mean loss in nats per byte of that table on text, each byte but the first after those before
 * it. n >= 2. */
double ngram_score(const struct ngram_counts *counts, unsigned k, unsigned m, const uint8_t *text,
                   size_t n);

#endif
