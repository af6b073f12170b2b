/* Progress on standard error: a line over the line before on a terminal that can do that, whole
 * lines elsewhere. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>

/* A part of the line, which is shown whole or not at all. Where the terminal is too narrow, the
 * parts of least weight are left out first. */
struct cli_part {
    char text[48];
    int weight;
};

void cli_part(struct cli_part *part, int weight, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Whether a line can be shown over the one before: standard error is a terminal, and TERM is set
 * and not dumb. */
bool cli_progress_covers(void);
/* The parts with two spaces between them; covers: over the line before, else with a line feed. */
void cli_progress(const struct cli_part *parts, size_t n, bool covers);
/* Takes the line away that was shown so. */
void cli_progress_clear(void);

#endif
