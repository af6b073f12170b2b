/* Text from files: UTF-8 that can be shown. SPEC.md 3.4 and 3.5. */
#include "base/error.h"
#include "base/utf8.h"
#include "format/format.h"

enum smol_status smol_text_check(const uint8_t *text, size_t size_bytes, struct smol_error *error)
{
    size_t n;

    for (size_t i = 0; i < size_bytes; i += n) {
        n = smol_utf8_character(text + i, size_bytes - i);
        if (n == 0)
            return smol_fail(error, SMOL_E_TEXT, i, "text that is not UTF-8");
        /* U+0080 to U+009F are c2 and a second byte of that value. */
        const unsigned point = n == 2 && text[i] == 0xc2 ? text[i + 1] : text[i];
        if ((point < 0x20 && point != '\n' && point != '\t') || (point >= 0x7f && point <= 0x9f))
            return smol_fail(error, SMOL_E_TEXT, i, "control character U+%04X in text", point);
    }
    return SMOL_OK;
}
