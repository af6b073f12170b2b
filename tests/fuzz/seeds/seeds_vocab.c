/* The seeds of vocab: tokenizers in each kind of file. */
#include "fuzz.h"
#include "vocab_text.h"

#include <stdlib.h>

void fuzz_seeds(fuzz_take *take)
{
    /* te, tee, aa, " te"; then the texts of special tokens. */
    static const struct smol_merge merges[] = {{83, 68}, {256, 68}, {64, 64}, {220, 256}};
    static const uint8_t specials[] = "\x0d<|endoftext|>\x03[x]";
    static const struct smol_tokenizer_parts parts[] = {{merges, 4, {specials, 14}, 1, 0},
                                                        {merges, 2, {specials, 18}, 2, 1}};
    struct smol_file file;
    uint8_t *bytes;
    size_t n;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        fuzz_require(smol_tokenizer_write(&bytes, &n, &parts[i], NULL) == SMOL_OK);
        fuzz_require(smol_tokenizer_parse(&file, bytes, n, NULL) == SMOL_OK);
        for (unsigned kind = 0; kind < N_VOCAB_KINDS; kind++) {
            char *text = vocab_text(&n, &file, (enum vocab_kind)kind);
            take((const uint8_t *)text, n);
            free(text);
        }
        free(bytes);
    }
}
