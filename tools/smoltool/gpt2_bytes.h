/* GPT-2's letters: what its files write for bytes. */
#ifndef LETTERS_H
#define LETTERS_H

#include <stdint.h>

/* Writes the UTF-8 of a byte's letter, 1 or 2 bytes; returns where it ends. */
char *put_letter(char *text, uint8_t byte);

#endif
