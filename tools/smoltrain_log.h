/* The log of a training that was broken off, made ready for its resumption. */
#ifndef SMOLTRAIN_LOG_H
#define SMOLTRAIN_LOG_H

#include <smol/status.h>
#include <stdint.h>

/* Takes away what will come again, the records of steps after the given one and those of a finished model, and a last
 * line that was not finished. A path
 * that is no regular file stays as it is. Errors: IO, MEMORY; then the log is as it was. */
enum smol_status train_log_cut(const char *path, uint32_t step, struct smol_error *error);

#endif
