/* A model behind one handle: for programs that would rather not place memory themselves, and for
 * other languages; python/smol is made of this header, text.h, tokenizer.h and weights.h.
 * Everything here allocates. A model is constant once it is open: threads may share it, each with
 * texts of its own. */
#ifndef SMOL_MODEL_H
#define SMOL_MODEL_H

#include <smol/text.h>

#ifdef __cplusplus
extern "C" {
#endif

struct smol_model;

/* Of the library that runs, which may be newer than this header: "0.1.0". */
const char *smol_version(void);

/* Opens a file as smol_file_open does: checksums, hash over n_threads threads, and the signature if
 * there is one. Errors: those of a file; IO; MEMORY. */
enum smol_status smol_model_open(struct smol_model **model, const char *path, uint32_t n_threads,
                                 struct smol_error *error);
/* The same of a file in memory, which stays the caller's and must outlive the model unchanged. */
enum smol_status smol_model_open_memory(struct smol_model **model, const void *bytes,
                                        size_t size_bytes, uint32_t n_threads,
                                        struct smol_error *error);
/* After its texts. Accepts NULL. */
void smol_model_close(struct smol_model *model);

/* The view that the other headers take; lives as long as the model. */
const struct smol_file *smol_model_file(const struct smol_model *model);
/* Its configuration, for languages that do not know struct smol_file. */
const struct smol_config *smol_model_config(const struct smol_model *model);

/* What a model is, in plain numbers. */
struct smol_model_facts {
    uint32_t n_layers, n_heads, width, n_ff, context, vocab;
    uint64_t seed;
    uint64_t learned_numbers;                 /* outside wte and wpe */
    uint64_t file_bytes, non_embedding_bytes; /* the latter without tokenizer and card too */
    uint8_t hash[SMOL_HASH_BYTES];
    uint32_t is_signed;                        /* 0 or 1 */
    uint8_t public_key[SMOL_PUBLIC_KEY_BYTES]; /* of the signature; 0 if there is none */
};
void smol_model_describe(struct smol_model_facts *facts, const struct smol_model *model);

/* CHANGED if the file was written to since it was opened; a model in memory never is. */
enum smol_status smol_model_check(const struct smol_model *model, struct smol_error *error);

/* An empty text with a session and a sampler of its own, which smol_text_destroy ends too. session
 * NULL: one thread and the whole context; sampler NULL: smol_sampler_defaults. Errors: ARGUMENT,
 * MEMORY. */
enum smol_status smol_model_text(struct smol_text **text, const struct smol_model *model,
                                 const struct smol_session_options *session,
                                 const struct smol_sampler_options *sampler,
                                 struct smol_error *error);

#ifdef __cplusplus
}
#endif
#endif
