/* Packed texts over a model's handle, which has the tokens. SPEC.md 15. */
#include "base/bytes.h"
#include "base/error.h"

#include <smol/model.h>
#include <smol/pack.h>
#include <smol/tokenizer.h>

#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 64u

/* A packer in memory of its own, to be released with destroy. */
static enum smol_status create(struct smol_packer **packer, void **memory,
                               const struct smol_model *model,
                               const struct smol_pack_options *options, struct smol_error *error)
{
    const struct smol_file *file = smol_model_file(model);
    size_t size;
    enum smol_status status = smol_packer_size(&size, file, options, error);

    if (status)
        return status;
    size = (size_t)smol_round_up(size, ALIGNMENT); /* at most SIZE_MAX / 2 */
    if (!(*memory = aligned_alloc(ALIGNMENT, size)))
        return smol_fail_memory(error);
    status = smol_packer_init(packer, file, options, *memory, size, error);
    if (status)
        free(*memory);
    return status;
}

static void destroy(struct smol_packer *packer, void *memory)
{
    smol_packer_finish(packer);
    free(memory);
}

/* How far a text is encoded by itself: up to within SMOL_END_OF_TEXT, which as a whole would become
 * the token that stands for no bytes here. */
static size_t part_bytes(const uint8_t *text, size_t size_bytes)
{
    const size_t n = sizeof SMOL_END_OF_TEXT - 1, cut = sizeof "<|endof" - 1;

    for (size_t i = 0; i + n <= size_bytes; i++)
        if (text[i] == '<' && memcmp(text + i, SMOL_END_OF_TEXT, n) == 0)
            return i + cut;
    return size_bytes;
}

enum smol_status smol_pack_encode(size_t *n_tokens, uint32_t *tokens,
                                  const struct smol_model *model, const void *text,
                                  size_t size_bytes, struct smol_error *error)
{
    const uint8_t *bytes = text;
    size_t n = 0;

    for (size_t at = 0, part; at < size_bytes; at += part) {
        size_t more;
        enum smol_status status;
        part = part_bytes(bytes + at, size_bytes - at);
        if ((status = smol_model_encode(&more, tokens + n, model, bytes + at, part, error)))
            return status;
        n += more;
    }
    *n_tokens = n;
    return SMOL_OK;
}

static enum smol_status pack_tokens(size_t *packed_bytes, void *packed, struct smol_packer *packer,
                                    const struct smol_model *model, const void *text,
                                    size_t size_bytes, struct smol_error *error)
{
    uint32_t *tokens = NULL;
    size_t n_tokens = 0;
    enum smol_status status;

    if (size_bytes > SIZE_MAX / sizeof *tokens - 1 ||
        !(tokens = malloc((size_bytes + 1) * sizeof *tokens)))
        return smol_fail_memory(error);
    status = smol_pack_encode(&n_tokens, tokens, model, text, size_bytes, error);
    if (!status)
        status = smol_packer_pack(packed_bytes, packed, packer, text, size_bytes, tokens, n_tokens,
                                  error);
    free(tokens);
    return status;
}

enum smol_status smol_pack(size_t *packed_bytes, void *packed, const struct smol_model *model,
                           const struct smol_pack_options *options, const void *text,
                           size_t size_bytes, struct smol_error *error)
{
    struct smol_packer *packer;
    void *memory;
    enum smol_status status = create(&packer, &memory, model, options, error);

    if (status)
        return status;
    status = smol_model_config(model)->tokenizer == SMOL_TOKENIZER_BPE
                 ? pack_tokens(packed_bytes, packed, packer, model, text, size_bytes, error)
                 : smol_packer_pack(packed_bytes, packed, packer, text, size_bytes, NULL, 0, error);
    destroy(packer, memory);
    return status;
}

enum smol_status smol_unpack(size_t *size_bytes, void *text, size_t capacity_bytes,
                             const struct smol_model *model,
                             const struct smol_pack_options *options, const void *packed,
                             size_t packed_bytes, struct smol_error *error)
{
    struct smol_packer *packer;
    void *memory;
    enum smol_status status = create(&packer, &memory, model, options, error);

    if (status)
        return status;
    status =
        smol_packer_unpack(size_bytes, text, capacity_bytes, packer, packed, packed_bytes, error);
    destroy(packer, memory);
    return status;
}
