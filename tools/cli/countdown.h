/* How far a long command is, and how long it will take, on standard error: as progress.h shows a
 * line; where none can be covered, every ten seconds, so that what takes less shows nothing. */
#ifndef CLI_COUNTDOWN_H
#define CLI_COUNTDOWN_H

#include <stdbool.h>

struct countdown {
    const char *what; /* not owned */
    bool covers, is_shown;
    double began, last; /* cli_seconds */
};

void countdown_begin(struct countdown *countdown, const char *what);
/* done of all, in whatever unit. */
void countdown_show(struct countdown *countdown, double done, double all);
/* Takes the line away. */
void countdown_end(struct countdown *countdown);

#endif
