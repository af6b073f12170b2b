/* A packed text that is read, for one and for several at a time. SPEC.md 15. */
#ifndef SMOL_READING_H
#define SMOL_READING_H

#include "pack/packer.h"

/* A text on its way, a symbol at a time. */
struct smol_reading {
    struct smol_packer *p;
    uint32_t t; /* of the session's texts */
    uint8_t *text;
    size_t size_bytes, capacity_bytes;
    struct smol_coder_reader in;
    uint32_t tokens[4], n_tokens, n_pushed; /* that the session gets before the next symbol */
    bool is_done;
};

/* What text t of the session reads into a buffer. */
static inline struct smol_reading smol_reading_of(struct smol_packer *packer, uint32_t t,
                                                  void *text, size_t capacity_bytes)
{
    return (struct smol_reading){
        .p = packer,
        .t = t,
        .text = text,
        .capacity_bytes = capacity_bytes < packer->max_bytes ? capacity_bytes : packer->max_bytes};
}

/* Begins a text; one without symbols is done at once. */
enum smol_status smol_reading_begin(struct smol_reading *r, const uint8_t *packed,
                                    size_t packed_bytes, struct smol_error *error);

/* Reads up to the next token that the session gets, and pushes it, unless the text is done. */
enum smol_status smol_reading_advance(struct smol_reading *r, struct smol_error *error);

#endif
