/* See recode.h. */
#include "smoltrain/data/recode.h"

/* One document, which the separators in it split as they did before. */
static enum smol_status recode_part(struct smol_corpus_writer *w, const uint8_t *text, size_t n,
                                    struct smol_error *error)
{
    const enum smol_status status = smol_corpus_writer_document(w, error);

    return status == SMOL_OK ? smol_corpus_writer_text(w, text, n, error) : status;
}

enum smol_status train_recode(struct smol_corpus_writer *w, const struct smol_corpus *c,
                              struct smol_error *error)
{
    const size_t n_train = (size_t)c->n_train, n = (size_t)c->n_tokens;
    enum smol_status status = recode_part(w, c->tokens.data, n_train, error);

    if (status == SMOL_OK && n_train < n)
        status = smol_corpus_writer_validation(w, error);
    if (status == SMOL_OK && n_train < n)
        status = recode_part(w, c->tokens.data + n_train, n - n_train, error);
    return status;
}
