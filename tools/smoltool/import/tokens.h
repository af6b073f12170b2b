/* Tokenizers of other programs: GPT-2's files and Hugging Face's tokenizer.json. */
#ifndef IMPORT_TOKENS_H
#define IMPORT_TOKENS_H

#include <smol/file.h>

/* A file that was read: its name, for messages, and its bytes. */
struct import_source {
    const char *path;
    struct smol_span bytes;
};

/* Makes a tokenizer file, for free(), of vocab.json and merges.txt; of vocab.bpe or merges.txt
 * alone, which SMOL_END_OF_TEXT then follows; or of tokenizer.json. What is in them tells them
 * apart. second: NULL if there is one source. 0, or an exit code after a message. */
int import_tokenizer(uint8_t **bytes, size_t *size_bytes, const struct import_source *first,
                     const struct import_source *second);

#endif
