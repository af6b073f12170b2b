/* See fpenv.h. FE_DFL_ENV is all of it: C11 7.6 asks for the rounding and the traps, and glibc,
 * musl and the BSDs set flush-to-zero and denormals-are-zero back with them, on x86-64 (MXCSR) and
 * on AArch64 (FPCR); tests/unit/model/test_fpenv.c looks. */
#include "base/fpenv.h"

#include <fenv.h>
#include <string.h>

_Static_assert(sizeof(fenv_t) <= sizeof(struct smol_fpenv), "room for what the host had");

enum smol_status smol_fpenv_set(struct smol_fpenv *host, struct smol_error *error)
{
    fenv_t kept;

    (void)error;
    fegetenv(&kept);
    memcpy(host->words, &kept, sizeof kept);
    fesetenv(FE_DFL_ENV);
    return SMOL_OK;
}

void smol_fpenv_restore(const struct smol_fpenv *host)
{
    fenv_t kept;

    memcpy(&kept, host->words, sizeof kept);
    fesetenv(&kept);
}
