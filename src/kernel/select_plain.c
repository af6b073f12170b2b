/* The choice of kernels in builds that have plain C alone. */
#include "kernel/kernel.h"

const struct smol_kernels *smol_kernels_select(enum smol_isa isa)
{
    return isa == SMOL_ISA_BEST || isa == SMOL_ISA_SCALAR ? &smol_kernels_scalar : NULL;
}
