/* Signs a model with a secret key of minisign's that has no password, and proves the result against
 * that key.
 *     cc -std=c11 sign.c $(pkg-config --cflags --libs smol) -o sign
 * Usage: sign SECRET.key MODEL.smol OUT.smol */
#include <smol/io.h>
#include <smol/key.h>

#include <stdio.h>

static enum smol_status read_key(struct smol_secret_key *key, const char *path,
                                 struct smol_error *error)
{
    struct smol_mapping m;
    enum smol_status status = smol_mapping_open(&m, path, error);

    if (status)
        return status;
    status = smol_secret_key_parse(key, m.bytes.data, m.bytes.size_bytes, NULL, error);
    smol_mapping_close(&m);
    return status;
}

/* The body and the hash as they are, and a new signature behind them. */
static enum smol_status write_signed(const char *path, const struct smol_file *file,
                                     const struct smol_secret_key *key, struct smol_error *error)
{
    uint8_t block[SMOL_SIGNATURE_BLOCK_BYTES];
    struct smol_signature signature;
    struct smol_writer *writer;

    smol_sign_hash(&signature, file->hash, key);
    smol_signature_encode(block, &signature);
    if (smol_writer_open(&writer, path, 0666, error))
        return error->code;
    if (smol_writer_append(writer, file->bytes.data, file->body_bytes + SMOL_HASH_BYTES, error) ||
        smol_writer_append(writer, block, sizeof block, error)) {
        smol_writer_abort(writer); /* nothing is left behind */
        return error->code;
    }
    return smol_writer_commit(writer, error);
}

/* That the signature verifies, smol_file_open has proven; not whose it is: anyone may sign. */
static enum smol_status check(const char *path, const struct smol_secret_key *secret,
                              struct smol_error *error)
{
    struct smol_public_key key;
    struct smol_mapping mapping;
    struct smol_file file;
    enum smol_status status = smol_file_open(&mapping, &file, path, 1, error);

    if (status)
        return status;
    smol_key_public(&key, secret);
    status = smol_file_check_signer(&file, &key, error);
    smol_mapping_close(&mapping);
    return status;
}

int main(int argc, char **argv)
{
    struct smol_mapping mapping = {.fd = -1};
    struct smol_secret_key key = {0};
    struct smol_error error;
    struct smol_file file;
    const char *path;
    int code;

    if (argc != 4) {
        fprintf(stderr, "usage: sign SECRET.key MODEL.smol OUT.smol\n");
        return 2;
    }
    code = read_key(&key, path = argv[1], &error) ||
           smol_file_open(&mapping, &file, path = argv[2], 1, &error) ||
           write_signed(path = argv[3], &file, &key, &error) || check(path, &key, &error);
    if (code)
        fprintf(stderr, "sign: %s: %s\n", path, error.text);
    smol_secret_key_wipe(&key);
    smol_mapping_close(&mapping);
    return code;
}
