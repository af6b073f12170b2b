/* Tests of pairs: bits that would agree more or less often than half the time if one stream told
 * something of another, or a stream of itself further on. The exclusive-or of two independent
 * random strings is random. */
#include "bits.h"
#include "sample.h"
#include "statistics.h"

#define STEP_WORDS (SMOL_STEP_BYTES / 8)
#define ROW_WORDS (COLS / 8)

double test_next_step(const struct sample *s)
{
    const size_t n = SAMPLE_WORDS - STEP_WORDS;
    unsigned count = 0;

    for (size_t i = 0; i < n; i++)
        count += ones(s->words[i] ^ s->words[i + STEP_WORDS]);
    return tail_fair(count, 64.0 * (double)n, spread(s->n));
}

static uint32_t lane(const struct sample *s, size_t step, unsigned l)
{
    return (uint32_t)(s->words[step * STEP_WORDS + l / 2] >> 32 * (l % 2));
}

/* Lane l and the one n mod 15 + 1 further on, around the circle: each pair once. */
double test_lanes(const struct sample *s)
{
    const unsigned away = 1 + (unsigned)(s->n % 15), n_pairs = away == 8 ? 8 : 16;
    unsigned count = 0;

    for (size_t step = 0; step < SAMPLE_BYTES / SMOL_STEP_BYTES; step++)
        for (unsigned l = 0; l < n_pairs; l++)
            count += ones(lane(s, step, l) ^ lane(s, step, (l + away) % 16));
    return tail_fair(count, 32.0 * n_pairs * SAMPLE_BYTES / SMOL_STEP_BYTES, spread(s->n));
}

double test_rows(const struct sample *s)
{
    unsigned count = 0;

    for (size_t i = 0; i + ROW_WORDS < SAMPLE_WORDS; i++)
        count += ones(s->words[i] ^ s->words[i + ROW_WORDS]);
    return tail_fair(count, SAMPLE_BITS - 8.0 * COLS, spread(s->n));
}

/* Bits k and j of every byte: all 28 pairs in turn. */
double test_bases(const struct sample *s)
{
    unsigned pair = (unsigned)(s->n % 28), k = 0, count = 0;

    while (pair >= 7 - k)
        pair -= 7 - k++;
    const unsigned j = k + 1 + pair;
    for (size_t i = 0; i < SAMPLE_WORDS; i++)
        count += ones((s->words[i] >> k ^ s->words[i] >> j) & BIT_OF_EACH_BYTE);
    return tail_fair(count, SAMPLE_BYTES, spread(s->n));
}

static double apart(const struct sample *s, const struct place *elsewhere)
{
    static struct sample other;
    unsigned count = 0;

    sample_fill(&other, s->n, elsewhere);
    for (size_t i = 0; i < SAMPLE_WORDS; i++)
        count += ones(s->words[i] ^ other.words[i]);
    return tail_fair(count, SAMPLE_BITS, spread(s->n));
}

double test_blocks_apart(const struct sample *s)
{
    struct place place = s->place;

    place.block++;
    return apart(s, &place);
}

double test_planes_apart(const struct sample *s)
{
    struct place place = s->place;

    place.plane++;
    return apart(s, &place);
}

double test_tensors_apart(const struct sample *s)
{
    struct place place = s->place;

    place.tensor++;
    return apart(s, &place);
}

double test_purposes_apart(const struct sample *s)
{
    struct place place = s->place;

    place.purpose = SMOL_PURPOSE_VECTOR;
    return apart(s, &place);
}

double test_seeds_apart(const struct sample *s)
{
    struct place place = s->place;

    place.seed++;
    return apart(s, &place);
}
