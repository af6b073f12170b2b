/* A small configuration that keeps every rule, for tests to change. */
#ifndef TEST_VALID_CONFIG_H
#define TEST_VALID_CONFIG_H

#include <smol/config.h>

/* Two layers; scheme 0 a stored norm, 1 a matrix with 3 alphas and rank 2, 2 a frozen norm. */
static inline struct smol_config valid(void)
{
    struct smol_config c = {
        .n_layers = 2,
        .n_heads = 2,
        .width = 4,
        .n_ff = 6,
        .context = 8,
        .vocab = 16,
        .ln_epsilon = 1e-5f,
        .logit_scale = 1.0f,
        .ln_f = 2,
        .n_schemes = 3,
        .n_spans = 1,
    };

    c.schemes[0] =
        (struct smol_scheme){.kind = SMOL_NORM, .source = SMOL_NORM_STORED, .value_type = SMOL_F16};
    c.schemes[1] = (struct smol_scheme){.kind = SMOL_MATRIX,
                                        .source = SMOL_MATRIX_OWN,
                                        .d = 3,
                                        .rank = 2,
                                        .alpha_type = SMOL_F16,
                                        .sigma = 0.5f};
    c.schemes[2] = (struct smol_scheme){.kind = SMOL_NORM, .source = SMOL_NORM_FROZEN};
    c.spans[0] = (struct smol_layer_span){2, {0, 1, 1, 0, 1, 1}};
    return c;
}

#endif
