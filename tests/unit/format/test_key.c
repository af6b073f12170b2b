/* Key files against minisign's own, and every way to spoil them. INTEROP: minisign 0.11. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <smol/key.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The public key of minisign's own documentation. */
static const char published[] = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

static enum smol_status parse_public(struct smol_public_key *key, const char *text)
{
    return smol_public_key_parse(key, (const uint8_t *)text, strlen(text), NULL);
}

Test(key, a_published_public_key_is_read)
{
    static const uint8_t number[8] = {0x1f, 0xe8, 0xb4, 0x42, 0x18, 0x0f, 0x62, 0xe7};
    struct smol_public_key key;
    char file[200];
    uint8_t text[SMOL_KEY_FILE_BYTES];
    size_t n;

    cr_assert_eq(parse_public(&key, published), SMOL_OK);
    cr_assert_arr_eq(key.key_number, number, 8);
    snprintf(file, sizeof file, "untrusted comment: minisign public key E7620F1842B4E81F\n%s\n",
             published);
    smol_public_key_format(text, &n, &key);
    cr_assert_eq(n, strlen(file));
    cr_assert_arr_eq(text, file, n);
    cr_assert_eq(parse_public(&key, file), SMOL_OK);
    snprintf(file, sizeof file, "untrusted comment: x\r\n%s\r\n", published);
    cr_assert_eq(parse_public(&key, file), SMOL_OK);
}

/* Of the BLAKE2b-512 of "test", from the same place: it verifies under the key just read, and not
 * under another. */
Test(key, a_published_signature_verifies)
{
    static const char base64[] = "RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mG"
                                 "TkUidF/z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=";
    struct smol_public_key key;
    uint8_t b[74], hash[64];
    size_t n;

    cr_assert_eq(parse_public(&key, published), SMOL_OK);
    crypto_generichash(hash, sizeof hash, (const uint8_t *)"test", 4, NULL, 0);
    cr_assert_eq(sodium_base642bin(b, sizeof b, base64, strlen(base64), NULL, &n, NULL,
                                   sodium_base64_VARIANT_ORIGINAL),
                 0);
    cr_assert_eq(n, 74);
    cr_assert_arr_eq(b + 2, key.key_number, 8);
    cr_assert_eq(crypto_sign_verify_detached(b + 10, hash, sizeof hash, key.key), 0);
    key.key[31] ^= 1;
    cr_assert_neq(crypto_sign_verify_detached(b + 10, hash, sizeof hash, key.key), 0);
}

/* Pairs made by minisign 0.11: -G -W, and -G with the password "pw". */
static const char plain_pair[] = "RWT4NuXIHX8i3EC0wSDrSHK28p7ST+QrXoh71NLp9zi1n9W7cvtnMAFI";
static const char plain_secret[] =
    "untrusted comment: minisign encrypted secret key\n"
    "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA+DblyB1/"
    "Ity86m94HcDNSLKCxu/LfckP71oJCM12"
    "SBd+i8zRKyTkwUC0wSDrSHK28p7ST+"
    "QrXoh71NLp9zi1n9W7cvtnMAFIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
static const char hidden_pair[] = "RWRqxH/c3D89D0CzC6O+7stFUmyzUQIUiizfM/JxaogIOoiQuGL2aGud";
static const char hidden_secret[] = "untrusted comment: minisign encrypted secret key\n"
                                    "RWRTY0Iy0R5hOFjtavREhSs13KG1q78j2GfKUqJhVDF2goqgwsUAAAACAAAAAA"
                                    "AAAEAAAAAAH0Pj1x1ugRtJYstxWsW70GkRtJpYfGDXNAQWMIoK"
                                    "ubkitD0469h0tSt2Ls/CRUDoXdumSpaUrqIaPuMYse7zMSpJI/"
                                    "VTyi1W36A63UaZMsZBuf/YIl0MfGWH7e3GB1CJIkSoS4pdMjA=\n";

/* One with the password "pw" and less scrypt, N = 1024, r = 8, p = 1, made by Python's hashlib and
 * PyNaCl: key_pair() of tests/cli/key_files.py. */
static const char quick_pair[] = "RWRzb21la2V5LgOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4";
static const char quick_secret[] =
    "untrusted comment: a key\n"
    "RWRTY0IyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgAAAAAAAAAAAAAEAAA"
    "AAW5zIvFmAA9mTrQjqqtIaSszxf8MgyENRV7kLnyQOiESW9VkYiwSdOzX1ecZFgyKFHnBt"
    "XDhfnJTxS5otYQP0mG9wt06tq+e6bBfFZvMBN1EL9nSs8E1IBHLheL+BqwtnfCtkAy5Xjr"
    "w=\n";

static enum smol_status parse_secret(struct smol_secret_key *key, const char *text,
                                     const char *password)
{
    return smol_secret_key_parse(key, (const uint8_t *)text, strlen(text), password, NULL);
}

static void belongs_to(const struct smol_secret_key *secret, const char *pair)
{
    struct smol_public_key expected, key;

    cr_assert_eq(parse_public(&expected, pair), SMOL_OK);
    smol_key_public(&key, secret);
    cr_assert_arr_eq(key.key, expected.key, sizeof key.key);
    cr_assert_arr_eq(key.key_number, expected.key_number, sizeof key.key_number);
}

Test(key, minisigns_own_secret_keys_are_read, .timeout = 120)
{
    struct smol_secret_key key;

    cr_assert_eq(parse_secret(&key, plain_secret, NULL), SMOL_OK);
    belongs_to(&key, plain_pair);
    cr_assert_eq(parse_secret(&key, hidden_secret, NULL), SMOL_E_PASSWORD);
    cr_assert_eq(parse_secret(&key, hidden_secret, "pw"), SMOL_OK);
    belongs_to(&key, hidden_pair);
}

Test(key, passwords_are_told_from_others)
{
    struct smol_secret_key key;

    cr_assert_eq(parse_secret(&key, quick_secret, NULL), SMOL_E_PASSWORD);
    cr_assert_eq(parse_secret(&key, quick_secret, ""), SMOL_E_PASSWORD);
    cr_assert_eq(parse_secret(&key, quick_secret, "pv"), SMOL_E_PASSWORD);
    cr_assert_eq(parse_secret(&key, quick_secret, "pw"), SMOL_OK);
    belongs_to(&key, quick_pair);
}

/* One byte of the 158 behind the base64 of a secret key set to a value. */
static enum smol_status spoiled_secret(const char *text, size_t at, uint8_t value)
{
    const char *line = strchr(text, '\n') + 1;
    struct smol_secret_key key;
    uint8_t b[158];
    char base64[213], file[300];
    size_t n;

    cr_assert_eq(
        sodium_base642bin(b, sizeof b, line, 212, NULL, &n, NULL, sodium_base64_VARIANT_ORIGINAL),
        0);
    b[at] = value;
    sodium_bin2base64(base64, sizeof base64, b, sizeof b, sodium_base64_VARIANT_ORIGINAL);
    snprintf(file, sizeof file, "untrusted comment: x\n%s\n", base64);
    return parse_secret(&key, file, "pw");
}

Test(key, spoiled_secret_keys_are_refused)
{
    char text[2000];
    struct smol_secret_key key;

    cr_assert_eq(spoiled_secret(plain_secret, 0, 'X'), SMOL_E_KEY, "algorithm");
    cr_assert_eq(spoiled_secret(plain_secret, 2, 'S'), SMOL_E_KEY, "half a KDF");
    cr_assert_eq(spoiled_secret(plain_secret, 4, 'b'), SMOL_E_KEY, "checksum's algorithm");
    cr_assert_eq(spoiled_secret(plain_secret, 70, 1), SMOL_E_KEY,
                 "halves that do not belong together");
    cr_assert_eq(spoiled_secret(hidden_secret, 42, 1), SMOL_E_KEY, "2^32 operations");
    cr_assert_eq(spoiled_secret(hidden_secret, 45, 0x80), SMOL_E_KEY, "2^63 operations");
    cr_assert_eq(spoiled_secret(hidden_secret, 50, 2), SMOL_E_KEY, "8 GiB");
    cr_assert_eq(spoiled_secret(hidden_secret, 53, 0xff), SMOL_E_KEY, "a negative size");
    snprintf(text, sizeof text, "untrusted comment: %01005d\n%s", 0,
             strchr(plain_secret, '\n') + 1);
    cr_assert_eq(parse_secret(&key, text, NULL), SMOL_OK, "a first line of 1024 bytes");
    snprintf(text, sizeof text, "untrusted comment: %01006d\n%s", 0,
             strchr(plain_secret, '\n') + 1);
    cr_assert_eq(parse_secret(&key, text, NULL), SMOL_E_KEY, "one of 1025");
    cr_assert_eq(parse_secret(&key, strchr(plain_secret, '\n') + 1, NULL), SMOL_E_KEY,
                 "no comment");
    cr_assert_eq(parse_secret(&key, "", NULL), SMOL_E_KEY);
}

Test(key, spoiled_public_keys_are_refused)
{
    static const char *const spoiled[] = {
        "",
        "\n",
        "untrusted comment: x\n",
        "trusted comment: x\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
        "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO",      /* short */
        "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3AAAA", /* long */
        "RXQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",     /* another algorithm */
        "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GF=3",     /* padding inside */
        "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GF-3",     /* another alphabet */
        " RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",    /* space */
        "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\nmore",
    };

    for (size_t i = 0; i < sizeof spoiled / sizeof spoiled[0]; i++) {
        struct smol_public_key key;
        memset(&key, 7, sizeof key);
        cr_assert_eq(parse_public(&key, spoiled[i]), SMOL_E_KEY, "case %zu", i);
        cr_assert_eq(key.key[0], 7, "untouched on failure");
    }
}

Test(key, secret_keys_come_back)
{
    struct smol_secret_key key, again;
    uint8_t text[SMOL_KEY_FILE_BYTES];
    bool encrypted = true;
    size_t n;

    cr_assert_eq(smol_key_generate(&key, NULL), SMOL_OK);
    cr_assert_eq(smol_secret_key_format(text, &n, &key, NULL, NULL), SMOL_OK);
    cr_assert_eq(smol_secret_key_is_encrypted(&encrypted, text, n, NULL), SMOL_OK);
    cr_assert(!encrypted);
    cr_assert_eq(smol_secret_key_parse(&again, text, n, NULL, NULL), SMOL_OK);
    cr_assert_arr_eq(again.key, key.key, 64);
    cr_assert_arr_eq(again.key_number, key.key_number, 8);
    smol_secret_key_wipe(&again);
    cr_assert_eq(again.key[0] | again.key[63], 0);
}

/* Minisign's own scrypt limits take a gigabyte and a second or two: once. */
Test(key, a_password_hides_a_secret_key, .timeout = 120)
{
    struct smol_secret_key key, again;
    uint8_t text[SMOL_KEY_FILE_BYTES];
    struct smol_error error;
    size_t n;
    bool encrypted = false;

    cr_assert_eq(smol_key_generate(&key, NULL), SMOL_OK);
    cr_assert_eq(smol_secret_key_format(text, &n, &key, "correct horse", &error), SMOL_OK);
    cr_assert_eq(smol_secret_key_is_encrypted(&encrypted, text, n, NULL), SMOL_OK);
    cr_assert(encrypted);
    cr_assert_eq(smol_secret_key_parse(&again, text, n, NULL, &error), SMOL_E_PASSWORD);
    cr_assert_eq(smol_secret_key_parse(&again, text, n, "wrong horse", &error), SMOL_E_PASSWORD);
    cr_assert_eq(smol_secret_key_parse(&again, text, n, "correct horse", &error), SMOL_OK);
    cr_assert_arr_eq(again.key, key.key, 64);
}

Test(key, only_the_signer_is_accepted)
{
    struct smol_secret_key key, other;
    struct smol_public_key public_key, other_public;
    struct smol_signature signature;
    struct smol_error error;
    struct smol_file file;
    size_t size;
    uint8_t *bytes = model_make(&size, &(struct model_recipe){.width = 4});

    smol_key_generate(&key, NULL);
    smol_key_generate(&other, NULL);
    smol_key_public(&public_key, &key);
    smol_key_public(&other_public, &other);
    cr_assert_eq(smol_file_parse(&file, bytes, size, NULL), SMOL_OK);
    cr_assert_eq(smol_file_check_signer(&file, &public_key, &error), SMOL_E_UNTRUSTED);
    cr_assert_eq(smol_file_check_signature(&file, &error), SMOL_E_UNTRUSTED);
    smol_sign_hash(&signature, file.hash, &key);
    smol_signature_encode(bytes + size, &signature);
    size += SMOL_SIGNATURE_BLOCK_BYTES;
    cr_assert_eq(smol_file_parse(&file, bytes, size, NULL), SMOL_OK);
    cr_assert_eq(smol_file_check_signature(&file, &error), SMOL_OK);
    cr_assert_eq(smol_file_check_signer(&file, &public_key, &error), SMOL_OK);
    cr_assert_eq(smol_file_check_signer(&file, &other_public, &error), SMOL_E_UNTRUSTED);
    /* The right key under another number is another key. */
    memcpy(other_public.key, public_key.key, sizeof public_key.key);
    cr_assert_eq(smol_file_check_signer(&file, &other_public, &error), SMOL_E_UNTRUSTED);
    for (size_t i = 0; i < SMOL_SIGNATURE_BLOCK_BYTES; i++) {
        bytes[size - 1 - i] ^= 0x40;
        cr_assert_eq(smol_file_parse(&file, bytes, size, NULL), SMOL_OK);
        cr_assert_eq(smol_file_check_signature(&file, &error), SMOL_E_SIGNATURE,
                     "byte %zu from the end", i);
        bytes[size - 1 - i] ^= 0x40;
    }
    free(bytes);
}
