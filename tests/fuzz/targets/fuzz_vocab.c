/* The fuzz target of other programs' tokenizers: an input is one file, or two with a zero between
 * them. What is accepted has the numbers of its vocabulary, comes back from files made of it, and
 * encodes its own file. */
#include "cli/cli.h"
#include "fuzz.h"
#include "mutate.h"
#include "smoltool/gpt2_bytes.h"
#include "smoltool/import/tokens.h"
#include "use_tokens.h"
#include "vocab_text.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char fuzz_name[] = "vocab";

static struct import_source sources[2];
static unsigned n_complaints;

/* In place of the programs': one message, of a file that there is and a byte in it. */
int cli_complain(const char *path, const struct smol_error *error)
{
    const struct import_source *s = path == sources[0].path ? &sources[0] : &sources[1];

    fuzz_require(path != NULL && path == s->path && error->code != SMOL_OK &&
                 error->text[0] != '\0');
    fuzz_require(error->offset == SMOL_NO_OFFSET || error->offset <= s->bytes.size_bytes);
    n_complaints++;
    return CLI_FAILED;
}

int cli_fail(const char *path, const char *format, ...)
{
    struct smol_error error = {.code = SMOL_E_ARGUMENT, .offset = SMOL_NO_OFFSET};
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(error.text, sizeof error.text, format, arguments);
    va_end(arguments);
    return cli_complain(path, &error);
}

int cli_no_memory(const char *path) { return cli_fail(path, "out of memory"); }

static int import(uint8_t **bytes, size_t *n, const uint8_t *data, size_t size)
{
    const uint8_t *zero = memchr(data, 0, size);
    const size_t n_first = zero ? (size_t)(zero - data) : size;
    int code;

    sources[0] = (struct import_source){"first", {data, n_first}};
    sources[1] =
        (struct import_source){"second", {data + n_first + 1, zero ? size - n_first - 1 : 0}};
    n_complaints = 0;
    code = import_tokenizer(bytes, n, &sources[0], zero ? &sources[1] : NULL);
    fuzz_require(n_complaints == (code == 0 ? 0 : 1));
    return code;
}

/* A token's text, from the files, against what its number stands for. */
static void check_token(const struct smol_file *file, const char *text, const json_t *number)
{
    const json_int_t token = json_integer_value(number);
    uint8_t place[SMOL_MAX_TOKEN_BYTES];
    char own[2 * SMOL_MAX_TOKEN_BYTES], *end = own;
    struct smol_span bytes;

    fuzz_require(json_is_integer(number) && token >= 0 && token < smol_token_count(file));
    bytes = smol_token_bytes(place, file, (uint32_t)token);
    for (size_t i = 0; i < bytes.size_bytes; i++)
        if (smol_token_is_special(file, (uint32_t)token))
            *end++ = (char)bytes.data[i];
        else
            end = put_letter(end, bytes.data[i]);
    fuzz_require((size_t)(end - own) == strlen(text) && memcmp(own, text, strlen(text)) == 0);
}

static void check_numbers(const struct smol_file *file)
{
    const struct import_source *s = sources[0].bytes.data[0] == '{' ? &sources[0] : &sources[1];
    json_t *json = json_loadb((const char *)s->bytes.data, s->bytes.size_bytes, 0, NULL), *added,
           *value;
    json_t *model = json_object_get(json, "model"),
           *vocab = json_is_object(model) ? json_object_get(model, "vocab") : json;
    const char *key;
    size_t i;

    json_object_foreach(vocab, key, value) check_token(file, key, value);
    added = json_is_object(model) ? json_object_get(json, "added_tokens") : NULL;
    json_array_foreach(added, i, value) check_token(
        file, json_string_value(json_object_get(value, "content")), json_object_get(value, "id"));
    json_decref(json);
}

/* Files made of it are imported as the same; without a vocabulary only if an end of text is all
 * that is special, and last. */
static void import_again(const struct smol_file *file, const uint8_t *bytes, size_t size)
{
    uint32_t end = 0;
    const bool is_usual = smol_end_token(&end, file) &&
                          smol_token_count(file) == 257 + smol_tokenizer_merge_count(file) &&
                          end + 1 == smol_token_count(file);

    for (unsigned kind = is_usual ? VOCAB_MERGES : VOCAB_TWO; kind < N_VOCAB_KINDS; kind++) {
        size_t n_text, n;
        char *text = vocab_text(&n_text, file, (enum vocab_kind)kind);
        uint8_t *again;
        fuzz_require(import(&again, &n, (const uint8_t *)text, n_text) == 0);
        fuzz_require(n == size && memcmp(again, bytes, n) == 0);
        free(again);
        free(text);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smol_file file;
    uint8_t *bytes;
    size_t n;

    if (size == 0 || import(&bytes, &n, data, size) != 0)
        return 0;
    fuzz_require(smol_tokenizer_parse(&file, bytes, n, NULL) == SMOL_OK);
    check_numbers(&file);
    fuzz_require(fuzz_use_tokens(&file, data, size));
    import_again(&file, bytes, n);
    free(bytes);
    return 0;
}

/* Other merges and special tokens than those of an input that is right, in any kind of file; size
 * if it is wrong. */
static size_t change_tokenizer(uint8_t *data, size_t size, size_t capacity, uint64_t *random)
{
    static uint8_t changed[8192];
    const enum vocab_kind kind = (enum vocab_kind)(mutate_random(random) % N_VOCAB_KINDS);
    struct smol_file file;
    uint8_t *bytes;
    size_t n, n_text = 0;
    char *text;

    if (size == 0 || import(&bytes, &n, data, size) != 0)
        return size;
    if (n <= sizeof changed) {
        memcpy(changed, bytes, n);
        n = mutate_tokenizer(changed, n, sizeof changed, random);
        text = smol_tokenizer_parse(&file, changed, n, NULL) == SMOL_OK
                   ? vocab_text(&n_text, &file, kind)
                   : NULL;
        if (text && n_text <= capacity) {
            memcpy(data, text, n_text);
            size = n_text;
        }
        free(text);
    }
    free(bytes);
    return size;
}

/* Damage to the tokenizer, to the end of the text, where most merges and added tokens are, or
 * anywhere. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    static const char *const words[] = {"{",
                                        "}",
                                        "[",
                                        "]",
                                        ",",
                                        ":",
                                        "\"",
                                        "\\u0000",
                                        "\\u0120",
                                        "\\ud83d",
                                        "\"t e\"",
                                        "[\"t\",\"e\"]",
                                        "\"te\":256",
                                        "\"te\"",
                                        "t e\n",
                                        "te e\n",
                                        "\n",
                                        " ",
                                        "\xc4\xa0",
                                        "\xc3\xa9",
                                        "#version",
                                        "\"added_tokens\":",
                                        "\"content\":",
                                        "\"id\":",
                                        "\"vocab\":",
                                        "\"merges\":",
                                        "\"dropout\":",
                                        "\"lstrip\":true",
                                        "true",
                                        "false",
                                        "null",
                                        "0",
                                        "-1",
                                        "255",
                                        "256",
                                        "257",
                                        "511",
                                        "512",
                                        "4294967296",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "1e3",
                                        "<|endoftext|>",
                                        NULL};
    uint64_t random = seed;
    size_t from = 0;

    switch (mutate_random(&random) % 4) {
    case 0:
    case 1: return change_tokenizer(data, size, capacity, &random);
    case 2: from = size < 256 ? 0 : size - 256; break;
    default:
        if (mutate_random(&random) % 32 == 0 && size > 0) { /* another cut into files */
            data[mutate_random(&random) % size] = 0;
            return size;
        }
    }
    return from + mutate_text(data + from, size - from, capacity - from, words, &random);
}
