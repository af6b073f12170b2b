/* See gpt2_bytes.h. */
#include "smoltool/gpt2_bytes.h"

#include <stdbool.h>

/* Bytes that print stand for themselves, the others for U+0100 upward in their order. */
static bool prints(unsigned byte)
{
    return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
}

static unsigned letter(uint8_t byte)
{
    unsigned n = 0x100;

    if (prints(byte))
        return byte;
    for (unsigned b = 0; b < byte; b++)
        n += !prints(b);
    return n;
}

/* All are below U+0800. */
char *put_letter(char *text, uint8_t byte)
{
    const unsigned code = letter(byte);

    if (code < 0x80) {
        *text++ = (char)code;
    } else {
        *text++ = (char)(0xc0 | code >> 6);
        *text++ = (char)(0x80 | (code & 0x3f));
    }
    return text;
}
