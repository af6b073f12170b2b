/* What the network is made of for any processor; the BLAS knows which it is. */
#include "train/ops/ops.inc"

const struct smol_ops smol_ops_plain = {.name = "plain", SMOL_OPS};
