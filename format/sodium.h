/* libsodium made ready. */
#ifndef SMOL_SODIUM_H
#define SMOL_SODIUM_H

#include <smol/status.h>

/* To be called before anything of libsodium that needs it, above all random numbers, which threads
 * may otherwise not draw at the same time. Any number of times, from any thread. IO if the system
 * has no random numbers. */
enum smol_status smol_sodium_start(struct smol_error *error);

#endif
