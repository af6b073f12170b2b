/* See mutate.h: damage within base64. */
#include "format/base64.h"
#include "mutate.h"

#include <sodium.h>
#include <string.h>

bool mutate_base64(uint8_t *text, size_t size, size_t n_bytes, uint64_t *random)
{
    const size_t n = sodium_base64_ENCODED_LEN(n_bytes, sodium_base64_VARIANT_ORIGINAL) - 1;
    uint8_t bytes[SMOL_BASE64_MAX];
    char spelt[SMOL_BASE64_MAX + 1];

    for (size_t at = 0; at + n <= size; at++) {
        if ((at > 0 && text[at - 1] != '\n') ||
            !smol_base64_decode(bytes, n_bytes, (const char *)text + at, n))
            continue;
        mutate(bytes, n_bytes, n_bytes, random);
        smol_base64_encode(spelt, sizeof spelt, bytes, n_bytes);
        memcpy(text + at, spelt, n);
        return true;
    }
    return false;
}
