/* See vocab_text.h. */
#include "vocab_text.h"
#include "fuzz.h"
#include "smoltool/gpt2_bytes.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The letters of a token's bytes; of a special one its text. */
static const char *token_text(char text[2 * SMOL_MAX_TOKEN_BYTES + 1], const struct smol_file *t,
                              uint32_t token)
{
    uint8_t place[SMOL_MAX_TOKEN_BYTES];
    const struct smol_span bytes = smol_token_bytes(place, t, token);
    char *end = text;

    for (size_t i = 0; i < bytes.size_bytes; i++)
        if (smol_token_is_special(t, token))
            *end++ = (char)bytes.data[i];
        else
            end = put_letter(end, bytes.data[i]);
    *end = '\0';
    return text;
}

static void put_merges(FILE *to, const struct smol_file *t)
{
    const uint32_t before = smol_tokenizer_tokens_before_bytes(t);
    char left[2 * SMOL_MAX_TOKEN_BYTES + 1], right[2 * SMOL_MAX_TOKEN_BYTES + 1];

    fputs("#version: 0.2\n", to);
    for (uint32_t i = 0; i < smol_tokenizer_merge_count(t); i++) {
        const struct smol_merge m = smol_tokenizer_merge(t, i);
        fprintf(to, "%s %s\n", token_text(left, t, before + m.left),
                token_text(right, t, before + m.right));
    }
}

static json_t *vocab_json(const struct smol_file *t, bool specials)
{
    char text[2 * SMOL_MAX_TOKEN_BYTES + 1];
    json_t *vocab = json_object();

    for (uint32_t i = 0; i < smol_token_count(t); i++)
        if (specials || !smol_token_is_special(t, i))
            json_object_set_new(vocab, token_text(text, t, i), json_integer(i));
    return vocab;
}

static json_t *merges_json(const struct smol_file *t)
{
    const uint32_t before = smol_tokenizer_tokens_before_bytes(t);
    char left[2 * SMOL_MAX_TOKEN_BYTES + 1], right[2 * SMOL_MAX_TOKEN_BYTES + 1];
    json_t *merges = json_array();

    for (uint32_t i = 0; i < smol_tokenizer_merge_count(t); i++) {
        const struct smol_merge m = smol_tokenizer_merge(t, i);
        token_text(left, t, before + m.left);
        token_text(right, t, before + m.right);
        json_array_append_new(merges, i % 2 ? json_sprintf("%s %s", left, right)
                                            : json_pack("[s, s]", left, right));
    }
    return merges;
}

static json_t *tokenizer_json(const struct smol_file *t)
{
    char text[2 * SMOL_MAX_TOKEN_BYTES + 1];
    json_t *added = json_array();

    for (uint32_t i = 0; i < smol_token_count(t); i++)
        if (smol_token_is_special(t, i))
            json_array_append_new(added,
                                  json_pack("{s:s, s:i, s:b}", "content", token_text(text, t, i),
                                            "id", (int)i, "special", 1));
    return json_pack("{s:n, s:{s:s, s:b}, s:{s:s, s:n, s:o, s:o}, s:o}", "normalizer",
                     "pre_tokenizer", "type", "ByteLevel", "add_prefix_space", 0, "model", "type",
                     "BPE", "unk_token", "vocab", vocab_json(t, false), "merges", merges_json(t),
                     "added_tokens", added);
}

char *vocab_text(size_t *size, const struct smol_file *t, enum vocab_kind kind)
{
    json_t *json = kind == VOCAB_TOKENIZER ? tokenizer_json(t) : vocab_json(t, true);
    char *text = NULL;
    FILE *to = open_memstream(&text, size);

    fuzz_require(json != NULL && to != NULL);
    if (kind == VOCAB_MERGES || kind == VOCAB_SWAPPED)
        put_merges(to, t);
    if (kind == VOCAB_SWAPPED)
        fputc('\0', to);
    if (kind != VOCAB_MERGES)
        json_dumpf(json, to, JSON_COMPACT);
    if (kind == VOCAB_TWO) {
        fputc('\0', to);
        put_merges(to, t);
    }
    fuzz_require(fclose(to) == 0);
    json_decref(json);
    return text;
}
