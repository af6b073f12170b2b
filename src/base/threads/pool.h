/* Threads that share out one piece of work at a time. They spin for a moment after each piece, so
 * as to be awake for the next one of the same token, and then sleep. The caller is worker 0.
 * Whoever is done with a share of its own does those that nobody has begun, so `worker` names a
 * share and the memory that goes with it, not a thread. Where fewer threads than there are would be
 * about as fast, the pieces between smol_pool_begin() and smol_pool_end() have fewer shares. */
#ifndef SMOL_POOL_H
#define SMOL_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SMOL_POOL_MAX_WORKERS 256u

/* One worker's share of a piece of work. */
typedef void smol_work(void *arg, uint32_t worker, uint32_t n_workers);

struct smol_pool;

/* Bytes of memory that a pool lives in, 64-byte aligned; it may not move. */
size_t smol_pool_bytes(uint32_t n_workers);

/* Starts n_workers - 1 threads; false if one cannot be started (then none is left running). */
bool smol_pool_start(struct smol_pool *pool, uint32_t n_workers);
void smol_pool_stop(struct smol_pool *pool);

/* Runs work once for each worker and returns when all are done. It does not wait for a thread that
 * is not running. */
void smol_pool_run(struct smol_pool *pool, smol_work *work, void *arg);

/* Before and after the pieces of work on n >= 1 units side by side: chooses how many workers they
 * have, by how long such pieces took before (pace.h). Before the first, pieces have all workers. */
void smol_pool_begin(struct smol_pool *pool, uint32_t n);
void smol_pool_end(struct smol_pool *pool, uint32_t n);

/* Where the share of worker among n items begins; it ends where the next one's begins. */
static inline size_t smol_share(uint64_t n, uint32_t worker, uint32_t n_workers)
{
    return (size_t)(n * worker / n_workers);
}

#endif
