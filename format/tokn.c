/* The section TOKN: its structure, checked without memory, and the bytes of its tokens.
 * SPEC.md 3.4. */
#include "format/tokn.h"
#include "base/bytes.h"
#include "base/error.h"
#include "format/format.h"

#include <inttypes.h>

#define ROW(n) n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7
#define ROWS(n) ROW(n), ROW(n + 8), ROW(n + 16), ROW(n + 24)
const uint8_t smol_tokn_bytes_in_order[256] = {
    /* 33..126 */
    ROWS(33), ROWS(65), ROW(97), ROW(105), ROW(113), 121, 122, 123, 124, 125, 126,
    /* 161..172, 174..255 */
    ROW(161), 169, 170, 171, 172, ROWS(174), ROWS(206), ROW(238), ROW(246), 254, 255,
    /* 0..32, 127..160, 173 */
    ROWS(0), 32, ROWS(127), 159, 160, 173};
#undef ROWS
#undef ROW

static uint32_t width_of(uint32_t n_merges)
{
    uint32_t bits = 8;

    while (UINT32_C(1) << bits < 256 + n_merges)
        bits++;
    return bits;
}

static uint64_t merges_bytes(uint32_t n_merges)
{
    return (2 * (uint64_t)n_merges * width_of(n_merges) + 7) / 8;
}

struct smol_tokn smol_tokn_view(struct smol_span section)
{
    const uint8_t *b = section.data;
    struct smol_tokn t = {
        .n_specials = smol_le16(b + 2), .n_before = smol_le16(b + 4), .n_merges = smol_le32(b + 8)};
    const size_t n_bytes = (size_t)merges_bytes(t.n_merges),
                 specials_at = SMOL_TOKN_HEADER_BYTES + n_bytes;

    t.n = 256 + t.n_merges;
    t.width_bits = width_of(t.n_merges);
    if (n_bytes >= 4)
        t.n_in_words = (uint32_t)((8 * (n_bytes - 4) + 7) / t.width_bits + 1);
    t.merges = b + SMOL_TOKN_HEADER_BYTES;
    t.specials = (struct smol_span){b + specials_at, section.size_bytes - specials_at};
    return t;
}

static uint32_t packed(const struct smol_tokn *t, uint64_t number)
{
    uint64_t at = number * t->width_bits;
    uint32_t value = 0;

    if (number < t->n_in_words) /* a number has at most 21 bits, and up to 7 before it */
        return smol_le32(t->merges + at / 8) >> at % 8 & ((UINT32_C(1) << t->width_bits) - 1);
    for (uint32_t got = 0; got < t->width_bits;) {
        const uint32_t skip = at % 8, left = t->width_bits - got,
                       n = 8 - skip < left ? 8 - skip : left;
        value |= ((uint32_t)t->merges[at / 8] >> skip & ((1u << n) - 1)) << got;
        got += n;
        at += n;
    }
    return value;
}

struct smol_merge smol_tokn_merge(const struct smol_tokn *t, uint32_t i)
{
    return (struct smol_merge){packed(t, 2 * (uint64_t)i), packed(t, 2 * (uint64_t)i + 1)};
}

static uint64_t number_at(const struct smol_tokn *t, uint64_t number)
{
    return SMOL_TOKN_HEADER_BYTES + number * t->width_bits / 8;
}

uint64_t smol_tokn_merge_at(const struct smol_tokn *t, uint32_t i)
{
    return number_at(t, 2 * (uint64_t)i);
}

struct smol_span smol_tokn_special(const struct smol_tokn *t, uint32_t i)
{
    const uint8_t *p = t->specials.data;

    while (i-- > 0)
        p += 1 + *p;
    return (struct smol_span){p + 1, *p};
}

/* Left parts are taken apart at once; right parts wait in a ring. Each of those has at least one
 * byte to come, so what is overwritten would not have fitted anyway. */
size_t smol_tokn_expand(uint8_t text[SMOL_MAX_TOKEN_BYTES], const struct smol_tokn *t, uint32_t k)
{
    uint32_t waiting[SMOL_MAX_TOKEN_BYTES];
    size_t n = 0, n_waiting = 1, top = 1;

    waiting[0] = k;
    for (; n_waiting > 0 && n < SMOL_MAX_TOKEN_BYTES; n_waiting--) {
        k = waiting[--top % SMOL_MAX_TOKEN_BYTES];
        while (k >= 256) {
            const struct smol_merge m = smol_tokn_merge(t, k - 256);
            waiting[top++ % SMOL_MAX_TOKEN_BYTES] = m.right;
            n_waiting++;
            k = m.left;
        }
        text[n++] = smol_tokn_bytes_in_order[k];
    }
    return n;
}

void smol_byte_set_read(struct smol_byte_set *set, const uint8_t section[SMOL_TOKN_SET_BYTES])
{
    set->n = 0;
    for (unsigned b = 0; b < 256; b++)
        if (section[b / 8] >> b % 8 & 1)
            set->bytes[set->n++] = (uint8_t)b;
    set->has_other = (section[32] & SMOL_TOKN_SET_OTHER) != 0;
    set->has_end = (section[32] & SMOL_TOKN_SET_END) != 0;
}

/* Error offsets count from the section's start. */
static enum smol_status check_byte_set(struct smol_span section, uint32_t vocab,
                                       struct smol_error *error)
{
    struct smol_byte_set set;
    uint32_t n;

    if (section.size_bytes != SMOL_TOKN_SET_BYTES)
        return smol_fail(error, SMOL_E_SIZE, 0, "section TOKN has %zu bytes, a set of bytes has %u",
                         section.size_bytes, SMOL_TOKN_SET_BYTES);
    if (section.data[32] > (SMOL_TOKN_SET_OTHER | SMOL_TOKN_SET_END))
        return smol_fail(error, SMOL_E_RESERVED, 32, "reserved bits of the tokenizer are set");
    smol_byte_set_read(&set, section.data);
    if (set.n == 0)
        return smol_fail(error, SMOL_E_RANGE, 0, "the set of bytes is empty");
    if (set.n == 256 && set.has_other)
        return smol_fail(error, SMOL_E_RANGE, 32,
                         "a token for all other bytes, but every byte has its own");
    n = set.n + set.has_other + set.has_end;
    if (n != vocab)
        return smol_fail(error, SMOL_E_RANGE, 0,
                         "the set of bytes has %" PRIu32 " tokens, the vocabulary %" PRIu32, n,
                         vocab);
    return SMOL_OK;
}

bool smol_tokn_is_there(const struct smol_config *config)
{
    return config->tokenizer != SMOL_TOKENIZER_BYTES && !smol_config_is_delta(config);
}

enum smol_status smol_tokn_check(const struct smol_config *config, struct smol_span section,
                                 struct smol_error *error)
{
    struct smol_tokn tokn;

    if (!smol_tokn_is_there(config))
        return SMOL_OK;
    return config->tokenizer == SMOL_TOKENIZER_BPE
               ? smol_tokn_parse(&tokn, section, config->vocab, error)
               : check_byte_set(section, config->vocab, error);
}

static enum smol_status check_header(const uint8_t *b, size_t size, uint32_t vocab,
                                     struct smol_error *error)
{
    if (size < SMOL_TOKN_HEADER_BYTES)
        return smol_fail(error, SMOL_E_SIZE, 0, "section TOKN has %zu bytes, it needs at least 12",
                         size);
    if (b[0] != 0)
        return smol_fail(error, SMOL_E_ENUM, 0, "text-splitting pattern %u is unknown", b[0]);
    if (b[1] != 0)
        return smol_fail(error, SMOL_E_RESERVED, 1, "reserved bits of the tokenizer are set");
    if (smol_le16(b + 2) > SMOL_MAX_SPECIALS)
        return smol_fail(error, SMOL_E_RANGE, 2, "%u special tokens, allowed are 0..256",
                         smol_le16(b + 2));
    if (smol_le16(b + 4) > smol_le16(b + 2))
        return smol_fail(error, SMOL_E_RANGE, 4,
                         "%u special tokens before the bytes, but only %u in all", smol_le16(b + 4),
                         smol_le16(b + 2));
    if (smol_le16(b + 6) != 0)
        return smol_fail(error, SMOL_E_RESERVED, 6, "reserved bits of the tokenizer are set");
    if (smol_le32(b + 8) > SMOL_MAX_MERGES)
        return smol_fail(error, SMOL_E_RANGE, 8, "%" PRIu32 " merges, allowed are 0..1048576",
                         smol_le32(b + 8));
    if (smol_le16(b + 2) + 256 + smol_le32(b + 8) > vocab)
        return smol_fail(error, SMOL_E_RANGE, 8,
                         "the tokenizer has %" PRIu32 " tokens, the vocabulary %" PRIu32,
                         smol_le16(b + 2) + 256 + smol_le32(b + 8), vocab);
    if (merges_bytes(smol_le32(b + 8)) > size - SMOL_TOKN_HEADER_BYTES)
        return smol_fail(error, SMOL_E_SIZE, SMOL_TOKN_HEADER_BYTES,
                         "section TOKN is too small for %" PRIu32 " merges", smol_le32(b + 8));
    return SMOL_OK;
}

static enum smol_status check_merges(const struct smol_tokn *t, struct smol_error *error)
{
    const uint64_t n_bits = 2 * (uint64_t)t->n_merges * t->width_bits;

    for (uint64_t k = 0; k < 2 * (uint64_t)t->n_merges; k++) {
        const uint32_t number = packed(t, k);
        if (number >= 256 + k / 2)
            return smol_fail(error, SMOL_E_RANGE, number_at(t, k),
                             "merge %u uses token %" PRIu32 ", which no earlier merge makes",
                             (unsigned)(k / 2), number);
    }
    if (n_bits % 8 != 0 && t->merges[n_bits / 8] >> n_bits % 8 != 0)
        return smol_fail(error, SMOL_E_PADDING, SMOL_TOKN_HEADER_BYTES + n_bits / 8,
                         "bits after the last merge are set");
    return SMOL_OK;
}

static enum smol_status check_specials(const struct smol_tokn *t, struct smol_error *error)
{
    const uint64_t begin = SMOL_TOKN_HEADER_BYTES + merges_bytes(t->n_merges);
    size_t at = 0;

    for (uint32_t i = 0; i < t->n_specials; i++) {
        const size_t left = t->specials.size_bytes - at, n = left ? t->specials.data[at] : 0;
        enum smol_status status;
        if (left == 0 || n > left - 1)
            return smol_fail(error, SMOL_E_SIZE, begin + at,
                             "section TOKN is too small for special token %" PRIu32, i);
        if (n == 0)
            return smol_fail(error, SMOL_E_RANGE, begin + at,
                             "special token %" PRIu32 " has no text", i);
        if ((status = smol_text_check(t->specials.data + at + 1, n, error)))
            return smol_fail_within(begin + at + 1, status, error);
        at += 1 + n;
    }
    if (at != t->specials.size_bytes)
        return smol_fail(error, SMOL_E_SIZE, begin + at, "bytes after the last special token");
    return SMOL_OK;
}

enum smol_status smol_tokn_parse(struct smol_tokn *tokn, struct smol_span section, uint32_t vocab,
                                 struct smol_error *error)
{
    enum smol_status status = check_header(section.data, section.size_bytes, vocab, error);
    struct smol_tokn t;

    if (status)
        return status;
    t = smol_tokn_view(section);
    if ((status = check_merges(&t, error)) || (status = check_specials(&t, error)))
        return status;
    *tokn = t;
    return SMOL_OK;
}

uint64_t smol_tokn_size(uint32_t n_merges, size_t specials_bytes)
{
    return SMOL_TOKN_HEADER_BYTES + merges_bytes(n_merges) + specials_bytes;
}

void smol_tokn_write(uint8_t *dest, const struct smol_merge *merges, uint32_t n_merges,
                     struct smol_span specials, uint32_t n_specials, uint32_t n_before)
{
    const uint32_t width = width_of(n_merges);
    uint8_t *packed_bytes = dest + SMOL_TOKN_HEADER_BYTES;

    memset(dest, 0, (size_t)smol_tokn_size(n_merges, 0));
    smol_put16(dest + 2, (uint16_t)n_specials);
    smol_put16(dest + 4, (uint16_t)n_before);
    smol_put32(dest + 8, n_merges);
    for (uint64_t k = 0; k < 2 * (uint64_t)n_merges; k++) {
        const uint32_t number = k % 2 ? merges[k / 2].right : merges[k / 2].left;
        for (uint32_t bit = 0; bit < width; bit++) {
            const uint64_t at = k * width + bit;
            packed_bytes[at / 8] = (uint8_t)(packed_bytes[at / 8] | (number >> bit & 1) << at % 8);
        }
    }
    if (specials.size_bytes)
        memcpy(packed_bytes + merges_bytes(n_merges), specials.data, specials.size_bytes);
}
