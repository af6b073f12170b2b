/* A session: its options, and feeding it tokens. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/fft.h"
#include "base/fpenv.h"
#include "model/model.h"

#include <inttypes.h>
#include <math.h>

#define DEFAULT_BATCH 64u
#define MAX_BATCH 1024u
#define OPTIONS_BYTES_1_0 offsetof(struct smol_session_options, is_fixed) /* before is_fixed */

static enum smol_status resolve_options(struct smol_session_options *o,
                                        const struct smol_file *file,
                                        const struct smol_session_options *asked,
                                        struct smol_error *error)
{
    *o = (struct smol_session_options){.struct_bytes = sizeof *o};
    if (!smol_file_is_whole(file))
        return smol_fail(error, SMOL_E_BASE, SMOL_NO_OFFSET,
                         "is a delta, which runs only with the files that it changes");
    if (asked &&
        smol_take_struct(o, sizeof *o, OPTIONS_BYTES_1_0, asked, "smol_session_options", error))
        return SMOL_E_ARGUMENT;
    if (o->context > file->config.context)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "context %" PRIu32 " is over the model's %" PRIu32, o->context,
                         file->config.context);
    if (o->n_threads > SMOL_MAX_THREADS)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "%" PRIu32 " threads, allowed are 1..%u", o->n_threads, SMOL_MAX_THREADS);
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
    o->batch = o->batch ? o->batch : DEFAULT_BATCH;
    o->batch = o->batch < o->context ? o->batch : o->context;
    return SMOL_OK;
}

static void free_transforms(struct smol_fft *const *ffts)
{
    for (uint32_t i = 0; i < SMOL_N_BLOCK_SIZES; i++)
        smol_fft_free(ffts[i]);
}

/* One transform for each size that a projection has that is not there yet; SPEC.md 5.8. On failure
 * they are all gone. */
static enum smol_status plan_transforms(struct smol_fft **ffts, const struct smol_config *c,
                                        struct smol_error *error)
{
    for (uint32_t i = 0; i < c->n_schemes; i++) {
        const struct smol_scheme *s = &c->schemes[i];
        const uint32_t size = smol_projection_size(s->dimensions), at = smol_block_size_index(size);
        enum smol_status status;

        if (!smol_scheme_is_fourier(s) || ffts[at])
            continue;
        if ((status = smol_fft_plan(&ffts[at], size, error)) != SMOL_OK) {
            free_transforms(ffts);
            return status;
        }
    }
    return SMOL_OK;
}

/* The options without zeros, and the size of such a session. */
static enum smol_status plan(struct smol_session_options *out, size_t *size_bytes,
                             const struct smol_file *file,
                             const struct smol_session_options *options, struct smol_error *error)
{
    struct smol_session_options o;
    struct smol_session counting;
    struct smol_fft *none[SMOL_N_BLOCK_SIZES] = {NULL};
    struct smol_arena arena = {NULL, 0};
    const enum smol_status status = resolve_options(&o, file, options, error);

    if (status)
        return status;
    smol_session_lay_out(&counting, file, &o, none, &arena);
    if (arena.used > SIZE_MAX / 2)
        return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
                         "a session of this model does not fit this machine");
    if (o.memory_bytes && arena.used > o.memory_bytes)
        return smol_fail(
            error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
            "a session with a context of %" PRIu32 " takes %llu bytes, allowed are %llu", o.context,
            (unsigned long long)arena.used, (unsigned long long)o.memory_bytes);
    *out = o;
    *size_bytes = (size_t)arena.used;
    return SMOL_OK;
}

enum smol_status smol_session_size(size_t *size_bytes, const struct smol_file *file,
                                   const struct smol_session_options *options,
                                   struct smol_error *error)
{
    struct smol_session_options resolved;

    return plan(&resolved, size_bytes, file, options, error);
}

static enum smol_status init(struct smol_session **session, const struct smol_file *file,
                             const struct smol_session_options *options, void *memory,
                             size_t size_bytes, struct smol_error *error)
{
    struct smol_arena arena = {memory, 0};
    struct smol_session *s = memory;
    struct smol_fft *ffts[SMOL_N_BLOCK_SIZES] = {NULL};
    struct smol_session_options o;
    struct mixture mixture;
    size_t needed;
    enum smol_status status = plan(&o, &needed, file, options, error);

    if (status)
        return status;
    if (size_bytes < needed || (uintptr_t)memory % 64 != 0)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a session needs %zu bytes, aligned to 64; %zu were given", needed,
                         size_bytes);
    smol_mixture_of(&mixture, file);
    for (uint32_t i = 0; i < mixture.n_parts; i++)
        if ((status = plan_transforms(ffts, &mixture.files[i]->config, error)))
            return status;
    smol_session_lay_out(s, file, &o, ffts, &arena);
    if (!smol_pool_start(s->pool, o.n_threads)) {
        free_transforms(ffts);
        return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET, "cannot start %" PRIu32 " threads",
                         o.n_threads);
    }
    smol_weight_cache_fill(s);
    *session = s;
    return SMOL_OK;
}

enum smol_status smol_session_init(struct smol_session **session, const struct smol_file *file,
                                   const struct smol_session_options *options, void *memory,
                                   size_t size_bytes, struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status
                                        : init(session, file, options, memory, size_bytes, error));
}

void smol_session_finish(struct smol_session *session)
{
    if (!session)
        return;
    smol_pool_stop(session->pool);
    free_transforms(session->ffts);
}

static enum smol_status check_tokens(const struct smol_session *s, const uint32_t *tokens, size_t n,
                                     struct smol_error *error)
{
    if (!s->slides && n > s->context - s->position)
        return smol_fail(error, SMOL_E_CONTEXT, SMOL_NO_OFFSET,
                         "%zu tokens after %" PRIu32 " do not fit the context of %" PRIu32, n,
                         s->position, s->context);
    for (size_t i = 0; i < n; i++)
        if (tokens[i] >= s->config->vocab)
            return smol_fail(error, SMOL_E_TOKEN, SMOL_NO_OFFSET,
                             "token %" PRIu32 " is beyond the vocabulary of %" PRIu32, tokens[i],
                             s->config->vocab);
    return SMOL_OK;
}

/* The loss of predicting target from logits (V). SPEC.md 11. The logarithm, from libm, is the one
 * step that is not bound to a bit. */
static double loss(const struct smol_session *s, const float *logits, uint32_t target)
{
    const size_t V = s->config->vocab;
    float max = logits[0], e;
    double sum = 0;

    for (size_t v = 1; v < V; v++)
        max = logits[v] > max ? logits[v] : max;
    for (size_t v = 0; v < V; v++) {
        const float d = logits[v] - max;
        s->kernels->exp(&e, &d, 1);
        sum += (double)e;
    }
    return log(sum) + (double)max - (double)logits[target];
}

/* A batch of n positions is in the cache. */
static void count(struct smol_session *s, uint32_t n)
{
    s->held += n;
    s->position = n < UINT32_MAX - s->position ? s->position + n : UINT32_MAX;
}

/* Appends n tokens, a batch at a time; visit, if not NULL, gets the logits from token `first` on.
 */
static enum smol_status run(struct smol_session *s, const uint32_t *tokens, size_t n, size_t first,
                            smol_session_visit *visit, void *arg, struct smol_error *error)
{
    const uint32_t start = s->position;
    bool overflows = false;

    for (size_t i = 0; i < n; i++) {
        const size_t p = i % s->batch, left = n - i;
        if (p == 0)
            smol_forward(s, tokens + i, (uint32_t)(left < s->batch ? left : s->batch));
        if ((visit && i >= first) || left == 1)
            smol_head(s, s->logits, (uint32_t)p);
        overflows = smol_overflowed(s) || overflows;
        if (visit && i >= first && !overflows)
            visit(arg, s->logits);
        if (p + 1 < s->batch && left > 1)
            continue;
        count(s, (uint32_t)p + 1);
        if (overflows) {
            smol_session_rewind(s, s->position == UINT32_MAX ? 0 : start);
            return smol_fail(error, SMOL_E_NUMERIC, SMOL_NO_OFFSET, "the model's values overflow");
        }
    }
    s->has_logits = s->has_logits || n > 0;
    return SMOL_OK;
}

enum smol_status smol_session_feed_each(struct smol_session *session, const uint32_t *tokens,
                                        size_t n, size_t first, smol_session_visit *visit,
                                        void *arg, struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = check_tokens(session, tokens, n, error);

    if (status)
        return status;
    status = smol_fpenv_set(&host, error);
    return smol_fpenv_end(&host,
                          status ? status : run(session, tokens, n, first, visit, arg, error));
}

enum smol_status smol_session_feed(struct smol_session *session, const uint32_t *tokens, size_t n,
                                   struct smol_error *error)
{
    return smol_session_feed_each(session, tokens, n, 0, NULL, NULL, error);
}

/* Losses to be had of the tokens that are appended. */
struct scoring {
    const struct smol_session *session;
    double *nats;            /* of the next */
    const uint32_t *targets; /* from the next on */
};

static void score(void *arg, const float *logits)
{
    struct scoring *scoring = arg;

    *scoring->nats++ = loss(scoring->session, logits, *scoring->targets++);
}

enum smol_status smol_session_score(struct smol_session *session, double *nats,
                                    const uint32_t *tokens, const uint32_t *targets, size_t n,
                                    struct smol_error *error)
{
    struct scoring scoring = {session, nats, targets};
    const enum smol_status status = check_tokens(session, tokens, n, error);

    if (status)
        return status;
    for (size_t i = 0; i < n; i++)
        if (targets[i] >= session->config->vocab)
            return smol_fail(error, SMOL_E_TOKEN, SMOL_NO_OFFSET,
                             "target %" PRIu32 " is beyond the vocabulary of %" PRIu32, targets[i],
                             session->config->vocab);
    return smol_session_feed_each(session, tokens, n, 0, score, &scoring, error);
}

const float *smol_session_logits(const struct smol_session *session)
{
    return session->has_logits ? session->logits : NULL;
}

uint32_t smol_session_position(const struct smol_session *session) { return session->position; }

uint32_t smol_session_context(const struct smol_session *session) { return session->context; }

bool smol_session_slides(const struct smol_session *session) { return session->slides; }

/* Whether what a position needs is still there: the rows that it sees and, with a half-shift, the
 * inputs of the one before. */
static bool can_rewind(const struct smol_session *s, uint32_t position)
{
    const uint32_t dropped = s->position - position;

    if (position == s->position || s->position == UINT32_MAX)
        return position == s->position;
    return !smol_config_has(s->config, SMOL_FEATURE_HALF_SHIFT) && dropped <= s->held &&
           (s->held == s->position || s->held - dropped >= s->context - 1);
}

uint32_t smol_session_rewind(struct smol_session *session, uint32_t position)
{
    const bool is_there = can_rewind(session, position);

    session->held = is_there ? session->held - (session->position - position) : 0;
    session->position = is_there ? position : 0;
    session->has_logits = false;
    return session->position;
}
