/* Opening a model: one mapping of one file, so that what was checked is what is used. SPEC.md 4. */
#include "api/open.h"
#include "base/bytes.h"
#include "base/error.h"
#include "base/pool.h"
#include "format/format.h"
#include "format/sodium.h"

#include <smol/io.h>

#include <stdlib.h>

#define MAX_HASHERS 16u

/* The leaves of a file, (n_pieces, 64). */
struct hashing {
    const struct smol_file *file;
    uint8_t *leaves;
};

/* Every n_workers-th piece. */
static void hash_share(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct hashing *h = arg;
    const uint64_t body_bytes = h->file->body_bytes;

    for (uint64_t i = worker; i < smol_hash_pieces(body_bytes); i += n_workers)
        smol_hash_leaf(h->leaves + i * SMOL_HASH_BYTES, h->file->bytes.data, body_bytes, i);
}

/* Threads that cannot be had are no failure: one does it all. */
enum smol_status smol_file_check_hash_threads(const struct smol_file *file, uint32_t n_threads,
                                              struct smol_error *error)
{
    const uint64_t n_pieces = smol_hash_pieces(file->body_bytes);
    const uint32_t most = n_threads < MAX_HASHERS ? n_threads : MAX_HASHERS,
                   n = n_pieces < most ? (uint32_t)n_pieces : most;
    struct hashing hashing = {.file = file};
    enum smol_status status = SMOL_OK;
    uint8_t hash[SMOL_HASH_BYTES];
    struct smol_pool *pool;

    if (n < 2)
        return smol_file_check_hash(file, error);
    pool = aligned_alloc(64, smol_round_up(smol_pool_bytes(), 64));
    hashing.leaves = malloc(n_pieces * SMOL_HASH_BYTES);
    if (!pool || !hashing.leaves) {
        status = smol_fail_memory(error);
    } else if (!smol_pool_start(pool, n)) {
        status = smol_file_check_hash(file, error);
    } else {
        smol_pool_run(pool, hash_share, &hashing);
        smol_pool_stop(pool);
        smol_hash_root(hash, hashing.leaves, file->body_bytes);
        status = smol_hash_compare(file, hash, error);
    }
    free(hashing.leaves);
    free(pool);
    return status;
}

/* libsodium hashes faster once it is started. */
enum smol_status smol_file_parse_checked(struct smol_file *file, const uint8_t *bytes,
                                         size_t size_bytes, uint32_t n_threads,
                                         struct smol_error *error)
{
    enum smol_status status;

    if ((status = smol_sodium_start(error)) ||
        (status = smol_file_parse(file, bytes, size_bytes, error)) ||
        (status = smol_file_check_tokens(file, error)))
        return status;
    if (n_threads && (status = smol_file_check_hash_threads(file, n_threads, error)))
        return status;
    return n_threads && file->is_signed ? smol_file_check_signature(file, error) : SMOL_OK;
}

static enum smol_status open_checked(struct smol_mapping *mapping, struct smol_file *file,
                                     const char *path, uint32_t n_threads, struct smol_error *error)
{
    struct smol_mapping m;
    struct smol_file f;
    enum smol_status status = smol_mapping_open(&m, path, error);

    if (status)
        return status;
    status = smol_file_parse_checked(&f, m.bytes.data, m.bytes.size_bytes, n_threads, error);
    if (status == SMOL_OK)
        status = smol_mapping_check(&m, error);
    if (status) {
        smol_mapping_close(&m);
        return status;
    }
    *mapping = m;
    *file = f;
    return SMOL_OK;
}

enum smol_status smol_file_open(struct smol_mapping *mapping, struct smol_file *file,
                                const char *path, uint32_t n_threads, struct smol_error *error)
{
    return open_checked(mapping, file, path, n_threads ? n_threads : 1, error);
}

enum smol_status smol_file_open_unverified(struct smol_mapping *mapping, struct smol_file *file,
                                           const char *path, struct smol_error *error)
{
    return open_checked(mapping, file, path, 0, error);
}
