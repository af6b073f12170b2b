/* See mutate.h. It knows the layouts of SPEC.md 2, 3.1 and 3.4, and nothing of the reader's code.
 */
#include "mutate.h"

#include <string.h>

#define HEADER 32u
#define ENTRY 24u
#define CONF_FIXED 56u
#define CONF_DELTA 8u /* more of a delta */
#define DELTA 2u
#define SCHEME 16u
#define SET_BYTES 33u

/* A section: its bytes, or size 0 if it is absent or does not lie within the file. */
struct section {
    uint8_t *data;
    size_t size;
};

static size_t load(const uint8_t *p, unsigned n)
{
    size_t v = 0;

    for (unsigned i = n; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static struct section find(uint8_t *b, size_t size, const char *name)
{
    const size_t n = size < HEADER ? 0 : load(b + 12, 2);
    size_t at = HEADER + ENTRY * n;

    for (size_t i = 0; n <= 6 && i < n && at <= size; i++) {
        const uint8_t *entry = b + HEADER + ENTRY * i;
        const size_t alignment = memcmp(entry, "EMBD", 4) == 0 ? 64 : 8,
                     length = load(entry + 8, 8);
        at = (at + alignment - 1) / alignment * alignment;
        if (at > size || length > size - at)
            break;
        if (memcmp(entry, name, 4) == 0)
            return (struct section){b + at, length};
        at += length;
    }
    return (struct section){NULL, 0};
}

/* A field of the configuration that says what something is. */
static void change_conf(struct section conf, uint64_t *random)
{
    static const uint8_t fields[] = {0, 2, 2, 40, 41, 42, 47, 52, 53, 54};
    const size_t n_schemes = conf.size < CONF_FIXED ? 0 : conf.data[43],
                 schemes_at = n_schemes && load(conf.data, 2) == DELTA ? CONF_FIXED + CONF_DELTA
                                                                       : CONF_FIXED;
    const uint8_t kind = (uint8_t)(mutate_random(random) % 12);
    uint8_t *p;

    if (conf.size < schemes_at + SCHEME * n_schemes || n_schemes == 0)
        return;
    if (mutate_random(random) % 2) {
        p = conf.data + fields[mutate_random(random) % sizeof fields];
    } else {
        p = conf.data + schemes_at + SCHEME * (mutate_random(random) % n_schemes);
        p += mutate_random(random) % 8;
    }
    if (mutate_random(random) % 2)
        *p ^= (uint8_t)(1u << mutate_random(random) % 8);
    else
        *p = kind;
}

/* Another member of the set in place of one, most often; so that it has as many. */
static void change_set(struct section set, uint64_t *random)
{
    const uint32_t one = mutate_random(random) % 256, other = mutate_random(random) % 256;

    set.data[one / 8] ^= (uint8_t)(1u << one % 8);
    if (mutate_random(random) % 8 == 0)
        set.data[32] ^= (uint8_t)(1u << mutate_random(random) % 8);
    else if ((set.data[one / 8] >> one % 8 & 1) != (set.data[other / 8] >> other % 8 & 1))
        set.data[other / 8] ^= (uint8_t)(1u << other % 8);
}

/* A byte or a bit anywhere. */
static void change_byte(struct section s, uint64_t *random)
{
    uint8_t *p = s.data + mutate_random(random) % s.size;

    if (mutate_random(random) % 2)
        *p ^= (uint8_t)(1u << mutate_random(random) % 8);
    else
        *p = (uint8_t)mutate_random(random);
}

void mutate_contents(uint8_t *bytes, size_t size, uint64_t *random)
{
    const unsigned n = 1 + mutate_random(random) % 3;

    for (unsigned i = 0; i < n; i++) {
        static const char *const names[] = {"CONF", "TOKN", "LRND", "EMBD", "LRND", "BASE"};
        const unsigned what = mutate_random(random) % 6;
        const struct section s = find(bytes, size, names[what]);
        if (s.size == 0)
            continue;
        if (what == 0)
            change_conf(s, random);
        else if (what == 1 && s.size == SET_BYTES)
            change_set(s, random);
        else
            change_byte(s, random);
    }
}
