/* Masks and ternary rows of AVX-512 without VBMI and VNNI, its instructions emulated. */
#define smol_rows_mask_avx512bw isa_rows_mask_avx512bw
#define smol_rows_ternary_avx512bw isa_rows_ternary_avx512bw
#include "kernel/x86/rows/bits_avx512bw.c"

#include "isa.h"

const struct smol_kernels isa_rows_avx512bw = {.name = "avx512bw emulated",
                                               .scratch_bytes = smol_scratch_wide,
                                               .rows_ternary = smol_rows_ternary_avx512bw,
                                               .rows_mask = smol_rows_mask_avx512bw};
