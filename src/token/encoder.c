/* Text to tokens. SPEC.md 9. */
#include "base/error.h"
#include "token/merge.h"
#include "token/split.h"

#include <smol/tokenizer.h>
#include <stdlib.h>

struct smol_encoder {
    const struct smol_file *file;
    struct smol_specials specials;
    struct smol_splitter *splitter; /* NULL: byte tokens */
    struct smol_merger *merger;
    uint32_t n_before;
    uint8_t numbers[256]; /* of the bytes */
};

void smol_encoder_destroy(struct smol_encoder *e)
{
    if (!e)
        return;
    smol_splitter_destroy(e->splitter);
    smol_merger_destroy(e->merger);
    free(e);
}

static void take_specials(struct smol_specials *s, const struct smol_tokn *t)
{
    for (uint32_t i = 0; i < t->n_specials; i++) {
        s->sorted[i].text = smol_tokn_special(t, i);
        s->sorted[i].token = i < t->n_before ? i : t->n + i;
    }
    smol_specials_init(s, t->n_specials);
}

static enum smol_status fill(struct smol_encoder *e, const struct smol_file *file,
                             struct smol_error *error)
{
    const struct smol_tokn tokn = smol_tokn_view(file->tokenizer);
    enum smol_status status;

    if ((status = smol_file_check_tokens(file, error)) ||
        (status = smol_splitter_create(&e->splitter, error)) ||
        (status = smol_merger_create(&e->merger, &tokn, error)))
        return status;
    take_specials(&e->specials, &tokn);
    e->n_before = tokn.n_before;
    for (unsigned i = 0; i < 256; i++)
        e->numbers[smol_tokn_bytes_in_order[i]] = (uint8_t)i;
    return SMOL_OK;
}

enum smol_status smol_encoder_create(struct smol_encoder **encoder, const struct smol_file *file,
                                     struct smol_error *error)
{
    struct smol_encoder *e;
    enum smol_status status = SMOL_OK;

    if (!smol_file_is_whole(file))
        return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                         "is a delta: it has no tokenizer without its base");
    e = calloc(1, sizeof *e);
    if (!e)
        return smol_fail_memory(error);
    e->file = file;
    if (file->config.tokenizer == SMOL_TOKENIZER_BPE)
        status = fill(e, file, error);
    if (status)
        smol_encoder_destroy(e);
    else
        *encoder = e;
    return status;
}

/* Adds the tokens of a text without specials. */
static enum smol_status encode_plain(size_t *n_tokens, uint32_t *tokens, struct smol_encoder *e,
                                     struct smol_span text, struct smol_error *error)
{
    struct smol_pieces pieces = {.splitter = e->splitter, .text = text};
    enum smol_status status;
    struct smol_span piece;
    size_t n = *n_tokens, n_merged;

    while (!(status = smol_next_piece(&piece, &pieces, error)) && piece.size_bytes > 0) {
        for (size_t i = 0; i < piece.size_bytes; i++)
            tokens[n + i] = e->numbers[piece.data[i]];
        if ((status = smol_merge(&n_merged, e->merger, tokens + n, piece.size_bytes, error)))
            return status;
        for (size_t i = 0; i < n_merged; i++)
            tokens[n++] += e->n_before;
    }
    *n_tokens = n;
    return status;
}

enum smol_status smol_encode(size_t *n_tokens, uint32_t *tokens, struct smol_encoder *e,
                             const uint8_t *text, size_t size_bytes, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    size_t n = 0;

    if (!e->splitter)
        return smol_encode_bytes(n_tokens, tokens, e->file, text, size_bytes, error);
    for (size_t at = 0; at < size_bytes && !status;) {
        uint32_t which = 0;
        const size_t plain = smol_specials_find(&which, &e->specials, text + at, size_bytes - at);
        status = encode_plain(&n, tokens, e, (struct smol_span){text + at, plain}, error);
        at += plain;
        if (!status && at < size_bytes) {
            tokens[n++] = e->specials.sorted[which].token;
            at += e->specials.sorted[which].text.size_bytes;
        }
    }
    if (!status)
        *n_tokens = n;
    return status;
}
