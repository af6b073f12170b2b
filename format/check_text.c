/* Text from files: UTF-8 that can be shown. SPEC.md 3.4 and 3.5. */
#include "base/error.h"
#include "format/format.h"

/* Length of the character at text, 0 if it is not UTF-8 (overlong forms, surrogates and
 * code points over 10ffff are not). *point is set on success. */
static size_t decode(uint32_t *point, const uint8_t *text, size_t left)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t lead = text[0];
    const size_t n = lead < 0x80   ? 1
                     : lead < 0xc0 ? 0
                     : lead < 0xe0 ? 2
                     : lead < 0xf0 ? 3
                     : lead < 0xf8 ? 4
                                   : 0;
    uint32_t p = n == 1 ? lead : lead & (0x7fu >> n);

    if (n == 0 || n > left)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((text[i] & 0xc0) != 0x80)
            return 0;
        p = p << 6 | (text[i] & 0x3fu);
    }
    if (p < least[n] || p > 0x10ffff || (p >= 0xd800 && p <= 0xdfff))
        return 0;
    *point = p;
    return n;
}

enum smol_status smol_text_check(const uint8_t *text, size_t size_bytes, struct smol_error *error)
{
    size_t n;

    for (size_t i = 0; i < size_bytes; i += n) {
        uint32_t point;
        n = decode(&point, text + i, size_bytes - i);
        if (n == 0)
            return smol_fail(error, SMOL_E_TEXT, i, "text that is not UTF-8");
        if ((point < 0x20 && point != '\n' && point != '\t') || (point >= 0x7f && point <= 0x9f))
            return smol_fail(error, SMOL_E_TEXT, i, "control character U+%04X in text", point);
    }
    return SMOL_OK;
}
