/* The numbers of a model's history, fitted to a text. */
#ifndef CLI_HISTORY_H
#define CLI_HISTORY_H

#include <smol/file.h>

#define HISTORY_TEXT_TOKENS 400000u /* of a text's end, which are enough for five numbers */

/* A text as tokens, and how long it may be looked at. */
struct history_text {
    const uint32_t *tokens; /* (n), no more than the above are worth the time */
    size_t n;
    uint32_t n_threads;
    bool (*stop)(void); /* NULL: never */
};

/* Of the network that a file has; whether it has a history does not matter. before, after: the
 * mean loss of its tokens without and with one. CANCELLED if it is to stop. */
enum smol_status history_fit(float numbers[SMOL_HISTORY_LENGTHS], double *before, double *after,
                             const struct smol_file *file, const struct history_text *text,
                             struct smol_error *error);

#endif
