/* Eight pieces side by side, AVX-512's instructions emulated. */
#define smol_leaves_avx512bw isa_leaves_avx512bw
#include "hash/blake2b_avx512bw.c"
