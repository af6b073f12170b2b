/* The exact weights, against SPEC.md's worked examples and against sections 5 and 6 written down
 * once more, one weight at a time. */
#include "model/reading.h"

#include <stdio.h>

static void put_alphas(const struct smol_file *file, uint32_t layer, enum smol_slot slot,
                       const float *alpha, uint32_t d)
{
    struct smol_params_place at;

    smol_params_at(&at, &file->config, layer, slot);
    memcpy(writable(file->params.data) + at.alphas, alpha, d * sizeof *alpha);
}

/* ---- SPEC.md appendix B ---- */

/* Tensor 6 of 66 x 65 is c_fc of layer 1. */
static void check_example(const struct model_recipe *recipe, const float *alpha,
                          const double expected[7])
{
    static const uint32_t row[7] = {0, 0, 0, 1, 63, 64, 65}, col[7] = {0, 1, 64, 0, 64, 0, 64};
    struct smol_file file;
    struct smol_tensor t;
    double *w;

    model_open(&file, recipe);
    for (uint32_t i = 0; i < file.config.n_schemes; i++)
        file.config.schemes[i].sigma = 0.125f;
    put_alphas(&file, 1, SMOL_MLP_C_FC, alpha, recipe->d);
    find(&t, &file, "h.1.mlp.c_fc.weight");
    cr_assert_eq(t.rows, 66);
    cr_assert_eq(t.cols, 65);
    w = read_rows(&file, &t, 0, t.rows);
    for (size_t i = 0; i < 7; i++)
        cr_assert_eq(w[row[i] * 65 + col[i]], expected[i], "%zu: %a, expected %a", i,
                     w[row[i] * 65 + col[i]], expected[i]);
    free(w);
    close_model(&file);
}

Test(weights, are_those_of_the_specification)
{
    static const struct model_recipe sign = {.seed = 1,
                                             .source = SMOL_MATRIX_OWN,
                                             .d = 10,
                                             .width = 65,
                                             .n_heads = 5,
                                             .n_ff = 66},
                                     gauss = {.seed = 1,
                                              .source = SMOL_MATRIX_OWN,
                                              .dist = SMOL_GAUSS,
                                              .d = 3,
                                              .width = 65,
                                              .n_heads = 5,
                                              .n_ff = 66};
    static const float alpha_sign[] = {1.0f,  0.5f, -0.25f, 0.125f, -2.0f,
                                       0.75f, 0.0f, 3.0f,   0.375f, -1.5f};
    static const float alpha_gauss[] = {1.0f, -0.375f, 0.25f};
    static const double w_sign[] = {
        0x1.fffe7e7e7e7e8p-2, 0x1.dffdfdfdfdfep-2,   0x1.7ffc7c7c7c7c8p-2, -0x1.c00707070707p-3,
        0x1.000404040404p-4,  -0x1.fff4f4f4f4f4fp-3, 0x1.800606060606p-3};
    static const double w_gauss[] = {
        -0x1.55dc8b2d394a5p-3, -0x1.2906f6d35bbe8p-3, -0x1.d0583bd391e72p-4, 0x1.eb428e91f0967p-3,
        0x1.25c85990392f5p-7,  -0x1.47ff8e25a5a0cp-7, -0x1.92c57082420fep-3};

    check_example(&sign, alpha_sign, w_sign);
    check_example(&gauss, alpha_gauss, w_gauss);
}

/* ---- one weight at a time ---- */

/* T of SPEC.md 5.5 for `sign`. */
static double plain_entry(const double *alpha, uint32_t d, uint32_t plane, uint32_t u)
{
    double sum = 0;

    for (uint32_t k = 8 * plane; k < d && k < 8 * plane + 8; k++)
        sum += u >> k % 8 & 1 ? -alpha[k] : alpha[k];
    return sum;
}

static double plain_weight(const struct smol_config *c, const struct smol_scheme *s,
                           const double *alpha, uint32_t number, uint32_t purpose, uint32_t cols,
                           uint32_t row, uint32_t col)
{
    const uint32_t planes = (s->d + 7u) / 8;
    double M = 0, w = 0, step;

    for (uint32_t p = 0; p < planes; p++) {
        double max = 0;
        for (uint32_t u = 0; u < 256; u++)
            max = fmax(max, fabs(plain_entry(alpha, s->d, p, u)));
        M += max;
    }
    step = M / 32640;
    for (uint32_t p = 0; p < planes && M > 0; p++)
        w += rint(
            plain_entry(alpha, s->d, p, plain_byte(c->seed, number, p, purpose, cols, row, col)) /
            step);
    return (double)s->sigma * step * w;
}

Test(weights, of_matrices_agree_with_a_plain_computation)
{
    static const struct model_recipe recipes[] = {
        {.seed = 5},
        {.seed = 6, .source = SMOL_MATRIX_OWN, .alpha_type = SMOL_F16, .d = 9, .width = 130},
        {.seed = (uint64_t)1 << 63,
         .source = SMOL_MATRIX_SHARED,
         .d = 8,
         .width = 15,
         .n_heads = 3},
    };
    static const struct {
        enum smol_slot slot;
        const char *name;
    } slots[] = {{SMOL_ATTN_C_ATTN, "attn.c_attn"},
                 {SMOL_ATTN_C_PROJ, "attn.c_proj"},
                 {SMOL_MLP_C_FC, "mlp.c_fc"},
                 {SMOL_MLP_C_PROJ, "mlp.c_proj"}};
    uint64_t random = 3;

    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        struct smol_file file;
        model_open(&file, &recipes[i]);
        for (uint32_t k = 0; k < 8; k++) {
            const uint32_t layer = k / 4;
            const struct smol_scheme *s =
                smol_config_scheme(&file.config, layer, slots[k % 4].slot);
            double alpha[SMOL_MAX_BASES] = {1.0}, *w;
            struct smol_params_place at;
            struct smol_tensor t;
            char name[64];
            smol_params_at(&at, &file.config, layer, slots[k % 4].slot);
            if (s->source != SMOL_MATRIX_UNIT)
                stored_numbers(alpha, file.params.data + at.alphas, s->alpha_type, s->d);
            snprintf(name, sizeof name, "h.%u.%s.weight", layer, slots[k % 4].name);
            find(&t, &file, name);
            w = read_rows(&file, &t, 0, t.rows);
            for (int n = 0; n < 20; n++) {
                const uint32_t row = n ? test_random(&random) % t.rows : t.rows - 1;
                const uint32_t col = n ? test_random(&random) % t.cols : t.cols - 1;
                cr_assert_eq(w[(size_t)row * t.cols + col],
                             plain_weight(&file.config, s, alpha, k, 0, t.cols, row, col),
                             "%s (%u, %u)", name, row, col);
            }
            free(w);
        }
        close_model(&file);
    }
}

Test(weights, of_norms_agree_with_a_plain_computation)
{
    static const char *const names[] = {"h.0.ln_1", "h.0.ln_2", "h.1.ln_1", "h.1.ln_2", "ln_f"};
    static const struct model_recipe recipe = {
        .seed = 8, .norms = SMOL_NORM_OWN, .d = 11, .width = 70, .alpha_type = SMOL_F16};
    struct smol_file file;

    model_open(&file, &recipe);
    for (uint32_t k = 0; k < 5; k++) {
        const enum smol_slot slot = k == 4 ? SMOL_LN_F : k % 2 ? SMOL_LN_2 : SMOL_LN_1;
        const struct smol_scheme *s = smol_config_scheme(&file.config, k / 2, slot);
        struct smol_params_place at;
        smol_params_at(&at, &file.config, k / 2, slot);
        for (uint32_t part = 0; part < 2; part++) {
            double alpha[SMOL_MAX_BASES], *w;
            struct smol_tensor t;
            char name[64];
            stored_numbers(alpha, file.params.data + (part ? at.bias_alphas : at.alphas),
                           s->alpha_type, s->d);
            snprintf(name, sizeof name, "%s.%s", names[k], part ? "bias" : "weight");
            find(&t, &file, name);
            w = read_rows(&file, &t, 0, 1);
            for (uint32_t c = 0; c < 70; c++) {
                const float f =
                    (float)plain_weight(&file.config, s, alpha, 2 * k + part, 1, 70, 0, c);
                const float expected = part ? f : 1.0f + f;
                cr_assert_eq(w[c], (double)expected, "%s %u", name, c);
            }
            free(w);
        }
    }
    close_model(&file);
}

Test(weights, of_frozen_and_stored_norms)
{
    struct smol_file frozen, stored;
    struct smol_params_place at;
    struct smol_tensor t;
    double *w, expected[16];

    model_open(&frozen, &(struct model_recipe){.seed = 1});
    model_open(&stored, &(struct model_recipe){.norms = SMOL_NORM_STORED, .value_type = SMOL_F16});
    for (int part = 0; part < 2; part++) {
        find(&t, &frozen, part ? "h.1.ln_2.bias" : "h.1.ln_2.weight");
        w = read_rows(&frozen, &t, 0, 1);
        for (int c = 0; c < 16; c++)
            cr_assert_eq(w[c], part ? 0.0 : 1.0);
        free(w);
        find(&t, &stored, part ? "h.1.ln_2.bias" : "h.1.ln_2.weight");
        smol_params_at(&at, &stored.config, 1, SMOL_LN_2);
        stored_numbers(expected, stored.params.data + (part ? at.bias : at.gain), SMOL_F16, 16);
        w = read_rows(&stored, &t, 0, 1);
        cr_assert_arr_eq(w, expected, sizeof expected);
        free(w);
    }
    close_model(&frozen);
    close_model(&stored);
}

/* W + B(row, 0) x A(0, col) + ..., from left to right in double. W itself is what is read when B is
 * zero. */
Test(weights, factors_are_added_from_left_to_right)
{
    for (uint8_t type = SMOL_F32; type <= SMOL_F16; type++) {
        const struct model_recipe recipe = {
            .seed = 4, .source = SMOL_MATRIX_OWN, .rank = 5, .value_type = type, .n_ff = 67};
        const size_t number = smol_dtype_bytes(type), size = 67 * 5 * number;
        double a[5 * 16], b[67 * 5], *bare, *w;
        struct smol_params_place at;
        struct smol_file file;
        struct smol_tensor t;
        uint8_t *kept = malloc(size), *b_at;
        model_open(&file, &recipe);
        find(&t, &file, "h.1.mlp.c_fc.weight");
        smol_params_at(&at, &file.config, 1, SMOL_MLP_C_FC);
        stored_numbers(a, file.params.data + at.factor_a, type, 5 * 16);
        stored_numbers(b, file.params.data + at.factor_b, type, 67 * 5);
        w = read_rows(&file, &t, 0, 67);
        b_at = writable(file.params.data) + at.factor_b;
        memcpy(kept, b_at, size);
        memset(b_at, 0, size);
        bare = read_rows(&file, &t, 0, 67);
        for (size_t r = 0; r < 67; r++)
            for (size_t c = 0; c < 16; c++) {
                double expected = bare[r * 16 + c];
                for (size_t j = 0; j < 5; j++)
                    expected += b[r * 5 + j] * a[j * 16 + c];
                cr_assert_eq(w[r * 16 + c], expected, "(%zu, %zu)", r, c);
            }
        cr_assert_arr_neq(w, bare, 67 * 16 * sizeof *w);
        free(w), free(bare), free(kept);
        close_model(&file);
    }
}

Test(weights, of_embeddings_are_the_stored_numbers)
{
    static const uint8_t types[] = {SMOL_F32, SMOL_F16, SMOL_Q8, SMOL_Q4, SMOL_Q4_ROW};

    for (size_t k = 0; k < sizeof types; k++) {
        const uint8_t type = types[k];
        struct smol_file file;
        struct smol_tensor t;
        model_open(&file, &(struct model_recipe){.wte_type = type, .wpe_type = type, .width = 6});
        for (int which = 0; which < 2; which++) {
            const struct smol_table_view *view = which ? &file.wpe : &file.wte;
            double *w;
            find(&t, &file, which ? "wpe.weight" : "wte.weight");
            w = read_rows(&file, &t, 3, 4);
            for (size_t i = 0; i < 24; i++) {
                const size_t at = 18 + i;
                float scale;
                double expected;
                if (type == SMOL_Q8) {
                    memcpy(&scale, view->scales + 4 * (at / 6), 4);
                    /* A product of two floats, rounded once. */
                    expected = (double)(float)((double)scale * (double)(int8_t)view->data[at]);
                } else if (type == SMOL_Q4) { /* six columns: all in low halves of bytes, one
                                                 multiplier */
                    const int nibble = view->data[at / 6 * 32 + at % 6] & 15;
                    memcpy(&scale, view->scales + 4 * (at / 6), 4);
                    expected = (double)(float)((double)scale * (nibble < 8 ? nibble : nibble - 16) *
                                               view->multipliers[at / 6 * 2]);
                } else if (type == SMOL_Q4_ROW) { /* three bytes, columns 0..2 and 3..5 */
                    const int byte = view->data[at / 6 * 3 + at % 3],
                              nibble = at % 6 < 3 ? byte & 15 : byte >> 4;
                    memcpy(&scale, view->scales, 4);
                    expected = (double)(float)((double)scale * (nibble < 8 ? nibble : nibble - 16) *
                                               view->multipliers[at / 6]);
                } else {
                    stored_numbers(&expected, view->data + at * smol_dtype_bytes(type), type, 1);
                }
                cr_assert_eq(w[i], expected);
            }
            free(w);
        }
        close_model(&file);
    }
}

/* Wherever a reading begins and ends, also inside row blocks. */
Test(weights, rows_do_not_depend_on_where_reading_begins)
{
    static const uint32_t edges[] = {0, 1, 63, 64, 65, 127, 128, 129, 130};
    static const struct model_recipe recipe = {
        .source = SMOL_MATRIX_OWN, .d = 20, .width = 130, .n_layers = 1, .rank = 2};
    struct smol_file file;
    struct smol_tensor t;
    double *whole;

    model_open(&file, &recipe);
    find(&t, &file, "h.0.attn.c_proj.weight");
    whole = read_rows(&file, &t, 0, 130);
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++)
        for (size_t j = i; j < sizeof edges / sizeof edges[0]; j++) {
            const uint32_t n = edges[j] - edges[i];
            double *part = read_rows(&file, &t, edges[i], n);
            if (n)
                cr_assert_arr_eq(part, whole + (size_t)edges[i] * 130,
                                 (size_t)n * 130 * sizeof *part, "%u..%u", edges[i], edges[j]);
            free(part);
        }
    free(whole);
    close_model(&file);
}

Test(tensors, are_found_by_name)
{
    struct smol_tensor t, u;
    struct smol_error error;
    struct smol_file file;
    _Alignas(64) uint8_t scratch[65536];
    double value = 7;
    char name[80];

    model_open(&file, &(struct model_recipe){.n_layers = 3});
    cr_assert_eq(smol_tensor_count(&file.config), 2 + 3 * 8 + 2);
    for (uint32_t i = 0; i < 28; i++) {
        smol_tensor_at(&t, &file.config, i);
        snprintf(name, sizeof name, "transformer.%s", t.name);
        find(&u, &file, name);
        cr_assert_str_eq(u.name, t.name);
        cr_assert(u.slot == t.slot && u.layer == t.layer && u.part == t.part && u.rows == t.rows &&
                  u.cols == t.cols);
    }
    smol_tensor_at(&t, &file.config, 0);
    cr_assert_str_eq(t.name, "wte.weight");
    smol_tensor_at(&t, &file.config, 2 + 8 + 2);
    cr_assert_str_eq(t.name, "h.1.attn.c_attn.weight");
    smol_tensor_at(&t, &file.config, 27);
    cr_assert_str_eq(t.name, "ln_f.bias");
    cr_assert_eq(smol_tensor_find(&u, &file.config, "h.3.ln_1.weight", &error), SMOL_E_TENSOR);
    cr_assert_eq(smol_tensor_find(&u, &file.config, "", &error), SMOL_E_TENSOR);
    cr_assert_eq(smol_tensor_find(&u, &file.config, "transformer.", &error), SMOL_E_TENSOR);
    cr_assert_leq(smol_tensor_scratch_bytes(&file, &t), sizeof scratch);
    cr_assert_eq(smol_tensor_read(&value, &file, &t, 0, 2, scratch, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_tensor_read(&value, &file, &t, 2, 0, scratch, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_tensor_read(&value, &file, &t, 1, UINT32_MAX, scratch, &error),
                 SMOL_E_ARGUMENT);
    cr_assert_eq(value, 7);
    close_model(&file);
}
