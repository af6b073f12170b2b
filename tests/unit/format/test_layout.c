/* Where parameters and embeddings lie in a file. SPEC.md 3.2 and 3.3; sizes and places are counted
 * by hand. */
#include "format/valid_config.h"

#include <criterion/criterion.h>
#include <smol/file.h>
#include <smol/params.h>

/* By hand: a norm has 4 + 4 halves = 16 bytes. A matrix has 3 halves = 6 bytes, then A (2 x K) and
 * B (R x 2) as floats: c_attn 32 + 96, c_proj 32 + 32, c_fc 32 + 48, mlp.c_proj 48 + 32. */
Test(layout, parameters_lie_where_the_specification_says)
{
    static const uint64_t begins[] = {0, 16, 150, 220, 236, 322};
    static const uint64_t a_bytes[] = {0, 32, 32, 0, 32, 48};
    const uint64_t layer_bytes = 408;
    struct smol_config c = valid();
    struct smol_params_place at;
    uint64_t size;

    for (uint32_t layer = 0; layer < 2; layer++)
        for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++) {
            const uint64_t begin = layer_bytes * layer + begins[slot];
            smol_params_at(&at, &c, layer, (enum smol_slot)slot);
            if (slot == SMOL_LN_1 || slot == SMOL_LN_2) {
                cr_assert_eq(at.gain, begin);
                cr_assert_eq(at.bias, begin + 8);
                continue;
            }
            cr_assert_eq(at.alphas, begin, "layer %u, slot %u: %llu", layer, slot,
                         (unsigned long long)at.alphas);
            cr_assert_eq(at.factor_a, begin + 6);
            cr_assert_eq(at.factor_b, begin + 6 + a_bytes[slot]);
        }
    size = smol_params_bytes(&c);
    cr_assert_eq(size, 2 * layer_bytes);
    cr_assert_eq(smol_config_parameters(&c), 2 * (2 * 8 + 4 * 3 + 32 + 16 + 20 + 20));
}

/* A second span with other schemes, shared alphas in front (5 floats), a last norm with 2 + 2
 * alphas as floats. */
Test(layout, spans_and_shared_alphas_move_what_follows)
{
    struct smol_config c = valid();
    struct smol_params_place at;
    uint64_t size;

    c.n_layers = 5;
    c.schemes[1] = (struct smol_scheme){
        .kind = SMOL_MATRIX, .source = SMOL_MATRIX_SHARED, .d = 5, .sigma = 1.0f};
    c.schemes[2] = (struct smol_scheme){.kind = SMOL_MATRIX,
                                        .source = SMOL_MATRIX_OWN,
                                        .d = 9,
                                        .sigma = 1.0f,
                                        .alpha_type = SMOL_F16};
    c.schemes[3] =
        (struct smol_scheme){.kind = SMOL_NORM, .source = SMOL_NORM_OWN, .d = 2, .sigma = 1.0f};
    c.n_schemes = 4;
    c.n_spans = 2;
    c.spans[0] = (struct smol_layer_span){3, {0, 1, 1, 0, 1, 1}}; /* 32 bytes a layer */
    c.spans[1] = (struct smol_layer_span){2, {0, 1, 2, 0, 1, 1}}; /* 50 bytes a layer */
    c.ln_f = 3;
    cr_assert_eq(smol_config_check(&c, NULL), SMOL_OK);
    smol_params_at(&at, &c, 2, SMOL_ATTN_C_PROJ);
    cr_assert_eq(at.alphas, 0, "shared");
    smol_params_at(&at, &c, 2, SMOL_LN_2);
    cr_assert_eq(at.gain, 20 + 64 + 16);
    smol_params_at(&at, &c, 4, SMOL_ATTN_C_PROJ);
    cr_assert_eq(at.alphas, 20 + 96 + 50 + 16);
    smol_params_at(&at, &c, 99, SMOL_LN_F);
    cr_assert_eq(at.alphas, 20 + 96 + 100);
    cr_assert_eq(at.bias_alphas, 20 + 96 + 100 + 8);
    size = smol_params_bytes(&c);
    cr_assert_eq(size, 20 + 96 + 100 + 16);
    cr_assert_eq(smol_config_parameters(&c), 5 + 5 * 16 + 2 * 9 + 4);
    cr_assert_eq(smol_config_scheme(&c, 3, SMOL_ATTN_C_PROJ), &c.schemes[2]);
    cr_assert_eq(smol_config_scheme(&c, 2, SMOL_ATTN_C_PROJ), &c.schemes[1]);
}

/* Two heads: 2 + 2 halves in front of each layer. c_attn is a mask of 12 rows of a byte with gains
 * as halves; attn.c_proj and c_fc are ternary, 4 and 6 rows of a byte, then their scales;
 * mlp.c_proj is q4, 4 rows of 32 bytes, 4 x 2 multipliers, 4 scales. At the end 5 halves of the
 * history. Nothing is padded. */
Test(layout, masks_stored_rows_and_factors_of_heads)
{
    const uint64_t layer_bytes = 8 + (12 + 24) + (4 + 16) + (6 + 24) + (128 + 8 + 16);
    struct smol_config c = valid();
    struct smol_params_place at;

    c.architecture = SMOL_ARCH_SMOL;
    c.features = SMOL_ALL_FEATURES;
    c.head_type = SMOL_F16;
    c.schemes[0] = (struct smol_scheme){.kind = SMOL_NORM};
    c.schemes[1] = (struct smol_scheme){.kind = SMOL_MATRIX,
                                        .source = SMOL_MATRIX_MASK,
                                        .d = 1,
                                        .sigma = 1,
                                        .terms = SMOL_TERM_GAINS,
                                        .value_type = SMOL_F16};
    c.schemes[2] = (struct smol_scheme){
        .kind = SMOL_MATRIX, .source = SMOL_MATRIX_STORED, .alpha_type = SMOL_TERNARY};
    c.schemes[3] = (struct smol_scheme){
        .kind = SMOL_MATRIX, .source = SMOL_MATRIX_STORED, .alpha_type = SMOL_Q4};
    c.n_schemes = 4;
    c.spans[0] = (struct smol_layer_span){2, {0, 1, 2, 0, 2, 3}};
    c.ln_f = 0;
    cr_assert_eq(smol_config_check(&c, NULL), SMOL_OK);
    cr_assert_eq(smol_params_history_at(&c), 2 * layer_bytes);
    cr_assert_eq(smol_params_bytes(&c), 2 * layer_bytes + 10);
    for (uint64_t layer = 0; layer < 2; layer++) {
        const uint64_t begin = layer * layer_bytes;
        smol_params_at(&at, &c, (uint32_t)layer, SMOL_ATTN_C_ATTN);
        cr_assert(at.temperatures == begin && at.slope_factors == begin + 4);
        cr_assert(at.mask == begin + 8 && at.gain == begin + 20);
        smol_params_at(&at, &c, (uint32_t)layer, SMOL_ATTN_C_PROJ);
        cr_assert(at.rows.data == begin + 44 && at.rows.scales == begin + 48);
        smol_params_at(&at, &c, (uint32_t)layer, SMOL_MLP_C_FC);
        cr_assert(at.rows.data == begin + 64 && at.rows.scales == begin + 70);
        smol_params_at(&at, &c, (uint32_t)layer, SMOL_MLP_C_PROJ);
        cr_assert(at.rows.data == begin + 94 && at.rows.multipliers == begin + 222 &&
                  at.rows.scales == begin + 230);
    }
}

Test(layout, rows_of_masks_and_of_numbers)
{
    static const struct {
        uint32_t cols;
        uint64_t mask, ternary, q4;
    } cases[] = {{1, 1, 1, 32},
                 {5, 1, 1, 32},
                 {6, 1, 2, 32},
                 {8, 1, 2, 32},
                 {9, 2, 2, 32},
                 {64, 8, 13, 32},
                 {65, 9, 13, 64},
                 {66, 9, 14, 64},
                 {96, 12, 20, 64},
                 {256, 32, 52, 128},
                 {262144, 32768, 52429, 131072}};

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_assert_eq(smol_mask_row_bytes(cases[i].cols), cases[i].mask);
        cr_assert_eq(smol_row_bytes(SMOL_TERNARY, cases[i].cols), cases[i].ternary);
        cr_assert_eq(smol_row_bytes(SMOL_Q4, cases[i].cols), cases[i].q4);
    }
}

/* wte 16 x 4 and an output table of the same shape, without wpe: ternary 16 bytes padded to 64,
 * scales 64; f16 128; q4 16 x 32, multipliers 32 padded to 64, scales 64. With wpe 8 x 4 ternary: 8
 * padded to 64, scales 32 padded to 64. */
Test(layout, output_tables_and_ternary_embeddings)
{
    static const struct {
        uint16_t features;
        uint8_t wte, wpe, output;
        struct smol_embedding_layout at;
    } cases[] = {
        {33, 5, 0, 1, {{0, 0, 64}, {0, 0, 0}, {128, 0, 0}, 256}},
        {33, 1, 0, 3, {{0, 0, 0}, {0, 0, 0}, {128, 640, 704}, 768}},
        {32, 5, 5, 5, {{0, 0, 64}, {128, 0, 192}, {256, 0, 320}, 384}},
        {1, 0, 0, 0, {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}, 256}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct smol_embedding_layout at;
        struct smol_config c = valid();
        c.architecture = SMOL_ARCH_SMOL;
        c.features = cases[i].features;
        c.wte_type = cases[i].wte;
        c.wpe_type = cases[i].wpe;
        c.output_type = cases[i].output;
        smol_embedding_layout(&at, &c);
        cr_assert_arr_eq(&at, &cases[i].at, sizeof at, "case %zu", i);
        cr_assert_eq(smol_embedding_bytes(&c), at.size_bytes);
    }
}

/* wte 16 x 7: a scale, 16 multipliers, 16 rows of 4 bytes, which is 84, padded to 128; wpe 8 x 7: 4
 * + 8 + 32 = 44, padded to 64. An output table of q8: 112, padded to 128, and 64. */
Test(layout, tables_with_one_scale)
{
    static const struct smol_embedding_layout expected = {
        {20, 4, 0}, {140, 132, 128}, {192, 0, 320}, 384};
    struct smol_embedding_layout at;
    struct smol_config c = valid();

    c.architecture = SMOL_ARCH_SMOL;
    c.features = SMOL_FEATURE_OUTPUT_TABLE;
    c.width = 7;
    c.wte_type = c.wpe_type = SMOL_Q4_ROW;
    c.output_type = SMOL_Q8;
    smol_embedding_layout(&at, &c);
    cr_assert_arr_eq(&at, &expected, sizeof at);
    cr_assert_eq(smol_row_bytes(SMOL_Q4_ROW, 1), 1);
    cr_assert_eq(smol_row_bytes(SMOL_Q4_ROW, 22), 11);
    cr_assert_eq(smol_row_bytes(SMOL_Q4_ROW, 65535), 32768);
}

/* wte 16 x 4: f32 256 bytes; f16 128; q8 64, scales 64; q4 16 x 32, multipliers 16 x 2 padded to
 * 64, scales 64. wpe 8 x 4: 128; 64; 32 padded to 64, scales 32 padded to 64; 256, 16 padded to
 * 64, 64. */
Test(layout, embeddings_lie_where_the_specification_says)
{
    static const struct {
        uint8_t wte, wpe;
        struct smol_embedding_layout at;
    } cases[] = {
        {0, 0, {{0, 0, 0}, {256, 0, 0}, {0, 0, 0}, 384}},
        {1, 1, {{0, 0, 0}, {128, 0, 0}, {0, 0, 0}, 192}},
        {2, 2, {{0, 0, 64}, {128, 0, 192}, {0, 0, 0}, 256}},
        {0, 2, {{0, 0, 0}, {256, 0, 320}, {0, 0, 0}, 384}},
        {3, 3, {{0, 512, 576}, {640, 896, 960}, {0, 0, 0}, 1024}},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct smol_embedding_layout at;
        struct smol_config c = valid();
        c.wte_type = cases[i].wte;
        c.wpe_type = cases[i].wpe;
        smol_embedding_layout(&at, &c);
        cr_assert_arr_eq(&at, &cases[i].at, sizeof at, "case %zu", i);
    }
}
