/* The options of a session that programs share. */
#include "cli/session_args.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void session_args_table(struct poptOption options[SESSION_OPTIONS], struct session_words *w)
{
    const struct poptOption table[SESSION_OPTIONS] = {
        CLI_WORD("isa", 0, &w->isa, "best (default), scalar, avx2, avx512, neon", "NAME"),
        CLI_WORD("kv", 0, &w->kv, "f32 (default); f16, q8: smaller KV, other text", "TYPE"),
        CLI_FLAG("fast", 0, &w->is_fast, "approximate products, which may change the text"),
        CLI_FLAG("windows", 0, &w->is_fixed, "a context that does not slide, in any model"),
        CLI_WORD("history", 0, &w->history, "tokens of its history, 0: none (default: all)", "N"),
        CLI_WORD("mem", 0, &w->mem, "memory limit (none), 64M; the rest holds weights", "SIZE"),
        CLI_COUNT("batch-size", 'b', &w->batch, "prompt tokens in a batch (64, or 128 if wide)",
                  "N"),
        POPT_TABLEEND,
    };

    memcpy(options, table, sizeof table);
}

/* A session's history of 1 token is none. */
static int check_history(struct smol_session_options *options, const char *word)
{
    if (!word)
        return 0;
    if (!cli_parse_u64(&options->history, word) || options->history > SMOL_HISTORY_TOKENS)
        return cli_usage_error("--history", "takes 0 (none) to 65536 tokens");
    options->history = options->history ? options->history : 1;
    return 0;
}

int session_args_check(struct smol_session_options *options, const struct session_words *w)
{
    options->kv_type = SMOL_F32;
    if (w->kv && !smol_dtype_parse(&options->kv_type, w->kv, SMOL_OF_KV))
        return cli_usage_error("--kv", "takes f32, f16 or q8");
    options->struct_bytes = sizeof *options;
    options->batch = (uint32_t)w->batch;
    options->is_fast = w->is_fast != 0;
    options->is_fixed = w->is_fixed != 0;
    if (w->mem && !cli_parse_size(&options->memory_bytes, w->mem))
        return cli_usage_error("--mem", "takes a size such as 500K, 64M or 2G");
    return check_history(options, w->history) || cli_parse_isa(&options->isa, w->isa) ? CLI_USAGE
                                                                                      : 0;
}

enum smol_status session_args_budget(struct smol_session_options *options,
                                     const struct smol_file *file, struct smol_error *error)
{
    struct smol_session_options unlimited = *options;
    char least[32], allowed[32];
    enum smol_status status;
    uint64_t needed;
    size_t size;

    if (options->history > 1 && !smol_config_history(&file->config))
        return cli_error(error, SMOL_E_ARGUMENT,
                         "has no history; --history %llu is for a model that has one",
                         (unsigned long long)options->history);
    unlimited.memory_bytes = 0;
    if ((status = session_args_memory(&needed, &size, &unlimited, file, error)) ||
        !options->memory_bytes)
        return status;
    if (options->memory_bytes < needed)
        return cli_error(error, SMOL_E_MEMORY,
                         "needs %s with this context, but --mem allows %s; a smaller --ctx-size%s "
                         "--kv q8 needs less",
                         cli_size(least, needed), cli_size(allowed, options->memory_bytes),
                         smol_config_history(&file->config) ? ", --history N or" : " or");
    options->memory_bytes -= needed - size;
    return SMOL_OK;
}

uint32_t session_args_history(const struct smol_session_options *options,
                              const struct smol_config *config)
{
    const uint64_t n = options->history ? options->history : SMOL_HISTORY_TOKENS;

    return smol_config_history(config) && n > 1 ? (uint32_t)n : 0;
}

/* With the parts of a delta, if they are joined. */
static uint64_t files_bytes(const struct smol_file *file)
{
    uint64_t sum = file->bytes.size_bytes;

    for (uint32_t i = 0; i < file->n_models + file->n_deltas; i++)
        sum += file->parts[i].file ? file->parts[i].file->bytes.size_bytes : 0;
    return sum;
}

enum smol_status session_args_memory(uint64_t *bytes, size_t *session_bytes,
                                     const struct smol_session_options *options,
                                     const struct smol_file *file, struct smol_error *error)
{
    enum smol_status status = smol_session_size(session_bytes, file, options, error);

    *bytes = status ? 0 : files_bytes(file) + *session_bytes + PROGRAM_BYTES;
    return status;
}
