/* libsodium made ready, for all parts of the library. */
#include "format/sodium.h"
#include "base/error.h"

#include <sodium.h>

enum smol_status smol_sodium_start(struct smol_error *error)
{
    if (sodium_init() < 0)
        return smol_fail(error, SMOL_E_IO, SMOL_NO_OFFSET, "libsodium cannot start");
    return SMOL_OK;
}
