/* See pool.h. A new generation announces a piece of work; sleepers are woken under the lock.
 * Whoever is awake takes the shares that nobody has begun, so that a piece never waits for a thread
 * that the operating system is not running. */
#include "base/threads/pool.h"
#include "base/fpenv.h"
#include "base/threads/pace.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

/* One pace for numbers of units that have as many binary digits. */
#define PACES 12u
#define SLOW 0.0005 /* seconds of all units, in which waiting for each other is a small part */

struct smol_pool {
    uint32_t n_workers;   /* the caller included */
    atomic_uint n_shares; /* of a piece of work */
    bool has_shared;      /* a piece, since the beginning */
    double began;         /* seconds; only if that is measured */
    struct smol_pace paces[PACES];
    uint32_t n_processors;
    pthread_t threads[SMOL_POOL_MAX_WORKERS];
    pthread_mutex_t lock;
    pthread_cond_t wake;
    smol_work *work;
    void *arg;
    atomic_uint generation; /* counts pieces of work */
    atomic_uint n_left; /* shares of the present piece that are not done; before the first piece,
                           threads that have not begun */
    atomic_uint n_asleep;
    atomic_bool stopping;
    atomic_uint taken[SMOL_POOL_MAX_WORKERS]; /* by share: the last generation that began it, or
                                                 did without it */
};

size_t smol_pool_bytes(void) { return sizeof(struct smol_pool); }

/* A waiting thread first polls this often without a system call, which lasts longer than the gaps
 * between the pieces of a token; then this often, yielding the processor each time in case somebody
 * else needs it. With more shares than processors it yields at once, and without a share of its own
 * it sleeps at once. */
#define LOOKS 100000u
#define YIELDS 1000u

static unsigned looks(struct smol_pool *pool)
{
    const uint32_t n = atomic_load_explicit(&pool->n_shares, memory_order_relaxed);

    return n <= pool->n_processors ? LOOKS : 0;
}

static bool has_share(struct smol_pool *pool, uint32_t worker)
{
    return worker < atomic_load_explicit(&pool->n_shares, memory_order_relaxed);
}

/* Waits for a generation other than seen, and returns it. */
static unsigned await_work(struct smol_pool *pool, uint32_t worker, unsigned seen)
{
    unsigned now;

    for (unsigned i = 0; i < looks(pool) + YIELDS && has_share(pool, worker); i++) {
        now = atomic_load_explicit(&pool->generation, memory_order_acquire);
        if (now != seen)
            return now;
        if (i >= looks(pool))
            sched_yield();
    }
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->n_asleep, 1);
    while ((now = atomic_load(&pool->generation)) == seen)
        pthread_cond_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->n_asleep, 1);
    pthread_mutex_unlock(&pool->lock);
    return now;
}

/* Does the shares of a generation that nobody has begun, a worker's own first. A generation lasts
 * while it has such a share, so what is read of the piece of work belongs to it. */
static void do_shares(struct smol_pool *pool, unsigned generation, uint32_t worker)
{
    const uint32_t n = pool->n_workers;

    for (uint32_t i = 0; i < n; i++) {
        const uint32_t share = (worker + i) % n;
        unsigned before = generation - 1;
        if (atomic_load_explicit(&pool->taken[share], memory_order_relaxed) != before ||
            !atomic_compare_exchange_strong(&pool->taken[share], &before, generation))
            continue;
        pool->work(pool->arg, share, atomic_load_explicit(&pool->n_shares, memory_order_relaxed));
        atomic_fetch_sub_explicit(&pool->n_left, 1, memory_order_release);
    }
}

/* A thread takes its number from n_left, which is free for that before the first piece of work. It
 * began with the floating-point environment of its maker. */
static void *worker_main(void *arg)
{
    struct smol_pool *pool = arg;
    const uint32_t worker = atomic_fetch_sub(&pool->n_left, 1);
    struct smol_fpenv makers;
    unsigned seen = 0;

    smol_fpenv_set(&makers, NULL);
    for (;;) {
        seen = await_work(pool, worker, seen);
        if (atomic_load(&pool->stopping))
            return NULL;
        do_shares(pool, seen, worker);
    }
}

/* Wakes the sleepers unless so many are awake. */
static void announce(struct smol_pool *pool, uint32_t n)
{
    atomic_fetch_add(&pool->generation, 1);
    if (atomic_load(&pool->n_asleep) + n <= pool->n_workers)
        return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

static void stop(struct smol_pool *pool, uint32_t n_started)
{
    atomic_store(&pool->stopping, true);
    announce(pool, pool->n_workers);
    for (uint32_t i = 1; i < n_started; i++)
        pthread_join(pool->threads[i], NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
}

bool smol_pool_start(struct smol_pool *pool, uint32_t n_workers)
{
    pool->n_workers = n_workers;
    pool->n_processors = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    atomic_init(&pool->n_shares, n_workers);
    for (unsigned i = 0; i < PACES; i++)
        pool->paces[i] = smol_pace_of(n_workers, SLOW / (1u << i));
    atomic_init(&pool->generation, 0);
    atomic_init(&pool->n_left, n_workers - 1);
    atomic_init(&pool->n_asleep, 0);
    atomic_init(&pool->stopping, false);
    for (uint32_t i = 0; i < n_workers; i++)
        atomic_init(&pool->taken[i], 0);
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    for (uint32_t i = 1; i < n_workers; i++)
        if (pthread_create(&pool->threads[i], NULL, worker_main, pool) != 0) {
            stop(pool, i);
            return false;
        }
    /* Each has taken its number before the first piece of work counts on n_left. */
    while (atomic_load(&pool->n_left) != 0)
        sched_yield();
    return true;
}

void smol_pool_stop(struct smol_pool *pool) { stop(pool, pool->n_workers); }

void smol_pool_run(struct smol_pool *pool, smol_work *work, void *arg)
{
    const uint32_t n = atomic_load_explicit(&pool->n_shares, memory_order_relaxed);
    unsigned generation;

    pool->has_shared = true;
    if (n == 1) {
        work(arg, 0, 1);
        return;
    }
    pool->work = work;
    pool->arg = arg;
    atomic_store_explicit(&pool->n_left, n, memory_order_relaxed);
    generation = atomic_load_explicit(&pool->generation, memory_order_relaxed) + 1;
    for (uint32_t i = n; i < pool->n_workers; i++)
        atomic_store_explicit(&pool->taken[i], generation, memory_order_relaxed);
    announce(pool, n);
    do_shares(pool, generation, 0);
    for (unsigned i = 0; atomic_load_explicit(&pool->n_left, memory_order_acquire) != 0; i++)
        if (i >= looks(pool))
            sched_yield();
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static struct smol_pace *pace_of(struct smol_pool *pool, uint32_t n)
{
    unsigned i = 0;

    for (; n > 1 && i + 1 < PACES; n /= 2)
        i++;
    return &pool->paces[i];
}

void smol_pool_begin(struct smol_pool *pool, uint32_t n)
{
    const struct smol_pace *pace = pace_of(pool, n);

    if (pace->threads != atomic_load_explicit(&pool->n_shares, memory_order_relaxed))
        atomic_store_explicit(&pool->n_shares, pace->threads, memory_order_relaxed);
    pool->has_shared = false;
    if (!smol_pace_rests(pace))
        pool->began = seconds_now();
}

void smol_pool_end(struct smol_pool *pool, uint32_t n)
{
    struct smol_pace *pace = pace_of(pool, n);

    if (pool->has_shared)
        smol_pace_took(pace, n, smol_pace_rests(pace) ? 0 : seconds_now() - pool->began);
}
