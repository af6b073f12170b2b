/* Filling in struct smol_error. */
#ifndef SMOL_ERROR_H
#define SMOL_ERROR_H

#include <smol/status.h>

/* Sets *error if it is not NULL, and returns code. offset may be SMOL_NO_OFFSET. */
enum smol_status smol_fail(struct smol_error *error, enum smol_status code, uint64_t offset,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

static inline enum smol_status smol_fail_memory(struct smol_error *error)
{
    return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory");
}

#endif
