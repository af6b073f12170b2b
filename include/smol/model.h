/* A model behind one handle: from a path to tokens, to text, to logits, to a perplexity. With
 * text.h, which it includes, it is all that most programs need; smol(3) shows it on one page.
 * Everything here allocates. An open model is constant: threads may share it, each with its own
 * texts. */
#ifndef SMOL_MODEL_H
#define SMOL_MODEL_H

#include <smol/io.h>
#include <smol/text.h>
#include <stdbool.h>

SMOL_BEGIN_DECLS

/* The version of the library in use, which may be newer than this header: "0.1.0". */
const char *smol_version(void);

/* Opens a file and checks all of it: structure, checksums, the hash, with n_threads threads at most
 * (0 = 1), which only a file of several MiB makes use of, and the signature if there is one.
 * Errors: those of a file; IO; MEMORY. */
enum smol_status smol_model_open(struct smol_model **model, const char *path, uint32_t n_threads,
                                 struct smol_error *error);
/* What a delta is opened with (SPEC.md 16). 0 in every member but struct_bytes is a sensible
 * choice: what a delta names is then looked for by its hash in the default folder, and in the
 * delta's own. */
struct smol_open_options {
    size_t struct_bytes; /* sizeof(struct smol_open_options), as smol(3) says */
    uint32_t n_threads;  /* as above */
    uint32_t n_bases, n_deltas;
    const char *const *bases;  /* (n_bases) paths of files that the delta names */
    const char *const *deltas; /* (n_deltas) paths of deltas that are added, to a delta or to a
                                  model that is none */
    const float *factors;      /* (n_deltas) of these, NaN for what the delta that names it says, or
                                  1; NULL: NaN for all */
    const char *bases_dir;     /* a folder in place of the default one (smol_bases_folder) */
};
/* smol_model_open, of a delta with its parts, each checked like it. Without options, or for
 * smol_model_open itself, everything is found by its hash. Errors: BASE too if a part is missing,
 * is another file or does not fit; ARGUMENT if something is given to a model that is no delta. */
enum smol_status smol_model_open_with(struct smol_model **model, const char *path,
                                      const struct smol_open_options *options,
                                      struct smol_error *error);
/* The same for a file in memory, which stays the caller's and must outlive the model unchanged. */
enum smol_status smol_model_open_memory(struct smol_model **model, const void *bytes,
                                        size_t size_bytes, uint32_t n_threads,
                                        struct smol_error *error);
/* To be called after its texts are destroyed. Accepts NULL. */
void smol_model_close(struct smol_model *model);

#define SMOL_NO_TOKEN UINT32_MAX

/* What a model is, in plain numbers. New members are added at the end. */
struct smol_model_facts {
    uint32_t n_layers, n_heads, width, n_ff, context, vocab;
    uint32_t start_token; /* what an empty prompt stands for */
    uint32_t end_token;   /* the token that ends a text, or SMOL_NO_TOKEN */
    uint64_t seed;
    uint64_t parameters;                      /* outside wte, wpe and the output table */
    uint64_t file_bytes, non_embedding_bytes; /* the latter without tokenizer, card and gaps */
    uint8_t hash[SMOL_HASH_BYTES];
    uint32_t is_signed;                        /* 0 or 1 */
    uint8_t public_key[SMOL_PUBLIC_KEY_BYTES]; /* of the signature; 0 if there is none */
    uint32_t architecture;                     /* enum smol_architecture */
    uint32_t features;                         /* enum smol_feature, bits; 0 for GPT-2 */
};
/* struct_bytes: sizeof *facts. Members that an older library does not know are 0. */
void smol_model_describe(struct smol_model_facts *facts, size_t struct_bytes,
                         const struct smol_model *model);

/* CHANGED if the file, or a part of a delta, has been written to since it was opened; never for a
 * model in memory. */
enum smol_status smol_model_check(const struct smol_model *model, struct smol_error *error);

/* Encodes any bytes as at most size_bytes tokens, for which there must be room. Errors: TOKEN, with
 * the offset in the text, if a byte has no token, as with a vocabulary below 256; MEMORY. */
enum smol_status smol_model_encode(size_t *n_tokens, uint32_t *tokens,
                                   const struct smol_model *model, const void *text,
                                   size_t size_bytes, struct smol_error *error);

/* The bytes that n tokens stand for, without a 0 at the end; no token is longer than
 * SMOL_MAX_TOKEN_BYTES. A token may end within a UTF-8 character: see smol_utf8_incomplete in
 * tokenizer.h. text NULL: only counts. Errors: TOKEN, beyond the vocabulary; ARGUMENT if they take
 * more than capacity_bytes. */
enum smol_status smol_model_decode(size_t *size_bytes, void *text, size_t capacity_bytes,
                                   const struct smol_model *model, const uint32_t *tokens, size_t n,
                                   struct smol_error *error);

/* How well a model predicts a text: the loss of every token but the first, in windows of the
 * context, or in one text without end if its sessions slide (SPEC.md 11). */
struct smol_score {
    double nats;                /* the sum of all losses */
    uint64_t n_tokens, n_bytes; /* that were predicted */
    double nats_per_token, bits_per_byte, perplexity;
};
/* session NULL: one thread and the whole context. Several threads have a session each, for windows
 * of their own, unless these take more than 64 MiB in all or session->memory_bytes is set. Errors:
 * those of smol_text_create and of smol_model_encode; ARGUMENT if the text has fewer than two
 * tokens; NUMERIC. */
enum smol_status smol_model_score(struct smol_score *score, const struct smol_model *model,
                                  const struct smol_session_options *session, const void *text,
                                  size_t size_bytes, struct smol_error *error);

/* ---- Advanced: may change between minor versions until 1.0 ---- */

/* A model from a file that the caller has opened, and checked as far as it wants to. The bytes stay
 * the caller's and must outlive the model; *file need not. Errors: MEMORY. */
enum smol_status smol_model_open_file(struct smol_model **model, const struct smol_file *file,
                                      struct smol_error *error);

/* A file that is open, or several that run together: a delta and its parts. */
struct smol_open_file {
    char *path;
    struct smol_mapping mapping;
    struct smol_file file;
};
/* How files are opened and closed: as smol_file_open and smol_mapping_close. */
struct smol_opener {
    enum smol_status (*open_file)(struct smol_mapping *mapping, struct smol_file *file,
                                  const char *path, uint32_t n_threads, struct smol_error *error);
    void (*close_file)(struct smol_mapping *mapping);
};
struct smol_files {
    struct smol_file file;       /* what runs: the one file, or a delta joined with the others */
    struct smol_open_file *open; /* (n_open), the one that was named first */
    uint32_t n_open;
    void (*close_file)(struct smol_mapping *mapping);
};
/* What smol_model_open_with opens, for programs that have files of their own; opener NULL: those
 * above. On failure *blamed is the path that the error is about, for free(), or NULL if memory is
 * out. */
enum smol_status smol_files_open(struct smol_files *files, char **blamed, const char *path,
                                 const struct smol_open_options *options,
                                 const struct smol_opener *opener, struct smol_error *error);
/* CHANGED as smol_model_check; *blamed as above. */
enum smol_status smol_files_check(const struct smol_files *files, char **blamed,
                                  struct smol_error *error);
void smol_files_close(struct smol_files *files);

/* smol_model_score, which tells how far it is: progress, if not NULL, is called before each window,
 * or as many tokens, or before some windows that threads have at once, with how many of n_tokens
 * are done; if it returns false, scoring stops with CANCELLED. */
typedef bool smol_score_progress(void *context, uint64_t n_done, uint64_t n_tokens);
enum smol_status smol_model_score_progress(struct smol_score *score, const struct smol_model *model,
                                           const struct smol_session_options *session,
                                           const void *text, size_t size_bytes,
                                           smol_score_progress *progress, void *context,
                                           struct smol_error *error);
/* The same in windows that overlap: each begins stride tokens after the one before it and predicts
 * what that has not, its last stride tokens (SPEC.md 11). 0: as above. Errors: ARGUMENT too if that
 * is more than the context, or the session slides. */
enum smol_status smol_model_score_stride(struct smol_score *score, const struct smol_model *model,
                                         const struct smol_session_options *session,
                                         uint32_t stride, const void *text, size_t size_bytes,
                                         smol_score_progress *progress, void *context,
                                         struct smol_error *error);

/* The view that the other headers take; lives as long as the model. */
const struct smol_file *smol_model_file(const struct smol_model *model);
/* Its configuration, for languages that do not know struct smol_file. */
const struct smol_config *smol_model_config(const struct smol_model *model);

SMOL_END_DECLS
#endif
