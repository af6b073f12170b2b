/* A text that a model continues: tokens fed into a session, the next one chosen by a sampler
 * (SPEC.md 10). It allocates the list of its tokens. When the context is full, the last half of it
 * is fed again from the start, so that a text can grow for ever; smol_text_is_full says so
 * beforehand. A text of a model with distances slides unless its session is_fixed: it is never
 * full, what is appended may be longer than the context, and however long it grows, its memory does
 * not. One text may be used by one thread at a time. */
#ifndef SMOL_TEXT_H
#define SMOL_TEXT_H

#include <smol/sampler.h>
#include <smol/session.h>

SMOL_BEGIN_DECLS

struct smol_model; /* see model.h */
struct smol_text;

/* An empty text. The model must outlive it. session NULL: one thread and the whole context; sampler
 * NULL: smol_sampler_defaults. Errors: ARGUMENT, MEMORY. */
enum smol_status smol_text_create(struct smol_text **text, const struct smol_model *model,
                                  const struct smol_session_options *session,
                                  const struct smol_sampler_options *sampler,
                                  struct smol_error *error);
/* Accepts NULL. */
void smol_text_destroy(struct smol_text *text);

/* Appends n tokens; they are fed by the next call that needs their logits. Errors: MEMORY. */
enum smol_status smol_text_append(struct smol_text *text, const uint32_t *tokens, size_t n,
                                  struct smol_error *error);
/* Encodes and appends any bytes. No bytes at all, at the start of a text, stand for the model's
 * start token. Errors: those of smol_model_encode. */
enum smol_status smol_text_append_bytes(struct smol_text *text, const void *bytes,
                                        size_t size_bytes, struct smol_error *error);

/* Feeds the model what has been appended. Errors: CONTEXT (it is longer than the context), TOKEN
 * (beyond the vocabulary), NUMERIC (the model's values overflow); what was appended since the last
 * call is then dropped. After NUMERIC a text that slides goes on from the tokens that it holds. */
enum smol_status smol_text_feed(struct smol_text *text, struct smol_error *error);

/* Feeds, then chooses the next token and appends it. Errors: those of smol_text_feed; ARGUMENT if
 * the text is empty; MEMORY. */
enum smol_status smol_text_next(uint32_t *token, struct smol_text *text, struct smol_error *error);

/* (V) logits after the last token fed; valid until the next call. NULL before the first. */
const float *smol_text_logits(const struct smol_text *text);

/* All tokens so far, valid until the next call, and their number. A text that slides holds the last
 * ones only: what is not fed yet, and once there are as many, at least as many as the context. */
const uint32_t *smol_text_tokens(const struct smol_text *text);
size_t smol_text_count(const struct smol_text *text);

/* Whether there is no room for the next token unless the first half is dropped. */
bool smol_text_is_full(const struct smol_text *text);

/* ---- several texts side by side ----
 * Advanced: may change between minor versions until 1.0. What is fed to many texts in one call is
 * multiplied together, which makes several times the tokens a second of one after the other. Each
 * is a text as above and becomes what it would become alone. Texts that were created together share
 * a session, and all of them may be used by one thread at a time. */

/* n empty texts, 1..SMOL_MAX_TEXTS, with samplers of the same options: the seed of text i is the
 * options' + i. session and sampler: those of smol_text_create; session->n_texts is not looked at.
 * Each text is to be destroyed, in any order. Errors: ARGUMENT, MEMORY. texts: (n), untouched after
 * a failure. */
enum smol_status smol_texts_create(struct smol_text **texts, size_t n,
                                   const struct smol_model *model,
                                   const struct smol_session_options *session,
                                   const struct smol_sampler_options *sampler,
                                   struct smol_error *error);

/* smol_text_feed of n different texts that were created together, in any order. Errors: those of
 * smol_text_feed, after which of all n of them what was appended since the last call is dropped;
 * ARGUMENT if one is there twice, or of another session. */
enum smol_status smol_texts_feed(struct smol_text *const *texts, size_t n,
                                 struct smol_error *error);

/* smol_text_next of n different texts that were created together. tokens: (n). */
enum smol_status smol_texts_next(uint32_t *tokens, struct smol_text *const *texts, size_t n,
                                 struct smol_error *error);

/* Empties a text, and makes it what another one is that was created together with it, with this
 * seed for what it will choose: a prompt need be fed only once. Errors: ARGUMENT (of another
 * session, or itself), MEMORY; the text stays what it was. */
enum smol_status smol_text_copy(struct smol_text *to, const struct smol_text *from, uint64_t seed,
                                struct smol_error *error);

SMOL_END_DECLS
#endif
