/* Damage to .smol files, with or without repaired checksums, so that it reaches the rules behind
 * them; to text; and to tokenizers. */
#ifndef MUTATE_H
#define MUTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Damages bytes (size, room for capacity) by a few random changes; returns the new size. */
size_t mutate(uint8_t *bytes, size_t size, size_t capacity, uint64_t *random);

/* Makes body size, section checksums (if asked for), directory checksum and hash fit what is there,
 * as far as there is room. */
void repair(uint8_t *bytes, size_t size, bool sections);
/* The same, now and then without the sections' or not at all. */
void repair_mostly(uint8_t *bytes, size_t size, uint64_t *random);

/* Changes what sections hold, in a file that is right, which it often still is: features, kinds and
 * number types of the configuration, members of a set of bytes, bits and bytes of parameters (of
 * masks and ternary numbers) and of embeddings. */
void mutate_contents(uint8_t *bytes, size_t size, uint64_t *random);

/* Damages text by a few random changes, some of them with words of a list that ends with NULL;
 * returns the new size. */
size_t mutate_text(uint8_t *text, size_t size, size_t capacity, const char *const *words,
                   uint64_t *random);

/* Damages the first line of text that is the base64 of n_bytes, and spells it again; false if there
 * is none. */
bool mutate_base64(uint8_t *text, size_t size, size_t n_bytes, uint64_t *random);

/* Changes merges and special tokens of a tokenizer file that is right, which it often still is;
 * returns the new size. */
size_t mutate_tokenizer(uint8_t *file, size_t size, size_t capacity, uint64_t *random);
/* Makes the checksum fit. */
void repair_tokenizer(uint8_t *file, size_t size);

uint32_t mutate_random(uint64_t *state);

#endif
