/* The choice of kernels in builds for one machine: plain C, or what all such machines have. */
#include "kernel/kernel.h"

#ifdef SMOL_HAVE_WASM
/* Plain C is in programs that take it from the archive, such as those that use primitives.c: NULL
 * in others, which are so much smaller. */
#pragma weak smol_kernels_scalar
#endif

const struct smol_kernels *smol_kernels_select(enum smol_isa isa)
{
#ifdef SMOL_HAVE_WASM
    if (isa == SMOL_ISA_BEST || isa == SMOL_ISA_WASM)
        return &smol_kernels_wasm;
#endif
    return isa == SMOL_ISA_BEST || isa == SMOL_ISA_SCALAR ? &smol_kernels_scalar : NULL;
}
