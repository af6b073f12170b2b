/* See progress.h. */
#define _DEFAULT_SOURCE /* struct winsize */
#include "cli/progress.h"
#include "cli/cli.h"

#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define GAP "  "

/* A line too long is cut, not wrapped, so that the next one covers it: for a terminal that has
 * become narrower meanwhile. */
#define BEGIN "\r\x1b[?7l"
#define END "\x1b[K\x1b[?7h"
#define CLEAR "\r\x1b[K"

bool cli_progress_covers(void) { return isatty(STDERR_FILENO) == 1 && cli_obeys_escapes(); }

void cli_part(struct cli_part *part, int weight, const char *format, ...)
{
    va_list arguments;

    part->weight = weight;
    va_start(arguments, format);
    vsnprintf(part->text, sizeof part->text, format, arguments);
    va_end(arguments);
}

/* Columns that may be used, of which the last would wrap; any number if nobody knows. */
static size_t columns(void)
{
    struct winsize size;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col - 1u
                                                                           : SIZE_MAX;
}

/* Of the parts that weigh at least so much. */
static size_t length(const struct cli_part *parts, size_t n, int least)
{
    size_t sum = 0;

    for (size_t i = 0; i < n; i++)
        if (parts[i].weight >= least)
            sum += (sum ? sizeof GAP - 1 : 0) + strlen(parts[i].text);
    return sum;
}

/* The least weight with which the line fits; at least the heaviest part stays. */
static int least_weight(const struct cli_part *parts, size_t n, size_t most)
{
    int least = parts[0].weight, heaviest = parts[0].weight;

    for (size_t i = 1; i < n; i++) {
        least = parts[i].weight < least ? parts[i].weight : least;
        heaviest = parts[i].weight > heaviest ? parts[i].weight : heaviest;
    }
    while (least < heaviest && length(parts, n, least) > most)
        least++;
    return least;
}

void cli_progress(const struct cli_part *parts, size_t n, bool covers)
{
    const int least = least_weight(parts, n, covers ? columns() : SIZE_MAX);
    const char *gap = "";

    fputs(covers ? BEGIN : "", stderr);
    for (size_t i = 0; i < n; i++)
        if (parts[i].weight >= least) {
            fprintf(stderr, "%s%s", gap, parts[i].text);
            gap = GAP;
        }
    fputs(covers ? END : "\n", stderr);
    fflush(stderr);
}

void cli_progress_clear(void) { fputs(CLEAR, stderr); }
