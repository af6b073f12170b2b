/* See checkpoint_tokens.h. */
#include "smoltool/import/checkpoint_tokens.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "cli/tokenizer_file.h"
#include "smoltool/import/byte_tokens.h"
#include "smoltool/import/json_file.h"
#include "smoltool/import/tokens.h"

#include <smol/tokenizer.h>

#include <stdlib.h>
#include <string.h>

/* ---- a tokenizer that was found ---- */

/* path: of the file that had it. */
static int take(struct smol_parts *parts, struct smol_span section, uint32_t n_tokens,
                enum smol_tokenizer_kind kind, const char *path)
{
    const uint32_t vocab = parts->config.vocab;

    if (n_tokens > vocab || (kind == SMOL_TOKENIZER_BYTE_SET && n_tokens != vocab))
        return cli_fail(path, "has %u tokens, but the embeddings have %u", (unsigned)n_tokens,
                        (unsigned)vocab);
    parts->tokenizer = section;
    parts->config.tokenizer = kind;
    return 0;
}

static int take_named(uint8_t **section, struct smol_parts *parts, const char *path)
{
    struct smol_file tokenizer;
    struct smol_error error;

    if (tokenizer_load(section, &tokenizer, path, &error))
        return cli_complain(path, &error);
    return take(parts, tokenizer.tokenizer,
                tokenizer.config.tokenizer == SMOL_TOKENIZER_BYTES ? 0
                                                                   : smol_token_count(&tokenizer),
                tokenizer.config.tokenizer, path);
}

/* What import_tokenizer makes is a tokenizer file. */
static int take_sources(uint8_t **section, struct smol_parts *parts,
                        const struct import_source *first, const struct import_source *second)
{
    struct smol_file tokenizer;
    struct smol_error error;
    size_t n;
    int code = import_tokenizer(section, &n, first, second);

    if (code)
        return code;
    if (smol_tokenizer_parse(&tokenizer, *section, n, &error))
        return cli_complain(first->path, &error);
    return take(parts, tokenizer.tokenizer, smol_token_count(&tokenizer), SMOL_TOKENIZER_BPE,
                first->path);
}

/* Bytes in their order, as a vocabulary without merges may have them; *is_taken says so. */
static int take_byte_tokens(bool *is_taken, uint8_t **section, struct smol_parts *parts,
                            const json_t *vocab, const char *path)
{
    enum smol_tokenizer_kind kind;
    uint8_t set[BYTE_SET_BYTES];

    *is_taken = byte_tokens_read(&kind, set, vocab);
    if (!*is_taken || kind == SMOL_TOKENIZER_BYTES)
        return 0;
    *section = malloc(sizeof set);
    if (!*section)
        return cli_no_memory(path);
    memcpy(*section, set, sizeof set);
    return take(parts, (struct smol_span){*section, sizeof set}, (uint32_t)json_object_size(vocab),
                kind, path);
}

/* ---- in a folder ---- */

static int take_files(uint8_t **section, struct smol_parts *parts, const char *first,
                      const char *second)
{
    struct smol_mapping a = {.fd = -1}, b = {.fd = -1};
    struct smol_error error;
    int code = 0;

    if (cli_map(&a, first, &error))
        code = cli_complain(first, &error);
    else if (second && cli_map(&b, second, &error))
        code = cli_complain(second, &error);
    if (!code)
        code = take_sources(section, parts, &(struct import_source){first, a.bytes},
                            second ? &(struct import_source){second, b.bytes} : NULL);
    cli_unmap(&a);
    cli_unmap(&b);
    return code;
}

/* vocab.json may be of bytes alone, which no merges say. */
static int take_vocab(bool *is_taken, uint8_t **section, struct smol_parts *parts, const char *path)
{
    json_t *vocab = NULL;
    int code = json_file_load(&vocab, path);

    if (!code)
        code = take_byte_tokens(is_taken, section, parts, vocab, path);
    json_decref(vocab);
    return code;
}

static int take_folder(uint8_t **section, bool *found, struct smol_parts *parts,
                       const struct checkpoint *c)
{
    char *whole = NULL, *vocab = NULL, *merges = NULL;
    bool is_taken = false;
    int code = checkpoint_look(&whole, c, "tokenizer.json");

    if (!code)
        code = checkpoint_look(&vocab, c, "vocab.json");
    if (!code)
        code = checkpoint_look(&merges, c, "merges.txt");
    if (!code && vocab)
        code = take_vocab(&is_taken, section, parts, vocab);
    if (!code && !is_taken && (whole || (vocab && merges)))
        code = take_files(section, parts, whole ? whole : vocab, whole ? NULL : merges);
    *found = is_taken || whole || (vocab && merges);
    free(whole);
    free(vocab);
    free(merges);
    return code;
}

/* ---- in a GGUF file ---- */

#define TYPE_UNUSED 5 /* of a token, as GGUF numbers them */

/* How a text is split is named there and nowhere described. */
static int check_kind(const struct checkpoint_file *f)
{
    static const char split[] = "tokenizer.ggml.pre";

    if (!checkpoint_says(f, "tokenizer.ggml.model", "gpt2"))
        return cli_fail(f->path, "tokenizer.ggml.model is not gpt2");
    if (smol_gguf_has(f->gguf, split) && !checkpoint_says(f, split, "gpt-2") &&
        !checkpoint_says(f, split, "gpt2") && !checkpoint_says(f, split, "default"))
        return cli_fail(f->path, "%s is not gpt-2", split);
    return 0;
}

/* Text to number, without what stands for nothing. */
static int read_vocab(json_t **vocab, const struct checkpoint_file *f)
{
    struct smol_gguf_list texts, types = {.n = 0};
    struct smol_span text;
    json_int_t number = 0;

    if (!smol_gguf_list(&texts, f->gguf, "tokenizer.ggml.tokens") || !texts.is_text)
        return cli_fail(f->path, "has no list tokenizer.ggml.tokens");
    smol_gguf_list(&types, f->gguf, "tokenizer.ggml.token_type");
    for (*vocab = json_object(); smol_gguf_next_text(&text, &texts); number++) {
        const char *key = (const char *)text.data;
        double type = 0;
        if (smol_gguf_next_number(&type, &types) && type == TYPE_UNUSED)
            continue;
        if (text.size_bytes && memchr(key, '\0', text.size_bytes))
            return cli_fail(f->path, "token %lld contains a zero byte", (long long)number);
        if (json_object_getn(*vocab, key, text.size_bytes))
            return cli_fail(f->path, "token %lld has the text of another", (long long)number);
        if (json_object_setn_new(*vocab, key, text.size_bytes, json_integer(number)))
            return cli_fail(f->path, "token %lld is not UTF-8", (long long)number);
    }
    return *vocab ? 0 : cli_no_memory(f->path);
}

/* As lines of merges.txt, for free(). A line feed is no letter, and would end a merge. */
static int read_merges(char **lines, size_t *n, const struct checkpoint_file *f)
{
    struct smol_gguf_list texts = {.n = 0};
    struct smol_span text;
    char *to;

    smol_gguf_list(&texts, f->gguf, "tokenizer.ggml.merges");
    to = *lines = malloc(texts.rest.size_bytes + 16); /* a length there is longer than an end */
    if (!to)
        return cli_no_memory(f->path);
    to = strcpy(to, "#version: 0.2\n") + 14;
    while (smol_gguf_next_text(&text, &texts)) {
        if (text.size_bytes == 0 || memchr(text.data, '\n', text.size_bytes) ||
            memchr(text.data, '\r', text.size_bytes))
            return cli_fail(f->path, "a merge is not two tokens");
        memcpy(to, text.data, text.size_bytes);
        to += text.size_bytes;
        *to++ = '\n';
    }
    *n = (size_t)(to - *lines);
    return 0;
}

static int take_bpe(uint8_t **section, struct smol_parts *parts, const struct checkpoint_file *f,
                    const json_t *vocab)
{
    char *text = cli_json_text(vocab, JSON_COMPACT), *merges = NULL;
    size_t n = 0;
    int code = text ? read_merges(&merges, &n, f) : cli_no_memory(f->path);

    if (!code)
        code = take_sources(section, parts,
                            &(struct import_source){f->path, {(const uint8_t *)text, strlen(text)}},
                            &(struct import_source){f->path, {(const uint8_t *)merges, n}});
    free(text);
    free(merges);
    return code;
}

static int take_gguf(uint8_t **section, bool *found, struct smol_parts *parts,
                     const struct checkpoint_file *f)
{
    json_t *vocab = NULL;
    bool is_taken = false;
    int code;

    *found = smol_gguf_has(f->gguf, "tokenizer.ggml.model");
    if (!*found)
        return 0;
    code = check_kind(f);
    if (!code)
        code = read_vocab(&vocab, f);
    if (!code)
        code = take_byte_tokens(&is_taken, section, parts, vocab, f->path);
    if (!code && !is_taken)
        code = take_bpe(section, parts, f, vocab);
    json_decref(vocab);
    return code;
}

int import_tokens(uint8_t **section, bool *found, struct smol_parts *parts,
                  const struct checkpoint *c, const char *path)
{
    *found = true;
    if (path)
        return take_named(section, parts, path);
    return c->files[0].gguf ? take_gguf(section, found, parts, &c->files[0])
                            : take_folder(section, found, parts, c);
}
