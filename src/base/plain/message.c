/* What message.h declares, for firmware, where the C library's printf would take more room than the
 * reader of models: it comes with floats, and with streams. */
#include "base/message.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Text that is cut where it ends. */
struct text {
    char *at, *end; /* room for a character, and for the 0 behind it */
};

/* What stands behind a %. */
struct conversion {
    bool has_zeros;
    int width;
    int n_longs; /* l, ll */
    bool is_size;
    char letter;
};

static void put(struct text *t, char c)
{
    if (t->at < t->end)
        *t->at++ = c;
}

static struct conversion parse(const char **format)
{
    struct conversion c = {0};
    const char *f = *format;

    if (*f == '0')
        c.has_zeros = true;
    for (; *f >= '0' && *f <= '9'; f++)
        c.width = 10 * c.width + *f - '0';
    for (; *f == 'l'; f++)
        c.n_longs++;
    if (*f == 'z') {
        c.is_size = true;
        f++;
    }
    c.letter = *f;
    *format = *f ? f + 1 : f;
    return c;
}

static void put_number(struct text *t, const struct conversion *c, unsigned long long v,
                       bool is_negative)
{
    const char *const digits = c->letter == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    const unsigned base = c->letter == 'x' || c->letter == 'X' ? 16 : 10;
    char reversed[24];
    int n = 0;

    do {
        reversed[n++] = digits[v % base];
        v /= base;
    } while (v);
    if (is_negative && c->has_zeros)
        put(t, '-');
    for (int i = n + is_negative; i < c->width; i++)
        put(t, c->has_zeros ? '0' : ' ');
    if (is_negative && !c->has_zeros)
        put(t, '-');
    while (n)
        put(t, reversed[--n]);
}

static void put_string(struct text *t, const struct conversion *c, const char *s)
{
    for (size_t n = strlen(s); n < (size_t)c->width; n++)
        put(t, ' ');
    while (*s)
        put(t, *s++);
}

void smol_message(char *text, size_t size, const char *format, va_list args)
{
    struct text t = {text, text + size - 1};

    while (*format) {
        if (*format != '%') {
            put(&t, *format++);
            continue;
        }
        format++;
        const struct conversion c = parse(&format);
        switch (c.letter) {
        case 's': put_string(&t, &c, va_arg(args, const char *)); break;
        case 'c': put(&t, (char)va_arg(args, int)); break;
        case '%': put(&t, '%'); break;
        case 'd': {
            const long long v = c.n_longs > 1    ? va_arg(args, long long)
                                : c.n_longs == 1 ? va_arg(args, long)
                                                 : va_arg(args, int);
            put_number(&t, &c, v < 0 ? 0ULL - (unsigned long long)v : (unsigned long long)v, v < 0);
            break;
        }
        default:
            put_number(&t, &c,
                       c.is_size        ? va_arg(args, size_t)
                       : c.n_longs > 1  ? va_arg(args, unsigned long long)
                       : c.n_longs == 1 ? va_arg(args, unsigned long)
                                        : va_arg(args, unsigned),
                       false);
        }
    }
    *t.at = 0;
}
