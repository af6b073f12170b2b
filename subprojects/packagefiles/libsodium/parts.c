/* The functions of libsodium that smol calls, each bound to its portable version. libsodium's own
 * files for these choose among versions at run time, and draw random numbers for keys. */
#include <sodium.h>

#include "src/libsodium/crypto_sign/ed25519/ref10/sign_ed25519_ref10.h"
#include "src/libsodium/crypto_stream/chacha20/ref/chacha20_ref.h"

int crypto_generichash(unsigned char *out, size_t outlen, const unsigned char *in,
                       unsigned long long inlen, const unsigned char *key, size_t keylen)
{
    return crypto_generichash_blake2b(out, outlen, in, inlen, key, keylen);
}

int crypto_generichash_init(crypto_generichash_state *state, const unsigned char *key,
                            const size_t keylen, const size_t outlen)
{
    return crypto_generichash_blake2b_init(state, key, keylen, outlen);
}

int crypto_generichash_update(crypto_generichash_state *state, const unsigned char *in,
                              unsigned long long inlen)
{
    return crypto_generichash_blake2b_update(state, in, inlen);
}

int crypto_generichash_final(crypto_generichash_state *state, unsigned char *out,
                             const size_t outlen)
{
    return crypto_generichash_blake2b_final(state, out, outlen);
}

int crypto_stream_chacha20_ietf_xor_ic(unsigned char *c, const unsigned char *m,
                                       unsigned long long mlen, const unsigned char *n, uint32_t ic,
                                       const unsigned char *k)
{
    return crypto_stream_chacha20_ref_implementation.stream_ietf_ext_xor_ic(c, m, mlen, n, ic, k);
}

int crypto_sign_verify_detached(const unsigned char *sig, const unsigned char *m,
                                unsigned long long mlen, const unsigned char *pk)
{
    return crypto_sign_ed25519_verify_detached(sig, m, mlen, pk);
}

/* A signature of the message itself, never of its hash. */
void _crypto_sign_ed25519_ref10_hinit(crypto_hash_sha512_state *hs, int prehashed)
{
    (void)prehashed;
    crypto_hash_sha512_init(hs);
}

void sodium_memzero(void *const pnt, const size_t len)
{
    volatile unsigned char *bytes = pnt;

    for (size_t i = 0; i < len; i++)
        bytes[i] = 0;
}

int sodium_memcmp(const void *const b1_, const void *const b2_, size_t len)
{
    const volatile unsigned char *a = b1_, *b = b2_;
    unsigned char differ = 0;

    for (size_t i = 0; i < len; i++)
        differ |= (unsigned char)(a[i] ^ b[i]);
    return differ ? -1 : 0;
}

int sodium_is_zero(const unsigned char *n, const size_t nlen)
{
    volatile unsigned char any = 0;

    for (size_t i = 0; i < nlen; i++)
        any |= n[i];
    return any == 0;
}

/* Sizes beyond their limits: smol's are constants within them. */
void sodium_misuse(void)
{
    for (;;)
        ;
}
