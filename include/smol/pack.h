/* Short texts in few bytes: a text coded by what a model expects of it. SPEC.md 15. The same on
 * every machine, so what one packs another unpacks, if both have the same model file.
 *
 * smol_pack and smol_unpack take a model's handle and allocate; they are all that most programs
 * need, and threads may share the model. A packer has a session of its own, in memory that the
 * caller provides once, and allocates nothing. It may be used by one thread at a time.
 *
 * Advanced: packers may change between minor versions until 1.0. */
#ifndef SMOL_PACK_H
#define SMOL_PACK_H

#include <smol/file.h>
#include <smol/isa.h>
#include <stdbool.h>

SMOL_BEGIN_DECLS

/* The most bytes that a text of n bytes takes packed, its check byte included. */
#define SMOL_PACKED_BOUND(n) ((n) + 2)

struct smol_model; /* see model.h */

/* 0 in every member but struct_bytes is a sensible choice. */
struct smol_pack_options {
    size_t struct_bytes; /* sizeof(struct smol_pack_options), as smol(3) says */
    bool has_check; /* a check byte at the end, which unpacking demands; both sides must agree */
    uint32_t n_threads; /* of the session; 0 = 1, which is best for short texts */
    enum smol_isa isa;  /* ARGUMENT if this machine lacks it */
    uint32_t batch;     /* positions computed together in packing; 0 = a sensible number, 1 = the
                           least memory */
    size_t max_bytes;   /* 0, or of the longest text: below the model's context it saves memory; the
                           bits stay the same. ARGUMENT if a text is longer */
    uint64_t n_texts;   /* of a packer, unpacked side by side: 1..SMOL_PACKER_MAX_TEXTS; 0 = 1 */
};

#ifndef SMOL_MINIMAL
/* Packs any bytes. packed: room for SMOL_PACKED_BOUND(size_bytes). options NULL: all members 0.
 * Errors: ARGUMENT, also if the model's vocabulary has more than 2^20 tokens; NUMERIC; MEMORY. */
enum smol_status smol_pack(size_t *packed_bytes, void *packed, const struct smol_model *model,
                           const struct smol_pack_options *options, const void *text,
                           size_t size_bytes, struct smol_error *error);

/* Unpacks into a buffer of capacity_bytes. Errors: PACKED if the bytes are not what packing with
 * this model yields: another model's, cut short, changed, or without the check byte that the
 * options ask for; ARGUMENT if the text is longer than capacity_bytes; NUMERIC; MEMORY. The buffer
 * then holds nothing of use. The time is linear in capacity_bytes. */
enum smol_status smol_unpack(size_t *size_bytes, void *text, size_t capacity_bytes,
                             const struct smol_model *model,
                             const struct smol_pack_options *options, const void *packed,
                             size_t packed_bytes, struct smol_error *error);
#endif /* SMOL_MINIMAL */

/* ---- Advanced: packers, for many texts, or without malloc ---- */

struct smol_packer;
#define SMOL_PACKER_MAX_TEXTS 64u

/* How many bytes smol_packer_init needs. Errors: ARGUMENT, as above. */
enum smol_status smol_packer_size(size_t *size_bytes, const struct smol_file *file,
                                  const struct smol_pack_options *options,
                                  struct smol_error *error);
/* Builds a packer in memory (64-byte aligned, of at least that size). *file and its bytes must
 * outlive it; its hash is used as it stands there. Errors: those of smol_session_init. */
enum smol_status smol_packer_init(struct smol_packer **packer, const struct smol_file *file,
                                  const struct smol_pack_options *options, void *memory,
                                  size_t size_bytes, struct smol_error *error);
/* Stops the session's threads. Accepts NULL. */
void smol_packer_finish(struct smol_packer *packer);

/* smol_pack with a packer. tokens (n_tokens): what the text is encoded as, of which none is the end
 * of text; NULL and 0 for a model whose tokens are bytes. Errors: ARGUMENT too if other tokens are
 * NULL, or do not stand for the text; never MEMORY. */
enum smol_status smol_packer_pack(size_t *packed_bytes, void *packed, struct smol_packer *packer,
                                  const void *text, size_t size_bytes, const uint32_t *tokens,
                                  size_t n_tokens, struct smol_error *error);
/* smol_unpack with a packer. Errors: never MEMORY. */
enum smol_status smol_packer_unpack(size_t *size_bytes, void *text, size_t capacity_bytes,
                                    struct smol_packer *packer, const void *packed,
                                    size_t packed_bytes, struct smol_error *error);

#ifndef SMOL_MINIMAL
/* One of several texts to be unpacked, and what became of it. */
struct smol_packed_text {
    const void *packed;
    size_t packed_bytes;
    void *text; /* (capacity_bytes) */
    size_t capacity_bytes;
    size_t size_bytes; /* if status is OK */
    enum smol_status status;
    struct smol_error error; /* if it is not */
};

/* smol_packer_unpack of n texts, `n_texts` of the packer's options at a time: the same, in a
 * fraction of the time. An error of a text is that text's. Errors: those of
 * smol_session_feed_texts; the texts then hold nothing of use, and one by one they may do. */
enum smol_status smol_packer_unpack_texts(struct smol_packer *packer,
                                          struct smol_packed_text *texts, size_t n,
                                          struct smol_error *error);

/* The tokens that a text is packed as, at most size_bytes, for which there must be room. Those of
 * smol_model_encode, but never the end of text, whose name in a text is encoded as two parts
 * (SPEC.md 15). Errors: those of smol_model_encode. */
enum smol_status smol_pack_encode(size_t *n_tokens, uint32_t *tokens,
                                  const struct smol_model *model, const void *text,
                                  size_t size_bytes, struct smol_error *error);
#endif /* SMOL_MINIMAL */

SMOL_END_DECLS
#endif
