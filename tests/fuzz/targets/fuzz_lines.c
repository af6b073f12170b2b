/* The fuzz target of training data in JSON lines. A file that is accepted, whatever the pieces that
 * it comes in, becomes the tokens of its documents, with a separator between two; that is worked
 * out here once more, by Jansson, as far as that knows: numbers out of range, zeros in names, deep
 * nesting and half surrogate pairs it refuses. */
#include "cli/cli.h"
#include "fuzz.h"
#include "mutate.h"
#include "smoltrain/data/texts.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char fuzz_name[] = "lines";

/* In place of the programs'. */
enum smol_status cli_error(struct smol_error *error, enum smol_status code, const char *format, ...)
{
    va_list arguments;

    *error = (struct smol_error){.code = code, .offset = SMOL_NO_OFFSET};
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return code;
}

enum smol_status cli_error_memory(struct smol_error *error)
{
    return cli_error(error, SMOL_E_MEMORY, "out of memory");
}

static enum smol_status read_lines(struct train_texts *t, const char *text, size_t size,
                                   size_t piece)
{
    enum smol_status status = train_texts_begin(t);

    for (size_t at = 0; at < size && !status; at += piece)
        status = train_texts_add(t, text + at, size - at < piece ? size - at : piece);
    if (!status)
        status = train_texts_end(t);
    train_texts_free(t);
    return status;
}

static bool is_white(const char *line, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (line[i] != ' ' && line[i] != '\t' && line[i] != '\r')
            return false;
    return true;
}

/* Adds a document; before it a separator, unless there is one or nothing. The new size. */
static size_t add_document(char *joined, size_t n, const json_t *text)
{
    const size_t n_separator = sizeof SMOL_END_OF_TEXT - 1, n_text = json_string_length(text);

    if (n > 0 &&
        (n < n_separator || memcmp(joined + n - n_separator, SMOL_END_OF_TEXT, n_separator) != 0)) {
        memcpy(joined + n, SMOL_END_OF_TEXT, n_separator);
        n += n_separator;
    }
    memcpy(joined + n, json_string_value(text), n_text);
    return n + n_text;
}

/* Whether such a fault is one only to Jansson, so that it is not known what the line holds. */
static bool is_stricter(const json_error_t *why)
{
    const enum json_error_code code = json_error_code(why);

    return code == json_error_numeric_overflow || code == json_error_null_byte_in_key ||
           code == json_error_stack_overflow || strstr(why->text, "invalid Unicode");
}

/* The documents with separators, for free(); NULL if a line has none, or if that is not *known. */
static char *join(size_t *size, bool *known, const char *text, size_t n_text)
{
    char *joined = malloc(n_text * sizeof SMOL_END_OF_TEXT + 1);
    const char *at = text, *const end = text + n_text;
    size_t n = 0;
    bool good = joined != NULL;

    *known = true;
    if (n_text >= 3 && memcmp(at, "\xef\xbb\xbf", 3) == 0)
        at += 3;
    while (at < end && good) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const size_t n_line = (size_t)((newline ? newline : end) - at);
        if (!is_white(at, n_line)) {
            json_error_t why = {.line = 0};
            json_t *json = json_loadb(at, n_line, JSON_ALLOW_NUL, &why);
            good = json_is_string(json_object_get(json, "text"));
            *known = json || !is_stricter(&why);
            n = good ? add_document(joined, n, json_object_get(json, "text")) : n;
            json_decref(json);
        }
        at += n_line + (newline != NULL);
    }
    *size = n;
    if (good)
        return joined;
    free(joined);
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct smol_file tokenizer = {.config.vocab = 256};
    struct smol_error error = {0};
    struct train_texts texts = {.error = &error, .is_json = true};
    struct smol_corpus c;
    size_t n, n_joined;
    uint8_t *bytes;
    char *joined;
    bool known;

    fuzz_require(smol_corpus_writer_open(&texts.writer, &tokenizer, NULL, NULL) == SMOL_OK);
    joined = join(&n_joined, &known, (const char *)data, size);
    if (read_lines(&texts, (const char *)data, size, size % 97 + 1)) {
        fuzz_require(texts.at_fault && error.code == SMOL_E_TEXT && error.text[0] != '\0' &&
                     !strchr(error.text, '\n'));
        fuzz_require(joined == NULL || texts.text_bytes == 0);
        smol_corpus_writer_abort(texts.writer);
        free(joined);
        return 0;
    }
    fuzz_require(joined != NULL || !known);
    fuzz_require(smol_corpus_writer_finish(&bytes, &n, texts.writer, NULL, 0, NULL) == SMOL_OK);
    fuzz_require(smol_corpus_open(&c, bytes, n, NULL) == SMOL_OK);
    fuzz_require(!known ||
                 (c.n_tokens == n_joined && memcmp(c.tokens.data, joined, n_joined) == 0));
    free(joined);
    free(bytes);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    static const char *const words[] = {"{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "\"",
                                        "\"text\":",
                                        "\"text\":\"\"",
                                        "{\"text\":\"a\"}\n",
                                        "{\"text\":\"\"}\n",
                                        "\"url\":1,",
                                        "<|endoftext|>",
                                        "<|endof",
                                        "text|>",
                                        "\n",
                                        "\r\n",
                                        " ",
                                        "\t",
                                        "\\u0000",
                                        "\\u00e9",
                                        "\\ud83d\\udc18",
                                        "\\ud83d",
                                        "\\udc18",
                                        "\xef\xbb\xbf",
                                        "\f",
                                        "\"a\":123456789012345678901234567890,",
                                        "\"a\\u0000b\":1,",
                                        "\"text\":\"b\",",
                                        "\\n",
                                        "\\\"",
                                        "\xc3\xa9",
                                        "\xe2\x82",
                                        "\xff",
                                        "null",
                                        "1e999",
                                        "[[[[[[[[",
                                        NULL};
    uint64_t random = seed;

    return mutate_text(data, size, capacity, words, &random);
}
