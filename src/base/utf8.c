/* Characters of UTF-8, and where text may be cut. SPEC.md 9. */
#include "base/utf8.h"

/* The length of a character whose first byte is lead; 0 if no character begins like that. */
static size_t character_bytes(uint8_t lead)
{
    return lead < 0x80   ? 1
           : lead < 0xc2 ? 0
           : lead < 0xe0 ? 2
           : lead < 0xf0 ? 3
           : lead < 0xf5 ? 4
                         : 0;
}

/* Whether the second byte can follow the first: this is where overlong forms, surrogates and code
 * points over 10ffff show. */
static bool second_fits(uint8_t lead, uint8_t second)
{
    const uint8_t low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const uint8_t high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;

    return second >= low && second <= high;
}

size_t smol_utf8_character(const uint8_t *text, size_t size_bytes)
{
    const size_t n = character_bytes(text[0]);

    if (n < 2)
        return n;
    if (n > size_bytes || !second_fits(text[0], text[1]))
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((text[i] & 0xc0) != 0x80)
            return 0;
    return n;
}

size_t smol_utf8_run(bool *is_text, const uint8_t *text, size_t size_bytes)
{
    size_t at = 0, n = smol_utf8_character(text, size_bytes);

    *is_text = n > 0;
    do
        at += n ? n : 1;
    while (at < size_bytes &&
           ((n = smol_utf8_character(text + at, size_bytes - at)) > 0) == *is_text);
    return at;
}

size_t smol_utf8_incomplete(const uint8_t *text, size_t size_bytes)
{
    for (size_t back = 1; back <= 3 && back <= size_bytes; back++) {
        const uint8_t *p = text + size_bytes - back;
        if ((*p & 0xc0) == 0x80)
            continue;
        if (character_bytes(*p) <= back)
            return 0;
        return back == 1 || second_fits(p[0], p[1]) ? back : 0;
    }
    return 0;
}
