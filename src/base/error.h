/* Filling in struct smol_error. */
#ifndef SMOL_ERROR_H
#define SMOL_ERROR_H

#include <smol/status.h>
#include <stddef.h>
#include <string.h>

/* Sets *error if it is not NULL, and returns code. offset may be SMOL_NO_OFFSET. */
enum smol_status smol_fail(struct smol_error *error, enum smol_status code, uint64_t offset,
                           const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Makes an offset within a part one of the whole, in which the part begins at `at`. */
static inline enum smol_status smol_fail_within(uint64_t at, enum smol_status status,
                                                struct smol_error *error)
{
    if (status && error && error->offset != SMOL_NO_OFFSET)
        error->offset += at;
    return status;
}

static inline enum smol_status smol_fail_memory(struct smol_error *error)
{
    return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory");
}

/* Checks the size that a caller's structure begins with: ARGUMENT unless this version knows it. */
static inline enum smol_status smol_check_struct(size_t struct_bytes, size_t known,
                                                 const char *name, struct smol_error *error)
{
    return struct_bytes == known ? SMOL_OK
                                 : smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                                             "struct_bytes is %zu, but sizeof(struct %s) is %zu",
                                             struct_bytes, name, known);
}

/* The same for a structure that has grown from an older size, which stays good; the members that it
 * did not have are 0. dest (known bytes), asked: it begins with its size. */
static inline enum smol_status smol_take_struct(void *dest, size_t known, size_t older,
                                                const void *asked, const char *name,
                                                struct smol_error *error)
{
    const size_t struct_bytes = *(const size_t *)asked;

    if (struct_bytes != older && smol_check_struct(struct_bytes, known, name, error))
        return SMOL_E_ARGUMENT;
    memset(dest, 0, known);
    memcpy(dest, asked, struct_bytes);
    *(size_t *)dest = known;
    return SMOL_OK;
}

#endif
