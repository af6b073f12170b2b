/* Canonical base64 of the small fixed sizes that keys and signatures have. */
#ifndef SMOL_BASE64_H
#define SMOL_BASE64_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMOL_BASE64_MAX 216u /* letters, enough for 160 bytes */

/* Decodes exactly size_bytes from exactly length letters; false unless they are the canonical
 * encoding. */
bool smol_base64_decode(uint8_t *bytes, size_t size_bytes, const char *text, size_t length);

/* Letters written, without the terminating zero, which text has room for too. */
size_t smol_base64_encode(char *text, size_t capacity, const uint8_t *bytes, size_t size_bytes);

#endif
