/* See recipes.h. */
#include "recipes.h"

const struct model_recipe fuzz_recipes[N_RECIPES] = {
	{.n_layers = 1, .width = 4, .n_ff = 4, .context = 3, .vocab = 12},
	{.n_layers = 2, .source = SMOL_MATRIX_OWN, .alpha_type = SMOL_F16, .width = 6, .context = 2, .vocab = 17, .wte_type = SMOL_Q8,
	 .wpe_type = SMOL_Q8, .card = "{\"name\": \"card\"}"},
	{.n_layers = 1, .source = SMOL_MATRIX_SHARED, .dist = SMOL_GAUSS, .d = 9, .norms = SMOL_NORM_OWN, .width = 5, .n_heads = 1,
	 .wte_type = SMOL_F16, .vocab = 11},
	{.n_layers = 3, .rank = 2, .norms = SMOL_NORM_STORED, .value_type = SMOL_F16, .width = 4, .wpe_type = SMOL_F16, .vocab = 13},
	{.n_layers = 1, .source = SMOL_MATRIX_FASTFOOD, .dimensions = 7, .alpha_type = SMOL_F16, .width = 4, .n_ff = 5, .context = 2,
	 .vocab = 9, .wte_type = SMOL_Q4, .wpe_type = SMOL_Q4},
	{.n_layers = 2, .source = SMOL_MATRIX_FASTFOOD_SHARED, .dimensions = 70, .rank = 1, .width = 6, .context = 2, .vocab = 10,
	 .wte_type = SMOL_Q8, .wpe_type = SMOL_F16, .norms = SMOL_NORM_OWN},
	{.n_layers = 1, .source = SMOL_MATRIX_FOURIER, .dist = SMOL_GAUSS, .dimensions = 5, .width = 4, .context = 3, .vocab = 14,
	 .wte_type = SMOL_F16, .wpe_type = SMOL_Q4, .card = "{\"a\": \"\xc3\xa9\\u00e9\"}"},
	{.n_layers = 2, .source = SMOL_MATRIX_FOURIER_SHARED, .dimensions = 33, .alpha_type = SMOL_F16, .width = 6, .n_ff = 7,
	 .context = 2, .vocab = 8, .wte_type = SMOL_Q4, .wpe_type = SMOL_Q8, .norms = SMOL_NORM_STORED},
	{.n_layers = 1, .source = SMOL_MATRIX_OWN, .dist = SMOL_GAUSS, .d = 64, .rank = 3, .alpha_type = SMOL_F16, .value_type = SMOL_F16,
	 .width = 4, .context = 2, .vocab = 9, .wte_type = SMOL_Q4, .wpe_type = SMOL_F16},
	{.n_layers = 2, .rank = 2, .source = SMOL_MATRIX_OWN, .alpha_type = SMOL_Q8_BLOCKS, .norms = SMOL_NORM_STORED,
	 .value_type = SMOL_Q8_BLOCKS, .terms = SMOL_TERM_GAINS | SMOL_TERM_BIASES, .width = 4, .context = 3, .vocab = 11},
	{.n_layers = 2, .source = SMOL_MATRIX_NOLA, .rank = 3, .width = 4, .context = 3, .vocab = 11},
	{.n_layers = 2, .source = SMOL_MATRIX_FASTFOOD_SHARED, .dimensions = 3, .terms = SMOL_TERM_LAYER_GAIN, .width = 4, .context = 3,
	 .vocab = 11},
	{.n_layers = 2, .rank = 1, .terms = SMOL_TERM_SPARSE, .dimensions = 2, .width = 4, .context = 3, .vocab = 11},
	{.n_layers = 1, .width = 2, .n_ff = 2, .context = 2, .vocab = 300, .wte_type = SMOL_Q8, .n_merges = 41},
	/* Rows of q4 that end within a group and within the next 64. */
	{.n_layers = 1, .width = 66, .n_ff = 2, .n_heads = 3, .context = 1, .vocab = 3, .wte_type = SMOL_Q4, .wpe_type = SMOL_Q4},
	{.n_layers = 1, .width = 40, .n_ff = 3, .context = 2, .vocab = 5, .wte_type = SMOL_Q4, .rank = 1, .value_type = SMOL_F16},
	{.n_layers = 4, .source = SMOL_MATRIX_OWN, .d = 1, .norms = SMOL_NORM_OWN, .width = 2, .n_ff = 2, .n_heads = 1, .context = 1,
	 .vocab = 2, .card = "{\"deep\": [[[{\"a\": 1e5}]]], \"t\": \"\\t\\n\"}\n\t {}"},
};
