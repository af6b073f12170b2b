/* Detached signatures against minisign's published one and one that minisign 0.11 made, and every
 * way to spoil them. */
#include <criterion/criterion.h>
#include <smol/key.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* minisign's own documentation: the message "test". */
static const char published_key[] = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";
static const char published[] =
    "untrusted comment: signature from minisign secret key\n"
    "RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"
    "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=\n"
    "trusted comment: timestamp:1556193335\tfile:test\n"
    "y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==\n";

static struct smol_public_key key_of(const char *base64)
{
    struct smol_public_key key;

    cr_assert_eq(smol_public_key_parse(&key, (const uint8_t *)base64, strlen(base64), NULL),
                 SMOL_OK);
    return key;
}

/* Parses, then checks; the status of the first that fails. */
static enum smol_status verify(const char *text, size_t n, const char *key_text,
                               const char *message)
{
    const struct smol_public_key key = key_of(key_text);
    struct smol_minisig *s = calloc(1, sizeof *s);
    enum smol_status status = smol_minisig_parse(s, (const uint8_t *)text, n, NULL);

    if (!status)
        status = smol_minisig_check(s, &key, (const uint8_t *)message, strlen(message), NULL);
    free(s);
    return status;
}

Test(minisig, the_published_signature_verifies)
{
    struct smol_minisig s;
    struct smol_error error;

    cr_assert_eq(smol_minisig_parse(&s, (const uint8_t *)published, strlen(published), &error),
                 SMOL_OK);
    cr_assert(s.is_prehashed);
    cr_assert_str_eq(s.trusted_comment, "timestamp:1556193335\tfile:test");
    cr_assert_eq(verify(published, strlen(published), published_key, "test"), SMOL_OK);
    cr_assert_eq(verify(published, strlen(published), published_key, "tesu"), SMOL_E_SIGNATURE);
    cr_assert_eq(verify(published, strlen(published), published_key, "test "), SMOL_E_SIGNATURE);
    cr_assert_eq(verify(published, strlen(published), published_key, ""), SMOL_E_SIGNATURE);
}

/* A pair of minisign 0.11's own, and what it signed with it: the older kind (-l), and the usual
 * one. */
static const char own_key[] = "RWQ0xanxekpNKhT+FPXLUA9XQGyULYlrYMCL16yvPhNN0/xca1ZihOnr";
static const char own_secret[] =
    "untrusted comment: minisign encrypted secret key\n"
    "RWQAAEIyAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAANMWp8XpKTSoTAwCTZnjidu"
    "WShATdedNZ3vc+9X3FCIYECDkj+ug0oRT+FPXLUA9XQGyULYlrYMCL16yvPhNN0/"
    "xca1ZihOnrAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n";
static const char own_message[] = "an older kind of signature";
static const char own_legacy[] =
    "untrusted comment: x\n"
    "RWQ0xanxekpNKnP4q76zcACpv1VcGYybYYZ5Lauc7sMe53WDXPoqo7ux0sMXBR3GsWGZIXqvCpc6igsUvkBWssMFW5U4qq"
    "Tlzwk=\n"
    "trusted comment: scho\xc3\x9f\t1\n"
    "2LDAHdWHvI7UuGjMvhaLIp4+o9h4/+8LTx4hZbBPlYtTpO4ng4GoXpUD95K7iSOQ5WMQdFWR00ohx1oo3sevCA==\n";
static const char own[] =
    "untrusted comment: x\n"
    "RUQ0xanxekpNKqTemkgUCSX3Cs41TQz1LCMF/09nEH6osA2z/HNejAABNqU1sD6RCbkM42R8pzpk05qhKwSOe8T/"
    "wm0n1j+jugk=\n"
    "trusted comment: scho\xc3\x9f\t1\n"
    "yDNYxFaxjRlP0LUWLvu3tvmiY7WbMPGKRSgsLbGGLr5geEs8vlIIyMRM47vQ4G10jWeRhQD/fd5Frx9XGAZMDg==\n";

Test(minisig, minisigns_older_kind_verifies)
{
    const struct smol_public_key key = key_of(own_key);
    struct smol_minisig s;
    uint8_t hash[64];

    cr_assert_eq(smol_minisig_parse(&s, (const uint8_t *)own_legacy, strlen(own_legacy), NULL),
                 SMOL_OK);
    cr_assert(!s.is_prehashed);
    cr_assert_eq(verify(own_legacy, strlen(own_legacy), own_key, own_message), SMOL_OK);
    cr_assert_eq(verify(own_legacy, strlen(own_legacy), own_key, "an older kind of signatur"),
                 SMOL_E_SIGNATURE);
    /* One is not taken for the other: not the file for its hash, nor the hash for its file. */
    s.is_prehashed = true;
    cr_assert_eq(
        smol_minisig_check(&s, &key, (const uint8_t *)own_message, strlen(own_message), NULL),
        SMOL_E_SIGNATURE);
    cr_assert_eq(smol_minisig_parse(&s, (const uint8_t *)own, strlen(own), NULL), SMOL_OK);
    crypto_generichash(hash, sizeof hash, (const uint8_t *)own_message, strlen(own_message), NULL,
                       0);
    cr_assert_eq(smol_minisig_check(&s, &key, hash, sizeof hash, NULL), SMOL_E_SIGNATURE);
}

/* Ed25519 leaves nothing to chance: minisign's bytes, to the last one. */
Test(minisig, what_is_made_is_what_minisign_makes)
{
    struct smol_secret_key secret;
    struct smol_minisig s;
    uint8_t *text = malloc(SMOL_MINISIG_FILE_BYTES);
    size_t n;

    cr_assert_eq(
        smol_secret_key_parse(&secret, (const uint8_t *)own_secret, strlen(own_secret), NULL, NULL),
        SMOL_OK);
    cr_assert_eq(smol_minisig_sign(&s, (const uint8_t *)own_message, strlen(own_message), &secret,
                                   "scho\xc3\x9f\t1", NULL),
                 SMOL_OK);
    cr_assert_eq(smol_minisig_format(text, &n, &s, "x", NULL), SMOL_OK);
    cr_assert_eq(n, strlen(own));
    cr_assert_arr_eq(text, own, n);
    free(text);
}

/* A bit of any byte changed, but in the text of the untrusted comment, which nothing protects. */
Test(minisig, no_changed_byte_is_accepted)
{
    const size_t free_from = strlen("untrusted comment: "), free_to = strcspn(published, "\n");
    const size_t n = strlen(published);
    unsigned n_tried = 0;
    char text[sizeof published];

    for (size_t i = 0; i < n; i++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            if (i >= free_from && i < free_to)
                continue;
            memcpy(text, published, sizeof text);
            text[i] = (char)(text[i] ^ 1 << bit);
            cr_assert_neq(verify(text, n, published_key, "test"), SMOL_OK, "byte %zu, bit %u", i,
                          bit);
            n_tried++;
        }
    }
    cr_assert_gt(n_tried, 2000);
    for (size_t i = 0; i + 1 < n; i++)
        cr_assert_neq(verify(published, i, published_key, "test"), SMOL_OK, "cut at %zu", i);
}

/* xorshift */
static unsigned random_below(uint64_t *state, unsigned n)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return (unsigned)(*state >> 33) % n;
}

/* One random byte replaced, put in or taken out. */
static size_t mutate(char *text, size_t n, uint64_t *state)
{
    static const char letters[] = "\r\n\t =:+/AZaz09\x00\x1b\x7f\xc3\xff";
    const char letter = letters[random_below(state, sizeof letters - 1)];
    const size_t at = random_below(state, (unsigned)n);

    switch (random_below(state, 3)) {
    case 0: text[at] = letter; return n;
    case 1:
        memmove(text + at + 1, text + at, n - at);
        text[at] = letter;
        return n + 1;
    default: memmove(text + at, text + at + 1, n - at - 1); return n - 1;
    }
}

/* Some bytes of it changed anywhere: what still verifies differs in its first comment, or in the
 * ends of lines. */
Test(minisig, nothing_else_is_accepted, .timeout = 120)
{
    const char *protected = strchr(published, '\n') + 1;
    uint64_t state = 88172645463325252u;
    unsigned n_accepted = 0;
    char text[sizeof published + 8], kept[sizeof text];

    for (unsigned round = 0; round < 30000; round++) {
        size_t n = sizeof published - 1, n_kept = 0;

        memcpy(text, published, n);
        for (unsigned i = random_below(&state, 4) + 1; i > 0; i--)
            n = mutate(text, n, &state);
        if (verify(text, n, published_key, "test") != SMOL_OK)
            continue;
        n_accepted++;
        cr_assert_eq(memcmp(text, "untrusted comment: ", 19), 0);
        for (const char *p = (const char *)memchr(text, '\n', n) + 1; p < text + n; p++)
            if (*p != '\r')
                kept[n_kept++] = *p;
        if (n_kept < strlen(protected))
            kept[n_kept++] = '\n';
        cr_assert_eq(n_kept, strlen(protected), "round %u", round);
        cr_assert_arr_eq(kept, protected, n_kept, "round %u", round);
    }
    cr_assert(n_accepted > 100 && n_accepted < 10000, "%u accepted", n_accepted);
}

/* The last line feed may be missing, and lines may end as on other systems; no more than that. */
Test(minisig, ends_of_lines)
{
    static const char *const more[] = {"\n", " ", "\r\n", "x", "untrusted comment: x\n"};
    char text[2 * sizeof published];
    size_t n = 0;

    cr_assert_eq(verify(published, strlen(published) - 1, published_key, "test"), SMOL_OK);
    for (const char *p = published; *p; p++) {
        if (*p == '\n')
            text[n++] = '\r';
        text[n++] = *p;
    }
    cr_assert_eq(verify(text, n, published_key, "test"), SMOL_OK);
    cr_assert_eq(verify(text, n - 1, published_key, "test"), SMOL_E_KEY, "a CR alone");
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        snprintf(text, sizeof text, "%s%s", published, more[i]);
        cr_assert_eq(verify(text, strlen(text), published_key, "test"), SMOL_E_KEY, "case %zu", i);
    }
}

/* The published signature with its parts replaced; NULL: as it is. */
static enum smol_status with(const char *box, const char *comment, const char *global)
{
    char *text = malloc(20000);
    enum smol_status status;

    snprintf(text, 20000, "untrusted comment: x\n%s\ntrusted comment: %s\n%s\n",
             box ? box
                 : "RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"
                   "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=",
             comment ? comment : "timestamp:1556193335\tfile:test",
             global ? global
                    : "y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/"
                      "17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBg==");
    status = verify(text, strlen(text), published_key, "test");
    free(text);
    return status;
}

Test(minisig, only_one_spelling)
{
    cr_assert_eq(with(NULL, NULL, NULL), SMOL_OK);
    /* Unused bits of the last letter, no padding, one letter of another alphabet, white space. */
    cr_assert_eq(with("RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"
                      "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwp=",
                      NULL, NULL),
                 SMOL_E_KEY);
    cr_assert_eq(with("RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"
                      "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo",
                      NULL, NULL),
                 SMOL_E_KEY);
    cr_assert_eq(with("RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF_"
                      "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=",
                      NULL, NULL),
                 SMOL_E_KEY);
    cr_assert_eq(with("RUQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"
                      "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo= ",
                      NULL, NULL),
                 SMOL_E_KEY);
    cr_assert_eq(with(NULL, NULL,
                      "y/rUw2y8/hOUYjZU71eHp/Wo1KZ40fGy2VJEDl34XMJM+TX48Ss/"
                      "17u3IvIfbVR1FkZZSNCisQbuQY+bHwhEBh=="),
                 SMOL_E_KEY);
    /* The older algorithm, an unknown one, and another key's number. */
    cr_assert_eq(with("RWQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"
                      "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=",
                      NULL, NULL),
                 SMOL_E_SIGNATURE);
    cr_assert_eq(with("RXQf6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"
                      "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=",
                      NULL, NULL),
                 SMOL_E_KEY);
    cr_assert_eq(with("RUQg6LRCGA9i559r3g7V1qNyJDApGip8MfqcadIgT9CuhV3EMhHoN1mGTkUidF/"
                      "z7SrlQgXdy8ofjb7bNJJylDOocrCo8KLzZwo=",
                      NULL, NULL),
                 SMOL_E_UNTRUSTED);
}

/* A comment that may not be shown is refused whatever was signed; one too long, too. */
Test(minisig, trusted_comments)
{
    static const char *const bad[] = {"a\x1b[2Jb", "a\x7f",    "a\rb",         "\xc2\x85",
                                      "\xff",      "\xc0\xaf", "\xed\xa0\x80", "abc\xe2\x82"};
    char *text = malloc(9000);

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(with(NULL, bad[i], NULL), SMOL_E_KEY, "case %zu", i);
    cr_assert_eq(with(NULL, "timestamp:1556193336\tfile:test", NULL), SMOL_E_SIGNATURE);
    cr_assert_eq(with(NULL, "", NULL), SMOL_E_SIGNATURE);
    snprintf(text, 9000, "%08173d", 0);
    cr_assert_eq(with(NULL, text, NULL), SMOL_E_SIGNATURE);
    snprintf(text, 9000, "%08174d", 0);
    cr_assert_eq(with(NULL, text, NULL), SMOL_E_KEY);
    free(text);
}

/* What is made is read again, under its key and no other; the longest comments fit. */
Test(minisig, signatures_come_back)
{
    static const uint8_t message[] = "message";
    struct smol_secret_key secret, other;
    struct smol_public_key key, wrong;
    struct smol_minisig s, again;
    struct smol_error error;
    char *trusted = malloc(9000), *untrusted = malloc(2000);
    uint8_t *text = malloc(SMOL_MINISIG_FILE_BYTES);
    size_t n;

    cr_assert_eq(smol_key_generate(&secret, NULL), SMOL_OK);
    cr_assert_eq(smol_key_generate(&other, NULL), SMOL_OK);
    smol_key_public(&key, &secret);
    smol_key_public(&wrong, &other);
    snprintf(trusted, 9000, "%08173d", 0);
    snprintf(untrusted, 2000, "%01003d", 0);
    cr_assert_eq(smol_minisig_sign(&s, message, sizeof message, &secret, trusted, &error), SMOL_OK);
    cr_assert_eq(smol_minisig_format(text, &n, &s, untrusted, &error), SMOL_OK);
    cr_assert_lt(n, SMOL_MINISIG_FILE_BYTES);
    cr_assert_eq(smol_minisig_parse(&again, text, n, &error), SMOL_OK);
    cr_assert_eq(smol_minisig_check(&again, &key, message, sizeof message, &error), SMOL_OK);
    cr_assert_eq(smol_minisig_check(&again, &wrong, message, sizeof message, &error),
                 SMOL_E_UNTRUSTED);
    memcpy(wrong.key_number, key.key_number, sizeof wrong.key_number);
    cr_assert_eq(smol_minisig_check(&again, &wrong, message, sizeof message, &error),
                 SMOL_E_SIGNATURE);
    again.trusted_comment[0] = '1';
    cr_assert_eq(smol_minisig_check(&again, &key, message, sizeof message, &error),
                 SMOL_E_SIGNATURE);
    trusted[0] = '\n';
    cr_assert_eq(smol_minisig_sign(&s, message, sizeof message, &secret, trusted, &error),
                 SMOL_E_ARGUMENT);
    cr_assert_eq(smol_minisig_sign(&s, message, sizeof message, &secret, "\x1b", &error),
                 SMOL_E_ARGUMENT);
    snprintf(trusted, 9000, "%08174d", 0);
    cr_assert_eq(smol_minisig_sign(&s, message, sizeof message, &secret, trusted, &error),
                 SMOL_E_ARGUMENT);
    snprintf(untrusted, 2000, "%01004d", 0);
    cr_assert_eq(smol_minisig_format(text, &n, &s, untrusted, &error), SMOL_E_ARGUMENT);
    free(text);
    free(trusted);
    free(untrusted);
}
