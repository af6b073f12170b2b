/* Keys in minisign's file formats, and signing with them. SPEC.md 4. */
#include "base/bytes.h"
#include "base/error.h"
#include "format/base64.h"
#include "format/minisign.h"
#include "format/sodium.h"

#include <smol/key.h>

#include <sodium.h>
#include <stdio.h>

#define PUBLIC_BYTES 42u
#define SECRET_BYTES 158u
#define SECRET_CLEAR_BYTES 54u   /* before the part that the password hides */
#define SECRET_HIDDEN_BYTES 104u /* key number 8, key 64, checksum 32 */
#define OPS_LIMIT 33554432u
#define MEM_LIMIT 1073741824u
#define OPS_LIMIT_MAX ((uint64_t)1 << 30) /* half a minute or so */
#define MEM_LIMIT_MAX ((uint64_t)4 << 30)
#define COMMENT_MAX_BYTES 1024u

enum smol_status smol_key_generate(struct smol_secret_key *secret, struct smol_error *error)
{
    const enum smol_status status = smol_sodium_start(error);
    uint8_t public_key[SMOL_PUBLIC_KEY_BYTES];

    if (status)
        return status;
    crypto_sign_keypair(public_key, secret->key);
    randombytes_buf(secret->key_number, sizeof secret->key_number);
    return SMOL_OK;
}

void smol_key_public(struct smol_public_key *public_key, const struct smol_secret_key *secret)
{
    memcpy(public_key->key_number, secret->key_number, sizeof public_key->key_number);
    memcpy(public_key->key, secret->key + 32, sizeof public_key->key);
}

void smol_secret_key_wipe(struct smol_secret_key *secret)
{
    sodium_memzero(secret, sizeof *secret);
}

bool smol_minisign_line(const char **line, size_t *length, const uint8_t *text, size_t size_bytes,
                        size_t *at)
{
    const uint8_t *begin = text + *at, *end;

    if (*at >= size_bytes)
        return false;
    end = memchr(begin, '\n', size_bytes - *at);
    *length = end ? (size_t)(end - begin) : size_bytes - *at;
    *at += *length + (end ? 1 : 0);
    *line = (const char *)begin;
    if (end && *length > 0 && begin[*length - 1] == '\r')
        --*length;
    return true;
}

static bool is_comment(const char *line, size_t length)
{
    static const char prefix[] = "untrusted comment:";

    return length >= sizeof prefix - 1 && memcmp(line, prefix, sizeof prefix - 1) == 0;
}

/* The bytes of a key file: a comment line and a line of base64; the comment may be left out if
 * bare. */
static enum smol_status decode_file(uint8_t *bytes, size_t size_bytes, const uint8_t *text,
                                    size_t text_bytes, bool bare_allowed, struct smol_error *error)
{
    size_t at = 0, length = 0, extra, line_at = 0;
    const char *line, *rest;
    bool have = smol_minisign_line(&line, &length, text, text_bytes, &at);

    if (have && length > COMMENT_MAX_BYTES)
        return smol_fail(error, SMOL_E_KEY, COMMENT_MAX_BYTES, "a line longer than %u bytes",
                         COMMENT_MAX_BYTES);
    if (have && is_comment(line, length)) {
        line_at = at;
        have = smol_minisign_line(&line, &length, text, text_bytes, &at);
    } else if (!bare_allowed) {
        return smol_fail(error, SMOL_E_KEY, 0, "a key file begins with \"untrusted comment:\"");
    }
    if (!have || !smol_base64_decode(bytes, size_bytes, line, length))
        return smol_fail(error, SMOL_E_KEY, line_at,
                         "not base64 of %zu bytes, as in a minisign key file", size_bytes);
    while (smol_minisign_line(&rest, &extra, text, text_bytes, &at))
        if (extra > 0)
            return smol_fail(error, SMOL_E_KEY, at, "text after the key");
    return SMOL_OK;
}

enum smol_status smol_public_key_parse(struct smol_public_key *key, const uint8_t *text,
                                       size_t size_bytes, struct smol_error *error)
{
    uint8_t b[PUBLIC_BYTES];
    const enum smol_status status = decode_file(b, sizeof b, text, size_bytes, true, error);

    if (status)
        return status;
    if (memcmp(b, "Ed", 2) != 0)
        return smol_fail(error, SMOL_E_KEY, SMOL_NO_OFFSET, "not an Ed25519 public key");
    memcpy(key->key_number, b + 2, sizeof key->key_number);
    memcpy(key->key, b + 10, sizeof key->key);
    return SMOL_OK;
}

void smol_public_key_format(uint8_t *dest, size_t *size_bytes, const struct smol_public_key *key)
{
    uint8_t b[PUBLIC_BYTES];
    char base64[SMOL_BASE64_MAX + 1];
    int n;

    memcpy(b, "Ed", 2);
    memcpy(b + 2, key->key_number, sizeof key->key_number);
    memcpy(b + 10, key->key, sizeof key->key);
    smol_base64_encode(base64, sizeof base64, b, sizeof b);
    n = snprintf((char *)dest, SMOL_KEY_FILE_BYTES,
                 "untrusted comment: minisign public key %016llX\n%s\n",
                 (unsigned long long)smol_le64(key->key_number), base64);
    *size_bytes = (size_t)n;
}

/* The raw bytes of a secret key file, with everything but the password checked. */
static enum smol_status decode_secret(uint8_t b[SECRET_BYTES], bool *encrypted, const uint8_t *text,
                                      size_t size_bytes, struct smol_error *error)
{
    const enum smol_status status = decode_file(b, SECRET_BYTES, text, size_bytes, false, error);

    if (status)
        return status;
    if (memcmp(b, "Ed", 2) != 0 || memcmp(b + 4, "B2", 2) != 0)
        return smol_fail(error, SMOL_E_KEY, SMOL_NO_OFFSET, "not a minisign Ed25519 secret key");
    *encrypted = memcmp(b + 2, "Sc", 2) == 0;
    if (!*encrypted && smol_le16(b + 2) != 0)
        return smol_fail(error, SMOL_E_KEY, SMOL_NO_OFFSET,
                         "the secret key is encrypted in an unknown way");
    if (*encrypted && smol_le64(b + 38) > OPS_LIMIT_MAX)
        return smol_fail(error, SMOL_E_KEY, SMOL_NO_OFFSET,
                         "decrypting the secret key takes over 2^30 operations");
    if (*encrypted && smol_le64(b + 46) > MEM_LIMIT_MAX)
        return smol_fail(error, SMOL_E_KEY, SMOL_NO_OFFSET,
                         "decrypting the secret key takes over 4 GiB");
    return SMOL_OK;
}

enum smol_status smol_secret_key_is_encrypted(bool *encrypted, const uint8_t *text,
                                              size_t size_bytes, struct smol_error *error)
{
    uint8_t b[SECRET_BYTES];
    bool is = false;
    const enum smol_status status = decode_secret(b, &is, text, size_bytes, error);

    sodium_memzero(b, sizeof b);
    if (!status)
        *encrypted = is;
    return status;
}

/* XORs the hidden part with the stream that scrypt makes of the password. */
static enum smol_status apply_password(uint8_t b[SECRET_BYTES], const char *password,
                                       struct smol_error *error)
{
    uint8_t stream[SECRET_HIDDEN_BYTES];

    if (crypto_pwhash_scryptsalsa208sha256(stream, sizeof stream, password, strlen(password), b + 6,
                                           smol_le64(b + 38), (size_t)smol_le64(b + 46)) != 0)
        return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
                         "not enough memory for the key's password");
    for (size_t i = 0; i < sizeof stream; i++)
        b[SECRET_CLEAR_BYTES + i] ^= stream[i];
    sodium_memzero(stream, sizeof stream);
    return SMOL_OK;
}

/* BLAKE2b-256 of the algorithm, the key number and the key. */
static void checksum(uint8_t sum[32], const uint8_t b[SECRET_BYTES])
{
    crypto_generichash_state state;

    crypto_generichash_init(&state, NULL, 0, 32);
    crypto_generichash_update(&state, b, 2);
    crypto_generichash_update(&state, b + SECRET_CLEAR_BYTES, 72);
    crypto_generichash_final(&state, sum, 32);
}

static enum smol_status open_secret(uint8_t b[SECRET_BYTES], const uint8_t *text, size_t size_bytes,
                                    const char *password, struct smol_error *error)
{
    enum smol_status status;
    uint8_t sum[32];
    bool encrypted = false;

    if ((status = decode_secret(b, &encrypted, text, size_bytes, error)) || !encrypted)
        return status;
    if (!password)
        return smol_fail(error, SMOL_E_PASSWORD, SMOL_NO_OFFSET, "the secret key needs a password");
    if ((status = apply_password(b, password, error)))
        return status;
    checksum(sum, b);
    if (sodium_memcmp(sum, b + SECRET_CLEAR_BYTES + 72, sizeof sum) != 0)
        return smol_fail(error, SMOL_E_PASSWORD, SMOL_NO_OFFSET,
                         "wrong password for the secret key");
    return SMOL_OK;
}

/* The public half in the file is that of the seed: signing with another would reveal the key. */
static bool halves_agree(const uint8_t key[64])
{
    uint8_t public_key[32], secret[64];
    bool agree;

    crypto_sign_seed_keypair(public_key, secret, key);
    agree = sodium_memcmp(public_key, key + 32, sizeof public_key) == 0;
    sodium_memzero(secret, sizeof secret);
    return agree;
}

enum smol_status smol_secret_key_parse(struct smol_secret_key *key, const uint8_t *text,
                                       size_t size_bytes, const char *password,
                                       struct smol_error *error)
{
    uint8_t b[SECRET_BYTES];
    enum smol_status status = smol_sodium_start(error);

    if (!status)
        status = open_secret(b, text, size_bytes, password, error);
    if (!status && !halves_agree(b + SECRET_CLEAR_BYTES + 8))
        status = smol_fail(error, SMOL_E_KEY, SMOL_NO_OFFSET,
                           "the secret and the public half of the key do not match");
    if (!status) {
        memcpy(key->key_number, b + SECRET_CLEAR_BYTES, sizeof key->key_number);
        memcpy(key->key, b + SECRET_CLEAR_BYTES + 8, sizeof key->key);
    }
    sodium_memzero(b, sizeof b);
    return status;
}

enum smol_status smol_secret_key_format(uint8_t *dest, size_t *size_bytes,
                                        const struct smol_secret_key *key, const char *password,
                                        struct smol_error *error)
{
    uint8_t b[SECRET_BYTES] = "Ed";
    char base64[SMOL_BASE64_MAX + 1];
    enum smol_status status = smol_sodium_start(error);
    int n;

    if (status)
        return status;
    memcpy(b + 4, "B2", 2);
    memcpy(b + SECRET_CLEAR_BYTES, key->key_number, sizeof key->key_number);
    memcpy(b + SECRET_CLEAR_BYTES + 8, key->key, sizeof key->key);
    if (password) {
        checksum(b + SECRET_CLEAR_BYTES + 72, b);
        memcpy(b + 2, "Sc", 2);
        randombytes_buf(b + 6, 32);
        smol_put64(b + 38, OPS_LIMIT);
        smol_put64(b + 46, MEM_LIMIT);
        status = apply_password(b, password, error);
    }
    if (!status) {
        smol_base64_encode(base64, sizeof base64, b, sizeof b);
        n = snprintf((char *)dest, SMOL_KEY_FILE_BYTES,
                     "untrusted comment: minisign %s secret key\n%s\n",
                     password ? "encrypted" : "unencrypted", base64);
        *size_bytes = (size_t)n;
        sodium_memzero(base64, sizeof base64);
    }
    sodium_memzero(b, sizeof b);
    return status;
}

void smol_sign_hash(struct smol_signature *signature, const uint8_t hash[SMOL_HASH_BYTES],
                    const struct smol_secret_key *key)
{
    uint8_t message[SMOL_SIGNED_MESSAGE_BYTES];

    memcpy(signature->key_number, key->key_number, sizeof signature->key_number);
    memcpy(signature->public_key, key->key + 32, sizeof signature->public_key);
    smol_signed_message(message, hash, signature->key_number, signature->public_key);
    crypto_sign_detached(signature->signature, NULL, message, sizeof message, key->key);
}

enum smol_status smol_file_check_signer(const struct smol_file *file,
                                        const struct smol_public_key *key, struct smol_error *error)
{
    if (!file->is_signed)
        return smol_fail(error, SMOL_E_UNTRUSTED, SMOL_NO_OFFSET, "the file is not signed");
    if (memcmp(file->signature.key_number, key->key_number, sizeof key->key_number) != 0 ||
        memcmp(file->signature.public_key, key->key, sizeof key->key) != 0)
        return smol_fail(error, SMOL_E_UNTRUSTED, file->body_bytes + SMOL_HASH_BYTES,
                         "signed by key %016llX, not by %016llX",
                         (unsigned long long)smol_le64(file->signature.key_number),
                         (unsigned long long)smol_le64(key->key_number));
    return smol_file_check_signature(file, error);
}
