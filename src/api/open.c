/* Opening a model: what is checked is what is used, one mapping of one file. SPEC.md 4. */
#include "api/open.h"
#include "base/error.h"
#include "format/format.h"
#include "format/sodium.h"

#include <smol/io.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HASHERS 16u

/* A share of the leaves: every n_hashers-th piece. */
struct hasher {
    const struct smol_file *file;
    uint8_t *leaves;
    uint64_t first, step, n_pieces;
    pthread_t thread;
};

static void *hash_share(void *arg)
{
    const struct hasher *h = arg;

    for (uint64_t i = h->first; i < h->n_pieces; i += h->step)
        smol_hash_leaf(h->leaves + i * SMOL_HASH_BYTES, h->file->bytes.data, h->file->body_bytes,
                       i);
    return NULL;
}

/* A thread that cannot be had is no failure: its share is done here. */
static void hash_leaves(uint8_t *leaves, const struct smol_file *file, uint64_t n_pieces,
                        uint32_t n_threads)
{
    struct hasher hashers[MAX_HASHERS];
    bool started[MAX_HASHERS] = {false};
    uint32_t n = n_threads > MAX_HASHERS ? MAX_HASHERS : n_threads < 1 ? 1 : n_threads;

    n = n_pieces < n ? (uint32_t)n_pieces : n;
    for (uint32_t i = 0; i < n; i++) {
        hashers[i] = (struct hasher){
            .file = file, .leaves = leaves, .first = i, .step = n, .n_pieces = n_pieces};
        if (i > 0)
            started[i] = pthread_create(&hashers[i].thread, NULL, hash_share, &hashers[i]) == 0;
    }
    for (uint32_t i = 0; i < n; i++)
        if (!started[i])
            hash_share(&hashers[i]);
    for (uint32_t i = 0; i < n; i++)
        if (started[i])
            pthread_join(hashers[i].thread, NULL);
}

enum smol_status smol_file_check_hash_threads(const struct smol_file *file, uint32_t n_threads,
                                              struct smol_error *error)
{
    const uint64_t n_pieces = smol_hash_pieces(file->body_bytes);
    uint8_t hash[SMOL_HASH_BYTES];
    uint8_t *leaves;

    if (n_threads < 2 || n_pieces < 2)
        return smol_file_check_hash(file, error);
    leaves = malloc(n_pieces * SMOL_HASH_BYTES);
    if (!leaves)
        return smol_fail_memory(error);
    hash_leaves(leaves, file, n_pieces, n_threads);
    smol_hash_root(hash, leaves, file->body_bytes);
    free(leaves);
    if (memcmp(hash, file->hash, sizeof hash) != 0)
        return smol_fail(error, SMOL_E_HASH, file->body_bytes,
                         "the hash is not that of the file: it was changed");
    return SMOL_OK;
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
