/* Which table of ops.h a machine uses. */
#include "cpu/cpu.h"
#include "train/ops/ops.h"

const struct smol_ops *smol_ops_select(enum smol_isa isa)
{
#if defined SMOL_HAVE_AVX2 && !defined SMOL_REAL_DOUBLE
    const struct smol_cpu cpu = smol_cpu_detect();

    if (cpu.avx512bw && (isa == SMOL_ISA_BEST || isa == SMOL_ISA_AVX512))
        return &smol_ops_avx512;
    if (cpu.avx2 && (isa == SMOL_ISA_BEST || isa == SMOL_ISA_AVX2))
        return &smol_ops_avx2;
#endif
    (void)isa;
    return &smol_ops_plain;
}
