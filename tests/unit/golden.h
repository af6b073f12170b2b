/* The files of tests/golden, for tests that compare what they make of them. */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include <smol/file.h>

#define GOLDEN_MAX_BYTES 65536u

/* Opens good/NAME.smol, whose bytes go into the caller's buffer; fails the test otherwise. */
void golden_open(struct smol_file *file, uint8_t bytes[GOLDEN_MAX_BYTES], const char *name);

/* The same of any file, by its path below tests/golden. */
void golden_open_path(struct smol_file *file, uint8_t bytes[GOLDEN_MAX_BYTES], const char *path);

/* Hands on the lines of vectors/NAME.txt that are no comments; returns how many. */
unsigned golden_lines(const char *name, void (*take)(char *line));

#endif
