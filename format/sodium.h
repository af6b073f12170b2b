/* libsodium made ready. */
#ifndef SMOL_SODIUM_H
#define SMOL_SODIUM_H

#include <smol/status.h>

/* Before anything of libsodium that wants it, random numbers above all: without it threads may not
 * draw them at once. Any number of times, from any thread. IO if the system has no random numbers.
 */
enum smol_status smol_sodium_start(struct smol_error *error);

#endif
