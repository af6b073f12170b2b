/* The fuzz target of tokenizer files. What is accepted is written again as the same bytes; and a
 * text becomes the tokens that SPEC.md 9 says, which is written down here once more without heaps
 * and tables. An input is a u16, as many bytes of a file, and the text. */
#include "base/bytes.h"
#include "format/tokn.h"
#include "fuzz.h"
#include "mutate.h"
#include "token/split.h"
#include "use_tokens.h"

#include <stdlib.h>
#include <string.h>

#define MAX_TEXT 256u /* and as many merges, for encoding plainly */

const char fuzz_name[] = "tokens";

/* An input's two parts; size is at least 2. */
struct input {
    struct smol_span file, text;
};

static struct input take_apart(const uint8_t *data, size_t size)
{
    const size_t n = smol_le16(data) < size - 2 ? smol_le16(data) : size - 2;

    return (struct input){{data + 2, n}, {data + 2 + n, size - 2 - n}};
}

/* Step 4: neighbours of the lowest merge, of these the leftmost, until there are none; how many
 * tokens are left. */
static size_t merge_plainly(uint32_t *tokens, size_t n, const struct smol_merge *merges,
                            uint32_t n_merges)
{
    for (uint32_t i = 0; i < n_merges;) {
        size_t at = 0;
        while (at + 1 < n && (tokens[at] != merges[i].left || tokens[at + 1] != merges[i].right))
            at++;
        if (at + 1 >= n) {
            i++;
            continue;
        }
        tokens[at] = 256 + i;
        n--;
        memmove(tokens + at + 1, tokens + at + 2, (n - at - 1) * sizeof *tokens);
        i = 0;
    }
    return n;
}

/* Steps 2 to 4, of a text without special tokens. The library's split is taken as it is. */
static size_t encode_plain(uint32_t *tokens, struct smol_splitter *splitter, struct smol_span text,
                           const struct smol_merge *merges, const struct smol_tokn *t)
{
    struct smol_pieces pieces = {.splitter = splitter, .text = text};
    struct smol_span piece;
    size_t n = 0, n_piece;

    while (smol_next_piece(&piece, &pieces, NULL) == SMOL_OK && piece.size_bytes > 0) {
        for (size_t i = 0; i < piece.size_bytes; i++)
            tokens[n + i] =
                (uint32_t)((const uint8_t *)memchr(smol_tokn_bytes_in_order, piece.data[i], 256) -
                           smol_tokn_bytes_in_order);
        n_piece = merge_plainly(tokens + n, piece.size_bytes, merges, t->n_merges);
        for (size_t i = 0; i < n_piece; i++)
            tokens[n++] += t->n_before;
    }
    return n;
}

/* The longest special token that the text begins with; its length. */
static size_t special_at(uint32_t *token, const struct smol_tokn *t, const uint8_t *text,
                         size_t size)
{
    size_t longest = 0;

    for (uint32_t i = 0; i < t->n_specials; i++) {
        const struct smol_span s = smol_tokn_special(t, i);
        if (s.size_bytes > size || s.size_bytes <= longest ||
            memcmp(s.data, text, s.size_bytes) != 0)
            continue;
        longest = s.size_bytes;
        *token = i < t->n_before ? i : t->n + i;
    }
    return longest;
}

/* Step 1, and the others between. */
static size_t encode(uint32_t *tokens, struct smol_splitter *splitter, struct smol_span text,
                     const struct smol_merge *merges, const struct smol_tokn *t)
{
    size_t n = 0, from = 0, at = 0;

    while (at < text.size_bytes) {
        uint32_t token = 0;
        const size_t n_special = special_at(&token, t, text.data + at, text.size_bytes - at);
        if (n_special > 0) {
            n += encode_plain(tokens + n, splitter, (struct smol_span){text.data + from, at - from},
                              merges, t);
            tokens[n++] = token;
            from = at + n_special;
        }
        at += n_special ? n_special : 1;
    }
    return n + encode_plain(tokens + n, splitter, (struct smol_span){text.data + from, at - from},
                            merges, t);
}

static void compare(const struct smol_file *file, struct smol_span text)
{
    const struct smol_tokn t = smol_tokn_view(file->tokenizer);
    uint32_t expected[MAX_TEXT], tokens[MAX_TEXT];
    struct smol_merge merges[MAX_TEXT];
    struct smol_splitter *splitter;
    struct smol_encoder *encoder;
    size_t n, n_expected;

    if (text.size_bytes > MAX_TEXT || t.n_merges > MAX_TEXT)
        return;
    for (uint32_t i = 0; i < t.n_merges; i++)
        merges[i] = smol_tokn_merge(&t, i);
    fuzz_require(smol_splitter_create(&splitter, NULL) == SMOL_OK);
    fuzz_require(smol_encoder_create(&encoder, file, NULL) == SMOL_OK);
    n_expected = encode(expected, splitter, text, merges, &t);
    fuzz_require(smol_encode(&n, tokens, encoder, text.data, text.size_bytes, NULL) == SMOL_OK);
    fuzz_require(n == n_expected && memcmp(tokens, expected, n * sizeof *tokens) == 0);
    smol_encoder_destroy(encoder);
    smol_splitter_destroy(splitter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smol_error error = {0};
    struct smol_file file;
    enum smol_status status;
    struct input in;

    if (size < 2)
        return 0;
    in = take_apart(data, size);
    status = smol_tokenizer_parse(&file, in.file.data, in.file.size_bytes, &error);
    if (status) {
        fuzz_require(error.code == status && error.text[0] != '\0');
        fuzz_require(error.offset <= in.file.size_bytes);
        return 0;
    }
    fuzz_write_tokens(&file, in.file.data, in.file.size_bytes);
    fuzz_require(fuzz_use_tokens(&file, in.text.data, in.text.size_bytes));
    compare(&file, in.text);
    return 0;
}

/* Damage to the text, to merges and special tokens, or to the section, mostly with a checksum that
 * fits. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    static const char *const words[] = {"a",    "b",        "aa",           "ab",
                                        "abab", " ",        "  ",           "\n",
                                        "'s",   "'re",      "12",           "<|endoftext|>",
                                        "<|",   "|>",       "[x]",          "te",
                                        "tee",  "\xc3\xa9", "\xe2\x82\xac", "\xe2\x82",
                                        "\xff", "\xc2\xa0", "\xc2\x85",     "\xf0\x9f\x90\x98",
                                        NULL};
    static uint8_t file[UINT16_MAX], text[UINT16_MAX];
    uint64_t random = seed;
    struct input in;
    size_t n, n_text;

    if (size < 2)
        return mutate(data, size, capacity, &random);
    in = take_apart(data, size);
    n = in.file.size_bytes;
    n_text = in.text.size_bytes < sizeof text ? in.text.size_bytes : sizeof text;
    memcpy(file, in.file.data, n);
    memcpy(text, in.text.data, n_text);
    switch (mutate_random(&random) % 4) {
    case 0: n_text = mutate_text(text, n_text, sizeof text, words, &random); break;
    case 1:
        n = mutate(file, n, sizeof file, &random);
        if (mutate_random(&random) % 8)
            repair_tokenizer(file, n);
        break;
    default: n = mutate_tokenizer(file, n, sizeof file, &random);
    }
    if (n + n_text > capacity - 2)
        return size;
    smol_put16(data, (uint16_t)n);
    memcpy(data + 2, file, n);
    memcpy(data + 2 + n, text, n_text);
    return 2 + n + n_text;
}
