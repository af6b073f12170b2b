/* The seeds of the other targets: short files that are read whole. */
#include "base/bytes.h"
#include "fuzz.h"

#include <string.h>

#define NPY                                                                                        \
    "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }                                 " \
    "                          \n"
/* The key of SPEC.md's example, in the clear; and with the limits of one that is encrypted. */
#define SECRET                                                                                     \
    "untrusted comment: minisign unencrypted secret key\n"                                         \
    "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAQIDBAUGBwgAAQIDBAUG" \
    "BwgJCgsMDQ4PEBES"                                                                             \
    "ExQVFhcYGRobHB0eHwOhB7/"                                                                      \
    "zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
#define ENCRYPTED                                                                                  \
    "untrusted comment: minisign encrypted secret key\n"                                           \
    "RWRTY0IyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACAAAAAAAAAEAAAAAAAQIDBAUGBwgAAQIDBAUG" \
    "BwgJCgsMDQ4PEBES"                                                                             \
    "ExQVFhcYGRobHB0eHwOhB7/"                                                                      \
    "zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
/* Of "test": minisign's documentation; what minisign 0.11 makes with the key of SPEC.md, and its
 * older kind. */
#define PUBLISHED                                                                                  \
    "untrusted comment: signature from minisign secret key\n"                                      \
    "RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"                              \
    "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n"                                                      \
    "trusted comment: timestamp:1556193335\tfile:test\n"                                           \
    "y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==\n"
#define OWN                                                                                        \
    "untrusted comment: x\n"                                                                       \
    "RUQBAgMEBQYHCO7bfJOJZsqfCwXF+z0sQ1VXJkH6b3IX+R7jgIZiK0baMSQj5407he+"                          \
    "UPkHYBXBmR29ayQO7Zj5oIfpnYdZXcAQ=\n"                                                          \
    "trusted comment: comment\t\xc3\xa9\n"                                                         \
    "OOb8/5x1ad7k1vunHQvu+2nZxcJ6y9lIRKcFwulz40uY2IFKFIMmRW/eLlEg/oXKzn8vvWahBVvPcYlv6OKjBA==\n"
#define OLDER                                                                                      \
    "untrusted comment: signature from minisign secret key\n"                                      \
    "RWQBAgMEBQYHCKVXp6pguhWceWrRkO1fvuc88dyHDQ5ampsF9laj0O5bSvJ6m1nBrK8ZEpl5M50JqGgPmEJsV9DTs+"   \
    "MuMKH5/gk=\n"                                                                                 \
    "trusted comment: timestamp:1795808487\tfile:test\n"                                           \
    "PRoPW0XJDZhUTIREtDxp7x+ANW5TUA+fjfh+pRYcjn0xYHDaLPZz/+JSl1xZ8efr1AKdUgvhB1iNV/u6YGJFDQ==\n"

static const struct seed {
    const char *target, *text;
    size_t n_zeros; /* behind the text */
} seeds[] = {
    {"safetensors", "{\"wte.weight\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}}",
     24},
    {"safetensors",
     "{\"__metadata__\":{\"format\":\"pt\"},\"b\":{\"dtype\":\"BF16\",\"shape\":[4],\"data_"
     "offsets\":[2,10]},"
     "\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,2],\"data_offsets\":[0,2]}}   ",
     10},
    {"npy", NPY, 24},
    {"npy", "{'descr': '<f8', 'fortran_order': False, 'shape': (3,), }\n", 24},
    {"npy", "{\"shape\":(),\"descr\":\"<f2\",\"fortran_order\":False}\n", 2},
    {"key",
     "untrusted comment: minisign public key "
     "E7620F1842B4E81F\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
     0},
    {"key", "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3", 0},
    {"key", SECRET, 0},
    {"key", ENCRYPTED, 0},
    {"minisig", PUBLISHED, 0},
    {"minisig", OWN, 0},
    {"minisig", OLDER, 0},
    {"lines",
     "{\"text\": \"one\"}\n{\"url\": \"u\", \"text\": "
     "\"t\\u00e9\\ud83d\\udc18\\n<|endoftext|>three\", \"n\": [1]}\n",
     0},
    {"lines",
     " \t\r\n{\"text\": \"\"}\r\n{\"text\": \"a\\u0000<|endoftext|>\"}\n{\"text\": \"\xc3\xa9\"}",
     0},
    {"lines",
     "\xef\xbb\xbf{\"n\": 123456789012345678901, \"text\": \"a\\ud83d\", \"a\\u0000\": 1e999}\n"
     "{\"text\": \"one\", \"a\": {\"a\": 1, \"a\": [[[2]]]}, \"text\": "
     "\"\\udc18\\ud83d\\ud83d\\udc18\"}",
     0},
    {"card", "{\"name\": \"x\", \"numbers\": [1, -2.5e3, true, null], \"deep\": {\"a\": {}}}", 0},
    {"card", "{\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98\": \"\\u00e9\\ud83d\\udc18\\n\"}\n\t{}", 0},
};

/* The text with what goes before it. */
static size_t put_front(uint8_t *dest, const char *target, size_t n)
{
    if (strcmp(target, "safetensors") == 0) {
        smol_put64(dest, n);
        return 8;
    }
    if (strcmp(target, "npy") != 0)
        return 0;
    memcpy(dest, "\x93NUMPY\x01\x00", 8);
    smol_put16(dest + 8, (uint16_t)n);
    return 10;
}

void fuzz_seeds(fuzz_take *take)
{
    uint8_t bytes[1024] = {0};

    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        const struct seed *s = &seeds[i];
        const size_t n = strlen(s->text);
        size_t at;
        if (strcmp(s->target, fuzz_name) != 0)
            continue;
        at = put_front(bytes, s->target, n);
        memcpy(bytes + at, s->text, n);
        memset(bytes + at + n, 0, s->n_zeros);
        take(bytes, at + n + s->n_zeros);
    }
}
