/* The hash over the body, and the signature over the hash. SPEC.md 4. */
#include "base/bytes.h"
#include "base/error.h"
#include "format/format.h"

#include <sodium.h>

uint64_t smol_hash_pieces(uint64_t body_bytes)
{
    return body_bytes / SMOL_PIECE_BYTES + (body_bytes % SMOL_PIECE_BYTES != 0);
}

void smol_hash_leaf(uint8_t leaf[SMOL_HASH_BYTES], const uint8_t *body, uint64_t body_bytes,
                    uint64_t piece)
{
    const uint64_t at = piece * SMOL_PIECE_BYTES;
    const uint64_t left = body_bytes - at;

    crypto_generichash(leaf, SMOL_HASH_BYTES, body + at,
                       left < SMOL_PIECE_BYTES ? left : SMOL_PIECE_BYTES, NULL, 0);
}

/* The root takes the leaves one by one, so that they need not all be kept. */
static void root_init(crypto_generichash_state *state, uint64_t body_bytes)
{
    uint8_t head[24] = "smol/1 file hash";

    smol_put64(head + 16, body_bytes);
    crypto_generichash_init(state, NULL, 0, SMOL_HASH_BYTES);
    crypto_generichash_update(state, head, sizeof head);
}

void smol_hash_root(uint8_t hash[SMOL_HASH_BYTES], const uint8_t *leaves, uint64_t body_bytes)
{
    crypto_generichash_state state;

    root_init(&state, body_bytes);
    crypto_generichash_update(&state, leaves, smol_hash_pieces(body_bytes) * SMOL_HASH_BYTES);
    crypto_generichash_final(&state, hash, SMOL_HASH_BYTES);
}

void smol_hash_body(uint8_t hash[SMOL_HASH_BYTES], const uint8_t *body, uint64_t body_bytes)
{
    const uint64_t n = smol_hash_pieces(body_bytes);
    crypto_generichash_state state;
    uint8_t leaf[SMOL_HASH_BYTES];

    root_init(&state, body_bytes);
    for (uint64_t i = 0; i < n; i++) {
        smol_hash_leaf(leaf, body, body_bytes, i);
        crypto_generichash_update(&state, leaf, sizeof leaf);
    }
    crypto_generichash_final(&state, hash, SMOL_HASH_BYTES);
}

bool smol_same_hash(const uint8_t a[SMOL_HASH_BYTES], const uint8_t b[SMOL_HASH_BYTES])
{
    return memcmp(a, b, SMOL_HASH_BYTES) == 0;
}

const char *smol_short_hash(char text[SHORT_HASH_SIZE], const uint8_t hash[SMOL_HASH_BYTES])
{
    for (size_t i = 0; i < SHORT_HASH_SIZE - 1; i++)
        text[i] = "0123456789abcdef"[i % 2 ? hash[i / 2] & 15 : hash[i / 2] >> 4];
    text[SHORT_HASH_SIZE - 1] = 0;
    return text;
}

enum smol_status smol_hash_compare(const struct smol_file *file,
                                   const uint8_t hash[SMOL_HASH_BYTES], struct smol_error *error)
{
    if (!smol_same_hash(hash, file->hash))
        return smol_fail(error, SMOL_E_HASH, file->body_bytes,
                         "hash mismatch: the file was modified");
    return SMOL_OK;
}

enum smol_status smol_file_check_hash(const struct smol_file *file, struct smol_error *error)
{
    uint8_t hash[SMOL_HASH_BYTES];

    smol_hash_body(hash, file->bytes.data, file->body_bytes);
    return smol_hash_compare(file, hash, error);
}

void smol_signed_message(uint8_t message[SMOL_SIGNED_MESSAGE_BYTES],
                         const uint8_t hash[SMOL_HASH_BYTES],
                         const uint8_t key_number[SMOL_KEY_NUMBER_BYTES],
                         const uint8_t public_key[SMOL_PUBLIC_KEY_BYTES])
{
    memcpy(message, "smol/1 signature", 16);
    memcpy(message + 16, hash, SMOL_HASH_BYTES);
    memcpy(message + 80, key_number, SMOL_KEY_NUMBER_BYTES);
    memcpy(message + 88, public_key, SMOL_PUBLIC_KEY_BYTES);
}

enum smol_status smol_file_check_signature(const struct smol_file *file, struct smol_error *error)
{
    const struct smol_signature *s = &file->signature;
    uint8_t message[SMOL_SIGNED_MESSAGE_BYTES];

    if (!file->is_signed)
        return smol_fail(error, SMOL_E_UNTRUSTED, SMOL_NO_OFFSET, "the file is not signed");
    smol_signed_message(message, file->hash, s->key_number, s->public_key);
    if (crypto_sign_verify_detached(s->signature, message, sizeof message, s->public_key) != 0)
        return smol_fail(error, SMOL_E_SIGNATURE, file->body_bytes + SMOL_HASH_BYTES,
                         "the signature does not verify under the key beside it");
    return SMOL_OK;
}

void smol_signature_encode(uint8_t dest[SMOL_SIGNATURE_BLOCK_BYTES],
                           const struct smol_signature *sig)
{
    memcpy(dest, sig->key_number, SMOL_KEY_NUMBER_BYTES);
    memcpy(dest + 8, sig->public_key, SMOL_PUBLIC_KEY_BYTES);
    memcpy(dest + 40, sig->signature, SMOL_SIGNATURE_BYTES);
}
