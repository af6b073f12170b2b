/* A library without PCRE2 cannot split text for BPE. See split.h. */
#include "base/error.h"
#include "token/split.h"

enum smol_status smol_splitter_create(struct smol_splitter **splitter, struct smol_error *error)
{
    (void)splitter;
    return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                     "the model has BPE tokens, and this library is without PCRE2, which makes "
                     "tokens of text");
}

void smol_splitter_destroy(struct smol_splitter *splitter) { (void)splitter; }

/* There is no splitter to call it with. */
enum smol_status smol_next_piece(struct smol_span *piece, struct smol_pieces *pieces,
                                 struct smol_error *error)
{
    (void)piece, (void)pieces;
    return smol_splitter_create(NULL, error);
}
