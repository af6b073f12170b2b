/* See pool.h. A new generation announces a piece of work; sleepers are woken under the lock.
 * Whoever is awake takes the shares that nobody has begun, so that a piece never waits for a thread
 * that the operating system is not running; but the first, which is always the caller's.
 *
 * A piece may be over in a microsecond, of which a cache line takes a tenth and more from one
 * processor to another. So what is written for each piece lies in as few lines as can be: one that
 * the caller writes, and for each other share one that only who claims it writes, and one for its
 * end. */
#include "base/threads/pool.h"
#include "base/fpenv.h"
#include "base/threads/pace.h"

#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <time.h>
#include <unistd.h>

#define LINE 64

/* One pace for numbers of units that have as many binary digits. */
#define PACES 12u
#define SLOW 0.0005 /* seconds of all units, in which waiting for each other is a small part */

/* A worker's thread, and the share of the same number. */
struct share {
    alignas(LINE) atomic_uint claimed; /* the last generation that began it or did without it */
    alignas(LINE) atomic_uint done;    /* the last one whose share is over */
    pthread_t thread;
};

struct smol_pool {
    alignas(LINE) atomic_uint generation; /* counts pieces of work */
    atomic_uint n_shares;                 /* of the present one */
    smol_work *work;
    void *arg;

    alignas(LINE) atomic_uint n_asleep;
    atomic_uint n_begun; /* threads that have a number */
    atomic_bool stopping;
    uint32_t n_workers; /* the caller included */
    uint32_t n_processors;
    pthread_mutex_t lock;
    pthread_cond_t wake;

    alignas(LINE) bool has_shared; /* a piece, since smol_pool_begin() */
    double began;                  /* seconds; only if that is measured */
    struct smol_pace paces[PACES];

    struct share shares[];
};

size_t smol_pool_bytes(uint32_t n_workers)
{
    return sizeof(struct smol_pool) + n_workers * sizeof(struct share);
}

static uint32_t n_shares(struct smol_pool *pool)
{
    return atomic_load_explicit(&pool->n_shares, memory_order_relaxed);
}

/* A waiting thread first polls this often without a system call, which lasts longer than the gaps
 * between the pieces of a token; then this often, yielding the processor each time in case somebody
 * else needs it. With more shares than processors it yields at once, and without a share of its own
 * it sleeps at once. */
#define LOOKS 100000u
#define YIELDS 1000u

static unsigned looks(struct smol_pool *pool)
{
    return n_shares(pool) <= pool->n_processors ? LOOKS : 0;
}

/* Waits for a generation other than seen, and returns it. */
static unsigned await_work(struct smol_pool *pool, uint32_t worker, unsigned seen)
{
    unsigned now;

    for (unsigned i = 0; i < looks(pool) + YIELDS && worker < n_shares(pool); i++) {
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

/* Does a share unless somebody has begun it. A generation lasts while it has such a share, so what
 * is read of the piece of work belongs to it. */
static void try_share(struct smol_pool *pool, unsigned generation, uint32_t i)
{
    struct share *share = &pool->shares[i];
    unsigned before = generation - 1;

    if (atomic_load_explicit(&share->claimed, memory_order_relaxed) != before ||
        !atomic_compare_exchange_strong(&share->claimed, &before, generation))
        return;
    pool->work(pool->arg, i, n_shares(pool));
    atomic_store_explicit(&share->done, generation, memory_order_release);
}

/* A thread began with the floating-point environment of its maker. */
static void *worker_main(void *arg)
{
    struct smol_pool *pool = arg;
    const uint32_t worker = atomic_fetch_add(&pool->n_begun, 1) + 1;
    struct smol_fpenv makers;
    unsigned seen = 0;

    smol_fpenv_set(&makers, NULL);
    for (;;) {
        seen = await_work(pool, worker, seen);
        if (atomic_load(&pool->stopping))
            return NULL;
        for (uint32_t i = worker; i < pool->n_workers; i++)
            try_share(pool, seen, i);
        for (uint32_t i = 1; i < worker; i++)
            try_share(pool, seen, i);
    }
}

/* Wakes the sleepers unless so many workers are awake. */
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
        pthread_join(pool->shares[i].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
}

bool smol_pool_start(struct smol_pool *pool, uint32_t n_workers)
{
    pool->n_workers = n_workers;
    pool->n_processors = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
    for (unsigned i = 0; i < PACES; i++)
        pool->paces[i] = smol_pace_of(n_workers, SLOW / (1u << i));
    atomic_init(&pool->generation, 0);
    atomic_init(&pool->n_shares, n_workers);
    atomic_init(&pool->n_asleep, 0);
    atomic_init(&pool->n_begun, 0);
    atomic_init(&pool->stopping, false);
    for (uint32_t i = 0; i < n_workers; i++) {
        atomic_init(&pool->shares[i].claimed, 0);
        atomic_init(&pool->shares[i].done, 0);
    }
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    for (uint32_t i = 1; i < n_workers; i++)
        if (pthread_create(&pool->shares[i].thread, NULL, worker_main, pool) != 0) {
            stop(pool, i);
            return false;
        }
    while (atomic_load(&pool->n_begun) + 1 != n_workers)
        sched_yield();
    return true;
}

void smol_pool_stop(struct smol_pool *pool) { stop(pool, pool->n_workers); }

/* How often the caller looks whether a share is over before it takes it, if nobody has begun it:
 * who is awake has noticed by then. */
#define PATIENCE 300u

static void await_share(struct smol_pool *pool, unsigned generation, uint32_t i)
{
    const unsigned most = looks(pool);
    unsigned patience = most && atomic_load(&pool->n_asleep) == 0 ? PATIENCE : 0;

    for (unsigned n = 0;
         atomic_load_explicit(&pool->shares[i].done, memory_order_acquire) != generation; n++) {
        if (n >= patience) {
            try_share(pool, generation, i);
            patience = UINT32_MAX;
        }
        if (n >= most)
            sched_yield();
    }
}

void smol_pool_run(struct smol_pool *pool, smol_work *work, void *arg)
{
    const uint32_t n = n_shares(pool);
    const unsigned generation = atomic_load_explicit(&pool->generation, memory_order_relaxed) + 1;

    pool->has_shared = true;
    if (n == 1) {
        work(arg, 0, 1);
        return;
    }
    pool->work = work;
    pool->arg = arg;
    for (uint32_t i = n; i < pool->n_workers; i++)
        atomic_store_explicit(&pool->shares[i].claimed, generation, memory_order_relaxed);
    announce(pool, n);
    work(arg, 0, n);
    for (uint32_t i = 1; i < n; i++)
        await_share(pool, generation, i);
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

    if (pace->threads != n_shares(pool))
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
