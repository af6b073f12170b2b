/* Detached signatures in minisign's files: reading, verifying and making a .minisig. SPEC.md 4. */
#include "base/bytes.h"
#include "base/error.h"
#include "format/base64.h"
#include "format/format.h"
#include "format/minisign.h"
#include "format/sodium.h"

#include <smol/key.h>

#include <sodium.h>
#include <stdio.h>

#define BOX_BYTES 74u    /* algorithm 2, key number 8, signature 64 */
#define BOX_LETTERS 100u /* as base64 */
#define GLOBAL_LETTERS 88u

static const char untrusted_prefix[] = "untrusted comment: ";
static const char trusted_prefix[] = "trusted comment: ";

/* SMOL_OK for one line that can be shown, of at most max_bytes. The error's offset counts from
 * text. */
static enum smol_status check_comment(const char *text, size_t size_bytes, size_t max_bytes,
                                      struct smol_error *error)
{
    if (size_bytes > max_bytes)
        return smol_fail(error, SMOL_E_TEXT, max_bytes, "a comment longer than %zu bytes",
                         max_bytes);
    if (memchr(text, '\n', size_bytes))
        return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "a comment of more than one line");
    return smol_text_check((const uint8_t *)text, size_bytes, error);
}

/* ---- reading ---- */

/* The next line's text after its prefix; fails with KEY. */
static enum smol_status comment_line(const char **comment, size_t *length, const char *prefix,
                                     size_t max_bytes, const uint8_t *text, size_t size_bytes,
                                     size_t *at, struct smol_error *error)
{
    const size_t begin = *at, n_prefix = strlen(prefix);
    const char *line;
    size_t n;

    if (!smol_minisign_line(&line, &n, text, size_bytes, at) || n < n_prefix ||
        memcmp(line, prefix, n_prefix) != 0)
        return smol_fail(error, SMOL_E_KEY, begin, "expected a line that begins with \"%s\"",
                         prefix);
    if (n - n_prefix > max_bytes)
        return smol_fail(error, SMOL_E_KEY, begin, "a comment longer than %zu bytes", max_bytes);
    *comment = line + n_prefix;
    *length = n - n_prefix;
    return SMOL_OK;
}

/* The next line's base64 of exactly n_bytes; fails with KEY. */
static enum smol_status base64_line(uint8_t *bytes, size_t n_bytes, const uint8_t *text,
                                    size_t size_bytes, size_t *at, struct smol_error *error)
{
    const size_t begin = *at;
    const char *line;
    size_t n;

    if (!smol_minisign_line(&line, &n, text, size_bytes, at) ||
        !smol_base64_decode(bytes, n_bytes, line, n))
        return smol_fail(error, SMOL_E_KEY, begin, "expected base64 of %zu bytes", n_bytes);
    return SMOL_OK;
}

/* Both signatures cover the text as it is. The untrusted comment may be any bytes, since nothing
 * protects or shows it. */
static enum smol_status parse(struct smol_minisig *s, const uint8_t *text, size_t size_bytes,
                              struct smol_error *error)
{
    uint8_t box[BOX_BYTES];
    struct smol_error why;
    enum smol_status status;
    const char *comment = NULL;
    size_t n = 0, at = 0, box_at, comment_at;

    if ((status = comment_line(&comment, &n, untrusted_prefix, SMOL_UNTRUSTED_COMMENT_BYTES, text,
                               size_bytes, &at, error)))
        return status;
    box_at = at;
    if ((status = base64_line(box, sizeof box, text, size_bytes, &at, error)))
        return status;
    if (memcmp(box, "ED", 2) != 0 && memcmp(box, "Ed", 2) != 0)
        return smol_fail(error, SMOL_E_KEY, box_at, "a signature of an unknown algorithm");
    comment_at = at + sizeof trusted_prefix - 1;
    if ((status = comment_line(&comment, &n, trusted_prefix, SMOL_TRUSTED_COMMENT_BYTES, text,
                               size_bytes, &at, error)))
        return status;
    if (smol_text_check((const uint8_t *)comment, n, &why))
        return smol_fail(error, SMOL_E_KEY, comment_at + why.offset, "%s", why.text);
    if ((status = base64_line(s->global_signature, sizeof s->global_signature, text, size_bytes,
                              &at, error)))
        return status;
    if (at != size_bytes)
        return smol_fail(error, SMOL_E_KEY, at, "bytes after the signature's fourth line");
    s->is_prehashed = box[1] == 'D';
    memcpy(s->key_number, box + 2, sizeof s->key_number);
    memcpy(s->signature, box + 10, sizeof s->signature);
    memcpy(s->trusted_comment, comment, n);
    s->trusted_comment[n] = '\0';
    return SMOL_OK;
}

enum smol_status smol_minisig_parse(struct smol_minisig *signature, const uint8_t *text,
                                    size_t size_bytes, struct smol_error *error)
{
    struct smol_minisig s;
    const enum smol_status status = parse(&s, text, size_bytes, error);

    if (!status)
        *signature = s;
    return status;
}

/* ---- checking ---- */

/* What the global signature is of. */
struct global_message {
    uint8_t bytes[SMOL_SIGNATURE_BYTES + SMOL_TRUSTED_COMMENT_BYTES];
    size_t size_bytes;
};

static void make_global(struct global_message *m, const struct smol_minisig *s)
{
    const size_t n = strlen(s->trusted_comment);

    memcpy(m->bytes, s->signature, SMOL_SIGNATURE_BYTES);
    memcpy(m->bytes + SMOL_SIGNATURE_BYTES, s->trusted_comment, n);
    m->size_bytes = SMOL_SIGNATURE_BYTES + n;
}

enum smol_status smol_minisig_check(const struct smol_minisig *signature,
                                    const struct smol_public_key *key, const uint8_t *bytes,
                                    size_t size_bytes, struct smol_error *error)
{
    const enum smol_status status = smol_sodium_start(error);
    struct global_message global;
    uint8_t hash[SMOL_HASH_BYTES];

    if (status)
        return status;
    if (memcmp(signature->key_number, key->key_number, sizeof key->key_number) != 0)
        return smol_fail(error, SMOL_E_UNTRUSTED, SMOL_NO_OFFSET,
                         "signed by key %016llX, not by %016llX",
                         (unsigned long long)smol_le64(signature->key_number),
                         (unsigned long long)smol_le64(key->key_number));
    if (signature->is_prehashed) {
        crypto_generichash(hash, sizeof hash, bytes, size_bytes, NULL, 0);
        bytes = hash;
        size_bytes = sizeof hash;
    }
    if (crypto_sign_verify_detached(signature->signature, bytes, size_bytes, key->key) != 0)
        return smol_fail(
            error, SMOL_E_SIGNATURE, SMOL_NO_OFFSET,
            "the signature does not match this file and key: one of them was modified");
    make_global(&global, signature);
    if (crypto_sign_verify_detached(signature->global_signature, global.bytes, global.size_bytes,
                                    key->key) != 0)
        return smol_fail(error, SMOL_E_SIGNATURE, SMOL_NO_OFFSET,
                         "the trusted comment is not the one that was signed");
    return SMOL_OK;
}

/* ---- making ---- */

enum smol_status smol_minisig_sign(struct smol_minisig *signature, const uint8_t *bytes,
                                   size_t size_bytes, const struct smol_secret_key *key,
                                   const char *trusted_comment, struct smol_error *error)
{
    const size_t n = strlen(trusted_comment);
    enum smol_status status = smol_sodium_start(error);
    struct global_message global;
    struct smol_error why;
    uint8_t hash[SMOL_HASH_BYTES];

    if (status)
        return status;
    if (check_comment(trusted_comment, n, SMOL_TRUSTED_COMMENT_BYTES, &why))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "trusted comment: %s", why.text);
    signature->is_prehashed = true;
    memcpy(signature->key_number, key->key_number, sizeof signature->key_number);
    memcpy(signature->trusted_comment, trusted_comment, n + 1);
    crypto_generichash(hash, sizeof hash, bytes, size_bytes, NULL, 0);
    crypto_sign_detached(signature->signature, NULL, hash, sizeof hash, key->key);
    make_global(&global, signature);
    crypto_sign_detached(signature->global_signature, NULL, global.bytes, global.size_bytes,
                         key->key);
    return SMOL_OK;
}

enum smol_status smol_minisig_format(uint8_t *dest, size_t *size_bytes,
                                     const struct smol_minisig *signature,
                                     const char *untrusted_comment, struct smol_error *error)
{
    uint8_t box[BOX_BYTES];
    char box_text[BOX_LETTERS + 1], global_text[GLOBAL_LETTERS + 1];
    struct smol_error why;

    if (check_comment(untrusted_comment, strlen(untrusted_comment), SMOL_UNTRUSTED_COMMENT_BYTES,
                      &why))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "untrusted comment: %s", why.text);
    memcpy(box, signature->is_prehashed ? "ED" : "Ed", 2);
    memcpy(box + 2, signature->key_number, sizeof signature->key_number);
    memcpy(box + 10, signature->signature, sizeof signature->signature);
    smol_base64_encode(box_text, sizeof box_text, box, sizeof box);
    smol_base64_encode(global_text, sizeof global_text, signature->global_signature,
                       sizeof signature->global_signature);
    *size_bytes = (size_t)snprintf((char *)dest, SMOL_MINISIG_FILE_BYTES, "%s%s\n%s\n%s%s\n%s\n",
                                   untrusted_prefix, untrusted_comment, box_text, trusted_prefix,
                                   signature->trusted_comment, global_text);
    return SMOL_OK;
}
