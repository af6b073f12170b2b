/* Windows made of documents: each holds as many whole ones as fit, side by side. */
#ifndef SMOL_TRAIN_DOCUMENTS_H
#define SMOL_TRAIN_DOCUMENTS_H

#include <smol/corpus.h>
#include <stdbool.h>

/* Tokens of a corpus as one row of positions: the end of text, first..end - 1, and the end of text
 * once more if those do not end with it. So each document stands between two, and all positions but
 * the last have one to predict. */
struct smol_document_text {
    const struct smol_corpus *corpus;
    uint64_t first, end;
    uint32_t end_token;
};
uint32_t smol_document_token(const struct smol_document_text *text, uint64_t position);

/* Positions of one document in a window. */
struct smol_piece {
    uint64_t at;
    uint32_t n;
    bool is_middle; /* of a document that is longer than the window, all of which it takes */
};

struct smol_document_windows {
    struct smol_document_text text;
    struct smol_piece *pieces; /* by window */
    uint64_t *first;           /* (n_windows + 1) of each window's pieces */
    uint64_t n_windows, n_pieces;
};

/* Packs documents into windows of context positions: the longest first, each where the least room
 * is left (best fit). One that is longer is cut. Empty ones are left out. key: of the order among
 * those of one length. Errors: ARGUMENT if there is no document; MEMORY. */
enum smol_status smol_document_windows_create(struct smol_document_windows *windows,
                                              const struct smol_document_text *text,
                                              uint32_t context, const uint8_t key[32],
                                              struct smol_error *error);
/* Accepts what is all zeros. */
void smol_document_windows_destroy(struct smol_document_windows *windows);

/* The first token from which on a document begins, not after `at`, or else the first after it. 0 if
 * there is none but the first one. */
uint64_t smol_document_start(const struct smol_document_text *text, uint64_t at);

#endif
