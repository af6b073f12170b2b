/* The two rules of TOKN that take memory: no token is too long, and no two are equal. SPEC.md
 * 3.4. */
#include "base/error.h"
#include "format/sodium.h"
#include "format/tokn.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#define PRIME 0x7fffffffu

/* A text as the digits of a number, each a byte + 1, modulo the prime, in two bases: that of two
 * texts in a row follows from those of both. The bases are drawn, so that no file can make many
 * texts agree. */
struct digest {
    uint32_t in[2];
    uint32_t length;
};

/* Tokens by what they stand for. */
struct table {
    const struct smol_tokn *tokn;
    struct digest *digests; /* (n + n_specials) */
    uint32_t *slots;        /* (n_slots) numbers + 1, 0 where there is none; a power of two */
    size_t n_slots;
    uint32_t powers[2][SMOL_MAX_TOKEN_BYTES + 1]; /* of the bases */
};

static uint32_t reduce(uint64_t x)
{
    x = (x & PRIME) + (x >> 31);
    x = (x & PRIME) + (x >> 31);
    return (uint32_t)(x < PRIME ? x : x - PRIME);
}

static void draw_bases(struct table *table)
{
    for (int i = 0; i < 2; i++) {
        const uint32_t base = 257 + randombytes_uniform(PRIME - 257);
        table->powers[i][0] = 1;
        for (uint32_t n = 1; n <= SMOL_MAX_TOKEN_BYTES; n++)
            table->powers[i][n] = reduce((uint64_t)table->powers[i][n - 1] * base);
    }
}

static struct digest of_byte(uint8_t byte) { return (struct digest){{byte + 1u, byte + 1u}, 1}; }

/* Together they have at most SMOL_MAX_TOKEN_BYTES. */
static struct digest join(const struct table *table, struct digest left, struct digest right)
{
    struct digest both = {.length = left.length + right.length};

    for (int i = 0; i < 2; i++)
        both.in[i] = reduce((uint64_t)left.in[i] * table->powers[i][right.length] + right.in[i]);
    return both;
}

static struct digest of_text(const struct table *table, struct smol_span text)
{
    struct digest all = {{0, 0}, 0};

    for (size_t i = 0; i < text.size_bytes; i++)
        all = join(table, all, of_byte(text.data[i]));
    return all;
}

/* Number k: below n a byte or a merge, then the specials. */
static struct smol_span text_of(uint8_t text[SMOL_MAX_TOKEN_BYTES], const struct smol_tokn *t,
                                uint32_t k)
{
    if (k >= t->n)
        return smol_tokn_special(t, k - t->n);
    return (struct smol_span){text, smol_tokn_expand(text, t, k)};
}

static bool are_equal(const struct table *table, uint32_t a, uint32_t b)
{
    uint8_t text_a[SMOL_MAX_TOKEN_BYTES], text_b[SMOL_MAX_TOKEN_BYTES];
    struct smol_span of_a, of_b;

    if (memcmp(&table->digests[a], &table->digests[b], sizeof(struct digest)) != 0)
        return false;
    of_a = text_of(text_a, table->tokn, a);
    of_b = text_of(text_b, table->tokn, b);
    return of_a.size_bytes == of_b.size_bytes && memcmp(of_a.data, of_b.data, of_a.size_bytes) == 0;
}

/* Enters a token. false if another stands for the same bytes. */
static bool enter(struct table *table, uint32_t k, struct digest digest)
{
    const size_t mask = table->n_slots - 1;
    size_t slot = (digest.in[0] ^ (size_t)digest.in[1] << 7) & mask;

    table->digests[k] = digest;
    for (; table->slots[slot] != 0; slot = (slot + 1) & mask)
        if (are_equal(table, k, table->slots[slot] - 1))
            return false;
    table->slots[slot] = k + 1;
    return true;
}

/* Adds up the lengths of the merges' tokens, and checks that no token occurs twice. */
static enum smol_status check(struct table *table, struct smol_error *error)
{
    const struct smol_tokn *t = table->tokn;

    for (uint32_t k = 0; k < 256; k++) /* no two are equal */
        enter(table, k, of_byte(smol_tokn_bytes_in_order[k]));
    for (uint32_t i = 0; i < t->n_merges; i++) {
        const struct smol_merge m = smol_tokn_merge(t, i);
        const struct digest left = table->digests[m.left], right = table->digests[m.right];
        if (left.length + right.length > SMOL_MAX_TOKEN_BYTES)
            return smol_fail(error, SMOL_E_RANGE, smol_tokn_merge_at(t, i),
                             "merge %u makes a token longer than 1024 bytes", i);
        if (!enter(table, 256 + i, join(table, left, right)))
            return smol_fail(error, SMOL_E_CANONICAL, smol_tokn_merge_at(t, i),
                             "merge %u makes a token that exists already", i);
    }
    for (uint32_t i = 0; i < t->n_specials; i++)
        if (!enter(table, t->n + i, of_text(table, smol_tokn_special(t, i))))
            return smol_fail(error, SMOL_E_CANONICAL,
                             (uint64_t)(smol_tokn_special(t, i).data - t->merges) - 1 +
                                 SMOL_TOKN_HEADER_BYTES,
                             "special token %u exists already", i);
    return SMOL_OK;
}

enum smol_status smol_file_check_tokens(const struct smol_file *file, struct smol_error *error)
{
    struct smol_tokn tokn;
    struct table table = {.tokn = &tokn, .n_slots = 1024};
    enum smol_status status;

    if (file->config.tokenizer != SMOL_TOKENIZER_BPE || !file->tokenizer.data)
        return SMOL_OK;
    if ((status = smol_sodium_start(error)))
        return status;
    tokn = smol_tokn_view(file->tokenizer);
    while (table.n_slots < 2 * ((size_t)tokn.n + tokn.n_specials))
        table.n_slots *= 2;
    draw_bases(&table);
    table.slots = calloc(table.n_slots, sizeof *table.slots);
    table.digests = malloc(((size_t)tokn.n + tokn.n_specials) * sizeof *table.digests);
    if (!table.slots || !table.digests)
        status = smol_fail_memory(error);
    else
        status = check(&table, error);
    free(table.digests);
    free(table.slots);
    return smol_fail_within(file->tokenizer_at, status, error);
}
