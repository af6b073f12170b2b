/* The hash of a body by any number of threads, some of which cannot be had, against libsodium's of
 * one piece after the other. */
#include "base/error.h"
#include "format/format.h"
#include "hash/body.h"
#include "make_model.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>

static bool are_threads_refused;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg);

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *arg)
{
    return are_threads_refused ? 11 : __real_pthread_create(thread, attributes, start, arg);
}

static enum smol_status count_calls(void *arg, struct smol_error *error)
{
    atomic_fetch_add((atomic_uint *)arg, 1);
    (void)error;
    return SMOL_OK;
}

static enum smol_status fail(void *arg, struct smol_error *error)
{
    return smol_fail(error, SMOL_E_TEXT, 17, "%s", (const char *)arg);
}

static uint8_t *random_body(uint8_t hash[SMOL_HASH_BYTES], size_t size)
{
    static const uint8_t seed[randombytes_SEEDBYTES] = "body";
    uint8_t *body = malloc(size + 1);

    cr_assert(body);
    randombytes_buf_deterministic(body, size, seed);
    smol_hash_body(hash, body, size);
    return body;
}

/* More groups of pieces than one, also of eight; a whole number of groups; one group; nothing. */
Test(body, any_number_of_threads, .timeout = 120)
{
    static const size_t sizes[] = {17 * SMOL_PIECE_BYTES + 77, 8 * SMOL_PIECE_BYTES, 1000, 0};
    static const uint32_t n_threads[] = {3, 1, 2, 16, 300};
    uint8_t wanted[SMOL_HASH_BYTES], found[SMOL_HASH_BYTES];

    for (size_t i = 0; i < 4; i++) {
        uint8_t *body = random_body(wanted, sizes[i]);
        for (size_t t = 0; t < (test_is_sanitized() ? 2 : 5); t++) {
            atomic_uint n_calls = 0;
            memset(found, 0, sizeof found);
            are_threads_refused = t == 3;
            cr_assert_eq(smol_hash_body_threads(found, body, sizes[i], n_threads[t], count_calls,
                                                &n_calls, NULL),
                         SMOL_OK);
            cr_assert_arr_eq(found, wanted, sizeof found);
            cr_assert_eq(n_calls, 1);
        }
        are_threads_refused = false;
        free(body);
    }
}

Test(body, a_bit_of_any_piece_counts)
{
    const size_t size = 9 * SMOL_PIECE_BYTES + 77;
    uint8_t wanted[SMOL_HASH_BYTES], found[SMOL_HASH_BYTES], *body = random_body(wanted, size);

    for (size_t at = 5; at < size; at += SMOL_PIECE_BYTES + 7) {
        body[at] ^= 0x40;
        cr_assert_eq(smol_hash_body_threads(found, body, size, 2, NULL, NULL, NULL), SMOL_OK);
        cr_assert_arr_neq(found, wanted, sizeof found, "byte %zu", at);
        body[at] ^= 0x40;
    }
    free(body);
}

Test(body, what_fails_first_is_told)
{
    uint8_t hash[SMOL_HASH_BYTES], *body = random_body(hash, 9 * SMOL_PIECE_BYTES);
    struct smol_error error;

    for (uint32_t n_threads = 1; n_threads < 4; n_threads++) {
        cr_assert_eq(smol_hash_body_threads(hash, body, 9 * SMOL_PIECE_BYTES, n_threads, fail,
                                            (void *)(uintptr_t) "no text", &error),
                     SMOL_E_TEXT);
        cr_assert_str_eq(error.text, "no text");
        cr_assert_eq(error.offset, 17);
    }
    free(body);
}
