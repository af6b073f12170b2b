/* The numbers of an array, for targets that read arrays. */
#ifndef FUZZ_READ_ARRAY_H
#define FUZZ_READ_ARRAY_H

#include <smol/arrays.h>

/* Reads them all, up to one that is none, and requires that a type which is not read is refused. */
void fuzz_read_array(const struct smol_array *array);

#endif
