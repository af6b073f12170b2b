/* The fuzz target of the model card: the text rules of SPEC.md 3.4, which are written down here
 * once more, against the reader's in a whole file; and the JSON as the programs read it. */
#include "fuzz.h"
#include "mutate.h"

#include <smol/file.h>
#include <smol/initial.h>

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char fuzz_name[] = "card";

/* The code point at *at, which moves behind it; -1 if it is none in its one encoding (Unicode 15,
 * table 3-7). */
static int32_t code_point(const uint8_t *text, size_t size, size_t *at)
{
    static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t first = text[*at];
    const size_t n = first < 0x80       ? 1
                     : first >> 5 == 6  ? 2
                     : first >> 4 == 14 ? 3
                     : first >> 3 == 30 ? 4
                                        : 0;
    int32_t code = n == 1 ? first : first & (0x7f >> n);

    if (n == 0 || n > size - *at)
        return -1;
    for (size_t i = 1; i < n; i++) {
        if (text[*at + i] >> 6 != 2)
            return -1;
        code = code << 6 | (text[*at + i] & 63);
    }
    *at += n;
    return code < least[n] || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff) ? -1 : code;
}

static bool is_card(const uint8_t *text, size_t size)
{
    if (size < 2 || size > SMOL_MAX_CARD_BYTES || text[0] != '{' || text[size - 1] != '}')
        return false;
    for (size_t at = 0; at < size;) {
        const int32_t c = code_point(text, size, &at);
        if (c < 0 || (c < 0x20 && c != '\n' && c != '\t') || (c >= 0x7f && c <= 0x9f))
            return false;
    }
    return true;
}

/* The smallest model with this card: its status, and what is read of it. */
static enum smol_status read_card(const uint8_t *card, size_t size, struct smol_error *error)
{
    static uint8_t embeddings[1024], file_bytes[131072];
    const struct smol_scheme matrix = {.kind = SMOL_MATRIX, .d = 1}, norm = {.kind = SMOL_NORM};
    struct smol_parts parts = {
        .config = {.n_layers = 1, .n_heads = 1, .width = 1, .n_ff = 1, .context = 1, .vocab = 1}};
    struct smol_file file;
    enum smol_status status;
    uint64_t n, n_file;

    smol_config_fill(&parts.config, &matrix, &norm, 1.0);
    n = smol_embedding_bytes(&parts.config);
    fuzz_require(n <= sizeof embeddings);
    parts.embeddings = (struct smol_span){embeddings, (size_t)n};
    parts.card = (struct smol_span){card, size};
    fuzz_require(smol_file_size(&n_file, &parts, error) == SMOL_OK);
    status = smol_file_write(file_bytes, sizeof file_bytes, &parts, error);
    if (status)
        return status;
    fuzz_require(smol_file_parse(&file, file_bytes, (size_t)n_file, error) == SMOL_OK);
    fuzz_require(file.card.size_bytes == size && memcmp(file.card.data, card, size) == 0);
    return SMOL_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smol_error error = {0};
    enum smol_status status;
    char *text;
    json_t *json;

    if (size == 0 || size > SMOL_MAX_CARD_BYTES + 64)
        return 0;
    status = read_card(data, size, &error);
    fuzz_require((status == SMOL_OK) == is_card(data, size));
    fuzz_require(status == SMOL_OK || status == SMOL_E_TEXT || status == SMOL_E_RANGE);
    if (status)
        return 0;
    json = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
    text = json ? json_dumps(json, JSON_ENSURE_ASCII | JSON_COMPACT) : NULL;
    for (const char *c = text; c && *c; c++)
        fuzz_require(*c >= 0x20 && *c < 0x7f);
    free(text);
    json_decref(json);
    return 0;
}

/* Mostly within the braces. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    static const char *const words[] = {"{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "\"",
                                        "\"a\": ",
                                        "\\u009b",
                                        "\\ud83d",
                                        "\\udc18",
                                        "\\n",
                                        "1e999",
                                        "-0",
                                        "null",
                                        "\xc3\xa9",
                                        "\xe2\x82\xac",
                                        "\xf0\x9f\x90\x98",
                                        "\xc2\x85",
                                        "\xc2\xa0",
                                        "\xc0\x80",
                                        "\xed\xa0\x80",
                                        "\xf4\x90\x80\x80",
                                        "\xef\xbb\xbf",
                                        "\x7f",
                                        "\x1b[2J",
                                        "\t",
                                        "\n",
                                        "\r",
                                        "\xff",
                                        "\xe2\x82",
                                        NULL};
    uint64_t random = seed;

    if (size < 3 || mutate_random(&random) % 4 == 0)
        return mutate_text(data, size, capacity, words, &random);
    const uint8_t end = data[size - 1];
    size = 2 + mutate_text(data + 1, size - 2, capacity - 2, words, &random);
    data[size - 1] = end;
    return size;
}
