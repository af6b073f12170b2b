/* The fuzz target of the key files, minisign's. A public key that is accepted is written and read
 * again as the same; a secret one that is not encrypted signs what its public half verifies. */
#include "fuzz.h"
#include "mutate.h"

#include <smol/key.h>

#include <sodium.h>
#include <string.h>

const char fuzz_name[] = "key";

static void check_public(const struct smol_public_key *key)
{
    uint8_t text[SMOL_KEY_FILE_BYTES];
    struct smol_public_key again;
    struct smol_error error;
    size_t size;

    smol_public_key_format(text, &size, key);
    fuzz_require(size <= sizeof text &&
                 smol_public_key_parse(&again, text, size, &error) == SMOL_OK);
    fuzz_require(memcmp(&again, key, sizeof again) == 0);
}

static void check_secret(const struct smol_secret_key *key)
{
    const uint8_t hash[SMOL_HASH_BYTES] = {1};
    uint8_t message[SMOL_SIGNED_MESSAGE_BYTES];
    struct smol_signature signature;

    smol_sign_hash(&signature, hash, key);
    smol_signed_message(message, hash, signature.key_number, signature.public_key);
    fuzz_require(crypto_sign_verify_detached(signature.signature, message, sizeof message,
                                             signature.public_key) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smol_public_key public_key;
    struct smol_secret_key secret;
    struct smol_error error = {0};
    bool encrypted = false;
    enum smol_status status = smol_public_key_parse(&public_key, data, size, &error);

    fuzz_require(status == error.code && (status == SMOL_OK || error.text[0]));
    if (!status)
        check_public(&public_key);
    status = smol_secret_key_is_encrypted(&encrypted, data, size, &error);
    if (status) {
        fuzz_require(smol_secret_key_parse(&secret, data, size, NULL, &error) != SMOL_OK);
        return 0;
    }
    /* With a password scrypt would take a second. */
    status = smol_secret_key_parse(&secret, data, size, NULL, &error);
    fuzz_require(encrypted ? status == SMOL_E_PASSWORD : status == SMOL_OK || status == SMOL_E_KEY);
    if (!status)
        check_secret(&secret);
    return 0;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    static const char *const words[] = {"untrusted comment:",
                                        "untrusted comment: x\n",
                                        "\n",
                                        "\r\n",
                                        "\r",
                                        "=",
                                        "==",
                                        "RWQ",
                                        "RWRTY0Iy",
                                        "A",
                                        "+",
                                        "/",
                                        " ",
                                        NULL};
    uint64_t random = seed;

    if (mutate_random(&random) % 2 &&
        (mutate_base64(data, size, 42, &random) || mutate_base64(data, size, 158, &random)))
        return size;
    return mutate_text(data, size, capacity, words, &random);
}
