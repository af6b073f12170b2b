/* A text that a model continues: tokens fed into a session, the next one picked by a sampler,
 * SPEC.md 10. It allocates the list of its tokens. When the context is full, the last half of it is
 * fed again from the start, so that a text may grow for ever; smol_text_is_full tells beforehand.
 * One text may be used by one thread at a time. */
#ifndef SMOL_TEXT_H
#define SMOL_TEXT_H

#include <smol/sampler.h>
#include <smol/session.h>

#ifdef __cplusplus
extern "C" {
#endif

struct smol_text;

/* An empty text. The session, at position 0, and the sampler stay the caller's, outlive it and
 * serve no other text. Errors: MEMORY. */
enum smol_status smol_text_create(struct smol_text **text, struct smol_session *session,
                                  struct smol_sampler *sampler, struct smol_error *error);
/* Accepts NULL. */
void smol_text_destroy(struct smol_text *text);

/* Appends n tokens; what needs their logits computes them. Errors: MEMORY. */
enum smol_status smol_text_append(struct smol_text *text, const uint32_t *tokens, size_t n,
                                  struct smol_error *error);

/* Computes what has been appended. Errors: those of smol_session_feed; what smol_text_append has
 * added since the last call is then gone. */
enum smol_status smol_text_feed(struct smol_text *text, struct smol_error *error);

/* Feeds, then picks the next token and appends it. Errors: those of smol_text_feed; ARGUMENT if the
 * text is empty; NUMERIC; MEMORY. */
enum smol_status smol_text_next(uint32_t *token, struct smol_text *text, struct smol_error *error);

/* (V) logits after the last token fed; valid until the next call. NULL before the first. */
const float *smol_text_logits(const struct smol_text *text);

/* All tokens so far, valid until the next call, and how many they are. */
const uint32_t *smol_text_tokens(const struct smol_text *text);
size_t smol_text_count(const struct smol_text *text);

/* Whether the next token has no room in the context unless the first half is dropped. */
bool smol_text_is_full(const struct smol_text *text);

#ifdef __cplusplus
}
#endif
#endif
