/* Inside the section TOKN: where its parts are, and the bytes of a token out of it. SPEC.md 3.4. */
#ifndef SMOL_TOKN_H
#define SMOL_TOKN_H

#include <smol/tokenizer.h>

#define SMOL_TOKN_HEADER_BYTES 12u
#define SMOL_TOKN_SPECIAL_BYTES 255u /* the longest text of a special token */

/* Tokens here are counted from the first byte token on; n = 256 + n_merges of them are not
 * special. */
struct smol_tokn {
    uint32_t n_merges, n_specials;
    uint32_t n_before; /* specials numbered before the bytes */
    uint32_t n;
    uint32_t width_bits; /* of a number in merges */
    uint32_t n_in_words; /* numbers that begin in four bytes of merges */
    const uint8_t *merges;
    struct smol_span specials;
};

/* GPT-2's order of the bytes. */
extern const uint8_t smol_tokn_bytes_in_order[256];

/* Checks every rule but the two that take memory. Error offsets count from the section's start. */
enum smol_status smol_tokn_parse(struct smol_tokn *tokn, struct smol_span section, uint32_t vocab,
                                 struct smol_error *error);
/* The same for a configuration's tokenizer, whatever its kind; one that has no section is fine. */
enum smol_status smol_tokn_check(const struct smol_config *config, struct smol_span section,
                                 struct smol_error *error);
/* Whether a file of that configuration has section TOKN. */
bool smol_tokn_is_there(const struct smol_config *config);

/* A set of bytes, SMOL_TOKENIZER_BYTE_SET. */
#define SMOL_TOKN_SET_BYTES 33u
#define SMOL_TOKN_SET_OTHER 1u /* bits of the last byte */
#define SMOL_TOKN_SET_END 2u
struct smol_byte_set {
    uint8_t bytes[256]; /* (n), ascending: what the tokens stand for */
    uint32_t n;
    bool has_other; /* token n stands for every other byte */
    bool has_end;   /* the last token is the end of text */
};
void smol_byte_set_read(struct smol_byte_set *set, const uint8_t section[SMOL_TOKN_SET_BYTES]);

/* The view of a section that has been parsed. */
struct smol_tokn smol_tokn_view(struct smol_span section);

struct smol_merge smol_tokn_merge(const struct smol_tokn *tokn, uint32_t i);
/* Where in the section merge i begins. */
uint64_t smol_tokn_merge_at(const struct smol_tokn *tokn, uint32_t i);

/* The text of a special token, i < n_specials: a span of the section. */
struct smol_span smol_tokn_special(const struct smol_tokn *tokn, uint32_t i);

/* Writes what token k < n stands for, cut where the room ends; returns its size. */
size_t smol_tokn_expand(uint8_t text[SMOL_MAX_TOKEN_BYTES], const struct smol_tokn *tokn,
                        uint32_t k);

/* The size of a section, and the section. merges: (n_merges). specials: each its length, then its
 * text. */
uint64_t smol_tokn_size(uint32_t n_merges, size_t specials_bytes);
void smol_tokn_write(uint8_t *dest, const struct smol_merge *merges, uint32_t n_merges,
                     struct smol_span specials, uint32_t n_specials, uint32_t n_before);

#endif
