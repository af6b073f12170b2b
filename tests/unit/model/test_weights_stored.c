/* The exact weights of masks, of stored matrices and of what else architecture 1 has, against
 * SPEC.md written down once more. */
#include "model/reading.h"

#include <smol/initial.h>
#include <stdio.h>

/* sigma x sign x bit: byte i of row block b's stream is what purpose 8 has in column i of a row 64
 * b of a matrix that is wide enough. */
Test(weights, of_masks_agree_with_a_plain_computation)
{
    static const struct model_recipe recipe = {
        .seed = 5, .source = SMOL_MATRIX_MASK, .width = 130, .n_heads = 2, .n_ff = 75};
    static const char *const names[] = {"attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"};
    static const enum smol_slot slots[] = {SMOL_ATTN_C_ATTN, SMOL_ATTN_C_PROJ, SMOL_MLP_C_FC,
                                           SMOL_MLP_C_PROJ};
    struct smol_file file;
    uint64_t random = 9;

    model_open(&file, &recipe);
    for (uint32_t k = 0; k < 8; k++) {
        struct smol_params_place at;
        struct smol_tensor t;
        char name[64];
        double *w;
        smol_params_at(&at, &file.config, k / 4, slots[k % 4]);
        snprintf(name, sizeof name, "h.%u.%s.weight", k / 4, names[k % 4]);
        find(&t, &file, name);
        w = read_rows(&file, &t, 0, t.rows);
        for (int n = 0; n < 200; n++) {
            const uint32_t row = n ? test_random(&random) % t.rows : t.rows - 1,
                           col = n ? test_random(&random) % t.cols : t.cols - 1,
                           B = (t.cols + 7) / 8, byte = row % 64 * B + col / 8;
            const bool is_there = file.params.data[at.mask + row * B + col / 8] >> col % 8 & 1,
                       is_minus =
                           plain_byte(5, k, 0, 8, 1 << 20, row - row % 64, byte) >> col % 8 & 1;
            const float sigma = smol_config_scheme(&file.config, k / 4, slots[k % 4])->sigma;
            cr_assert_eq(w[(size_t)row * t.cols + col],
                         is_there ? is_minus ? -(double)sigma : (double)sigma : 0, "%s (%u, %u)",
                         name, row, col);
        }
        free(w);
    }
    close_model(&file);
}

/* A number of a row by SPEC.md 3.3. */
static double stored_weight(enum smol_dtype type, const uint8_t *row, const uint8_t *multipliers,
                            float scale, uint32_t cols, uint32_t c)
{
    double value;
    int q;

    if (type == SMOL_F32 || type == SMOL_F16) {
        stored_numbers(&value, row + c * (type == SMOL_F32 ? 4 : 2), type, 1);
        return value;
    }
    if (type == SMOL_Q8) {
        q = (int8_t)row[c];
    } else if (type == SMOL_Q4) {
        q = row[c / 64 * 32 + c % 32] >> (c % 64 < 32 ? 0 : 4) & 15;
        q = (q < 8 ? q : q - 16) * multipliers[c / 32];
    } else { /* of five digits to base 3 in a byte the first is the highest */
        const uint32_t B = (cols + 4) / 5, v = row[c % B] * 243u / 256;
        static const uint32_t power[5] = {81, 27, 9, 3, 1};
        q = (int)(v / power[c / B] % 3) - 1;
    }
    return (double)(float)((double)scale * q);
}

Test(weights, of_stored_matrices_are_the_stored_numbers)
{
    static const enum smol_dtype types[] = {SMOL_F32, SMOL_F16, SMOL_Q8, SMOL_Q4, SMOL_TERNARY};

    for (size_t i = 0; i < 5; i++) {
        struct smol_file file;
        struct smol_params_place at;
        struct smol_tensor t;
        double *w;
        model_open(&file, &(struct model_recipe){.source = SMOL_MATRIX_STORED,
                                                 .alpha_type = (uint8_t)types[i],
                                                 .width = 70,
                                                 .n_ff = 67});
        find(&t, &file, "h.1.mlp.c_fc.weight");
        smol_params_at(&at, &file.config, 1, SMOL_MLP_C_FC);
        w = read_rows(&file, &t, 0, 67);
        for (uint32_t r = 0; r < 67; r++)
            for (uint32_t c = 0; c < 70; c++) {
                static const size_t row_bytes[] = {280, 140, 70, 64, 14};
                const uint8_t *p = file.params.data;
                float scale = 0;
                if (i > 1)
                    memcpy(&scale, p + at.rows.scales + 4 * r, 4);
                cr_assert_eq(w[r * 70 + c],
                             stored_weight(types[i], p + at.rows.data + r * row_bytes[i],
                                           p + at.rows.multipliers + (size_t)r * 4, scale, 70, c),
                             "type %zu (%u, %u)", i, r, c);
            }
        free(w);
        close_model(&file);
    }
}

/* The normal table of SPEC.md, appendix A: quantiles by bisection of erfc, over their root mean
 * square. */
static void normal_table(double g[256])
{
    double squares = 0;

    for (uint32_t k = 0; k < 128; k++) {
        const double p = (128 + k + 0.5) / 256;
        double low = 0, high = 10;
        while (high - low > 1e-15 * high)
            *(erfc(-(low + high) / 2 / sqrt(2)) / 2 < p ? &low : &high) = (low + high) / 2;
        g[128 + k] = low;
        g[127 - k] = -low;
        squares += 2 * low * low;
    }
    for (uint32_t u = 0; u < 256; u++)
        g[u] /= sqrt(squares / 256);
}

/* SPEC.md 12: scores of at least two thirds of their mean. */
Test(initial, masks_keep_large_scores)
{
    struct smol_config c;
    double g[256], sum = 0;
    uint8_t mask[75 * 5];
    size_t n = 0;

    normal_table(g);
    model_config(&c, &(struct model_recipe){
                         .source = SMOL_MATRIX_MASK, .width = 34, .n_ff = 75, .seed = 12});
    smol_initial_mask(mask, &c, 1, SMOL_MLP_C_FC);
    for (uint32_t r = 0; r < 75; r++)
        for (uint32_t k = 0; k < 34; k++)
            sum += fabs(g[plain_byte(12, 6, 0, 3, 34, r, k)]);
    for (uint32_t r = 0; r < 75; r++)
        for (uint32_t k = 0; k < 40; k++) {
            const bool is_there = mask[r * 5 + k / 8] >> k % 8 & 1;
            const bool expected =
                k < 34 && fabs(g[plain_byte(12, 6, 0, 3, 34, r, k)]) >= sum / (75 * 34) * 2 / 3;
            cr_assert_eq(is_there, expected, "(%u, %u)", r, k);
            n += is_there;
        }
    cr_assert(n > 75 * 34 / 2 && n < 75 * 34 * 2 / 3, "%zu weights are there", n);
}

Test(initial, output_tables_are_tensor_2)
{
    struct smol_config c;
    float values[2 * 70];
    double g[256];

    normal_table(g);
    model_config(
        &c, &(struct model_recipe){.features = SMOL_FEATURE_OUTPUT_TABLE, .width = 70, .seed = 3});
    smol_initial_output(values, &c, 0.5, 66, 2);
    for (uint32_t i = 0; i < 140; i++)
        cr_assert_float_eq((double)values[i],
                           0.5 * g[plain_byte(3, 2, 0, 2, 70, 66 + i / 70, i % 70)], 1e-6);
}

/* 0.8 / sqrt(2 L F) for mlp.c_proj; none for what is stored. */
Test(initial, sigmas_of_relu2_and_of_stored_matrices)
{
    struct smol_config c;

    model_config(&c, &(struct model_recipe){.features = SMOL_FEATURE_RELU2});
    cr_assert_eq(smol_config_scheme(&c, 0, SMOL_MLP_C_PROJ)->sigma, (float)(0.8 / 16));
    cr_assert_eq(smol_config_scheme(&c, 0, SMOL_ATTN_C_PROJ)->sigma, 0.125f);
    model_config(
        &c, &(struct model_recipe){.features = SMOL_FEATURE_RELU2, .source = SMOL_MATRIX_STORED});
    cr_assert_eq(smol_config_scheme(&c, 0, SMOL_MLP_C_PROJ)->sigma, 0);
}

/* The heads' factors after a layer's first norm, the output table and the history at the end, no
 * positions. */
Test(tensors, of_architecture_1)
{
    static const char *const first[] = {
        "wte.weight",           "h.0.ln_1.weight",       "h.0.ln_1.bias",
        "h.0.attn.temperature", "h.0.attn.slope_factor", "h.0.attn.c_attn.weight"};
    struct smol_file file;
    struct smol_params_place at;
    struct smol_tensor t;
    double *w, expected[5];

    model_open(&file, &(struct model_recipe){.features = SMOL_ALL_FEATURES,
                                             .head_type = SMOL_F16,
                                             .output_type = SMOL_F16});
    cr_assert_eq(smol_tensor_count(&file.config), 1 + 2 * 10 + 2 + 1 + 1);
    for (uint32_t i = 0; i < 6; i++) {
        smol_tensor_at(&t, &file.config, i);
        cr_assert_str_eq(t.name, first[i]);
    }
    smol_tensor_at(&t, &file.config, 23);
    cr_assert_str_eq(t.name, "lm_head.weight");
    cr_assert(t.rows == 256 && t.cols == 16);
    w = read_rows(&file, &t, 7, 1);
    for (size_t c = 0; c < 16; c++) {
        stored_numbers(expected, file.output.data + (7 * 16 + c) * 2, SMOL_F16, 1);
        cr_assert_eq(w[c], expected[0]);
    }
    free(w);
    smol_params_at(&at, &file.config, 1, SMOL_LN_1);
    for (int k = 0; k < 2; k++) {
        find(&t, &file, k ? "h.1.attn.slope_factor" : "h.1.attn.temperature");
        cr_assert(t.rows == 1 && t.cols == 2);
        w = read_rows(&file, &t, 0, 1);
        stored_numbers(expected, file.params.data + (k ? at.slope_factors : at.temperatures),
                       SMOL_F16, 2);
        cr_assert_arr_eq(w, expected, 2 * sizeof *expected);
        free(w);
    }
    smol_tensor_at(&t, &file.config, 24);
    cr_assert_str_eq(t.name, "history");
    cr_assert(t.rows == 1 && t.cols == 5 && t.part == SMOL_PART_HISTORY);
    w = read_rows(&file, &t, 0, 1);
    stored_numbers(expected, file.params.data + file.params.size_bytes - 10, SMOL_F16, 5);
    cr_assert_arr_eq(w, expected, sizeof expected);
    free(w);
    cr_assert_eq(smol_tensor_find(&t, &file.config, "wpe.weight", NULL), SMOL_E_TENSOR);
    close_model(&file);
}
