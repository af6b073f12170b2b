/* Stored rows and masks of AVX-512, its instructions emulated. */
#define smol_rows_mask_avx512 isa_rows_mask_avx512
#define smol_rows_ternary_avx512 isa_rows_ternary_avx512
#define smol_rows_q8_avx512 isa_rows_q8_avx512
#define smol_rows_q4_avx512 isa_rows_q4_avx512
#define smol_rows_i16_avx512 isa_rows_i16_avx512
#include "kernel/x86/rows/rows_avx512.c"

#include "isa.h"

const struct smol_kernels isa_rows_avx512 = {.name = "avx512 emulated",
                                             .scratch_bytes = smol_scratch_wide,
                                             .rows_i16 = smol_rows_i16_avx512,
                                             .rows_q8 = smol_rows_q8_avx512,
                                             .rows_q4 = smol_rows_q4_avx512,
                                             .rows_ternary = smol_rows_ternary_avx512,
                                             .rows_mask = smol_rows_mask_avx512};
