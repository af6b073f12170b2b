/* Opening a model: one mapping of one file, so that what was checked is what is used. SPEC.md 4. */
#include "api/open.h"
#include "base/error.h"
#include "format/format.h"
#include "format/sodium.h"
#include "hash/body.h"

#include <smol/io.h>

enum smol_status smol_file_check_hash_threads(const struct smol_file *file, uint32_t n_threads,
                                              struct smol_error *error)
{
    uint8_t hash[SMOL_HASH_BYTES];
    enum smol_status status = smol_hash_body_threads(hash, file->bytes.data, file->body_bytes,
                                                     n_threads, NULL, NULL, error);

    return status ? status : smol_hash_compare(file, hash, error);
}

struct parsing {
    struct smol_file *file;
    const uint8_t *bytes;
    size_t size_bytes;
};

static enum smol_status parse(void *arg, struct smol_error *error)
{
    const struct parsing *p = arg;
    enum smol_status status = smol_file_parse(p->file, p->bytes, p->size_bytes, error);

    return status ? status : smol_file_check_tokens(p->file, error);
}

/* Checksums and hash read the same bytes, so other threads begin to hash while one parses: what the
 * header states as the body, if it is there. libsodium hashes faster once it is started. */
enum smol_status smol_file_parse_checked(struct smol_file *file, const uint8_t *bytes,
                                         size_t size_bytes, uint32_t n_threads,
                                         struct smol_error *error)
{
    struct parsing parsing = {file, bytes, size_bytes};
    uint8_t hash[SMOL_HASH_BYTES];
    enum smol_status status = smol_sodium_start(error);

    if (status || !n_threads)
        return status ? status : parse(&parsing, error);
    if ((status = smol_hash_body_threads(hash, bytes, smol_stated_body_bytes(bytes, size_bytes),
                                         n_threads, parse, &parsing, error)) ||
        (status = smol_hash_compare(file, hash, error)))
        return status;
    return file->is_signed ? smol_file_check_signature(file, error) : SMOL_OK;
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
