/* A tokenizer in the files of other programs, for seeds and mutations of vocab. */
#ifndef VOCAB_TEXT_H
#define VOCAB_TEXT_H

#include <smol/tokenizer.h>

/* Which files: two are in one text, with a zero between them. */
enum vocab_kind {
    VOCAB_MERGES,    /* merges.txt; special tokens are lost */
    VOCAB_TWO,       /* vocab.json, merges.txt */
    VOCAB_SWAPPED,   /* merges.txt, vocab.json */
    VOCAB_TOKENIZER, /* tokenizer.json, the special tokens added */
    N_VOCAB_KINDS
};

/* For free(). A tokenizer whose special token has the letters of another token comes out wrong. */
char *vocab_text(size_t *size, const struct smol_file *tokenizer, enum vocab_kind kind);

#endif
