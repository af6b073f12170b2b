/* Canonical base64: standard letters, padded, no white space, unused bits zero. */
#include "format/base64.h"

#include <sodium.h>
#include <string.h>

bool smol_base64_decode(uint8_t *bytes, size_t size_bytes, const char *text, size_t length)
{
    char again[SMOL_BASE64_MAX + 1];
    bool same;
    size_t n;

    if (length != sodium_base64_ENCODED_LEN(size_bytes, sodium_base64_VARIANT_ORIGINAL) - 1 ||
        length > SMOL_BASE64_MAX)
        return false;
    if (sodium_base642bin(bytes, size_bytes, text, length, NULL, &n, NULL,
                          sodium_base64_VARIANT_ORIGINAL) != 0 ||
        n != size_bytes)
        return false;
    /* Encoding again and comparing refuses every spelling but one. */
    sodium_bin2base64(again, sizeof again, bytes, size_bytes, sodium_base64_VARIANT_ORIGINAL);
    same = memcmp(again, text, length) == 0;
    sodium_memzero(again, sizeof again);
    return same;
}

size_t smol_base64_encode(char *text, size_t capacity, const uint8_t *bytes, size_t size_bytes)
{
    sodium_bin2base64(text, capacity, bytes, size_bytes, sodium_base64_VARIANT_ORIGINAL);
    return strlen(text);
}
