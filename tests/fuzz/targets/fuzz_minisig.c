/* The fuzz target of detached signatures, minisign's. One that is accepted is written again as the
 * same bytes, and holds under a key exactly if libsodium says so of both its signatures; its
 * comment can be signed anew. */
#include "fuzz.h"
#include "mutate.h"

#include <smol/key.h>

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#define PREFIX_BYTES (sizeof "untrusted comment: " - 1)

const char fuzz_name[] = "minisig";

static const uint8_t message[] = "test";
#define MESSAGE_BYTES (sizeof message - 1)

/* The key of SPEC.md's example: number 0807060504030201, seed 0, 1, 2... */
static void own_key(struct smol_secret_key *secret)
{
    uint8_t seed[32], public_key[SMOL_PUBLIC_KEY_BYTES];

    for (unsigned i = 0; i < sizeof seed; i++)
        seed[i] = (uint8_t)i;
    for (unsigned i = 0; i < SMOL_KEY_NUMBER_BYTES; i++)
        secret->key_number[i] = (uint8_t)(i + 1);
    crypto_sign_seed_keypair(public_key, secret->key, seed);
}

/* And that of minisign's documentation. */
static void published_key(struct smol_public_key *key)
{
    static const char text[] = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    fuzz_require(smol_public_key_parse(key, (const uint8_t *)text, sizeof text - 1, NULL) ==
                 SMOL_OK);
}

/* What the second signature is of; its size. */
static size_t global_message(uint8_t dest[SMOL_SIGNATURE_BYTES + SMOL_TRUSTED_COMMENT_BYTES],
                             const struct smol_minisig *s)
{
    const size_t n = strlen(s->trusted_comment);

    memcpy(dest, s->signature, SMOL_SIGNATURE_BYTES);
    memcpy(dest + SMOL_SIGNATURE_BYTES, s->trusted_comment, n);
    return SMOL_SIGNATURE_BYTES + n;
}

static bool holds(const struct smol_minisig *s, const struct smol_public_key *key)
{
    uint8_t global[SMOL_SIGNATURE_BYTES + SMOL_TRUSTED_COMMENT_BYTES], hash[64];
    const size_t n = global_message(global, s);

    crypto_generichash(hash, sizeof hash, message, MESSAGE_BYTES, NULL, 0);
    return memcmp(s->key_number, key->key_number, sizeof key->key_number) == 0 &&
           crypto_sign_verify_detached(s->signature, s->is_prehashed ? hash : message,
                                       s->is_prehashed ? sizeof hash : MESSAGE_BYTES,
                                       key->key) == 0 &&
           crypto_sign_verify_detached(s->global_signature, global, n, key->key) == 0;
}

static void check(const struct smol_minisig *s, const struct smol_public_key *key)
{
    struct smol_error error = {0};
    const enum smol_status status = smol_minisig_check(s, key, message, MESSAGE_BYTES, &error);

    fuzz_require(status == error.code && (status == SMOL_OK) == holds(s, key));
    fuzz_require((status == SMOL_E_UNTRUSTED) ==
                 (memcmp(s->key_number, key->key_number, sizeof key->key_number) != 0));
    fuzz_require(status == SMOL_OK || status == SMOL_E_UNTRUSTED || status == SMOL_E_SIGNATURE);
    if (!status)
        fuzz_require(smol_minisig_check(s, key, message, MESSAGE_BYTES - 1, NULL) ==
                     SMOL_E_SIGNATURE);
}

static bool same(const struct smol_minisig *a, const struct smol_minisig *b)
{
    return a->is_prehashed == b->is_prehashed &&
           memcmp(a->key_number, b->key_number, sizeof a->key_number) == 0 &&
           memcmp(a->signature, b->signature, sizeof a->signature) == 0 &&
           memcmp(a->global_signature, b->global_signature, sizeof a->global_signature) == 0 &&
           strcmp(a->trusted_comment, b->trusted_comment) == 0;
}

/* With the untrusted comment that the file has, if it is one that may be written. */
static void write_again(const struct smol_minisig *s, const uint8_t *data, size_t size)
{
    const size_t n = (size_t)((const uint8_t *)memchr(data, '\n', size) - data) - PREFIX_BYTES;
    char comment[SMOL_UNTRUSTED_COMMENT_BYTES + 2] = "";
    uint8_t text[SMOL_MINISIG_FILE_BYTES];
    struct smol_minisig again;
    size_t n_text;
    bool exact =
        data[size - 1] == '\n' && !memchr(data, '\r', size) && !memchr(data, 0, n + PREFIX_BYTES);

    fuzz_require(n < sizeof comment);
    memcpy(comment, data + PREFIX_BYTES, n);
    if (smol_minisig_format(text, &n_text, s, comment, NULL)) {
        fuzz_require(smol_minisig_format(text, &n_text, s, "x", NULL) == SMOL_OK);
        exact = false;
    }
    fuzz_require(n_text <= sizeof text &&
                 smol_minisig_parse(&again, text, n_text, NULL) == SMOL_OK && same(&again, s));
    fuzz_require(!exact || (n_text == size && memcmp(text, data, size) == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smol_minisig s, again;
    struct smol_secret_key secret;
    struct smol_public_key own, published;
    struct smol_error error = {0};
    const enum smol_status status = smol_minisig_parse(&s, data, size, &error);

    if (status) {
        fuzz_require(status == SMOL_E_KEY && error.code == status && error.text[0] != '\0' &&
                     error.offset <= size);
        return 0;
    }
    own_key(&secret);
    smol_key_public(&own, &secret);
    published_key(&published);
    write_again(&s, data, size);
    check(&s, &own);
    check(&s, &published);
    fuzz_require(smol_minisig_sign(&again, message, MESSAGE_BYTES, &secret, s.trusted_comment,
                                   NULL) == SMOL_OK);
    fuzz_require(smol_minisig_check(&again, &own, message, MESSAGE_BYTES, NULL) == SMOL_OK);
    return 0;
}

/* Another trusted comment, rightly signed. */
static size_t change_comment(uint8_t *data, size_t size, size_t capacity, const char *const *words,
                             uint64_t *random)
{
    uint8_t text[SMOL_MINISIG_FILE_BYTES],
        global[SMOL_SIGNATURE_BYTES + SMOL_TRUSTED_COMMENT_BYTES];
    struct smol_secret_key secret;
    struct smol_minisig s;
    size_t n;

    if (smol_minisig_parse(&s, data, size, NULL))
        return size;
    n = mutate_text((uint8_t *)s.trusted_comment, strlen(s.trusted_comment),
                    SMOL_TRUSTED_COMMENT_BYTES, words, random);
    s.trusted_comment[n] = '\0';
    n = global_message(global, &s);
    own_key(&secret);
    crypto_sign_detached(s.global_signature, NULL, global, n, secret.key);
    if (smol_minisig_format(text, &n, &s, "x", NULL) || n > capacity)
        return size;
    memcpy(data, text, n);
    return n;
}

/* A changed comment that is signed; damage within the base64, spelt again; or damage anywhere. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    static const char *const words[] = {"untrusted comment: ",
                                        "trusted comment: ",
                                        "timestamp:1\tfile:a",
                                        "\n",
                                        "\r\n",
                                        "\r",
                                        "\t",
                                        "=",
                                        "==",
                                        "RUQ",
                                        "RWQ",
                                        "A",
                                        "+",
                                        "/",
                                        " ",
                                        "\xc3\xa9",
                                        "\xe2\x82",
                                        "\xff",
                                        "\xc2\x9b",
                                        "\x1b[2J",
                                        "\x7f",
                                        NULL};
    uint64_t random = seed;

    switch (mutate_random(&random) % 4) {
    case 0: return change_comment(data, size, capacity, words, &random);
    case 1:
        if (mutate_base64(data, size, mutate_random(&random) % 2 ? 74 : 64, &random))
            return size;
        break;
    default: break;
    }
    return mutate_text(data, size, capacity, words, &random);
}
