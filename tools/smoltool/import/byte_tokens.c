/* See byte_tokens.h. */
#include "smoltool/import/byte_tokens.h"
#include "smoltool/gpt2_bytes.h"

#include <string.h>

#define OTHER "[OTHER]" /* as smoltool export names it */

/* Whether a text has that number; *n counts what was found. */
static bool is_next(size_t *n, const json_t *vocab, const char *text)
{
    const json_t *number = json_object_get(vocab, text);

    if (!json_is_integer(number) || json_integer_value(number) != (json_int_t)*n)
        return false;
    ++*n;
    return true;
}

bool byte_tokens_read(enum smol_tokenizer_kind *kind, uint8_t section[BYTE_SET_BYTES],
                      const json_t *vocab)
{
    size_t n = 0;
    unsigned last = 0;
    char letter[3];

    memset(section, 0, BYTE_SET_BYTES);
    for (unsigned byte = 0; byte < 256; byte++) {
        *put_letter(letter, (uint8_t)byte) = '\0';
        if (is_next(&n, vocab, letter)) {
            section[byte / 8] |= (uint8_t)(1 << byte % 8);
            last = byte;
        }
    }
    *kind = n == last + 1 ? SMOL_TOKENIZER_BYTES : SMOL_TOKENIZER_BYTE_SET;
    if (n == 0 || n == json_object_size(vocab))
        return n > 0;
    *kind = SMOL_TOKENIZER_BYTE_SET;
    if (n < 256 && is_next(&n, vocab, OTHER))
        section[BYTE_SET_BYTES - 1] |= BYTE_SET_OTHER;
    if (is_next(&n, vocab, SMOL_END_OF_TEXT))
        section[BYTE_SET_BYTES - 1] |= BYTE_SET_END;
    return n == json_object_size(vocab);
}
