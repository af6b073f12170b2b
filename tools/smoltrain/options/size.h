/* Sizes of files, as people write them. */
#ifndef SMOLTRAIN_SIZE_H
#define SMOLTRAIN_SIZE_H

#include <stdbool.h>
#include <stdint.h>

#define TRAIN_MAX_SIZE ((uint64_t)4 << 20)

/* "65536", "64K", "1.5M": bytes, or units of 1,024 and 1,024 x 1,024 of them, in letters of either
 * case, with a B or iB behind the letter or not. False for anything else, for 0 and for what is
 * over TRAIN_MAX_SIZE. */
bool train_parse_size(uint64_t *bytes, const char *text);

#endif
