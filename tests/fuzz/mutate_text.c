/* See mutate.h: damage to text, with words that its readers know. */
#include "mutate.h"

#include <string.h>

/* Puts n bytes in place of n_old at a place; the new size. */
static size_t replace(uint8_t *text, size_t size, size_t capacity, size_t at, size_t n_old,
                      const void *bytes, size_t n)
{
    if (size - n_old + n > capacity)
        return size;
    memmove(text + at + n, text + at + n_old, size - at - n_old);
    memcpy(text + at, bytes, n);
    return size - n_old + n;
}

/* A stretch of the text once more, or out of it. */
static size_t repeat_or_cut(uint8_t *text, size_t size, size_t capacity, uint64_t *random)
{
    const size_t at = mutate_random(random) % size, n = 1 + mutate_random(random) % (size - at);
    uint8_t kept[256];

    if (mutate_random(random) % 2)
        return replace(text, size, capacity, at, n < 16 ? n : 16, "", 0);
    memcpy(kept, text + at, n < sizeof kept ? n : sizeof kept);
    return replace(text, size, capacity, mutate_random(random) % (size + 1), 0, kept,
                   n < sizeof kept ? n : sizeof kept);
}

size_t mutate_text(uint8_t *text, size_t size, size_t capacity, const char *const *words,
                   uint64_t *random)
{
    unsigned n_words = 0;

    while (words[n_words])
        n_words++;
    for (unsigned n = 1 + mutate_random(random) % 3; n > 0; n--) {
        const char *word = words[mutate_random(random) % n_words];
        const size_t at = size ? mutate_random(random) % size : 0, n_word = strlen(word);
        const uint8_t byte = (uint8_t)mutate_random(random);
        switch (size ? mutate_random(random) % 6 : 0) {
        case 0: size = replace(text, size, capacity, at, 0, word, n_word); break;
        case 1:
            size = replace(text, size, capacity, at, n_word < size - at ? n_word : size - at, word,
                           n_word);
            break;
        case 2: text[at] = byte; break;
        case 3: text[at] ^= (uint8_t)(1u << byte % 8); break;
        case 4: size = replace(text, size, capacity, at, 0, &byte, 1); break;
        default: size = repeat_or_cut(text, size, capacity, random);
        }
    }
    return size;
}
