/* A pool without threads, for builds that have none: the caller is the only worker. */
#include "base/threads/pool.h"

struct smol_pool {
    uint32_t n_workers;
};

size_t smol_pool_bytes(uint32_t n_workers) { return n_workers * sizeof(struct smol_pool); }

bool smol_pool_start(struct smol_pool *pool, uint32_t n_workers)
{
    pool->n_workers = 1;
    return n_workers == 1;
}

void smol_pool_stop(struct smol_pool *pool) { (void)pool; }

void smol_pool_run(struct smol_pool *pool, smol_work *work, void *arg)
{
    work(arg, 0, pool->n_workers);
}

void smol_pool_begin(struct smol_pool *pool, uint32_t n)
{
    (void)pool;
    (void)n;
}

void smol_pool_end(struct smol_pool *pool, uint32_t n)
{
    (void)pool;
    (void)n;
}
