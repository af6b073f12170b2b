/* Several packed texts at a time, whose tokens a session multiplies together. SPEC.md 15. */
#include "base/fpenv.h"
#include "pack/reading.h"

/* The tokens of a text that have to be fed once more, but for those that were pushed. */
static enum smol_status feed_again(struct smol_packer *p, uint32_t t, struct smol_error *error)
{
    struct smol_packer_text *text = &p->texts[t];
    uint32_t same[SMOL_PACKER_MAX_TEXTS];
    enum smol_status status = SMOL_OK;

    for (uint32_t i = 0; i < SMOL_PACKER_MAX_TEXTS; i++)
        same[i] = t;
    while (!status && text->n_fed < text->n_held) {
        const uint32_t left = text->n_held - text->n_fed,
                       n = left < SMOL_PACKER_MAX_TEXTS ? left : SMOL_PACKER_MAX_TEXTS;
        status = smol_session_feed_texts(p->session, same, text->tokens + text->n_fed, n, error);
        text->n_fed += n;
    }
    return status;
}

/* Feeds the token that was pushed to each text, if one was. */
static enum smol_status feed_texts(struct smol_packer *p, struct smol_error *error)
{
    uint32_t texts[SMOL_PACKER_MAX_TEXTS] = {0}, tokens[SMOL_PACKER_MAX_TEXTS] = {0}, n = 0;
    enum smol_status status = SMOL_OK;

    for (uint32_t t = 0; t < p->n_texts && !status; t++) {
        const struct smol_packer_text *text = &p->texts[t];
        if (!text->n_new)
            continue;
        status = feed_again(p, t, error);
        texts[n] = t;
        tokens[n++] = text->tokens[text->n_held];
    }
    if (!status)
        status = smol_session_feed_texts(p->session, texts, tokens, n, error);
    for (uint32_t i = 0; i < n && !status; i++)
        smol_packer_count_fed(p, &p->texts[texts[i]]);
    return status;
}

/* A text on its way, and whose it is; NULL: nobody's. */
struct slot {
    struct smol_reading reading;
    struct smol_packed_text *of;
};

/* Texts from *next on, until one has symbols; and that one's next token, or the present one's. */
static void advance_slot(struct slot *slot, struct smol_packer *p, uint32_t t,
                         struct smol_packed_text *texts, size_t n, size_t *next)
{
    while (slot->of || *next < n) {
        struct smol_packed_text *of = slot->of;
        if (!of) {
            of = slot->of = &texts[(*next)++];
            slot->reading = smol_reading_of(p, t, of->text, of->capacity_bytes);
            of->status =
                smol_reading_begin(&slot->reading, of->packed, of->packed_bytes, &of->error);
        }
        if (!of->status)
            of->status = smol_reading_advance(&slot->reading, &of->error);
        if (!of->status && !slot->reading.is_done)
            return;
        of->size_bytes = slot->reading.size_bytes;
        slot->of = NULL;
    }
}

static enum smol_status unpack_texts(struct smol_packer *p, struct smol_packed_text *texts,
                                     size_t n, struct smol_error *error)
{
    struct slot slots[SMOL_PACKER_MAX_TEXTS] = {0};
    size_t next = 0;
    bool any = true;

    for (uint32_t t = 0; t < p->n_texts; t++)
        smol_packer_begin(p, t);
    while (any) {
        enum smol_status status;
        any = false;
        for (uint32_t t = 0; t < p->n_texts; t++) {
            advance_slot(&slots[t], p, t, texts, n, &next);
            any = any || slots[t].of;
        }
        if (any && (status = feed_texts(p, error)))
            return status;
    }
    return SMOL_OK;
}

enum smol_status smol_packer_unpack_texts(struct smol_packer *packer,
                                          struct smol_packed_text *texts, size_t n,
                                          struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status : unpack_texts(packer, texts, n, error));
}
