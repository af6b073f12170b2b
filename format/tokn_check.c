/* The two rules of TOKN that take memory: no token is too long, and no two are equal. SPEC.md
 * 3.4. */
#include "base/bytes.h"
#include "base/error.h"
#include "format/sodium.h"
#include "format/tokn.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

/* Tokens by what they stand for. The key of the hash is drawn, so that no file can make them all
 * collide. */
struct table {
    const struct smol_tokn *tokn;
    uint8_t key[crypto_shorthash_KEYBYTES];
    uint32_t *slots; /* (n_slots) numbers + 1, 0 where there is none; a power of two */
    size_t n_slots;
};

/* Number k: below n a byte or a merge, then the specials. */
static struct smol_span text_of(uint8_t text[SMOL_MAX_TOKEN_BYTES], const struct smol_tokn *t,
                                uint32_t k)
{
    if (k >= t->n)
        return smol_tokn_special(t, k - t->n);
    return (struct smol_span){text, smol_tokn_expand(text, t, k)};
}

/* Enters a token. false if another stands for the same bytes. */
static bool enter(struct table *table, uint32_t k)
{
    uint8_t text[SMOL_MAX_TOKEN_BYTES], other_text[SMOL_MAX_TOKEN_BYTES],
        digest[crypto_shorthash_BYTES];
    const struct smol_span mine = text_of(text, table->tokn, k);
    size_t slot;

    crypto_shorthash(digest, mine.data, mine.size_bytes, table->key);
    for (slot = smol_le64(digest) & (table->n_slots - 1); table->slots[slot] != 0;
         slot = (slot + 1) & (table->n_slots - 1)) {
        const struct smol_span other = text_of(other_text, table->tokn, table->slots[slot] - 1);
        if (other.size_bytes == mine.size_bytes &&
            memcmp(other.data, mine.data, mine.size_bytes) == 0)
            return false;
    }
    table->slots[slot] = k + 1;
    return true;
}

/* Computes the lengths of the merges' tokens, and checks that no token occurs twice. lengths:
 * (n). */
static enum smol_status check(struct table *table, uint16_t *lengths, struct smol_error *error)
{
    const struct smol_tokn *t = table->tokn;

    for (uint32_t k = 0; k < t->n; k++) {
        const struct smol_merge m =
            k < 256 ? (struct smol_merge){0, 0} : smol_tokn_merge(t, k - 256);
        const uint32_t length = k < 256 ? 1 : (uint32_t)lengths[m.left] + lengths[m.right];
        if (length > SMOL_MAX_TOKEN_BYTES)
            return smol_fail(error, SMOL_E_RANGE, smol_tokn_merge_at(t, k - 256),
                             "merge %u makes a token longer than 1024 bytes", k - 256);
        lengths[k] = (uint16_t)length;
        if (!enter(table, k))
            return smol_fail(error, SMOL_E_CANONICAL, smol_tokn_merge_at(t, k - 256),
                             "merge %u makes a token that exists already", k - 256);
    }
    for (uint32_t i = 0; i < t->n_specials; i++)
        if (!enter(table, t->n + i))
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
    uint16_t *lengths;

    if (file->config.tokenizer != SMOL_TOKENIZER_BPE || !file->tokenizer.data)
        return SMOL_OK;
    if ((status = smol_sodium_start(error)))
        return status;
    tokn = smol_tokn_view(file->tokenizer);
    while (table.n_slots < 2 * ((size_t)tokn.n + tokn.n_specials))
        table.n_slots *= 2;
    randombytes_buf(table.key, sizeof table.key);
    table.slots = calloc(table.n_slots, sizeof *table.slots);
    lengths = malloc(tokn.n * sizeof *lengths);
    if (!table.slots || !lengths)
        status = smol_fail_memory(error);
    else
        status = check(&table, lengths, error);
    free(lengths);
    free(table.slots);
    return smol_fail_within(file->tokenizer_at, status, error);
}
