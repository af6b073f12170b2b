/* What the files of this directory share. SPEC.md 2 and 3. */
#ifndef SMOL_FORMAT_H
#define SMOL_FORMAT_H

#include <smol/file.h>

#define HEADER_BYTES 32u
#define ENTRY_BYTES 24u
#define CONF_FIXED_BYTES 56u
#define CONF_DELTA_BYTES 8u /* more of a delta */
#define SCHEME_BYTES 16u
#define SPAN_BYTES 8u
#define CONF_MAX_BYTES                                                                             \
    (CONF_FIXED_BYTES + CONF_DELTA_BYTES + SCHEME_BYTES * SMOL_MAX_SCHEMES +                       \
     SPAN_BYTES * SMOL_MAX_LAYERS)
#define MAX_BODY_BYTES ((uint64_t)1 << 48)

extern const uint8_t smol_magic[8];

/* Sections in file order. */
enum section { CONF, BASE, LRND, TOKN, CARD, EMBD, N_SECTIONS };

/* Four letters, and the power of two that a section is aligned to. */
extern const char smol_section_name[N_SECTIONS][5];
extern const uint8_t smol_section_alignment[N_SECTIONS];

/* CONF, bytes to structure and back. Decoding checks the section's size and reserved bits, not the
 * meaning; error offsets count from the section's start; after a failure *config is of no use.
 * bytes: smol_conf_bytes(). */
enum smol_status smol_conf_decode(struct smol_config *config, const uint8_t *bytes,
                                  size_t size_bytes, struct smol_error *error);
size_t smol_conf_bytes(const struct smol_config *config);
/* Of them, those before the schemes. */
size_t smol_conf_fixed_bytes(const struct smol_config *config);
void smol_conf_encode(uint8_t *bytes, const struct smol_config *config);

/* The section BASE of a delta, of the size that its configuration demands, into the parts of a
 * file; the error's offset counts from the section's start. */
enum smol_status smol_base_decode(struct smol_file *file, const uint8_t *bytes,
                                  struct smol_error *error);
uint64_t smol_base_bytes(const struct smol_config *config);

/* What the writers share: the size of a section of parts; the rules that parts keep, apart from
 * those of numbers and text; the number of sections, where they go and the body's size, which is
 * returned; an entry of the directory; the header, whose directory stands behind it. */
uint64_t smol_section_bytes(const struct smol_parts *parts, enum section section);
enum smol_status smol_parts_check(const struct smol_parts *parts, struct smol_error *error);
uint64_t smol_lay_out(uint64_t at[N_SECTIONS], unsigned *n_sections,
                      const struct smol_parts *parts);
void smol_put_entry(uint8_t *entry, enum section section, uint64_t size_bytes, uint64_t checksum);
void smol_put_header(uint8_t *dest, const struct smol_parts *parts, unsigned n_sections,
                     uint64_t body_bytes);

/* UTF-8 without control characters but line feed and tab. The error's offset counts from text. */
enum smol_status smol_text_check(const uint8_t *text, size_t size_bytes, struct smol_error *error);

/* A card's size and text; at: where it is in the file. One of no bytes is none. */
enum smol_status smol_card_check(const struct smol_span *card, uint64_t at,
                                 struct smol_error *error);

/* Checks for finite values; the error's offset counts from data. max: the largest magnitude
 * allowed. */
enum smol_status smol_numbers_check(const uint8_t *data, enum smol_dtype type, uint64_t n,
                                    float max, const char *what, struct smol_error *error);

/* The parameters of a file whose section has the right size: finite, within limits.
 * file_offset: where LRND begins in the file, for the error's offset. */
enum smol_status smol_params_check(const struct smol_config *config, const struct smol_span *params,
                                   uint64_t file_offset, struct smol_error *error);

/* The same for the embeddings and their padding; embd_at: where EMBD begins. */
enum smol_status smol_embeddings_check(const struct smol_file *file, uint64_t embd_at,
                                       struct smol_error *error);

/* Checks that bytes from..to - 1 are zero; the error's offset is that of the first that is not. */
enum smol_status smol_zeros_check(const uint8_t *bytes, uint64_t from, uint64_t to,
                                  struct smol_error *error);

/* The checksum of header and directory of a file that begins with bytes. */
uint64_t smol_directory_checksum(const uint8_t *bytes, unsigned n_sections);

/* The size of the body that the header states; 0 if the bytes are fewer. */
uint64_t smol_stated_body_bytes(const uint8_t *bytes, size_t size_bytes);

/* The hash of a body, one piece after the other. */
void smol_hash_body(uint8_t hash[SMOL_HASH_BYTES], const uint8_t *body, uint64_t body_bytes);
/* HASH unless it is the one that the file states. */
enum smol_status smol_hash_compare(const struct smol_file *file,
                                   const uint8_t hash[SMOL_HASH_BYTES], struct smol_error *error);
bool smol_same_hash(const uint8_t a[SMOL_HASH_BYTES], const uint8_t b[SMOL_HASH_BYTES]);
/* The first 8 bytes of a hash as digits, which messages call a file by; returns text. */
#define SHORT_HASH_SIZE 17u
const char *smol_short_hash(char text[SHORT_HASH_SIZE], const uint8_t hash[SMOL_HASH_BYTES]);

#endif
