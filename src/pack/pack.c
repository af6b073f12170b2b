/* A text to few bytes. SPEC.md 15. */
#include "base/error.h"
#include "base/fpenv.h"
#include "pack/packer.h"

#include <inttypes.h>

/* A text on its way, a symbol at a time. */
struct writing {
    struct smol_packer *p;
    const uint8_t *text;
    size_t size_bytes;
    const uint32_t *tokens; /* (n_units), or NULL: the units are the text's bytes */
    size_t n_units;
    size_t n_pushed;  /* units that the session has, or is about to get */
    size_t n_coded;   /* units that are written */
    size_t n_awaited; /* tokens that the session gets before the next symbol */
    bool is_done;
    struct smol_coder_writer out;
};

/* Checks that tokens stand for the text. */
static enum smol_status check_tokens(const struct writing *w, struct smol_error *error)
{
    const struct smol_alphabet *a = &w->p->alphabet;
    uint8_t memory[SMOL_MAX_TOKEN_BYTES];
    size_t at = 0;

    if (!w->tokens)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "the model's tokens are not bytes: the text's tokens are needed");
    for (size_t i = 0; i < w->n_units; i++) {
        struct smol_span span = {NULL, 0};
        if (w->tokens[i] < a->n_coded && w->tokens[i] != a->end)
            span = smol_token_bytes(memory, w->p->file, w->tokens[i]);
        if (span.size_bytes == 0 || span.size_bytes > w->size_bytes - at ||
            memcmp(w->text + at, span.data, span.size_bytes) != 0)
            return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                             "token %zu, %" PRIu32 ", is not what stands at byte %zu of the text",
                             i, w->tokens[i], at);
        at += span.size_bytes;
    }
    if (at < w->size_bytes)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "the tokens stand for %zu bytes, the text has %zu", at, w->size_bytes);
    return SMOL_OK;
}

static void write_symbol(struct writing *w, uint32_t symbol)
{
    smol_coder_write(&w->out, smol_counts_of(&w->p->counts, symbol));
}

static void write_end(struct writing *w)
{
    write_symbol(w, w->p->alphabet.end);
    if (w->p->has_check)
        smol_coder_write(&w->out, smol_uniform(smol_packer_check(w->text, w->size_bytes), 256));
    smol_coder_end(&w->out);
    w->is_done = true;
}

/* What begins at the next byte, which has no token. */
static void write_escape(struct writing *w)
{
    const uint8_t *text = w->text + w->n_coded;
    struct smol_escape e;
    const size_t n = smol_escape_of(&e, text, w->size_bytes - w->n_coded);

    write_symbol(w, w->p->alphabet.escape);
    smol_coder_write(&w->out, smol_uniform(e.kind, SMOL_N_ESCAPES));
    smol_coder_write(&w->out, smol_uniform(e.value, smol_escape_values[e.kind]));
    for (size_t i = 0; i < n; i++)
        w->n_awaited += smol_alphabet_feeds(&w->p->alphabet, text[i]) != SMOL_NO_SYMBOL;
    w->n_coded += n;
}

/* The next symbol of all. */
static void write_next(struct writing *w)
{
    const uint32_t symbol = w->n_coded == w->n_units ? w->p->alphabet.end
                            : w->tokens              ? w->tokens[w->n_coded]
                                                     : w->p->alphabet.token_of[w->text[w->n_coded]];

    if (w->n_coded == w->n_units)
        write_end(w);
    else if (symbol == SMOL_NO_SYMBOL)
        write_escape(w);
    else {
        write_symbol(w, symbol);
        w->n_coded++;
        w->n_awaited++;
    }
}

/* The session has got n more tokens. */
static void visit(void *arg, const float *logits, uint32_t n)
{
    struct writing *w = arg;

    for (uint32_t i = 0; i < n && !w->is_done; i++, logits += w->p->file->config.vocab) {
        if (--w->n_awaited > 0)
            continue;
        smol_counts_take(&w->p->counts, w->p->session->kernels, logits);
        while (w->n_awaited == 0 && !w->is_done)
            write_next(w);
    }
}

/* Units to the session, as many as it takes at once. */
static void push_units(struct writing *w)
{
    uint32_t room = smol_packer_room(w->p, 0);

    for (; room > 0 && w->n_pushed < w->n_units; w->n_pushed++) {
        const uint32_t token = w->tokens
                                   ? w->tokens[w->n_pushed]
                                   : smol_alphabet_feeds(&w->p->alphabet, w->text[w->n_pushed]);
        if (token == SMOL_NO_SYMBOL)
            continue;
        smol_packer_push(w->p, 0, token);
        room--;
    }
}

/* Writes until all is written, or it is too long. */
static enum smol_status write_text(struct writing *w, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    smol_packer_begin(w->p, 0);
    smol_packer_room(w->p, 0);
    smol_packer_push(w->p, 0, smol_start_token(w->p->file));
    w->n_awaited = 1;
    while (!status && !w->is_done && w->out.n_used <= w->out.capacity_bytes) {
        push_units(w);
        status = smol_packer_feed(w->p, visit, w, error);
    }
    return status;
}

/* The text as it is. */
static size_t write_raw(uint8_t *packed, const struct writing *w)
{
    packed[0] = w->p->has_check;
    memcpy(packed + 1, w->text, w->size_bytes);
    if (w->p->has_check)
        packed[1 + w->size_bytes] = smol_packer_check(w->text, w->size_bytes);
    return 1 + w->size_bytes + w->p->has_check;
}

static enum smol_status pack(size_t *packed_bytes, uint8_t *packed, struct writing *w,
                             struct smol_error *error)
{
    const size_t shorter = w->size_bytes + w->p->has_check; /* than the text as it is */
    enum smol_status status = SMOL_OK;

    if (w->size_bytes > w->p->max_bytes)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "a text of %zu bytes, the packer is for %zu at most", w->size_bytes,
                         w->p->max_bytes);
    if (!w->p->alphabet.is_bytes && (status = check_tokens(w, error)))
        return status;
    if (w->size_bytes == 0) {
        *packed_bytes = 0;
        return SMOL_OK;
    }
    smol_coder_begin(&w->out, w->p->tag, packed, shorter);
    if ((status = write_text(w, error)))
        return status;
    *packed_bytes = w->out.n_used <= shorter ? w->out.n_used : write_raw(packed, w);
    return SMOL_OK;
}

enum smol_status smol_packer_pack(size_t *packed_bytes, void *packed, struct smol_packer *packer,
                                  const void *text, size_t size_bytes, const uint32_t *tokens,
                                  size_t n_tokens, struct smol_error *error)
{
    const bool is_bytes = packer->alphabet.is_bytes;
    struct writing w = {.p = packer,
                        .text = text,
                        .size_bytes = size_bytes,
                        .tokens = is_bytes ? NULL : tokens,
                        .n_units = is_bytes ? size_bytes : n_tokens};
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status : pack(packed_bytes, packed, &w, error));
}
