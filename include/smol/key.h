/* Keys and signatures, in minisign's file formats, and signing .smol files and others.
 * SPEC.md 4. Bytes in, bytes out. Thread-safe.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_KEY_H
#define SMOL_KEY_H

#include <smol/file.h>

SMOL_BEGIN_DECLS

struct smol_public_key {
    uint8_t key_number[SMOL_KEY_NUMBER_BYTES];
    uint8_t key[SMOL_PUBLIC_KEY_BYTES];
};

/* To be wiped with smol_secret_key_wipe. */
struct smol_secret_key {
    uint8_t key_number[SMOL_KEY_NUMBER_BYTES];
    uint8_t key[64]; /* seed, public key */
};

#define SMOL_KEY_FILE_BYTES 1024u /* room for either key file's text */

/* A new key pair from the system's random numbers. */
enum smol_status smol_key_generate(struct smol_secret_key *secret, struct smol_error *error);
void smol_key_public(struct smol_public_key *public_key, const struct smol_secret_key *secret);
void smol_secret_key_wipe(struct smol_secret_key *secret);

/* The text of a minisign key file. A public key may also be given as its base64 line alone. KEY if
 * it is malformed. */
enum smol_status smol_public_key_parse(struct smol_public_key *key, const uint8_t *text,
                                       size_t size_bytes, struct smol_error *error);
/* dest: SMOL_KEY_FILE_BYTES; *size_bytes is what was used. */
void smol_public_key_format(uint8_t *dest, size_t *size_bytes, const struct smol_public_key *key);

/* Whether a secret key file needs a password. KEY if it is malformed. */
enum smol_status smol_secret_key_is_encrypted(bool *encrypted, const uint8_t *text,
                                              size_t size_bytes, struct smol_error *error);
/* password NULL: none. PASSWORD if it is wrong or missing; MEMORY if there is not enough for
 * scrypt. */
enum smol_status smol_secret_key_parse(struct smol_secret_key *key, const uint8_t *text,
                                       size_t size_bytes, const char *password,
                                       struct smol_error *error);
/* Encrypted with scrypt if password is not NULL. */
enum smol_status smol_secret_key_format(uint8_t *dest, size_t *size_bytes,
                                        const struct smol_secret_key *key, const char *password,
                                        struct smol_error *error);

/* Signs a file's hash. */
void smol_sign_hash(struct smol_signature *signature, const uint8_t hash[SMOL_HASH_BYTES],
                    const struct smol_secret_key *key);

/* UNTRUSTED unless the file is signed by exactly this key; SIGNATURE if the signature does not
 * verify. Call after smol_file_check_hash. */
enum smol_status smol_file_check_signer(const struct smol_file *file,
                                        const struct smol_public_key *key,
                                        struct smol_error *error);

/* ---- Detached signatures: minisign's FILE.minisig, over all bytes of any file ---- */

/* The longest comments that minisign itself reads. */
#define SMOL_UNTRUSTED_COMMENT_BYTES 1003u
#define SMOL_TRUSTED_COMMENT_BYTES 8173u
#define SMOL_MINISIG_FILE_BYTES 9408u /* room for the text of such a file */

struct smol_minisig {
    bool is_prehashed; /* "ED": signs the BLAKE2b-512 of the bytes; else "Ed", minisign's older
                          kind: the bytes */
    uint8_t key_number[SMOL_KEY_NUMBER_BYTES];
    uint8_t signature[SMOL_SIGNATURE_BYTES];
    uint8_t global_signature[SMOL_SIGNATURE_BYTES]; /* of the signature and the trusted comment */
    char trusted_comment[SMOL_TRUSTED_COMMENT_BYTES + 1]; /* one line of UTF-8 that can be shown */
};

/* The text of a .minisig. KEY if it is malformed. Only smol_minisig_check verifies what it says. */
enum smol_status smol_minisig_parse(struct smol_minisig *signature, const uint8_t *text,
                                    size_t size_bytes, struct smol_error *error);
/* Whether the bytes and the trusted comment were signed by exactly this key. UNTRUSTED if it names
 * another key, SIGNATURE if it does not verify. */
enum smol_status smol_minisig_check(const struct smol_minisig *signature,
                                    const struct smol_public_key *key, const uint8_t *bytes,
                                    size_t size_bytes, struct smol_error *error);
/* Signs all bytes of a file, prehashed. ARGUMENT if the comment is too long, not UTF-8, or has a
 * control character other than TAB. */
enum smol_status smol_minisig_sign(struct smol_minisig *signature, const uint8_t *bytes,
                                   size_t size_bytes, const struct smol_secret_key *key,
                                   const char *trusted_comment, struct smol_error *error);
/* dest: SMOL_MINISIG_FILE_BYTES; *size_bytes is what was used. Nothing protects the untrusted
 * comment, which is subject to the same rules. */
enum smol_status smol_minisig_format(uint8_t *dest, size_t *size_bytes,
                                     const struct smol_minisig *signature,
                                     const char *untrusted_comment, struct smol_error *error);

SMOL_END_DECLS
#endif
