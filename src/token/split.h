/* Text to the pieces that BPE works on, by GPT-2's pattern. SPEC.md 9, steps 2 and 3. */
#ifndef SMOL_SPLIT_H
#define SMOL_SPLIT_H

#include <smol/file.h>

/* The compiled pattern; one thread at a time. */
struct smol_splitter;
enum smol_status smol_splitter_create(struct smol_splitter **splitter, struct smol_error *error);
void smol_splitter_destroy(struct smol_splitter *splitter);

/* Text on its way through a splitter. To begin with, .splitter and .text are set and the rest is
 * 0. */
struct smol_pieces {
    struct smol_splitter *splitter;
    struct smol_span text;
    size_t at, run, run_end; /* of the run that at is in */
    bool is_text;
};

/* The next piece; of no bytes at the end. */
enum smol_status smol_next_piece(struct smol_span *piece, struct smol_pieces *pieces,
                                 struct smol_error *error);

/* Special tokens, to be found in text. */
struct smol_specials {
    uint32_t n;
    bool begins[256]; /* whether one begins with such a byte */
    struct {
        struct smol_span text;
        uint32_t token;
    } sorted[SMOL_MAX_SPECIALS];
};

/* Sorts the first n of specials->sorted, and sets the rest. */
void smol_specials_init(struct smol_specials *specials, uint32_t n);
/* Where the first special in text is, and *which of sorted it is; size_bytes if there is none. */
size_t smol_specials_find(uint32_t *which, const struct smol_specials *specials,
                          const uint8_t *text, size_t size_bytes);

#endif
