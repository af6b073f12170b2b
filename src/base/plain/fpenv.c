/* What fpenv.h declares, for builds that ask nothing of <fenv.h>, which firmware may lack: the
 * environment is looked at, by what it makes of four numbers, and left as it is. */
#include "base/fpenv.h"
#include "base/error.h"

#include <stdbool.h>

/* Volatile, so that they are added here and not by the compiler. */
static const volatile float least = 0x1p-149f, one = 1, above_one = 1 + 0x1p-23f, half = 0x1p-24f;

static bool is_needed_one(void)
{
    const volatile float kept = least + least, not_up = one + half, not_down = above_one + half;

    return kept > 0 && not_up == one && not_down > above_one;
}

enum smol_status smol_fpenv_set(struct smol_fpenv *host, struct smol_error *error)
{
    (void)host;
    return is_needed_one() ? SMOL_OK
                           : smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                                       "floats are not rounded to nearest, or subnormals not kept: "
                                       "the floating-point environment is not SPEC.md 7's");
}

void smol_fpenv_restore(const struct smol_fpenv *host) { (void)host; }
