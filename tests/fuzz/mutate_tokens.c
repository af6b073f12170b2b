/* See mutate.h: damage to tokenizers by their parts. It knows the layout of SPEC.md 3.4 and
 * appendix D by the library's writer. */
#include "base/bytes.h"
#include "format/tokn.h"
#include "mutate.h"

#include <xxhash.h>

#define HEADER 16u
#define MAX_MERGES 256u
#define MAX_SPECIALS_BYTES 4096u

/* What a tokenizer is made of. */
struct parts {
    struct smol_merge merges[MAX_MERGES];
    uint8_t specials[MAX_SPECIALS_BYTES];
    uint32_t n_merges, n_specials, n_before;
    size_t n_bytes; /* of specials */
};

static bool take_apart(struct parts *p, const uint8_t *file, size_t size)
{
    struct smol_file tokenizer;
    struct smol_tokn t;

    if (smol_tokenizer_parse(&tokenizer, file, size, NULL))
        return false;
    t = smol_tokn_view(tokenizer.tokenizer);
    if (t.n_merges > MAX_MERGES || t.specials.size_bytes > MAX_SPECIALS_BYTES)
        return false;
    for (uint32_t i = 0; i < t.n_merges; i++)
        p->merges[i] = smol_tokn_merge(&t, i);
    memcpy(p->specials, t.specials.data, t.specials.size_bytes);
    p->n_merges = t.n_merges;
    p->n_specials = t.n_specials;
    p->n_before = t.n_before;
    p->n_bytes = t.specials.size_bytes;
    return true;
}

/* Mostly one of few bytes, so that merges meet in a text; or one that a late merge made; seldom one
 * too many. */
static uint32_t some_token(uint32_t i, uint64_t *random)
{
    const uint32_t r = mutate_random(random) % 16;

    if (r == 0)
        return mutate_random(random) % (257 + i);
    return r < 8 || i == 0 ? 64 + mutate_random(random) % 4
                           : 255 + i - mutate_random(random) % (i < 8 ? i : 8);
}

static void change_merges(struct parts *p, uint64_t *random)
{
    const uint32_t i = p->n_merges ? mutate_random(random) % p->n_merges : 0;

    switch (mutate_random(random) % (p->n_merges ? 5 : 1)) {
    case 0:
    case 1:
        if (p->n_merges < MAX_MERGES) {
            p->merges[p->n_merges] = (struct smol_merge){some_token(p->n_merges, random),
                                                         some_token(p->n_merges, random)};
            p->n_merges++;
        }
        break;
    case 2: p->merges[i].left = some_token(i, random); break;
    case 3: p->merges[i].right = some_token(i, random); break;
    default: p->n_merges--;
    }
}

/* Another special token at the end, or one less, or others before the bytes. */
static void change_specials(struct parts *p, uint64_t *random)
{
    static const char *const texts[] = {
        "<|endoftext|>", "<|",       "|>",       "<|end", "a",    "ab", "[x]", " ",
        "\xc3\xa9",      "\xc4\xa0", "\xc4\x80", "\n",    "\xff", ""};
    const char *text = texts[mutate_random(random) % (sizeof texts / sizeof texts[0])];
    const size_t n = strlen(text);
    size_t at = 0;

    switch (mutate_random(random) % 3) {
    case 0:
        if (n + 1 <= MAX_SPECIALS_BYTES - p->n_bytes) {
            p->specials[p->n_bytes] = (uint8_t)n;
            memcpy(p->specials + p->n_bytes + 1, text, n);
            p->n_bytes += 1 + n;
            p->n_specials++;
        }
        break;
    case 1:
        for (uint32_t i = 1; i < p->n_specials; i++)
            at += 1u + p->specials[at];
        p->n_bytes = at;
        p->n_specials -= p->n_specials > 0;
        break;
    default: p->n_before = mutate_random(random) % (p->n_specials + 2);
    }
}

void repair_tokenizer(uint8_t *file, size_t size)
{
    if (size > HEADER)
        smol_put64(file + 8, XXH3_64bits(file + HEADER, size - HEADER));
}

size_t mutate_tokenizer(uint8_t *file, size_t size, size_t capacity, uint64_t *random)
{
    static struct parts p;
    size_t n;

    if (!take_apart(&p, file, size))
        return size;
    for (uint32_t rounds = 1 + mutate_random(random) % 4; rounds > 0; rounds--) {
        if (mutate_random(random) % 4)
            change_merges(&p, random);
        else
            change_specials(&p, random);
    }
    n = HEADER + (size_t)smol_tokn_size(p.n_merges, p.n_bytes);
    if (n > capacity)
        return size;
    smol_tokn_write(file + HEADER, p.merges, p.n_merges, (struct smol_span){p.specials, p.n_bytes},
                    p.n_specials, p.n_before);
    repair_tokenizer(file, n);
    return n;
}
