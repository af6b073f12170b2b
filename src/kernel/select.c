/* Which kernels this machine runs, or which were asked for. */
#include "cpu/cpu.h"
#include "kernel/kernel.h"

/* The kernels of one instruction set, NULL if this machine lacks it. */
static const struct smol_kernels *of_set(enum smol_isa isa, struct smol_cpu cpu)
{
    (void)cpu;
    switch (isa) {
#ifdef SMOL_HAVE_AVX512
    case SMOL_ISA_AVX512:
        return cpu.avx512 ? &smol_kernels_avx512 : cpu.avx512bw ? &smol_kernels_avx512bw : NULL;
#endif
#ifdef SMOL_HAVE_NEON
    case SMOL_ISA_NEON:
        return cpu.dotprod ? &smol_kernels_neon_dotprod : cpu.neon ? &smol_kernels_neon : NULL;
#endif
#ifdef SMOL_HAVE_AVX2
    case SMOL_ISA_AVX2:
        return cpu.avxvnni ? &smol_kernels_avxvnni : cpu.avx2 ? &smol_kernels_avx2 : NULL;
#endif
    case SMOL_ISA_SCALAR: return &smol_kernels_scalar;
    default: return NULL;
    }
}

const struct smol_kernels *smol_kernels_select(enum smol_isa isa)
{
    static const enum smol_isa fastest_first[] = {SMOL_ISA_AVX512, SMOL_ISA_AVX2, SMOL_ISA_NEON,
                                                  SMOL_ISA_SCALAR};
    const struct smol_cpu cpu = smol_cpu_detect();

    if (isa != SMOL_ISA_BEST)
        return of_set(isa, cpu);
    for (unsigned i = 0; i < sizeof fastest_first / sizeof *fastest_first; i++)
        if (of_set(fastest_first[i], cpu))
            return of_set(fastest_first[i], cpu);
    return &smol_kernels_scalar;
}
