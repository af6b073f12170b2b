/* See tokens_of.h. */
#include "smoltool/import/tokens_of.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/tokenizer_file.h"
#include "smoltool/import/tokens.h"

#include <smol/tokenizer.h>

#include <stdlib.h>

/* A tokenizer that some file had, whose path is for messages. */
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

int import_tokens(uint8_t **section, struct smol_parts *parts, const struct checkpoint *c,
                  const char *path)
{
    char *first = NULL, *second = NULL;
    int code = 0;

    if (path)
        return take_named(section, parts, path);
    if (checkpoint_has(&first, c, "tokenizer.json"))
        code = take_files(section, parts, first, NULL);
    else if (checkpoint_has(&first, c, "vocab.json") && checkpoint_has(&second, c, "merges.txt"))
        code = take_files(section, parts, first, second);
    else if (parts->config.vocab != 256)
        cli_tell(c->folder, "has no tokenizer, so tokens are bytes; --tokenizer names one");
    free(first);
    free(second);
    return code;
}
