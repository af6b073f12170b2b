/* See tokenizer_file.h. */
#include "cli/tokenizer_file.h"
#include "cli/cli.h"
#include "cli/guard.h"

#include <inttypes.h>
#include <smol/tokenizer.h>
#include <stdlib.h>
#include <string.h>

bool tokenizer_is_model(struct smol_span bytes)
{
    return bytes.size_bytes >= 5 && memcmp(bytes.data, "\x89SMOL", 5) == 0;
}

enum smol_status tokenizer_open(struct smol_mapping *mapping, struct smol_file *file,
                                const char *path, struct smol_error *error)
{
    struct smol_mapping m;
    enum smol_status status = cli_map(&m, path, error);

    if (status)
        return status;
    if (tokenizer_is_model(m.bytes))
        status = cli_check_model(file, m.bytes, cli_cores(), error);
    else
        status = smol_tokenizer_parse(file, m.bytes.data, m.bytes.size_bytes, error);
    if (!status && !smol_file_is_whole(file))
        status =
            cli_error(error, SMOL_E_BASE, "is a delta, whose tokens are its model's: name that");
    if (status)
        cli_unmap(&m);
    else
        *mapping = m;
    return status;
}

enum smol_status tokenizer_load(uint8_t **section, struct smol_file *tokenizer, const char *path,
                                struct smol_error *error)
{
    struct smol_mapping mapping;
    struct smol_file file, t = {0};
    uint8_t *copy = NULL;
    enum smol_status status = tokenizer_open(&mapping, &file, path, error);

    if (status)
        return status;
    t.config.vocab = file.config.vocab;
    t.config.tokenizer = file.config.tokenizer;
    t.tokenizer.size_bytes = file.tokenizer.size_bytes;
    if (file.tokenizer.size_bytes && !(copy = malloc(file.tokenizer.size_bytes))) {
        status = cli_error_memory(error);
    } else {
        if (copy)
            memcpy(copy, file.tokenizer.data, file.tokenizer.size_bytes);
        t.tokenizer.data = copy;
        status = smol_mapping_check(&mapping, error);
    }
    cli_unmap(&mapping);
    if (status) {
        free(copy);
        return status;
    }
    *section = copy;
    *tokenizer = t;
    return SMOL_OK;
}

/* ---- sets of bytes, SPEC.md 3.4 ---- */

/* How often each byte occurs. Ends of text that are left out count as none. */
static void count_bytes(uint64_t count[256], struct smol_span text, bool without_ends)
{
    static const char end[] = SMOL_END_OF_TEXT;

    memset(count, 0, 256 * sizeof *count);
    for (size_t i = 0; i < text.size_bytes; i++)
        if (without_ends && text.data[i] == end[0] && text.size_bytes - i >= sizeof end - 1 &&
            memcmp(text.data + i, end, sizeof end - 1) == 0)
            i += sizeof end - 2;
        else
            count[text.data[i]]++;
}

/* Returns how many bytes occur often enough. */
static uint32_t find_bytes(uint8_t section[BYTE_SET_BYTES], struct smol_span text,
                           const struct tokenizer_of *of)
{
    const uint64_t least = of->least > 0 ? of->least : 1;
    uint64_t count[256];
    uint32_t n = 0;

    count_bytes(count, text, of->with_end);
    memset(section, 0, BYTE_SET_BYTES);
    for (unsigned b = 0; b < 256; b++)
        if (count[b] >= least) {
            section[b / 8] |= (uint8_t)(1u << b % 8);
            n++;
        }
    return n;
}

enum smol_status tokenizer_of_bytes(uint8_t **section, struct smol_file *tokenizer,
                                    struct smol_span text, const struct tokenizer_of *of,
                                    struct smol_error *error)
{
    struct smol_file t = {.config = {.vocab = 256, .tokenizer = SMOL_TOKENIZER_BYTES}};
    uint8_t *bytes = malloc(BYTE_SET_BYTES);
    bool has_other;
    uint32_t n;

    if (!bytes)
        return cli_error_memory(error);
    n = find_bytes(bytes, text, of);
    has_other = of->with_other && n < 256;
    if (n == 0) {
        free(bytes);
        return of->least > 1 ? cli_error(error, SMOL_E_TEXT,
                                         "no byte of the text occurs %" PRIu32 " times", of->least)
                             : cli_error(error, SMOL_E_TEXT, "there is nothing but ends of text");
    }
    if (n == 256 && !of->with_end) {
        free(bytes);
        bytes = NULL;
    } else {
        bytes[BYTE_SET_BYTES - 1] =
            (uint8_t)((has_other ? BYTE_SET_OTHER : 0) | (of->with_end ? BYTE_SET_END : 0));
        t.config.vocab = n + has_other + of->with_end;
        t.config.tokenizer = SMOL_TOKENIZER_BYTE_SET;
        t.tokenizer = (struct smol_span){bytes, BYTE_SET_BYTES};
    }
    *section = bytes;
    *tokenizer = t;
    return SMOL_OK;
}
