/* Lines of the standard input: edited, with a history, if it is a terminal; else as they come. */
#ifndef SMOLRUN_LINES_H
#define SMOLRUN_LINES_H

#include <stdbool.h>
#include <stddef.h>

struct run_lines;

/* NULL, after a message, if memory is out or the terminal cannot be used. */
struct run_lines *run_lines_open(void);
void run_lines_close(struct run_lines *lines);

/* Whether somebody types them. */
bool run_lines_are_edited(const struct run_lines *lines);

/* The next line, with its line feed if it has one; it lives until the next call. NULL at the end,
 * or, after a message, if the input cannot be read: then *failed. */
const char *run_lines_next(size_t *size_bytes, bool *failed, struct run_lines *lines);

#endif
