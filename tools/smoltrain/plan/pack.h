/* How few bytes xz makes of some. */
#ifndef SMOLTRAIN_PACK_H
#define SMOLTRAIN_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of data as a raw LZMA2 stream with the settings of xz -9e, without the container around it,
 * whose 60 bytes or so would weigh in small files. False if there is no memory. */
bool plan_pack(size_t *packed_bytes, const uint8_t *data, size_t size_bytes);

#endif
