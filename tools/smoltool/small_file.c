/* See small_file.h. */
#include "smoltool/small_file.h"
#include "cli/cli.h"
#include "cli/key_file.h"

#include <stdlib.h>
#include <string.h>

uint8_t *small_file_make(uint64_t *size_bytes, const struct smol_parts *parts,
                         struct smol_error *error)
{
    uint8_t *bytes;

    if (smol_file_size(size_bytes, parts, error))
        return NULL;
    bytes = malloc(*size_bytes);
    if (!bytes)
        cli_error_memory(error);
    else if (smol_file_write(bytes, *size_bytes, parts, error)) {
        free(bytes);
        bytes = NULL;
    }
    return bytes;
}

static int sign(uint8_t *block, const uint8_t *hash, const char *path, const char *password_file)
{
    struct smol_signature signature;
    struct smol_secret_key key;
    int code = key_file_secret(&key, path, password_file);

    if (code)
        return code;
    smol_sign_hash(&signature, hash, &key);
    smol_signature_encode(block, &signature);
    smol_secret_key_wipe(&key);
    return 0;
}

int small_file_write(const char *output, const uint8_t *bytes, uint64_t *size_bytes,
                     const char *key, const char *password_file)
{
    uint8_t *signed_bytes;
    int code;

    if (!key)
        return cli_write_file(output, bytes, *size_bytes);
    signed_bytes = malloc(*size_bytes + SMOL_SIGNATURE_BLOCK_BYTES);
    if (!signed_bytes)
        return cli_no_memory(NULL);
    memcpy(signed_bytes, bytes, *size_bytes);
    code =
        sign(signed_bytes + *size_bytes, bytes + *size_bytes - SMOL_HASH_BYTES, key, password_file);
    if (code == 0)
        code = cli_write_file(output, signed_bytes, *size_bytes += SMOL_SIGNATURE_BLOCK_BYTES);
    free(signed_bytes);
    return code;
}
