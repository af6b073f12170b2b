/* GPT-2's letters: what its files write for bytes. */
#ifndef GPT2_BYTES_H
#define GPT2_BYTES_H

#include <stdint.h>

/* Writes the UTF-8 of a byte's letter, 1 or 2 bytes; returns where it ends. */
char *put_letter(char *text, uint8_t byte);

#endif
