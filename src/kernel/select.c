/* Which kernels this machine runs, or which were asked for. */
#include "cpu/cpu.h"
#include "kernel/kernel.h"

const struct smol_kernels *smol_kernels_select(enum smol_isa isa)
{
	if (isa == SMOL_ISA_SCALAR)
		return &smol_kernels_scalar;
#ifdef SMOL_HAVE_AVX512
	if ((isa == SMOL_ISA_BEST || isa == SMOL_ISA_AVX512) && smol_cpu_detect().avx512)
		return &smol_kernels_avx512;
#endif
	return isa == SMOL_ISA_BEST ? &smol_kernels_scalar : NULL;
}
