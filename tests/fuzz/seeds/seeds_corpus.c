/* The seeds of corpus: text in tokens of one, two and four bytes. */
#include "fuzz.h"

#include <smol/corpus.h>

#include <stdlib.h>
#include <string.h>

/* Documents of a training and a validation file. */
static uint8_t *make(size_t *size, uint32_t vocab, const char *train, const char *validation)
{
    const struct smol_file tokenizer = {.config.vocab = vocab};
    const struct smol_corpus_source sources[] = {{"train.txt", strlen(train), 1, 2, false},
                                                 {"v/\xc3\xa9", strlen(validation), 3, 4, true}};
    struct smol_corpus_writer *w;
    uint8_t *bytes;

    fuzz_require(smol_corpus_writer_open(&w, &tokenizer, NULL, NULL) == SMOL_OK &&
                 smol_corpus_writer_document(w, NULL) == SMOL_OK);
    fuzz_require(smol_corpus_writer_text(w, (const uint8_t *)train, strlen(train), NULL) ==
                 SMOL_OK);
    fuzz_require(smol_corpus_writer_document(w, NULL) == SMOL_OK &&
                 smol_corpus_writer_validation(w, NULL) == SMOL_OK);
    fuzz_require(smol_corpus_writer_text(w, (const uint8_t *)validation, strlen(validation),
                                         NULL) == SMOL_OK);
    fuzz_require(smol_corpus_writer_finish(&bytes, size, w, sources, validation[0] ? 2 : 1, NULL) ==
                 SMOL_OK);
    return bytes;
}

void fuzz_seeds(fuzz_take *take)
{
    static const uint32_t vocabs[] = {128, 256, 257, 65537};
    size_t n;

    for (size_t i = 0; i < sizeof vocabs / sizeof vocabs[0]; i++) {
        uint8_t *bytes = make(&n, vocabs[i], "one<|endoftext|>two", i % 2 ? "three" : "");
        take(bytes, n);
        free(bytes);
    }
}
