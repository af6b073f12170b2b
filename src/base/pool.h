/* Threads that share out one piece of work at a time. They spin for a moment after each piece, so that the
 * next one of the same token finds them awake, and then sleep. The caller is worker 0. */
#ifndef SMOL_POOL_H
#define SMOL_POOL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define SMOL_POOL_MAX_WORKERS 256u

/* One worker's share of a piece of work. */
typedef void smol_work(void *arg, uint32_t worker, uint32_t n_workers);

struct smol_pool {
	uint32_t n_workers; /* the caller included */
	unsigned looks;     /* of a waiting thread before it gives the processor away */
	pthread_t threads[SMOL_POOL_MAX_WORKERS];
	pthread_mutex_t lock;
	pthread_cond_t wake;
	smol_work *work;
	void *arg;
	atomic_uint generation; /* counts pieces of work */
	atomic_uint n_running;  /* workers still at the present piece */
	atomic_uint n_asleep;
	atomic_bool stopping;
};

/* Starts n_workers - 1 threads; false if one cannot be had (then none is left). The pool may not move. */
bool smol_pool_start(struct smol_pool *pool, uint32_t n_workers);
void smol_pool_stop(struct smol_pool *pool);

/* Runs work once for each worker and returns when all are done. */
void smol_pool_run(struct smol_pool *pool, smol_work *work, void *arg);

/* The share of worker among n items: *begin..*end - 1. */
static inline void smol_share(uint64_t *begin, uint64_t *end, uint64_t n, uint32_t worker, uint32_t n_workers)
{
	*begin = n * worker / n_workers;
	*end = n * (worker + 1) / n_workers;
}

#endif
