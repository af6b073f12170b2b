/* A packer: a session, and what it has been fed of a text. SPEC.md 15. */
#ifndef SMOL_PACKER_H
#define SMOL_PACKER_H

#include "base/arena.h"
#include "model/model.h"
#include "pack/alphabet.h"

#include <smol/pack.h>
#include <smol/tokenizer.h>

/* What the session has of a text. */
struct smol_packer_text {
    /* Of a session that does not slide all tokens of its context; else those to be fed next. */
    uint32_t *tokens; /* (T), or (P) */
    uint32_t n_fed;   /* of them, which are in the session */
    uint32_t n_held;  /* which have been fed, or have to be once more */
    uint32_t n_new;   /* after those */
};

struct smol_packer {
    const struct smol_file *file;
    struct smol_session *session;
    struct smol_alphabet alphabet;
    struct smol_counts counts; /* of the position that is being coded */
    uint32_t tag;
    bool has_check;
    size_t max_bytes;               /* of a text */
    struct smol_packer_text *texts; /* (n_texts) */
    uint32_t n_texts;
};

/* Begins text t of the session: it is new. */
void smol_packer_begin(struct smol_packer *p, uint32_t t);

/* How many tokens more may be pushed before they are fed; at least 1 after that. */
uint32_t smol_packer_room(struct smol_packer *p, uint32_t t);
void smol_packer_push(struct smol_packer *p, uint32_t t, uint32_t token);

/* Feeds the tokens that were pushed to text 0; visit, if not NULL, gets the logits after each of
 * them. */
enum smol_status smol_packer_feed(struct smol_packer *p, smol_session_visit *visit, void *arg,
                                  struct smol_error *error);

/* The tokens that were pushed to a text have been fed. */
void smol_packer_count_fed(const struct smol_packer *p, struct smol_packer_text *text);

/* The byte at the end of a text that was packed with a check. */
uint8_t smol_packer_check(const void *text, size_t size_bytes);

#endif
