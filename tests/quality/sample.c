/* Samples of the streams, as a model takes them, and the list of tests. */
#include "sample.h"

#include "base/bytes.h"

struct place sample_place(uint64_t n)
{
    return (struct place){
        .seed = n / 96,
        .tensor = (uint32_t)(n / 8 % 12),
        .plane = (uint32_t)(n / 4 % 2),
        .block = (uint32_t)(n % 4),
        .purpose = SMOL_PURPOSE_MATRIX,
    };
}

void sample_fill(struct sample *s, uint64_t n, const struct place *place)
{
    struct smol_frozen_key key;
    struct smol_stream stream;

    s->n = n;
    s->place = *place;
    smol_frozen_key_init(&key, place->seed);
    smol_stream_init(&stream, &key, place->tensor, place->plane, place->purpose, place->block);
    for (size_t i = 0; i < SAMPLE_BYTES; i += SMOL_STEP_BYTES)
        smol_stream_step(&stream, s->bytes + i);
    for (size_t i = 0; i < SAMPLE_WORDS; i++)
        s->words[i] = smol_le64(s->bytes + 8 * i);
}

const struct quality_test quality_tests[] = {
    {"ones", test_ones},
    {"ones of one base", test_ones_of_a_base},
    {"ones in blocks of 1,024 bits", test_blocks},
    {"runs of equal bits", test_transitions},
    {"values of bytes", test_bytes},
    {"neighbouring weights", test_neighbours},
    {"gaps between small bytes", test_gaps},
    {"birthday spacings of words", test_birthdays},
    {"ranks of 32 x 32 bits", test_ranks},
    {"spectrum of one base", test_spectrum},
    {"moments of gauss weights", test_normal_moments},
    {"orthogonality of a sign matrix", test_orthogonality},
    {"a lane and its next step", test_next_step},
    {"two lanes of a step", test_lanes},
    {"neighbouring rows", test_rows},
    {"two bases of a byte", test_bases},
    {"neighbouring row blocks", test_blocks_apart},
    {"neighbouring planes", test_planes_apart},
    {"neighbouring tensors", test_tensors_apart},
    {"neighbouring purposes", test_purposes_apart},
    {"neighbouring seeds", test_seeds_apart},
};
const size_t n_quality_tests = sizeof quality_tests / sizeof *quality_tests;
