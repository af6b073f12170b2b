/* See tokenizer_file.h. */
#include "cli/tokenizer_file.h"
#include "cli/cli.h"
#include "cli/guard.h"

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

#define SET_BYTES 33 /* a bit for each byte, and whether there is a token for others */

/* Returns how many bytes there are. */
static uint32_t find_bytes(uint8_t section[SET_BYTES], struct smol_span text)
{
    bool occurs[256] = {false};
    uint32_t n = 0;

    for (size_t i = 0; i < text.size_bytes; i++)
        occurs[text.data[i]] = true;
    memset(section, 0, SET_BYTES);
    for (unsigned b = 0; b < 256; b++)
        if (occurs[b]) {
            section[b / 8] |= (uint8_t)(1u << b % 8);
            n++;
        }
    return n;
}

enum smol_status tokenizer_of_bytes(uint8_t **section, struct smol_file *tokenizer,
                                    struct smol_span text, bool with_other,
                                    struct smol_error *error)
{
    struct smol_file t = {.config = {.vocab = 256, .tokenizer = SMOL_TOKENIZER_BYTES}};
    uint8_t *bytes = malloc(SET_BYTES);
    uint32_t n;

    if (!bytes)
        return cli_error_memory(error);
    n = find_bytes(bytes, text);
    if (n == 256) {
        free(bytes);
        bytes = NULL;
    } else {
        bytes[SET_BYTES - 1] = with_other;
        t.config.vocab = n + with_other;
        t.config.tokenizer = SMOL_TOKENIZER_BYTE_SET;
        t.tokenizer = (struct smol_span){bytes, SET_BYTES};
    }
    *section = bytes;
    *tokenizer = t;
    return SMOL_OK;
}
