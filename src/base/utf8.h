/* Characters of UTF-8: well-formed sequences as in table 3-7 of the Unicode standard. */
#ifndef SMOL_UTF8_H
#define SMOL_UTF8_H

#include <smol/tokenizer.h>

/* Bytes of the longest run of characters, or of stray bytes, that begins text. size_bytes > 0. */
size_t smol_utf8_run(bool *is_text, const uint8_t *text, size_t size_bytes);

#endif
