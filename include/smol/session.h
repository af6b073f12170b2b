/* Running a model: tokens in, logits out, with a KV cache. SPEC.md 7 and 8. The logits of a file
 * and its tokens are the same bits whatever the thread count, the batch size and the split of the
 * tokens over calls. Texts take the same options.
 *
 * Advanced: all but the options may change between minor versions until 1.0. A session lives in
 * memory that the caller provides once, and allocates nothing afterwards. It may be used by one
 * thread at a time; sessions are independent of each other. For a model with a Fourier projection,
 * smol_session_init and smol_session_finish use FFTW's single-precision planner under a lock of
 * their own: the program must not plan concurrently. */
#ifndef SMOL_SESSION_H
#define SMOL_SESSION_H

#include <smol/file.h>
#include <smol/isa.h>

SMOL_BEGIN_DECLS

#define SMOL_MAX_THREADS 256u
#define SMOL_MAX_TEXTS 4096u

/* How a model is run; 0 in every member but struct_bytes is a sensible choice. */
struct smol_session_options {
    size_t struct_bytes; /* sizeof(struct smol_session_options), as smol(3) says */
    uint32_t context;    /* positions held, 1..T; 0 = T */
    uint32_t n_threads;  /* at most, 1..SMOL_MAX_THREADS; 0 = 1. Small models take fewer of them
                            where that is about as fast. */
    uint32_t batch;    /* positions computed together; 0 = 64, or 128 if the width is 512 or more */
    enum smol_isa isa; /* ARGUMENT if this machine lacks it */
    enum smol_dtype kv_type; /* of the KV cache: F32; or F16 or Q8, which are smaller and change the
                                bits (SPEC.md 8) */
    bool is_fast; /* approximate products (SPEC.md 7): other bits, but again the same everywhere */
    uint64_t memory_bytes; /* 0, or the most that the session may take: MEMORY if it does not fit.
                              What is left caches integer weights of matrices for which that is
                              faster; the bits stay the same */
    bool is_fixed;    /* a model with distances: hold `context` positions and no more, like other
                         models, instead of letting them slide */
    uint64_t n_texts; /* side by side, 1..SMOL_MAX_TEXTS; 0 = 1 */
    uint64_t history; /* tokens of the history of each text, if the model has one, 2 to 7 bytes
                         each: 1..SMOL_HISTORY_TOKENS, 1 being none; 0 = all */
};

struct smol_session;

/* Added to a token that is fed, it says that a program chose the token and did not read it. A
 * history never suggests such tokens again (SPEC.md 8), so that a text does not repeat itself.
 * Without a history it changes nothing. */
#define SMOL_WRITTEN 0x80000000u

/* How many bytes smol_session_init needs. options NULL, here and there: all members 0. */
enum smol_status smol_session_size(size_t *size_bytes, const struct smol_file *file,
                                   const struct smol_session_options *options,
                                   struct smol_error *error);

/* Builds a session in memory (64-byte aligned, of at least that size; pages that are never used are
 * never touched) and starts its threads. *file and its bytes must outlive it. The memory stays the
 * caller's. Errors: ARGUMENT, MEMORY (a thread could not be started). */
enum smol_status smol_session_init(struct smol_session **session, const struct smol_file *file,
                                   const struct smol_session_options *options, void *memory,
                                   size_t size_bytes, struct smol_error *error);

/* Stops the threads. Accepts NULL. */
void smol_session_finish(struct smol_session *session);

/* Appends n tokens at the next positions; the logits are then those after the last one. Errors:
 * CONTEXT (does not fit; nothing is done), TOKEN (past the vocabulary; nothing is done), NUMERIC
 * (the model's values overflow; the session is rewound to where it was, as far as that can be). */
enum smol_status smol_session_feed(struct smol_session *session, const uint32_t *tokens, size_t n,
                                   struct smol_error *error);

/* The same, and nats[i] is the loss (SPEC.md 11) of predicting targets[i] after
 * tokens[i]. nats: (n). */
enum smol_status smol_session_score(struct smol_session *session, double *nats,
                                    const uint32_t *tokens, const uint32_t *targets, size_t n,
                                    struct smol_error *error);

/* (V) logits after the last token fed; valid until the next call. NULL before the
 * first token and after a rewind. */
const float *smol_session_logits(const struct smol_session *session);

/* Tokens fed so far, and the most that can be held. A session of a model with distances slides
 * unless its options say is_fixed: it takes any number of tokens, each of which sees the last
 * smol_session_context() with itself, in the same memory. Its position counts them all, up to
 * UINT32_MAX, where it stays. */
uint32_t smol_session_position(const struct smol_session *session);
uint32_t smol_session_context(const struct smol_session *session);
bool smol_session_slides(const struct smol_session *session);

/* Drops the tokens from position on. position <= smol_session_position(). Returns the position that
 * the session then has: the one asked for or, where what that needs is no longer there, 0, all
 * tokens dropped. The former is sure for 0 and the present position and, unless the session slides
 * or the model has a half-shift, for all others. */
uint32_t smol_session_rewind(struct smol_session *session, uint32_t position);

/* ---- several texts side by side ----
 * Each text of a session has its own tokens, position and logits, the same bits as in a session
 * alone. What is above is about text 0; text < n_texts. Tokens for many texts in one call are
 * multiplied together, which takes a fraction of the time that one after the other takes. */

/* Appends n tokens, token i to text texts[i]; those for one text stand together, in their order.
 * The logits of each of these texts are then those after its last one. Errors: those of
 * smol_session_feed, of all of these texts together; ARGUMENT (a text that there is not, or whose
 * tokens do not stand together; nothing is done). */
enum smol_status smol_session_feed_texts(struct smol_session *session, const uint32_t *texts,
                                         const uint32_t *tokens, size_t n,
                                         struct smol_error *error);

/* smol_session_logits, _position and _rewind of any text. */
const float *smol_session_logits_of(const struct smol_session *session, uint32_t text);
uint32_t smol_session_position_of(const struct smol_session *session, uint32_t text);
uint32_t smol_session_rewind_text(struct smol_session *session, uint32_t text, uint32_t position);

/* Makes text `to` what text `from` is: its tokens need not be fed once more. */
void smol_session_copy_text(struct smol_session *session, uint32_t to, uint32_t from);

SMOL_END_DECLS
#endif
