/* Choosing the next token from logits. SPEC.md 10. Texts take the same options and defaults.
 *
 * Advanced: the sampler itself may change between minor versions until 1.0. It lives in the
 * caller's memory and allocates nothing. It may be used by one thread at a time. */
#ifndef SMOL_SAMPLER_H
#define SMOL_SAMPLER_H

#include <smol/status.h>
#include <stddef.h>

SMOL_BEGIN_DECLS

struct smol_sampler_options {
    size_t struct_bytes; /* sizeof(struct smol_sampler_options), as smol(3) says */
    uint64_t seed;
    float temperature;     /* <= 0: greedy */
    uint32_t top_k;        /* 0 = off */
    double top_p;          /* 1 = off */
    float min_p;           /* 0 = off */
    float repeat_penalty;  /* 2^-60..2^60; 1 = off */
    int32_t repeat_last_n; /* 0 = off, -1 = every token so far */
};

/* llama.cpp's: temperature 0.8, top-k 40, top-p 0.95, min-p 0.05, penalty 1 over 64; seed 0.
 * struct_bytes: sizeof *options, which is stored in it. */
void smol_sampler_defaults(struct smol_sampler_options *options, size_t struct_bytes);

struct smol_sampler;

/* Bytes that smol_sampler_init needs. ARGUMENT if an option or the vocabulary is out of range. */
enum smol_status smol_sampler_size(size_t *size_bytes, uint32_t vocab,
                                   const struct smol_sampler_options *options,
                                   struct smol_error *error);

/* memory: 64-byte aligned; it stays the caller's. It needs no destroying. */
enum smol_status smol_sampler_init(struct smol_sampler **sampler, uint32_t vocab,
                                   const struct smol_sampler_options *options, void *memory,
                                   size_t size_bytes, struct smol_error *error);

/* Tells the sampler of a token of the prompt or of the text so far, for the penalty. token < V. */
void smol_sampler_accept(struct smol_sampler *sampler, uint32_t token);

/* Makes `to` what `from` is, a sampler of the same vocabulary and the same options but the seed,
 * which is this one. */
void smol_sampler_copy(struct smol_sampler *to, const struct smol_sampler *from, uint64_t seed);

/* Picks a token and accepts it. logits: (V). NUMERIC if a logit is not finite. */
enum smol_status smol_sampler_pick(uint32_t *token, struct smol_sampler *sampler,
                                   const float *logits, struct smol_error *error);

SMOL_END_DECLS
#endif
