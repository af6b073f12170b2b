/* The symbols that a model's texts are made of, and how often each is expected. SPEC.md 15. */
#ifndef SMOL_ALPHABET_H
#define SMOL_ALPHABET_H

#include "kernel/kernel.h"
#include "pack/coder.h"

#include <smol/tokenizer.h>

#define SMOL_NO_SYMBOL UINT32_MAX

/* Symbols are the V tokens, then those that no token serves for. */
struct smol_alphabet {
    uint32_t vocab;
    uint32_t n_coded;       /* tokens from here on stand for nothing */
    uint32_t end;           /* a token, or vocab */
    uint32_t escape;        /* `other`, or past vocab; NO_SYMBOL if every byte has a token */
    bool is_bytes;          /* tokens are bytes */
    uint32_t token_of[256]; /* of bytes; NO_SYMBOL if a byte has none */
    uint32_t n_more;        /* symbols past vocab */
};
void smol_alphabet_init(struct smol_alphabet *a, const struct smol_file *file);

/* The token that byte is fed as; NO_SYMBOL if as none. */
uint32_t smol_alphabet_feeds(const struct smol_alphabet *a, uint8_t byte);

/* What the symbols of a position are expected to be. */
struct smol_counts {
    const struct smol_alphabet *alphabet;
    uint32_t *of_token;   /* (V) */
    uint64_t tokens, all; /* the sums of the tokens' counts and of all */
    uint64_t more;        /* the count of each symbol that is no token */
};
/* From logits (V), which are finite. */
void smol_counts_take(struct smol_counts *c, const struct smol_kernels *kernels,
                      const float *logits);
struct smol_share_of smol_counts_of(const struct smol_counts *c, uint32_t symbol);
/* The symbol at a place < all, and its share. */
uint32_t smol_counts_find(struct smol_share_of *s, const struct smol_counts *c, uint64_t place);

/* What follows the symbol `escape`. */
#define SMOL_N_ESCAPES 4u
extern const uint32_t smol_escape_values[SMOL_N_ESCAPES]; /* of each kind */

struct smol_escape {
    uint32_t kind, value;
};
/* Of what text (size_bytes > 0) begins with; returns how many of its bytes that is. */
size_t smol_escape_of(struct smol_escape *e, const uint8_t *text, size_t size_bytes);
/* Writes what it stands for; returns how many bytes, 0 if it is invalid. */
size_t smol_escape_bytes(uint8_t bytes[4], struct smol_escape e);

#endif
