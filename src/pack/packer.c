/* A packer: its memory, and feeding its session. SPEC.md 15. */
#include "pack/packer.h"

#include "base/error.h"

#include <inttypes.h>
#include <xxhash.h>

#define MAX_VOCAB (1u << 20)
#define N_TAGS 15u

static enum smol_status resolve_options(struct smol_pack_options *o,
                                        const struct smol_pack_options *asked,
                                        const struct smol_file *file, struct smol_error *error)
{
    *o = (struct smol_pack_options){.struct_bytes = sizeof *o};
    if (asked && smol_take_struct(o, sizeof *o, offsetof(struct smol_pack_options, n_texts), asked,
                                  "smol_pack_options", error))
        return SMOL_E_ARGUMENT;
    if (o->n_texts > SMOL_PACKER_MAX_TEXTS)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "at most %u texts side by side",
                         SMOL_PACKER_MAX_TEXTS);
    if (file->config.vocab > MAX_VOCAB)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a model of %" PRIu32 " tokens does not pack, the most are %u",
                         file->config.vocab, MAX_VOCAB);
    return SMOL_OK;
}

static uint32_t n_texts(const struct smol_pack_options *o)
{
    return o->n_texts ? (uint32_t)o->n_texts : 1;
}

/* Texts that never fill the context need no more of it than their tokens, of which there are at
 * most as many as bytes, and the one before them; nor of a history. */
static struct smol_session_options session_options(const struct smol_pack_options *o,
                                                   const struct smol_file *file)
{
    const bool is_short = o->max_bytes && o->max_bytes < file->config.context,
               has_less = o->max_bytes && o->max_bytes < SMOL_HISTORY_TOKENS;

    return (struct smol_session_options){.struct_bytes = sizeof(struct smol_session_options),
                                         .context = is_short ? (uint32_t)o->max_bytes + 1 : 0,
                                         .n_threads = o->n_threads,
                                         .batch = o->batch,
                                         .isa = o->isa,
                                         .is_fixed = is_short,
                                         .n_texts = o->n_texts,
                                         .history = has_less ? o->max_bytes + 1 : 0};
}

/* Lays a packer of n_texts out in the arena, and returns where its session is; with no memory
 * behind it, only counts. */
static void *place(struct smol_packer *p, const struct smol_file *file, size_t session_bytes,
                   struct smol_arena *arena)
{
    void *session;

    smol_arena_take(arena, 1, sizeof *p); /* the packer, at the arena's start */
    p->counts.of_token = smol_arena_take(arena, file->config.vocab, sizeof *p->counts.of_token);
    p->texts = smol_arena_take(arena, p->n_texts, sizeof *p->texts);
    for (uint32_t t = 0; t < p->n_texts; t++) {
        uint32_t *tokens = smol_arena_take(arena, file->config.context, sizeof *tokens);
        if (p->texts)
            p->texts[t] = (struct smol_packer_text){.tokens = tokens};
    }
    session = smol_arena_take(arena, session_bytes, 1);
    return session;
}

enum smol_status smol_packer_size(size_t *size_bytes, const struct smol_file *file,
                                  const struct smol_pack_options *options, struct smol_error *error)
{
    struct smol_session_options session;
    struct smol_pack_options o;
    struct smol_packer counting;
    struct smol_arena arena = {NULL, 0};
    size_t session_bytes;
    enum smol_status status = resolve_options(&o, options, file, error);

    if (status)
        return status;
    session = session_options(&o, file);
    if ((status = smol_session_size(&session_bytes, file, &session, error)))
        return status;
    counting.n_texts = n_texts(&o);
    place(&counting, file, session_bytes, &arena);
    if (arena.used > SIZE_MAX / 2)
        return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
                         "a packer of this model does not fit this machine");
    *size_bytes = (size_t)arena.used;
    return SMOL_OK;
}

enum smol_status smol_packer_init(struct smol_packer **packer, const struct smol_file *file,
                                  const struct smol_pack_options *options, void *memory,
                                  size_t size_bytes, struct smol_error *error)
{
    struct smol_session_options session;
    struct smol_pack_options o;
    struct smol_arena arena = {memory, 0};
    struct smol_packer *p = memory;
    size_t needed, session_bytes;
    void *session_at;
    enum smol_status status;

    if ((status = smol_packer_size(&needed, file, options, error)) ||
        (status = resolve_options(&o, options, file, error)))
        return status;
    session = session_options(&o, file);
    if ((status = smol_session_size(&session_bytes, file, &session, error)))
        return status;
    if (size_bytes < needed || (uintptr_t)memory % 64 != 0)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a packer needs %zu bytes, aligned to 64; %zu were given", needed,
                         size_bytes);
    *p = (struct smol_packer){.file = file,
                              .tag = 1 + (uint32_t)(smol_le64(file->hash) % N_TAGS),
                              .has_check = o.has_check,
                              .max_bytes = o.max_bytes ? o.max_bytes : SIZE_MAX,
                              .n_texts = n_texts(&o)};
    session_at = place(p, file, session_bytes, &arena);
    smol_alphabet_init(&p->alphabet, file);
    p->counts.alphabet = &p->alphabet;
    if ((status = smol_session_init(&p->session, file, &session, session_at, session_bytes, error)))
        return status;
    *packer = p;
    return SMOL_OK;
}

void smol_packer_finish(struct smol_packer *packer)
{
    if (packer)
        smol_session_finish(packer->session);
}

void smol_packer_begin(struct smol_packer *p, uint32_t t)
{
    struct smol_packer_text *text = &p->texts[t];

    smol_session_rewind_text(p->session, t, 0);
    text->n_fed = text->n_held = text->n_new = 0;
}

/* When all positions are taken, half of the tokens go in again, the next one among them. */
static void turn(struct smol_packer *p, uint32_t t)
{
    struct smol_packer_text *text = &p->texts[t];
    const uint32_t T = p->session->context, half = T / 2 ? T / 2 : 1;

    memmove(text->tokens, text->tokens + text->n_held - (half - 1),
            (half - 1) * sizeof *text->tokens);
    smol_session_rewind_text(p->session, t, 0);
    text->n_fed = 0;
    text->n_held = half - 1;
}

uint32_t smol_packer_room(struct smol_packer *p, uint32_t t)
{
    const uint32_t T = p->session->context, P = p->session->batch;
    const struct smol_packer_text *text = &p->texts[t];

    if (p->session->slides)
        return P - text->n_new;
    if (text->n_held == T)
        turn(p, t);
    return (T - text->n_held < P ? T - text->n_held : P) - text->n_new;
}

void smol_packer_push(struct smol_packer *p, uint32_t t, uint32_t token)
{
    struct smol_packer_text *text = &p->texts[t];

    text->tokens[text->n_held + text->n_new++] = token;
}

void smol_packer_count_fed(const struct smol_packer *p, struct smol_packer_text *text)
{
    text->n_held = p->session->slides ? 0 : text->n_held + text->n_new;
    text->n_fed = text->n_held;
    text->n_new = 0;
}

enum smol_status smol_packer_feed(struct smol_packer *p, smol_session_visit *visit, void *arg,
                                  struct smol_error *error)
{
    struct smol_packer_text *text = &p->texts[0];
    const uint32_t n_again = text->n_held - text->n_fed;
    const enum smol_status status = smol_session_feed_each(
        p->session, text->tokens + text->n_fed, n_again + text->n_new, n_again, visit, arg, error);

    if (!status)
        smol_packer_count_fed(p, text);
    return status;
}

uint8_t smol_packer_check(const void *text, size_t size_bytes)
{
    return (uint8_t)XXH3_64bits(text, size_bytes);
}
