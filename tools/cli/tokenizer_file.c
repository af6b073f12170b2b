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
