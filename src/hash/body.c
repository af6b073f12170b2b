/* The pieces of a body, taken by threads in groups of as many as one hashes side by side. */
#include "hash/body.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/threads/pool.h"
#include "hash/leaves.h"

#include <stdatomic.h>
#include <stdlib.h>

#define MAX_HASHERS 16u

/* Groups are taken from the end, since the last one may have too few pieces for all lanes, and
 * takes longest. */
struct hashing {
    const uint8_t *body;
    uint64_t body_bytes;
    uint8_t *leaves; /* (n_pieces, 64) */
    struct smol_cpu cpu;
    uint64_t n_pieces, group;      /* pieces in a group */
    atomic_uint_fast64_t n_groups; /* that nobody has taken */
    smol_before_hashing *first;    /* of worker 0 */
    void *arg;
    enum smol_status status; /* of that */
    struct smol_error *error;
};

/* Takes the next group, false if none is left. */
static bool take(uint64_t *first, uint64_t *n, struct hashing *h)
{
    uint_fast64_t left = atomic_load(&h->n_groups);

    while (left > 0 && !atomic_compare_exchange_weak(&h->n_groups, &left, left - 1))
        ;
    if (left == 0)
        return false;
    *first = (left - 1) * h->group;
    *n = h->n_pieces - *first < h->group ? h->n_pieces - *first : h->group;
    return true;
}

/* A thread that the system does not run takes nothing. */
static void work(void *arg, uint32_t worker, uint32_t n_workers)
{
    struct hashing *h = arg;
    uint64_t at, n;

    (void)n_workers;
    if (worker == 0 && h->first && (h->status = h->first(h->arg, h->error)))
        atomic_store(&h->n_groups, 0);
    while (take(&at, &n, h))
        smol_hash_leaves(h->leaves + at * SMOL_HASH_BYTES, h->body, h->body_bytes, at, n, h->cpu);
}

static void run_threads(struct hashing *h, uint32_t n_threads)
{
    struct smol_pool *pool =
        n_threads > 1 ? aligned_alloc(64, smol_round_up(smol_pool_bytes(n_threads), 64)) : NULL;

    if (pool && smol_pool_start(pool, n_threads)) {
        smol_pool_run(pool, work, h);
        smol_pool_stop(pool);
    } else {
        work(h, 0, 1);
    }
    free(pool);
}

/* At most one thread for each group, which takes a millisecond or two. */
enum smol_status smol_hash_body_threads(uint8_t *hash, const uint8_t *body, uint64_t body_bytes,
                                        uint32_t n_threads, smol_before_hashing *first, void *arg,
                                        struct smol_error *error)
{
    const struct smol_cpu cpu = smol_cpu_detect();
    const uint64_t n_pieces = smol_hash_pieces(body_bytes), group = smol_hash_lanes(cpu),
                   n_groups = (n_pieces + group - 1) / group;
    const uint32_t most = n_threads < MAX_HASHERS ? n_threads : MAX_HASHERS;
    struct hashing h = {.body = body,
                        .body_bytes = body_bytes,
                        .leaves = malloc(n_pieces * SMOL_HASH_BYTES + 1),
                        .cpu = cpu,
                        .n_pieces = n_pieces,
                        .group = group,
                        .first = first,
                        .arg = arg,
                        .status = SMOL_OK,
                        .error = error};

    if (!h.leaves)
        return smol_fail_memory(error);
    atomic_init(&h.n_groups, n_groups);
    run_threads(&h, n_groups < most ? (uint32_t)n_groups : most);
    if (!h.status)
        smol_hash_root(hash, h.leaves, body_bytes);
    free(h.leaves);
    return h.status;
}
