/* The bytes of tokens, and the tokenizer of bytes. SPEC.md 9. */
#include "base/error.h"
#include "format/tokn.h"

#include <inttypes.h>
#include <smol/tokenizer.h>
#include <string.h>

static const uint8_t every_byte[256] = {
#define ROW(n) n, n + 1, n + 2, n + 3, n + 4, n + 5, n + 6, n + 7
#define ROWS(n) ROW(n), ROW(n + 8), ROW(n + 16), ROW(n + 24)
    ROWS(0),   ROWS(32),  ROWS(64), ROWS(96), ROWS(128),
    ROWS(160), ROWS(192), ROWS(224)
#undef ROWS
#undef ROW
};

#define NO_TOKEN UINT32_MAX

/* Bytes too if it is a delta that is not joined, whose tokenizer is in another file. */
static enum smol_tokenizer_kind kind_of(const struct smol_file *file)
{
    return file->tokenizer.data ? file->config.tokenizer : SMOL_TOKENIZER_BYTES;
}

static enum smol_status encode_set(size_t *n_tokens, uint32_t *tokens, const struct smol_file *file,
                                   const uint8_t *text, size_t size_bytes, struct smol_error *error)
{
    struct smol_byte_set set;
    uint32_t token_of[256];

    smol_byte_set_read(&set, file->tokenizer.data);
    for (uint32_t b = 0; b < 256; b++)
        token_of[b] = set.has_other ? set.n : NO_TOKEN;
    for (uint32_t i = 0; i < set.n; i++)
        token_of[set.bytes[i]] = i;
    for (size_t i = 0; i < size_bytes; i++) {
        if (token_of[text[i]] == NO_TOKEN)
            return smol_fail(error, SMOL_E_TOKEN, i, "byte %u is not in the model's set of bytes",
                             text[i]);
        tokens[i] = token_of[text[i]];
    }
    *n_tokens = size_bytes;
    return SMOL_OK;
}

enum smol_status smol_encode_bytes(size_t *n_tokens, uint32_t *tokens, const struct smol_file *file,
                                   const uint8_t *text, size_t size_bytes, struct smol_error *error)
{
    if (kind_of(file) == SMOL_TOKENIZER_BYTE_SET)
        return encode_set(n_tokens, tokens, file, text, size_bytes, error);
    if (kind_of(file) != SMOL_TOKENIZER_BYTES)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "the model has no byte tokens");
    for (size_t i = 0; i < size_bytes; i++) {
        if (text[i] >= file->config.vocab)
            return smol_fail(error, SMOL_E_TOKEN, i,
                             "byte %u has no token in a vocabulary of %" PRIu32, text[i],
                             file->config.vocab);
        tokens[i] = text[i];
    }
    *n_tokens = size_bytes;
    return SMOL_OK;
}

/* Whether a token is a special one, and which. */
static bool find_special(uint32_t *i, const struct smol_tokn *t, uint32_t token)
{
    if (token >= t->n_before && token - t->n_before < t->n)
        return false;
    *i = token < t->n_before ? token : token - t->n;
    return *i < t->n_specials;
}

/* Of tokens that all stand for a byte; none for the end of text and those past it. */
static struct smol_span set_token(uint8_t *text, const struct smol_file *file, uint32_t token)
{
    const uint8_t *set = file->tokenizer.data;

    for (unsigned first = 0, bit = 0; first < 256; first += 8)
        for (unsigned bits = set[first / 8]; bits; bits &= bits - 1)
            if (token-- == 0) {
                while (!(bits >> bit & 1))
                    bit++;
                return (struct smol_span){&every_byte[first + bit], 1};
            }
    return token == 0 && set[SMOL_TOKN_SET_BYTES - 1] & SMOL_TOKN_SET_OTHER
               ? (struct smol_span){&every_byte['?'], 1}
               : (struct smol_span){text, 0};
}

struct smol_span smol_token_bytes(uint8_t text[SMOL_MAX_TOKEN_BYTES], const struct smol_file *file,
                                  uint32_t token)
{
    struct smol_tokn t;
    uint32_t i;

    if (kind_of(file) == SMOL_TOKENIZER_BYTE_SET)
        return set_token(text, file, token);

    if (kind_of(file) == SMOL_TOKENIZER_BYTES)
        return token < 256 ? (struct smol_span){&every_byte[token], 1}
                           : (struct smol_span){text, 0};
    t = smol_tokn_view(file->tokenizer);
    if (token >= t.n_before && token - t.n_before < t.n)
        return (struct smol_span){text, smol_tokn_expand(text, &t, token - t.n_before)};
    return find_special(&i, &t, token) ? smol_tokn_special(&t, i) : (struct smol_span){text, 0};
}

/* Whether a set of bytes has an end of text, which is its last token. */
static bool set_end(uint32_t *token, const struct smol_file *file)
{
    struct smol_byte_set set;

    smol_byte_set_read(&set, file->tokenizer.data);
    if (set.has_end)
        *token = set.n + set.has_other;
    return set.has_end;
}

bool smol_token_is_special(const struct smol_file *file, uint32_t token)
{
    struct smol_tokn t;
    uint32_t i = 0;

    if (kind_of(file) == SMOL_TOKENIZER_BYTE_SET)
        return set_end(&i, file) && token == i;
    if (kind_of(file) != SMOL_TOKENIZER_BPE)
        return false;
    t = smol_tokn_view(file->tokenizer);
    return find_special(&i, &t, token);
}

bool smol_end_token(uint32_t *token, const struct smol_file *file)
{
    struct smol_tokn t;

    if (kind_of(file) == SMOL_TOKENIZER_BYTE_SET)
        return set_end(token, file);
    if (kind_of(file) != SMOL_TOKENIZER_BPE)
        return false;
    t = smol_tokn_view(file->tokenizer);
    for (uint32_t i = 0; i < t.n_specials; i++) {
        const struct smol_span text = smol_tokn_special(&t, i);
        if (text.size_bytes == sizeof SMOL_END_OF_TEXT - 1 &&
            memcmp(text.data, SMOL_END_OF_TEXT, text.size_bytes) == 0) {
            *token = i < t.n_before ? i : t.n + i;
            return true;
        }
    }
    return false;
}

static uint32_t set_start(const struct smol_file *file)
{
    struct smol_byte_set set;

    smol_byte_set_read(&set, file->tokenizer.data);
    for (uint32_t i = 0; i < set.n && !set.has_end; i++)
        if (set.bytes[i] == '\n')
            return i;
    return file->config.vocab - 1; /* the end of text, if there is one */
}

uint32_t smol_start_token(const struct smol_file *file)
{
    uint32_t token = 0;

    if (kind_of(file) == SMOL_TOKENIZER_BYTES)
        return file->config.vocab > '\n' ? '\n' : file->config.vocab - 1;
    if (kind_of(file) == SMOL_TOKENIZER_BYTE_SET)
        return set_start(file);
    if (smol_end_token(&token, file))
        return token;
    while (smol_tokn_bytes_in_order[token] != '\n')
        token++;
    return smol_tokn_view(file->tokenizer).n_before + token;
}

uint32_t smol_token_count(const struct smol_file *file)
{
    struct smol_tokn t;

    if (kind_of(file) == SMOL_TOKENIZER_BYTES)
        return file->config.vocab < 256 ? file->config.vocab : 256;
    if (kind_of(file) == SMOL_TOKENIZER_BYTE_SET)
        return file->config.vocab;
    t = smol_tokn_view(file->tokenizer);
    return t.n + t.n_specials;
}

uint8_t smol_tokenizer_byte(uint32_t i) { return smol_tokn_bytes_in_order[i]; }

uint32_t smol_tokenizer_merge_count(const struct smol_file *file)
{
    return kind_of(file) != SMOL_TOKENIZER_BPE ? 0 : smol_tokn_view(file->tokenizer).n_merges;
}

struct smol_merge smol_tokenizer_merge(const struct smol_file *file, uint32_t i)
{
    const struct smol_tokn t = smol_tokn_view(file->tokenizer);

    return smol_tokn_merge(&t, i);
}

uint32_t smol_tokenizer_tokens_before_bytes(const struct smol_file *file)
{
    return kind_of(file) != SMOL_TOKENIZER_BPE ? 0 : smol_tokn_view(file->tokenizer).n_before;
}
