/* Plain versions that the tables of several instruction sets name. */
#ifndef SMOL_FASTFOOD_PLAIN_H
#define SMOL_FASTFOOD_PLAIN_H

#include "kernel/kernel.h"

void smol_stream_bytes_plain(uint8_t *bytes, size_t n, const struct smol_frozen *t, uint32_t plane,
                             uint32_t block);
void smol_hadamard_plain(float *x, size_t n);
void smol_scale_by_bytes_plain(float *x, const uint8_t *bytes, const float *table, size_t n);

#endif
