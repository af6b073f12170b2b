/* What the tests of instruction sets share: the tables of kernels, each reached by masking what the
 * processor has, and buffers between guard bytes. */
#ifndef ISA_H
#define ISA_H

#include "kernel/kernel.h"

#include <string.h>

/* Tables, named as cases are. Those of vectors have only the functions on floats, those of rows
 * the products of stored rows and masks, or some. */
enum isa_table {
    ISA_VECTOR_SCALAR,
    ISA_VECTOR_AVX512, /* its instructions emulated; these four where ISA_EMULATED is defined */
    ISA_ROWS_AVX512,   /* the same */
    ISA_ROWS_AVX512BW, /* the same */
    ISA_AVX2,
    ISA_AVXVNNI,
    ISA_AVXVNNI_EVEX, /* in AVX-512's encoding, which runs where AVX-VNNI's does not */
    ISA_AVX512BW,
    ISA_AVX512,
    ISA_NEON,
    ISA_NEON_DOTPROD,
    ISA_WASM,
};

extern const struct smol_kernels isa_vector_scalar, isa_vector_avx512;
extern const struct smol_kernels isa_rows_avx512, isa_rows_avx512bw;

/* The kernels of a table, the best ones of *isa from then on in this case; skips the case, and says
 * so, if this processor lacks it. isa may be NULL. */
const struct smol_kernels *isa_kernels(enum isa_table table, enum smol_isa *isa);

/* A case for each table, body(table). */
#define ISA_CASE(suite, name, table, body)                                                         \
    Test(suite, name, .timeout = 120) { body(table); }
#ifdef __wasm__ /* which is built for one kind of machine */
#define ISA_CASES(suite, body) ISA_CASE(suite, wasm, ISA_WASM, body)
#else
#define ISA_CASES(suite, body)                                                                     \
    ISA_CASE(suite, avx2, ISA_AVX2, body)                                                          \
    ISA_CASE(suite, avxvnni, ISA_AVXVNNI, body)                                                    \
    ISA_CASE(suite, avx512bw, ISA_AVX512BW, body)                                                  \
    ISA_CASE(suite, avx512, ISA_AVX512, body)                                                      \
    ISA_CASE(suite, neon, ISA_NEON, body)                                                          \
    ISA_CASE(suite, neon_dotprod, ISA_NEON_DOTPROD, body)
#endif

#define ISA_N_SIZES 22u
#define ISA_MAX_SIZE 1025u
extern const size_t isa_sizes[ISA_N_SIZES];

void isa_fill(float *x, size_t n, float scale, uint64_t *random);

#define GUARD 64u

/* A buffer with guard bytes on both sides. */
struct guarded {
    uint8_t bytes[GUARD + 8 * ISA_MAX_SIZE * 4 + GUARD];
    size_t size;
};

void *isa_guard(struct guarded *g, size_t size);
void isa_check_guard(const struct guarded *g, const char *what, size_t n);

/* A function that writes y (n numbers of a type), both ways, and equal bits. */
#define ISA_SAME(type, what, n, plain, fast)                                                       \
    do {                                                                                           \
        static struct guarded first, second;                                                       \
        type *y = isa_guard(&first, (n) * sizeof(type));                                           \
        plain;                                                                                     \
        y = isa_guard(&second, (n) * sizeof(type));                                                \
        fast;                                                                                      \
        cr_assert_arr_eq(first.bytes, second.bytes, sizeof first.bytes, "%s of %zu", what,         \
                         (size_t)(n));                                                             \
        isa_check_guard(&second, what, n);                                                         \
    } while (0)

#endif
