/* The hash of a body by several threads. SPEC.md 4. */
#ifndef SMOL_BODY_H
#define SMOL_BODY_H

#include <smol/status.h>

#include <stdint.h>

/* What one of the threads does before it hashes; if that fails, the hash is not needed. */
typedef enum smol_status smol_before_hashing(void *arg, struct smol_error *error);

/* The hash of a body, to hash (64), after first(arg), which may be NULL; its failure is returned.
 * At most n_threads threads, the caller among them, live for this call; those that cannot be had
 * are no failure. Errors: those of first, MEMORY. */
enum smol_status smol_hash_body_threads(uint8_t *hash, const uint8_t *body, uint64_t body_bytes,
                                        uint32_t n_threads, smol_before_hashing *first, void *arg,
                                        struct smol_error *error);

#endif
