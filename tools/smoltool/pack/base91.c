/* Packed bytes as printable text. SPEC.md 15, "As text". */
#include "smoltool/pack/pack.h"

#include <string.h>

#define BASE 91u
#define BLOCK_BYTES BASE91_BLOCK_BYTES
#define BLOCK_DIGITS BASE91_BLOCK_DIGITS

static const char alphabet[BASE + 1] =
    "!#$%&()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~";

size_t base91_digits(size_t n_bytes)
{
    const size_t rest = n_bytes % BLOCK_BYTES;

    return n_bytes / BLOCK_BYTES * BLOCK_DIGITS +
           (rest * BLOCK_DIGITS + BLOCK_BYTES - 1) / BLOCK_BYTES;
}

/* values: (n), a number whose digits of a base are these, the uppermost first; becomes
 * values x factor + more. What it is too large by. */
static unsigned accumulate(uint8_t *values, size_t n, unsigned base, unsigned factor, unsigned more)
{
    while (n-- > 0) {
        more += values[n] * factor;
        values[n] = (uint8_t)(more % base);
        more /= base;
    }
    return more;
}

static void write_block(char *digits, const uint8_t *bytes, size_t n)
{
    const size_t n_digits = base91_digits(n);
    uint8_t values[BLOCK_DIGITS] = {0};

    for (size_t i = 0; i < n; i++)
        accumulate(values, n_digits, BASE, 256, bytes[i]);
    for (size_t i = 0; i < n_digits; i++)
        digits[i] = alphabet[values[i]];
}

void base91_write(char *digits, const uint8_t *bytes, size_t n)
{
    for (size_t part; n > 0; n -= part) {
        part = n < BLOCK_BYTES ? n : BLOCK_BYTES;
        write_block(digits, bytes, part);
        bytes += part;
        digits += base91_digits(part);
    }
}

static bool is_white(uint8_t c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

/* false if no writer wrote these. */
static bool read_block(size_t *n, uint8_t *bytes, const uint8_t *values, size_t n_digits)
{
    const size_t n_bytes = n_digits * BLOCK_BYTES / BLOCK_DIGITS;

    if (base91_digits(n_bytes) != n_digits)
        return false;
    memset(bytes, 0, n_bytes);
    for (size_t i = 0; i < n_digits; i++)
        if (accumulate(bytes, n_bytes, 256, BASE, values[i]))
            return false;
    *n = n_bytes;
    return true;
}

static enum smol_status fail(struct smol_error *error, size_t offset, const char *why)
{
    cli_error(error, SMOL_E_PACKED, "%s", why);
    error->offset = offset;
    return SMOL_E_PACKED;
}

enum smol_status base91_read(size_t *n, uint8_t *bytes, struct smol_span digits,
                             struct smol_error *error)
{
    uint8_t values[BLOCK_DIGITS];
    size_t n_values = 0, n_bytes = 0, more = 0;

    for (size_t i = 0; i <= digits.size_bytes; i++) {
        const bool ends = i == digits.size_bytes;
        const uint8_t c = ends ? ' ' : digits.data[i];
        const char *at = c ? strchr(alphabet, c) : NULL;

        if (at)
            values[n_values++] = (uint8_t)(at - alphabet);
        else if (!is_white(c))
            return fail(error, i, "no character of a packed text");
        if (n_values < BLOCK_DIGITS && !ends)
            continue;
        if (!read_block(&more, bytes + n_bytes, values, n_values))
            return fail(error, i, "a packed text that is damaged, or cut short");
        n_bytes += more;
        n_values = 0;
    }
    *n = n_bytes;
    return SMOL_OK;
}
