/* Pieces of work shared out to threads, some of which the operating system does not run. */
#define _DEFAULT_SOURCE /* usleep */
#include "base/pool.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_uint n_asleep;
static atomic_bool is_nobody_woken;

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __real_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex);
int __wrap_pthread_cond_broadcast(pthread_cond_t *condition);
int __real_pthread_cond_broadcast(pthread_cond_t *condition);

int __wrap_pthread_cond_wait(pthread_cond_t *condition, pthread_mutex_t *mutex)
{
    atomic_fetch_add(&n_asleep, 1);
    return __real_pthread_cond_wait(condition, mutex);
}

int __wrap_pthread_cond_broadcast(pthread_cond_t *condition)
{
    return atomic_load(&is_nobody_woken) ? 0 : __real_pthread_cond_broadcast(condition);
}

static void count(void *arg, uint32_t worker, uint32_t n_workers)
{
    uint32_t *counts = arg;

    cr_assert_lt(worker, n_workers);
    counts[worker]++;
}

Test(pool, each_worker_runs_each_piece_once)
{
    for (uint32_t n = 1; n <= 9; n += 2) {
        struct smol_pool *pool = aligned_alloc(64, (smol_pool_bytes() + 63) / 64 * 64);
        uint32_t counts[9] = {0};
        cr_assert(smol_pool_start(pool, n));
        for (int i = 0; i < 400; i++) {
            smol_pool_run(pool, count, counts);
            if (i % 100 == 0)
                usleep(20000); /* long enough to fall asleep */
        }
        for (uint32_t w = 0; w < 9; w++)
            cr_assert_eq(counts[w], w < n ? 400 : 0);
        smol_pool_stop(pool);
        free(pool);
    }
}

Test(pool, no_piece_waits_for_threads_that_sleep, .timeout = 60)
{
    struct smol_pool *pool = aligned_alloc(64, (smol_pool_bytes() + 63) / 64 * 64);
    uint32_t counts[4] = {0};

    cr_assert(smol_pool_start(pool, 4));
    while (atomic_load(&n_asleep) < 3)
        usleep(1000);
    atomic_store(&is_nobody_woken, true);
    for (int i = 0; i < 100; i++)
        smol_pool_run(pool, count, counts);
    for (uint32_t w = 0; w < 4; w++)
        cr_assert_eq(counts[w], 100);
    atomic_store(&is_nobody_woken, false);
    smol_pool_stop(pool);
    free(pool);
}

Test(pool, shares_cover_everything_once)
{
    for (uint64_t n = 0; n < 40; n++)
        for (uint32_t workers = 1; workers < 9; workers++) {
            cr_assert_eq(smol_share(n, 0, workers), 0);
            for (uint32_t w = 0; w < workers; w++)
                cr_assert_leq(smol_share(n, w, workers), smol_share(n, w + 1, workers));
            cr_assert_eq(smol_share(n, workers, workers), n);
        }
}
