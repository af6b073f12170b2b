/* A checkpoint's numbers, encoded in the order of a .smol file. */
#ifndef IMPORT_WEIGHTS_H
#define IMPORT_WEIGHTS_H

#include "smoltool/import/checkpoint.h"

/* Appends LRND and EMBD. *path: the file that an error concerns, NULL if none of the checkpoint.
 * Memory depends on the longest row, and on the largest matrix if matrices are transposed; that is
 * given back as it is read. EXTERNAL errors are those of the assembly. */
enum smol_status import_weights(struct smol_assembly *assembly, const struct smol_config *config,
                                const struct checkpoint *checkpoint, const char **path,
                                struct smol_error *error);

/* From now on an interrupt ends import_weights with CHANGED and this text; what number it had, or 0
 * if there was none. */
void import_catch_interrupts(void);
int import_interrupted(void);

#endif
