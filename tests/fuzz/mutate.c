/* See mutate.h. It knows the layout of SPEC.md 2 and nothing of the reader's code. */
#include "mutate.h"

#include <smol/file.h>
#include <string.h>
#include <xxhash.h>

#define HEADER 32u
#define ENTRY 24u
#define MAX_SECTIONS 6u

uint32_t mutate_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (uint32_t)(z >> 32);
}

static uint64_t load(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;

    for (unsigned i = n; i-- > 0;)
        v = v << 8 | p[i];
    return v;
}

static void store(uint8_t *p, uint64_t v, unsigned n)
{
    for (unsigned i = 0; i < n; i++, v >>= 8)
        p[i] = (uint8_t)v;
}

/* Values at which parsers have failed. */
static uint64_t interesting(uint64_t *random)
{
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      13,
                                      63,
                                      64,
                                      65,
                                      127,
                                      128,
                                      255,
                                      256,
                                      0x7fff,
                                      0x8000,
                                      0xffff,
                                      0x10000,
                                      0x7fffffff,
                                      0x80000000,
                                      0xffffffff,
                                      0x100000000,
                                      0x3f800000,
                                      0x7f800000,
                                      0x7fc00000,
                                      0xff800000,
                                      0x7c00,
                                      0x7e00,
                                      0x7fffffffffffffff,
                                      0x8000000000000000,
                                      0xfffffffffffffff0,
                                      0xffffffffffffffff};

    return values[mutate_random(random) % (sizeof values / sizeof values[0])];
}

/* Most structure is at the front. */
static size_t place(size_t size, uint64_t *random)
{
    const size_t front = size < 512 ? size : 512;

    return mutate_random(random) % (mutate_random(random) % 4 ? front : size);
}

/* Two entries of the directory change places, or bytes go from the one section to the other, modulo
 * 2^64. */
static void change_directory(uint8_t *b, size_t size, uint64_t *random)
{
    const uint64_t n = size < HEADER ? 0 : load(b + 12, 2);
    const uint64_t delta = mutate_random(random) % 2 ? interesting(random) : 64;
    uint8_t *one, *other, kept[ENTRY];

    if (n < 2 || n > MAX_SECTIONS || HEADER + ENTRY * n > size)
        return;
    one = b + HEADER + ENTRY * (mutate_random(random) % n);
    other = b + HEADER + ENTRY * (mutate_random(random) % n);
    if (mutate_random(random) % 2) {
        store(one + 8, load(one + 8, 8) + delta, 8);
        store(other + 8, load(other + 8, 8) - delta, 8);
        return;
    }
    memcpy(kept, one, ENTRY);
    memcpy(one, other, ENTRY);
    if (mutate_random(random) % 4)
        memcpy(other, kept, ENTRY);
}

static size_t change_once(uint8_t *b, size_t size, size_t capacity, uint64_t *random)
{
    const size_t at = place(size, random);
    const unsigned width = 1u << mutate_random(random) % 4;
    size_t from, n;

    switch (mutate_random(random) % 9) {
    case 0: b[at] ^= (uint8_t)(1u << mutate_random(random) % 8); return size;
    case 1: b[at] = (uint8_t)mutate_random(random); return size;
    case 2:
    case 3:
        if (at + width <= size)
            store(b + at, interesting(random), width);
        return size;
    case 4:
        if (at + width <= size)
            store(b + at, load(b + at, width) + mutate_random(random) % 9 - 4, width);
        return size;
    case 5: /* cut, now and then */ return mutate_random(random) % 4 ? size : at + 1;
    case 6: /* grow by zeros */
        n = mutate_random(random) % 200;
        n = n < capacity - size ? n : capacity - size;
        memset(b + size, 0, n);
        return size + n;
    case 7: change_directory(b, size, random); return size;
    default: /* one stretch over another */
        from = place(size, random);
        n = mutate_random(random) % 64;
        n = n < size - at ? n : size - at;
        n = n < size - from ? n : size - from;
        memmove(b + at, b + from, n);
        return size;
    }
}

size_t mutate(uint8_t *bytes, size_t size, size_t capacity, uint64_t *random)
{
    const unsigned n = 1 + mutate_random(random) % 4;

    for (unsigned i = 0; i < n && size > 0; i++)
        size = change_once(bytes, size, capacity, random);
    return size;
}

static void repair_sections(uint8_t *b, size_t body, unsigned n)
{
    size_t at = HEADER + ENTRY * (size_t)n;

    for (unsigned i = 0; i < n; i++) {
        uint8_t *entry = b + HEADER + ENTRY * i;
        const size_t alignment = memcmp(entry, "EMBD", 4) == 0 ? 64 : 8;
        const uint64_t size = load(entry + 8, 8);
        at = (at + alignment - 1) / alignment * alignment;
        if (at > body || size > body - at)
            return;
        store(entry + 16, XXH3_64bits(b + at, size), 8);
        at += size;
    }
}

void repair(uint8_t *b, size_t size, bool sections)
{
    uint8_t joined[24 + ENTRY * MAX_SECTIONS];
    const size_t n = size < HEADER + SMOL_HASH_BYTES ? 0 : load(b + 12, 2);
    const uint64_t stated = n ? load(b + 16, 8) : 0;
    size_t body = size - SMOL_HASH_BYTES, leaves = 0;
    uint8_t leaf[8][SMOL_HASH_BYTES];

    if (n == 0 || n > MAX_SECTIONS || HEADER + ENTRY * n > body)
        return;
    /* A signed file keeps its body. */
    if (stated + SMOL_HASH_BYTES + SMOL_SIGNATURE_BLOCK_BYTES == size)
        body = stated;
    store(b + 16, body, 8);
    if (sections)
        repair_sections(b, body, (unsigned)n);
    memcpy(joined, b, 24);
    memcpy(joined + 24, b + HEADER, ENTRY * n);
    store(b + 24, XXH3_64bits(joined, 24 + ENTRY * n), 8);
    if (smol_hash_pieces(body) > 8)
        return;
    for (; leaves < smol_hash_pieces(body); leaves++)
        smol_hash_leaf(leaf[leaves], b, body, leaves);
    smol_hash_root(b + body, leaf[0], body);
}

void repair_mostly(uint8_t *bytes, size_t size, uint64_t *random)
{
    const uint32_t what = mutate_random(random) % 8;

    if (what > 0)
        repair(bytes, size, what > 1);
}
