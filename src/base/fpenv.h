/* The floating-point environment of SPEC.md 7: to nearest even, subnormals kept, no traps. A host
 * program, or a library that it loads, may have set another one; so each public function that
 * computes sets it at its start and gives the host's back at its end, flags included. */
#ifndef SMOL_FPENV_H
#define SMOL_FPENV_H

#include <float.h>
#include <smol/status.h>
#include <stddef.h>

#if FLT_EVAL_METHOD != 0
#error                                                                                             \
    "SPEC.md 7: each operation is rounded to its own type (FLT_EVAL_METHOD 0); on i386, -msse2 -mfpmath=sse"
#endif
#ifdef __FAST_MATH__
#error                                                                                             \
    "SPEC.md 7: the order of a sum and subnormals are part of the format; not with -ffast-math or -Ofast"
#endif

/* What the host had, a fenv_t. */
struct smol_fpenv {
    uint64_t words[4];
};

/* Sets the environment of this thread and fills *host. ARGUMENT in builds that cannot set it and
 * find another one; then too what is computed is defined, and *host is for smol_fpenv_restore(). */
enum smol_status smol_fpenv_set(struct smol_fpenv *host, struct smol_error *error);
void smol_fpenv_restore(const struct smol_fpenv *host);

/* Restores, once status is known. */
static inline enum smol_status smol_fpenv_end(const struct smol_fpenv *host,
                                              enum smol_status status)
{
    smol_fpenv_restore(host);
    return status;
}

/* Runs a statement in that environment, where it can be set. */
#define SMOL_IN_FPENV(statement)                                                                   \
    do {                                                                                           \
        struct smol_fpenv smol_host;                                                               \
        smol_fpenv_set(&smol_host, NULL);                                                          \
        statement;                                                                                 \
        smol_fpenv_restore(&smol_host);                                                            \
    } while (0)

#endif
