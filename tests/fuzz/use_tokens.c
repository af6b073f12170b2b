/* See use_tokens.h. */
#include "use_tokens.h"
#include "format/tokn.h"
#include "fuzz.h"

#include <stdlib.h>
#include <string.h>

/* Whether a token is the one for all bytes outside a set, which decodes to a question mark. */
static bool is_other(const struct smol_file *file, uint32_t token, const struct smol_span *text)
{
    const unsigned bits = file->tokenizer.data[32];

    return file->config.tokenizer == SMOL_TOKENIZER_BYTE_SET && (bits & 1) != 0 &&
           token == file->config.vocab - 1 - (bits >> 1) && text->data[0] == '?';
}

static void decode(const struct smol_file *file, const uint32_t *tokens, size_t n,
                   const uint8_t *text, size_t size)
{
    uint8_t place[SMOL_MAX_TOKEN_BYTES];
    size_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const struct smol_span b = smol_token_bytes(place, file, tokens[i]);
        fuzz_require(tokens[i] < file->config.vocab && b.size_bytes > 0 &&
                     b.size_bytes <= size - at);
        fuzz_require(memcmp(text + at, b.data, b.size_bytes) == 0 || is_other(file, tokens[i], &b));
        at += b.size_bytes;
    }
    fuzz_require(at == size);
}

bool fuzz_use_tokens(const struct smol_file *file, const uint8_t *text, size_t size)
{
    uint8_t place[SMOL_MAX_TOKEN_BYTES];
    struct smol_encoder *encoder;
    struct smol_error error = {0};
    uint32_t *tokens;
    size_t n;
    bool good;

    for (uint32_t i = 0; i < file->config.vocab && i < 4096; i++)
        fuzz_require(smol_token_bytes(place, file, i).size_bytes <= SMOL_MAX_TOKEN_BYTES);
    if (smol_encoder_create(&encoder, file, &error)) {
        fuzz_require(error.text[0] != '\0' && error.offset <= file->bytes.size_bytes);
        return false;
    }
    tokens = malloc((size + 1) * sizeof *tokens);
    fuzz_require(tokens != NULL);
    good = smol_encode(&n, tokens, encoder, text, size, &error) == SMOL_OK;
    fuzz_require(good || error.code == SMOL_E_TOKEN);
    if (good)
        decode(file, tokens, n, text, size);
    free(tokens);
    smol_encoder_destroy(encoder);
    return good;
}

void fuzz_write_tokens(const struct smol_file *file, const uint8_t *bytes, size_t size)
{
    const struct smol_tokn t = smol_tokn_view(file->tokenizer);
    struct smol_merge *merges = malloc((t.n_merges + 1) * sizeof *merges);
    const struct smol_tokenizer_parts parts = {merges, t.n_merges, t.specials, t.n_specials,
                                               smol_tokenizer_tokens_before_bytes(file)};
    uint8_t *again;
    size_t n;

    fuzz_require(merges != NULL && smol_tokenizer_merge_count(file) == t.n_merges &&
                 file->config.vocab == smol_token_count(file));
    for (uint32_t i = 0; i < t.n_merges; i++)
        merges[i] = smol_tokenizer_merge(file, i);
    fuzz_require(smol_tokenizer_write(&again, &n, &parts, NULL) == SMOL_OK);
    fuzz_require(n == size && memcmp(again, bytes, size) == 0);
    free(again);
    free(merges);
    fuzz_require(smol_tokenizer_extract(&again, &n, file, NULL) == SMOL_OK);
    fuzz_require(n == size && memcmp(again, bytes, size) == 0);
    free(again);
}
