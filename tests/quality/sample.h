/* What the tests look at: bytes of a row block of one plane of a tensor, and its neighbours. */
#ifndef QUALITY_SAMPLE_H
#define QUALITY_SAMPLE_H

#include "frozen/frozen.h"

#define ROWS SMOL_ROW_BLOCK
#define COLS 1024u
#define SAMPLE_BYTES (ROWS * COLS)
#define SAMPLE_WORDS (SAMPLE_BYTES / 8)
#define SAMPLE_BITS (8.0 * SAMPLE_BYTES)

struct place {
    uint64_t seed;
    uint32_t tensor, plane, block;
    enum smol_purpose purpose;
};

struct sample {
    uint64_t n; /* its number */
    struct place place;
    uint8_t bytes[SAMPLE_BYTES];  /* (ROWS, COLS) */
    uint64_t words[SAMPLE_WORDS]; /* the same, little-endian */
};

/* Sample n: four row blocks, two planes, twelve tensors, then the next seed. */
struct place sample_place(uint64_t n);

void sample_fill(struct sample *s, uint64_t n, const struct place *place);

/* One statistical test: the upper tail's p-value of a sample. */
struct quality_test {
    const char *name;
    double (*p)(const struct sample *s);
};

extern const struct quality_test quality_tests[];
extern const size_t n_quality_tests;

/* The two files of tests. */
double test_ones(const struct sample *s);
double test_ones_of_a_base(const struct sample *s);
double test_blocks(const struct sample *s);
double test_transitions(const struct sample *s);
double test_bytes(const struct sample *s);
double test_neighbours(const struct sample *s);
double test_gaps(const struct sample *s);
double test_birthdays(const struct sample *s);
double test_ranks(const struct sample *s);
double test_spectrum(const struct sample *s);
double test_normal_moments(const struct sample *s);
double test_orthogonality(const struct sample *s);

double test_next_step(const struct sample *s);
double test_lanes(const struct sample *s);
double test_rows(const struct sample *s);
double test_bases(const struct sample *s);
double test_blocks_apart(const struct sample *s);
double test_planes_apart(const struct sample *s);
double test_tensors_apart(const struct sample *s);
double test_purposes_apart(const struct sample *s);
double test_seeds_apart(const struct sample *s);

#endif
