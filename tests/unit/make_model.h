/* Small models in memory for tests: random parameters and embeddings of a configuration. */
#ifndef MAKE_MODEL_H
#define MAKE_MODEL_H

#include <smol/file.h>

/* What to vary; zeros are small defaults. */
struct model_recipe {
    uint32_t n_layers, n_heads, width, n_ff, context, vocab;
    uint8_t source;                                              /* of the matrices */
    uint8_t norms;                                               /* source of the norms */
    uint8_t dist, d, alpha_type, value_type, wte_type, wpe_type; /* alpha_type: of rows, too */
    uint16_t rank;
    uint8_t terms;                  /* of the matrices */
    uint32_t dimensions;            /* of a projection */
    uint16_t features;              /* of architecture 1; 0: GPT-2 */
    uint8_t head_type, output_type; /* of heads' factors and the history; of the output table */
    bool has_set, has_other;        /* a set of bytes, and a token for all others */
    bool has_end;                   /* and one for the end of text */
    uint64_t seed;
    const char *card;      /* NULL: none */
    uint32_t n_merges;     /* of BPE, with an end of text, within vocab; 0: bytes */
    float factor_scale;    /* of random factors and stored norms; 0: 0.1 */
    float embedding_scale; /* of embeddings of F32 and F16; 0: 1 */
};

/* Fills a valid, canonical configuration. */
void model_config(struct smol_config *config, const struct model_recipe *recipe);

/* An unsigned file, for free(), with room for a signature behind it. Fails the test on error. */
uint8_t *model_make(size_t *size_bytes, const struct model_recipe *recipe);

/* Byte i of the set of a model that has one, not in the set's order: 10, 107, 204, 45, ... */
static inline uint8_t model_byte(uint32_t i) { return (uint8_t)(97 * i + 10); }

/* The same, parsed; file->bytes.data is for free(). */
void model_open(struct smol_file *file, const struct model_recipe *recipe);

/* A small generator of the tests' own (xorshift), so that they depend on nothing that they test. */
uint32_t test_random(uint64_t *state);
float test_uniform(uint64_t *state); /* -1..1 */

/* A random text, in which stretches of what came before come again. */
void test_text(uint32_t *tokens, size_t n, uint32_t vocab, uint64_t *state);

/* Under the sanitizers every function is to run at every size, but not in every combination. */
bool test_is_sanitized(void);

#endif
