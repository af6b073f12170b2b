/* See tokens.h. A token is the text that the files have for it: the letters of its bytes, or
 * a special token's own. */
#include "smoltool/import/tokens.h"
#include "cli/cli.h"
#include "cli/foreign.h"
#include "smoltool/gpt2_bytes.h"

#include <smol/tokenizer.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* What is being made. */
struct import {
    const char *path; /* the file that is at fault if something is wrong now */
    json_t *numbers;  /* letters to number, from the first byte token on */
    struct smol_merge *merges;
    uint32_t n_merges, capacity;
    const char *specials[SMOL_MAX_SPECIALS]; /* texts by number, the bytes and merges left out */
    uint32_t n_specials, n_before;
};

/* ---- merges ---- */

static int begin(struct import *m)
{
    m->numbers = json_object();
    for (uint32_t i = 0; i < 256; i++) {
        char text[3];
        *put_letter(text, smol_tokenizer_byte(i)) = '\0';
        if (!m->numbers || json_object_set_new(m->numbers, text, json_integer((json_int_t)i)))
            return cli_no_memory(m->path);
    }
    return 0;
}

static int make_room(struct import *m)
{
    const uint32_t capacity = 2 * m->capacity + 1024;
    struct smol_merge *larger;

    if (m->n_merges == SMOL_MAX_MERGES)
        return cli_fail(m->path, "over %u merges", SMOL_MAX_MERGES);
    if (m->n_merges < m->capacity)
        return 0;
    larger = realloc(m->merges, capacity * sizeof *larger);
    if (!larger)
        return cli_no_memory(m->path);
    m->merges = larger;
    m->capacity = capacity;
    return 0;
}

/* The number of the next merge is that of left and right joined. */
static int add_merge(struct import *m, const char *left, size_t n_left, const char *right,
                     size_t n_right)
{
    const json_t *l = json_object_getn(m->numbers, left, n_left),
                 *r = json_object_getn(m->numbers, right, n_right);
    char joined[4 * SMOL_MAX_TOKEN_BYTES];

    if (make_room(m))
        return CLI_FAILED;
    if (!l || !r)
        return cli_fail(m->path, "merge %u uses a token that nothing before it makes", m->n_merges);
    if (n_left + n_right >= sizeof joined)
        return cli_fail(m->path, "merge %u makes a token longer than 1024 bytes", m->n_merges);
    memcpy(joined, left, n_left);
    memcpy(joined + n_left, right, n_right);
    if (json_object_getn(m->numbers, joined, n_left + n_right))
        return cli_fail(m->path, "merge %u makes a token that already exists", m->n_merges);
    m->merges[m->n_merges] =
        (struct smol_merge){(uint32_t)json_integer_value(l), (uint32_t)json_integer_value(r)};
    if (json_object_setn_new(m->numbers, joined, n_left + n_right,
                             json_integer(256 + (json_int_t)m->n_merges)))
        return cli_no_memory(m->path);
    m->n_merges++;
    return 0;
}

/* "left right". */
static int add_line(struct import *m, const char *line, size_t n)
{
    const char *space = memchr(line, ' ', n);
    const size_t n_left = space ? (size_t)(space - line) : 0, n_right = space ? n - n_left - 1 : 0;

    if (n_left == 0 || n_right == 0 || memchr(space + 1, ' ', n_right))
        return cli_fail(m->path, "merge %u: expected two tokens separated by a space", m->n_merges);
    return add_merge(m, line, n_left, space + 1, n_right);
}

/* merges.txt or vocab.bpe: a merge a line, perhaps after a line of its version. */
static int add_lines(struct import *m, struct smol_span text)
{
    static const char version[] = "#version";
    struct smol_span line;
    int code = 0;

    for (bool first = true; !code && foreign_line(&line, &text); first = false) {
        const size_t n = line.size_bytes;
        const bool skipped = n == 0 || (first && n >= sizeof version - 1 &&
                                        memcmp(line.data, version, sizeof version - 1) == 0);
        if (!skipped)
            code = add_line(m, (const char *)line.data, n);
    }
    return code;
}

/* Strings "left right", or pairs of strings. */
static int add_merges_json(struct import *m, const json_t *merges)
{
    const json_t *merge;
    size_t i;

    if (!json_is_array(merges))
        return cli_fail(m->path, "the model has no list of merges");
    json_array_foreach(merges, i, merge)
    {
        const json_t *left = json_array_get(merge, 0), *right = json_array_get(merge, 1);
        if (json_is_string(merge)) {
            if (add_line(m, json_string_value(merge), json_string_length(merge)))
                return CLI_FAILED;
        } else if (json_array_size(merge) != 2 || !json_is_string(left) || !json_is_string(right)) {
            return cli_fail(m->path, "merge %u is neither a string nor a pair of them",
                            m->n_merges);
        } else if (add_merge(m, json_string_value(left), json_string_length(left),
                             json_string_value(right), json_string_length(right))) {
            return CLI_FAILED;
        }
    }
    return 0;
}

/* ---- the numbers of tokens, and special tokens ---- */

static int add_special(struct import *m, const char *text, json_int_t number)
{
    const uint32_t n = 256 + m->n_merges;
    json_int_t place = number;

    if (number >= (json_int_t)m->n_before)
        place -= n;
    if (number < 0 || (number >= (json_int_t)m->n_before && place < (json_int_t)m->n_before))
        return cli_fail(m->path, "token %lld is a special token among those of bytes and merges",
                        (long long)number);
    if (place >= (json_int_t)SMOL_MAX_SPECIALS)
        return cli_fail(
            m->path,
            "token %lld: more than 256 tokens that no merge makes, or a gap in the ids before it",
            (long long)number);
    if (m->specials[place] && strcmp(m->specials[place], text) != 0)
        return cli_fail(m->path, "token %lld occurs twice", (long long)number);
    m->n_specials += !m->specials[place];
    m->specials[place] = text;
    return 0;
}

/* Bytes and merges are numbered in their order, one after the other; *left has the rest. */
static int take_numbers(struct import *m, json_t *left, json_t *vocab)
{
    const char *key;
    json_t *value;
    json_int_t first = -1;

    json_object_foreach(vocab, key, value)
    {
        const json_t *number = json_object_get(m->numbers, key);
        if (!json_is_integer(value))
            return cli_fail(m->path, "the number of a token is not an integer");
        if (!number) {
            if (json_object_set(left, key, value))
                return cli_no_memory(m->path);
            continue;
        }
        if (first < 0 && json_integer_value(value) >= 0)
            first = json_integer_value(value) - json_integer_value(number);
        if (first < 0 || first > (json_int_t)SMOL_MAX_SPECIALS ||
            json_integer_value(value) != first + json_integer_value(number))
            return cli_fail(m->path, "token %lld is not numbered in the order of bytes and merges",
                            (long long)json_integer_value(value));
    }
    if (json_object_size(vocab) - json_object_size(left) != json_object_size(m->numbers))
        return cli_fail(m->path, "the vocabulary lacks a byte, or a token that a merge makes");
    m->n_before = (uint32_t)first;
    return 0;
}

/* What vocab.json has beside bytes and merges is special. */
static int take_vocab(struct import *m, json_t *vocab)
{
    json_t *left = json_object(), *value;
    int code = left ? take_numbers(m, left, vocab) : cli_no_memory(m->path);
    const char *key;

    json_object_foreach(left, key, value)
    {
        /* The text must live: vocab's own key does. */
        const char *own = json_object_iter_key(json_object_iter_at(vocab, key));
        code = code ? code : add_special(m, own, json_integer_value(value));
    }
    json_decref(left);
    return code;
}

static bool is_false(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);

    return !value || json_is_null(value) || json_is_false(value) ||
           (json_is_string(value) && json_string_length(value) == 0);
}

/* What would make other tokens of a text. */
static int check_kind(const struct import *m, const json_t *file)
{
    static const char *const absent[] = {"dropout",
                                         "unk_token",
                                         "continuing_subword_prefix",
                                         "end_of_word_suffix",
                                         "fuse_unk",
                                         "byte_fallback",
                                         "ignore_merges"};
    const json_t *model = json_object_get(file, "model"),
                 *split = json_object_get(file, "pre_tokenizer");
    const char *type = json_string_value(json_object_get(model, "type"));
    const char *split_type = json_string_value(json_object_get(split, "type"));

    if (!type || strcmp(type, "BPE") != 0)
        return cli_fail(m->path, "the model is not of type BPE");
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        if (!is_false(model, absent[i]))
            return cli_fail(m->path, "the model has '%s', which a .smol file cannot express",
                            absent[i]);
    if (!is_false(file, "normalizer"))
        return cli_fail(m->path, "it has a normalizer, which a .smol file cannot express");
    if (!split_type || strcmp(split_type, "ByteLevel") != 0 ||
        !is_false(split, "add_prefix_space") || json_is_false(json_object_get(split, "use_regex")))
        return cli_fail(
            m->path,
            "its pre_tokenizer is not GPT-2's: ByteLevel, no space added, its own pattern");
    return 0;
}

/* Added tokens may be in the vocabulary too, and nothing else may be left of it. */
static int take_added(struct import *m, const json_t *file, json_t *left)
{
    const json_t *added = json_object_get(file, "added_tokens"), *token;
    size_t i;

    json_array_foreach(added, i, token)
    {
        const json_t *content = json_object_get(token, "content"),
                     *id = json_object_get(token, "id");
        const json_t *same = json_object_get(left, json_string_value(content));
        if (!json_is_string(content) || !json_is_integer(id))
            return cli_fail(m->path, "an added token without content or id");
        if (!is_false(token, "single_word") || !is_false(token, "lstrip") ||
            !is_false(token, "rstrip"))
            return cli_fail(m->path,
                            "added token %lld strips spaces, which a .smol file cannot express",
                            (long long)json_integer_value(id));
        if (json_object_get(m->numbers, json_string_value(content)) ||
            (same && !json_equal(same, id)))
            return cli_fail(m->path, "added token %lld has another number in the vocabulary",
                            (long long)json_integer_value(id));
        if (add_special(m, json_string_value(content), json_integer_value(id)))
            return CLI_FAILED;
        json_object_del(left, json_string_value(content));
    }
    if (json_object_size(left) > 0)
        return cli_fail(
            m->path, "token %lld is neither made by a merge nor added",
            (long long)json_integer_value(json_object_iter_value(json_object_iter(left))));
    return 0;
}

static int take_tokenizer_json(struct import *m, const json_t *file)
{
    json_t *model = json_object_get(file, "model"), *vocab = json_object_get(model, "vocab"),
           *left = json_object();
    int code = left ? check_kind(m, file) : cli_no_memory(m->path);

    if (!code)
        code = add_merges_json(m, json_object_get(model, "merges"));
    if (!code && !json_is_object(vocab))
        code = cli_fail(m->path, "the model has no vocabulary");
    if (!code)
        code = take_numbers(m, left, vocab);
    if (!code)
        code = take_added(m, file, left);
    json_decref(left);
    return code;
}

/* ---- all of it ---- */

static int write(uint8_t **bytes, size_t *size_bytes, const struct import *m)
{
    uint8_t specials[SMOL_MAX_SPECIALS * 256];
    size_t n = 0;
    struct smol_error error;

    for (uint32_t i = 0; i < m->n_specials; i++) {
        const size_t length = m->specials[i] ? strlen(m->specials[i]) : 0;
        if (length == 0 || length > 255)
            return cli_fail(m->path, length ? "a special token is longer than 255 bytes"
                                            : "the ids of special tokens have a gap");
        specials[n++] = (uint8_t)length;
        memcpy(specials + n, m->specials[i], length);
        n += length;
    }
    if (m->n_before > m->n_specials)
        return cli_fail(m->path, "the ids of special tokens have a gap");
    if (smol_tokenizer_write(bytes, size_bytes,
                             &(struct smol_tokenizer_parts){
                                 m->merges, m->n_merges, {specials, n}, m->n_specials, m->n_before},
                             &error)) {
        error.offset = SMOL_NO_OFFSET; /* of the new file, not of that which is read */
        return cli_complain(m->path, &error);
    }
    return 0;
}

/* A file as it was read, and what of it counts. */
struct source {
    const char *path;
    struct smol_span whole, bytes;
};

static int start(struct source *s, const struct import_source *from)
{
    struct smol_error error;

    if (!from)
        return 0;
    *s = (struct source){from->path, from->bytes, from->bytes};
    if (foreign_start(&s->bytes, &error))
        return cli_complain(s->path, &error);
    foreign_skip_space(&s->bytes);
    return 0;
}

static bool is_json(const struct source *s)
{
    return s->bytes.size_bytes > 0 && s->bytes.data[0] == '{';
}

static json_t *load_json(const struct source *s)
{
    json_error_t fault;
    json_t *json = json_loadb((const char *)s->bytes.data, s->bytes.size_bytes,
                              JSON_REJECT_DUPLICATES, &fault);
    struct smol_error error = {.code = SMOL_E_TEXT};

    if (json)
        return json;
    error.offset = (uint64_t)(s->bytes.data - s->whole.data) + (uint64_t)fault.position;
    snprintf(error.text, sizeof error.text, "not JSON: %s", fault.text);
    cli_complain(s->path, &error);
    return NULL;
}

static int take_all(struct import *m, const struct source *first, const struct source *second,
                    json_t *json)
{
    if (json && json_is_object(json_object_get(json, "model")))
        return second ? cli_fail(m->path, "contains its own merges; '%s' is one file too many",
                                 second->path)
                      : take_tokenizer_json(m, json);
    if (json && !second)
        return cli_fail(m->path, "is a vocabulary; its merges.txt is missing");
    if (!json && second)
        return cli_fail(m->path, "contains its own merges; '%s' is one file too many",
                        second->path);
    m->path = (second ? second : first)->path;
    if (add_lines(m, (second ? second : first)->bytes))
        return CLI_FAILED;
    m->path = first->path;
    return json ? take_vocab(m, json)
                : add_special(m, SMOL_END_OF_TEXT, 256 + (json_int_t)m->n_merges);
}

int import_tokenizer(uint8_t **bytes, size_t *size_bytes, const struct import_source *first,
                     const struct import_source *second)
{
    struct source sources[2] = {{.path = NULL}};
    const bool bad = start(&sources[0], first) || start(&sources[1], second);
    const bool swapped = second && !is_json(&sources[0]) && is_json(&sources[1]);
    const struct source *a = &sources[swapped], *b = second ? &sources[!swapped] : NULL;
    json_t *json = !bad && is_json(a) ? load_json(a) : NULL;
    struct import m = {.path = a->path};
    int code = bad || (is_json(a) && !json) ? CLI_FAILED : begin(&m);

    if (!code)
        code = take_all(&m, a, b, json);
    if (!code)
        code = write(bytes, size_bytes, &m);
    json_decref(m.numbers);
    json_decref(json);
    free(m.merges);
    return code;
}
