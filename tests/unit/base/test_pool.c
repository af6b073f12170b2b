/* Pieces of work shared out to threads, some of which the operating system does not run. */
#define _DEFAULT_SOURCE /* usleep */
#include "base/threads/pool.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
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
        struct smol_pool *pool = aligned_alloc(64, (smol_pool_bytes(9) + 63) / 64 * 64);
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
    struct smol_pool *pool = aligned_alloc(64, (smol_pool_bytes(8) + 63) / 64 * 64);
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

/* A clock that only work moves. */
static atomic_long nanoseconds;
static atomic_bool is_clock_ours;

int __wrap_clock_gettime(clockid_t id, struct timespec *now);
int __real_clock_gettime(clockid_t id, struct timespec *now);

int __wrap_clock_gettime(clockid_t id, struct timespec *now)
{
    const long ns = atomic_load(&nanoseconds);

    if (!atomic_load(&is_clock_ours))
        return __real_clock_gettime(id, now);
    *now = (struct timespec){ns / 1000000000, ns % 1000000000};
    return 0;
}

struct timed {
    long ns;        /* of a piece */
    long ns_worker; /* and for each of its workers */
    atomic_uint shares, begun[8];
    uint32_t n_workers;
};

static void take_time(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct timed *t = arg;

    cr_assert_lt(worker, n_workers);
    atomic_fetch_add(&t->begun[worker], 1);
    if (atomic_fetch_add(&t->shares, 1) == 0) {
        t->n_workers = n_workers;
        atomic_fetch_add(&nanoseconds, t->ns / n_workers + t->ns_worker * n_workers);
    }
}

/* Shares that a piece has, which are done once each, after so many of them. */
static uint32_t shares_after(struct smol_pool *pool, unsigned pieces, uint32_t n, struct timed *t)
{
    for (unsigned i = 0; i < pieces; i++) {
        t->shares = 0;
        for (unsigned w = 0; w < 8; w++)
            t->begun[w] = 0;
        smol_pool_begin(pool, n);
        smol_pool_run(pool, take_time, t);
        smol_pool_end(pool, n);
        cr_assert_eq(t->shares, t->n_workers);
        for (unsigned w = 0; w < 8; w++)
            cr_assert_eq(t->begun[w], w < t->n_workers);
    }
    return t->n_workers;
}

Test(pool, pieces_have_as_many_shares_as_are_faster, .timeout = 120)
{
    struct smol_pool *pool = aligned_alloc(64, (smol_pool_bytes(8) + 63) / 64 * 64);
    struct timed large = {.ns = 3200000}, small = {.ns_worker = 60000},
                 between = {.ns = 640000, .ns_worker = 40000}; /* 400 us, of 4 shares 320 */

    atomic_store(&is_clock_ours, true);
    cr_assert(smol_pool_start(pool, 8));
    cr_assert_eq(shares_after(pool, 2000, 1, &large), 8);
    cr_assert_eq(shares_after(pool, 20000, 1, &small), 1);
    cr_assert_eq(shares_after(pool, 2000, 4, &large), 8); /* a pace of its own */
    cr_assert_eq(shares_after(pool, 5000, 4, &between), 4);
    smol_pool_stop(pool);
    free(pool);
    atomic_store(&is_clock_ours, false);
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
