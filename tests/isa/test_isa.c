/* Whole sessions with every table of kernels against those with plain C: the same bits. floats.c
 * and products.c compare kernel by kernel. What this processor lacks is skipped, saying so. */
#include "isa.h"

#include "../unit/make_model.h"

#include <criterion/criterion.h>
#include <smol/session.h>
#include <stdlib.h>

static void run_session(float *logits, const struct smol_file *file, enum smol_isa isa,
                        uint32_t batch)
{
    static const uint32_t tokens[9] = {3, 1, 4, 1, 5, 9, 2, 6, 5};
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .isa = isa, .batch = batch};
    struct smol_session *session;
    struct smol_error error = {0};
    size_t size;
    void *memory;

    cr_assert_eq(smol_session_size(&size, file, &options, &error), SMOL_OK, "%s", error.text);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_session_init(&session, file, &options, memory, size, &error), SMOL_OK, "%s",
                 error.text);
    cr_assert_eq(smol_session_feed(session, tokens, 9, &error), SMOL_OK, "%s", error.text);
    memcpy(logits, smol_session_logits(session), file->config.vocab * sizeof *logits);
    smol_session_finish(session);
    free(memory);
}

static void check_sessions(enum isa_table table)
{
    static const struct model_recipe recipes[] = {
        {.source = SMOL_MATRIX_OWN,
         .width = 65,
         .n_heads = 5,
         .n_ff = 131,
         .vocab = 257,
         .wte_type = SMOL_Q8,
         .wpe_type = SMOL_Q8},
        {.source = SMOL_MATRIX_SHARED,
         .dist = SMOL_GAUSS,
         .d = 9,
         .width = 15,
         .n_heads = 3,
         .n_ff = 7,
         .norms = SMOL_NORM_OWN},
        {.rank = 3,
         .value_type = SMOL_F16,
         .norms = SMOL_NORM_STORED,
         .width = 130,
         .n_heads = 2,
         .wte_type = SMOL_F16},
        {.source = SMOL_MATRIX_OWN,
         .d = 64,
         .rank = 17,
         .width = 1,
         .n_heads = 1,
         .n_ff = 3,
         .vocab = 11},
        {.source = SMOL_MATRIX_OWN,
         .alpha_type = SMOL_Q8_BLOCKS,
         .rank = 3,
         .value_type = SMOL_Q8_BLOCKS,
         .norms = SMOL_NORM_STORED,
         .width = 33,
         .n_heads = 3},
        {.rank = 2,
         .value_type = SMOL_F16,
         .terms = SMOL_TERM_GAINS | SMOL_TERM_BIASES,
         .width = 70,
         .n_heads = 5,
         .n_ff = 67},
        {.source = SMOL_MATRIX_FASTFOOD_SHARED,
         .dimensions = 90,
         .value_type = SMOL_Q8_BLOCKS,
         .terms = SMOL_TERM_GAINS | SMOL_TERM_LAYER_GAIN,
         .width = 30,
         .n_heads = 3},
        {.source = SMOL_MATRIX_NOLA,
         .d = 9,
         .rank = 67,
         .alpha_type = SMOL_F16,
         .terms = SMOL_TERM_BIASES,
         .width = 33,
         .n_heads = 3},
        {.rank = 2,
         .value_type = SMOL_F16,
         .dimensions = 33,
         .terms = SMOL_TERM_SPARSE,
         .width = 70,
         .n_heads = 5,
         .n_ff = 67},
        {.source = SMOL_MATRIX_OWN,
         .value_type = SMOL_Q8_BLOCKS,
         .dimensions = 17,
         .terms = SMOL_TERM_SPARSE | SMOL_TERM_GAINS,
         .width = 70,
         .n_heads = 5,
         .n_ff = 67},
        {.source = SMOL_MATRIX_FASTFOOD,
         .dimensions = 100,
         .rank = 2,
         .width = 33,
         .n_heads = 3,
         .n_ff = 50},
        {.source = SMOL_MATRIX_FASTFOOD,
         .dimensions = 130,
         .alpha_type = SMOL_Q8_BLOCKS,
         .norms = SMOL_NORM_OWN,
         .width = 30,
         .n_heads = 3},
        {.source = SMOL_MATRIX_FASTFOOD_SHARED,
         .dimensions = 700,
         .alpha_type = SMOL_F16,
         .width = 30,
         .n_heads = 3,
         .wte_type = SMOL_Q8},
#ifndef __wasm__ /* the minimal library has no Fourier transform */
        {.source = SMOL_MATRIX_FOURIER,
         .dimensions = 100,
         .alpha_type = SMOL_F16,
         .width = 33,
         .n_heads = 3,
         .n_ff = 50},
#endif
        {.source = SMOL_MATRIX_OWN,
         .d = 8,
         .width = 96,
         .n_heads = 3,
         .vocab = 300,
         .wte_type = SMOL_Q4,
         .wpe_type = SMOL_Q4},
    };

    enum smol_isa isa;
    const struct smol_kernels *k = isa_kernels(table, &isa);

    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        static float a[300], b[300];
        struct smol_file file;
        model_open(&file, &recipes[i]);
        run_session(a, &file, SMOL_ISA_SCALAR, 4);
        for (uint32_t batch = 1; batch < 9; batch += 3) {
            run_session(b, &file, isa, batch);
            cr_assert_arr_eq(a, b, file.config.vocab * sizeof *a, "%s: recipe %zu", k->name, i);
        }
        free((void *)(uintptr_t)file.bytes.data);
    }
}

ISA_CASES(sessions, check_sessions)
