/* floats.inc over vectors in plain C. */
#include "isa.h"
#include "kernel/scalar/vec_scalar.h"

#include "kernel/floats.inc"

const struct smol_kernels isa_vector_scalar = {
    .name = "vector in plain C", .log = log_all, .find = smol_find, SMOL_FLOAT_KERNELS};
