/* See countdown.h. */
#include "cli/countdown.h"
#include "cli/cli.h"
#include "cli/progress.h"

#define SECONDS_BETWEEN_COVERED 0.1
#define SECONDS_BETWEEN_LINES 10.0

void countdown_begin(struct countdown *c, const char *what)
{
    *c = (struct countdown){.what = what, .covers = cli_progress_covers(), .began = cli_seconds()};
    c->last = c->began;
}

void countdown_show(struct countdown *c, double done, double all)
{
    const double now = cli_seconds(), share = all > 0 ? done / all : 0;
    const long left = share > 0 ? (long)((now - c->began) * (1 / share - 1)) : 0;
    struct cli_part parts[2];

    if (now - c->last < (c->covers ? SECONDS_BETWEEN_COVERED : SECONDS_BETWEEN_LINES))
        return;
    cli_part(&parts[0], 1, "%s: %.1f %%", c->what, 100 * share);
    cli_part(&parts[1], 0, "%ld:%02ld:%02ld left", left / 3600, left / 60 % 60, left % 60);
    cli_progress(parts, sizeof parts / sizeof parts[0], c->covers);
    c->is_shown = true;
    c->last = now;
}

void countdown_end(struct countdown *c)
{
    if (c->covers && c->is_shown)
        cli_progress_clear();
    c->is_shown = false;
}
