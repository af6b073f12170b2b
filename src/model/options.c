/* A session's options: what may be asked for, and what is chosen where nothing is. */
#include "base/bytes.h"
#include "base/error.h"
#include "model/model.h"

#include <inttypes.h>

#define MAX_BATCH 1024u

/* Positions side by side, unless the caller says how many: each weight is made once for all, and of
 * a wide model they take little memory beside the rest. */
static uint32_t sensible_batch(const struct smol_config *c) { return c->width < 512 ? 64 : 128; }

/* The sizes that the options have had: before is_fixed, before n_texts, and before history. */
static const size_t options_bytes[] = {offsetof(struct smol_session_options, is_fixed),
                                       offsetof(struct smol_session_options, n_texts),
                                       offsetof(struct smol_session_options, history)};

/* The older size that the caller's options have; any of them if they have none. */
static size_t older_bytes(size_t struct_bytes)
{
    for (size_t i = 1; i < sizeof options_bytes / sizeof *options_bytes; i++)
        if (struct_bytes == options_bytes[i])
            return struct_bytes;
    return options_bytes[0];
}

enum smol_status smol_session_resolve(struct smol_session_options *o, const struct smol_file *file,
                                      const struct smol_session_options *asked,
                                      struct smol_error *error)
{
    *o = (struct smol_session_options){.struct_bytes = sizeof *o};
    if (!smol_file_is_whole(file))
        return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                         "is a delta, which runs only with the files that it changes");
    if (asked && smol_take_struct(o, sizeof *o, older_bytes(asked->struct_bytes), asked,
                                  "smol_session_options", error))
        return SMOL_E_ARGUMENT;
    if (o->context > file->config.context)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "context %" PRIu32 " is over the model's %" PRIu32, o->context,
                         file->config.context);
    if (o->n_threads > SMOL_MAX_THREADS)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "%" PRIu32 " threads, allowed are 1..%u", o->n_threads, SMOL_MAX_THREADS);
    if (o->n_texts > SMOL_MAX_TEXTS)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "%llu texts side by side, allowed are 1..%u",
                         (unsigned long long)o->n_texts, SMOL_MAX_TEXTS);
    if (o->history > SMOL_HISTORY_TOKENS)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a history of %llu tokens, allowed are 1..%u",
                         (unsigned long long)o->history, SMOL_HISTORY_TOKENS);
    if (o->batch > MAX_BATCH)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "batch %" PRIu32 ", allowed are 1..%u", o->batch, MAX_BATCH);
    if (!smol_dtype_holds(o->kv_type, SMOL_OF_KV))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "number type %d cannot hold a KV cache", (int)o->kv_type);
    if (!smol_kernels_select(o->isa))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "this machine lacks the instruction set asked for");
    o->context = o->context ? o->context : file->config.context;
    o->n_threads = o->n_threads ? o->n_threads : 1;
    o->batch = o->batch ? o->batch : sensible_batch(&file->config);
    o->n_texts = o->n_texts ? o->n_texts : 1;
    o->history = o->history ? o->history : SMOL_HISTORY_TOKENS;
    o->batch = o->batch < o->n_texts * o->context ? o->batch : (uint32_t)o->n_texts * o->context;
    return SMOL_OK;
}
