/* The tables of kernels that the tests of instruction sets compare with plain C. */
#include "isa.h"

#include "../unit/make_model.h"
#include "cpu/cpu.h"

#include <criterion/criterion.h>
#include <stdio.h>

const size_t isa_sizes[ISA_N_SIZES] = {1,  2,  3,   15,  16,  17,  31,  32,  33,  47,  63,
                                       64, 65, 100, 127, 128, 129, 130, 200, 511, 768, 1025};

#ifdef __wasm__

const struct smol_kernels *isa_kernels(enum isa_table table, enum smol_isa *isa)
{
    const struct smol_kernels *k = smol_kernels_select(SMOL_ISA_WASM);

    cr_assert_eq(table, ISA_WASM);
    cr_assert_not_null(k);
    cr_assert_str_eq(k->name, "wasm");
    cr_assert_eq(smol_kernels_select(SMOL_ISA_BEST), k);
    if (isa)
        *isa = SMOL_ISA_WASM;
    return k;
}

#else

/* What the processor must have, and shall seem to have no more than; the name of the kernels that
 * are then chosen. */
static const struct {
    const char *name, *chosen;
    struct smol_cpu cpu;
    enum smol_isa isa;
} tables[] = {
    [ISA_AVX2] = {"avx2", "avx2", {.avx2 = true}, SMOL_ISA_AVX2},
    [ISA_AVXVNNI] = {"avxvnni", "avx2 with VNNI", {.avx2 = true, .avxvnni = true}, SMOL_ISA_AVX2},
    [ISA_AVXVNNI_EVEX] = {"avxvnni_evex",
                          "avx512",
                          {.avx2 = true, .avx512bw = true, .avx512 = true},
                          SMOL_ISA_AVX512},
    [ISA_AVX512BW] = {"avx512bw",
                      "avx512 without VBMI and VNNI",
                      {.avx2 = true, .avx512bw = true},
                      SMOL_ISA_AVX512},
    [ISA_AVX512] = {"avx512",
                    "avx512",
                    {.avx2 = true, .avx512bw = true, .avx512 = true},
                    SMOL_ISA_AVX512},
    [ISA_NEON] = {"neon", "neon", {.neon = true}, SMOL_ISA_NEON},
    [ISA_NEON_DOTPROD] = {"neon_dotprod",
                          "neon with dot products",
                          {.neon = true, .dotprod = true},
                          SMOL_ISA_NEON},
};

#if defined(__x86_64__)
smol_frozen_product smol_frozen_avxvnni_for_tests;
smol_rows_product smol_rows_q8_avxvnni_for_tests;

static const struct smol_kernels *avxvnni_evex(void)
{
    static struct smol_kernels k;

    k = smol_kernels_avxvnni;
    k.frozen = smol_frozen_avxvnni_for_tests;
    k.rows_q8 = smol_rows_q8_avxvnni_for_tests;
    return &k;
}
#else
static const struct smol_kernels *avxvnni_evex(void) { return NULL; }
#endif

const struct smol_kernels *isa_kernels(enum isa_table table, enum smol_isa *isa)
{
    const struct smol_kernels *k;
    struct smol_cpu cpu;

#ifdef ISA_EMULATED
    if (table == ISA_VECTOR_SCALAR)
        return &isa_vector_scalar;
    if (table == ISA_VECTOR_AVX512)
        return &isa_vector_avx512;
    if (table == ISA_ROWS_AVX512)
        return &isa_rows_avx512;
    if (table == ISA_ROWS_AVX512BW)
        return &isa_rows_avx512bw;
#endif
    smol_cpu_mask(tables[table].cpu);
    cpu = smol_cpu_detect();
    if (memcmp(&cpu, &tables[table].cpu, sizeof cpu) != 0) {
        fprintf(stderr, "skipped: %s: this processor lacks it\n", tables[table].name);
        cr_skip_test("this processor lacks it");
    }
    k = smol_kernels_select(tables[table].isa);
    cr_assert_not_null(k);
    cr_assert_str_eq(k->name, tables[table].chosen);
    cr_assert_eq(smol_kernels_select(SMOL_ISA_BEST), k);
    if (isa)
        *isa = tables[table].isa;
    return table == ISA_AVXVNNI_EVEX ? avxvnni_evex() : k;
}

#endif

void isa_fill(float *x, size_t n, float scale, uint64_t *random)
{
    for (size_t i = 0; i < n; i++)
        x[i] = scale * test_uniform(random);
}

void *isa_guard(struct guarded *g, size_t size)
{
    memset(g->bytes, 0xa5, sizeof g->bytes);
    g->size = size;
    return g->bytes + GUARD;
}

void isa_check_guard(const struct guarded *g, const char *what, size_t n)
{
    for (size_t i = 0; i < GUARD; i++)
        cr_assert(g->bytes[i] == 0xa5 && g->bytes[GUARD + g->size + i] == 0xa5,
                  "%s of %zu writes past its end", what, n);
}
