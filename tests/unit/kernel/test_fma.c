/* The fused multiplication and addition in integers against the C library's, which on this machine
 * is right, on numbers chosen so that rounding is hard, and examples by hand. */
#include "base/bytes.h"
#include "kernel/scalar/fma.h"

#include <criterion/criterion.h>
#include <math.h>

static uint64_t state = 1;

static uint32_t random_bits(void)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 32);
}

/* A float of any kind with an exponent that is at most `spread` from e; few bits of it if sparse,
 * so that ties and cancellation are frequent. */
static float number(int32_t e, uint32_t spread, bool is_sparse)
{
    const uint32_t bits = random_bits(), at = random_bits();
    int32_t exponent = e + (int32_t)(at % (2 * spread + 1)) - (int32_t)spread;

    exponent = exponent < 0 ? 0 : exponent > 255 ? 255 : exponent;
    return smol_bits_f32(
        (bits & 0x80000000u) | (uint32_t)exponent << 23 |
        (is_sparse ? (bits & 7) << (at >> 8) % 21 | (at >> 16 & 1) : bits & 0x7fffffu));
}

static bool is_same(float x, float y)
{
    return smol_f32_bits(x) == smol_f32_bits(y) || (isnan(x) && isnan(y));
}

static void compare(float x, float y, float z)
{
    const float got = smol_fma_plain(x, y, z), wanted = fmaf(x, y, z);

    cr_assert(is_same(got, wanted), "%a %a %a: %a, not %a", (double)x, (double)y, (double)z,
              (double)got, (double)wanted);
}

Test(fma, all_exponents)
{
    for (int i = 0; i < 2000000; i++) {
        const bool sparse = i & 1;
        compare(number(128, 128, sparse), number(128, 128, sparse), number(128, 128, sparse));
    }
}

Test(fma, products_near_what_is_added)
{
    for (int i = 0; i < 4000000; i++) {
        const bool sparse = i & 1;
        const int32_t a = (int32_t)(random_bits() % 256), b = (int32_t)(random_bits() % 256);
        compare(number(a, 0, sparse), number(b, 0, sparse), number(a + b - 127, 50, sparse));
    }
}

/* Sums near the least float and the largest, and subnormals themselves. */
Test(fma, subnormals_and_overflow)
{
    for (int i = 0; i < 4000000; i++) {
        const bool sparse = i & 1;
        const int32_t a = (int32_t)(random_bits() % 256), sum = i & 2 ? 127 : 380;
        compare(number(a, 0, sparse), number(sum - a, 26, sparse),
                number(i & 2 ? 0 : 250, 26, sparse));
    }
}

Test(fma, infinities_zeros_and_no_numbers)
{
    static const float all[] = {0, 1, 0x1p-149f, 0x1p-126f, 0x1.fffffep127f, INFINITY, NAN, 3};
    const int n = 2 * sizeof all / sizeof *all;

    for (int i = 0; i < n * n * n; i++) {
        const float x = all[i % n / 2], y = all[i / n % n / 2], z = all[i / n / n / 2];
        compare(i % 2 ? -x : x, i / n % 2 ? -y : y, i / n / n % 2 ? -z : z);
    }
}

/* By hand: sums just beside a tie, which a double, too short for them, takes for the tie. */
Test(fma, no_double_between)
{
    const float above = 0x1.000002p+0f;

    /* SPEC.md, appendix B: 1 + 2^-23 and then 2^-24 - 2^-70, less than half of the last bit. */
    cr_assert(is_same(smol_fma_plain(0x1.fffffcp-25f, above, above), above));
    /* 8392705 x 16769026 is 2^47 + 2, so that the product is 2^-24 + 2^-70, more than half. */
    cr_assert(is_same(smol_fma_plain(0x1.002002p+0f, 0x1.ffc004p-25f, 1), above));
    cr_assert(is_same(smol_fma_plain(-0x1.002002p+0f, 0x1.ffc004p-25f, -1), -above));
}
