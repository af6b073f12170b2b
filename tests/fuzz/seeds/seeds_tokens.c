/* The seeds of tokens: tokenizers of no merges to some merges and special tokens, with a text. */
#include "base/bytes.h"
#include "fuzz.h"

#include <smol/tokenizer.h>
#include <stdlib.h>
#include <string.h>

static const char text[] =
    "It's 12  \n te<|endoftext|>\xff\xc3\xa9\xe2\x82 aaaaaaaa tee te\xc2\xa0[x]bb";

void fuzz_seeds(fuzz_take *take)
{
    /* te, tee, aa, aaaa, aaa, " te"; then the texts of special tokens. */
    static const struct smol_merge merges[] = {{83, 68},   {256, 68}, {64, 64},
                                               {258, 258}, {258, 64}, {220, 256}};
    static const uint8_t specials[] = "\x0d<|endoftext|>\x03[x]";
    static const struct smol_tokenizer_parts parts[] = {
        {merges, 0, {specials, 0}, 0, 0},
        {merges, 3, {specials, 14}, 1, 0},
        {merges, 6, {specials, 18}, 2, 1},
        {merges, 6, {specials, 18}, 2, 2},
    };
    uint8_t bytes[1024], *file;
    size_t n;

    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        fuzz_require(smol_tokenizer_write(&file, &n, &parts[i], NULL) == SMOL_OK);
        smol_put16(bytes, (uint16_t)n);
        memcpy(bytes + 2, file, n);
        memcpy(bytes + 2 + n, text, sizeof text - 1);
        take(bytes, 2 + n + sizeof text - 1);
        free(file);
    }
}
