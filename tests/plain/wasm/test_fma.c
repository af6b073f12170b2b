/* vec_fma of WebAssembly's vectors, which have no such instruction, and of plain C against exact
 * sums: products and sums of floats as integers of many bits, rounded once to nearest even. */
#include "kernel/scalar/fma.h"
#include "kernel/wasm/vec_wasm.h"

#include "../../unit/make_model.h"
#include "base/bytes.h"

#include <criterion/criterion.h>
#include <math.h>

/* ---- what is right: an integer of 640 bits in units of 2^-298, the least product ---- */

#define WORDS 20u /* of 32 bits; sums are below 2^(256 + 298 + 1) */
#define UNIT (-298)

struct big {
    uint32_t word[WORDS];
    bool negative;
};

/* mantissa x 2^exponent, exponent >= UNIT. */
static struct big big_of(uint64_t mantissa, int exponent, bool negative)
{
    const unsigned shift = (unsigned)(exponent - UNIT), at = shift / 32, by = shift % 32;
    struct big b = {.negative = negative};

    b.word[at] = (uint32_t)(mantissa << by);
    b.word[at + 1] = (uint32_t)(mantissa >> (32 - by));
    b.word[at + 2] = by ? (uint32_t)(mantissa >> 32 >> (32 - by)) : 0;
    if (!by)
        b.word[at + 1] = (uint32_t)(mantissa >> 32);
    return b;
}

static int compare(const struct big *a, const struct big *b)
{
    for (unsigned i = WORDS; i-- > 0;)
        if (a->word[i] != b->word[i])
            return a->word[i] < b->word[i] ? -1 : 1;
    return 0;
}

static struct big big_sum(struct big a, struct big b)
{
    struct big sum = a;
    uint64_t carry = 0;

    if (a.negative != b.negative && compare(&a, &b) < 0)
        return big_sum(b, a);
    for (unsigned i = 0; i < WORDS; i++) {
        const uint64_t w = a.negative == b.negative ? (uint64_t)a.word[i] + b.word[i] + carry
                                                    : (uint64_t)a.word[i] - b.word[i] - carry;
        sum.word[i] = (uint32_t)w;
        carry = w >> 32 & 1;
    }
    return sum;
}

static bool bit(const struct big *b, int i) { return i >= 0 && (b->word[i / 32] >> i % 32 & 1); }

/* To nearest even. The last bit of a float is 2^-149 or more: bit 149 or more of b. */
static uint32_t big_round(const struct big *b)
{
    int top = (int)(32 * WORDS) - 1;
    bool is_more = false;
    uint64_t bits = 0;

    while (top >= 0 && !bit(b, top))
        top--;
    const int last = top - 23 > 149 ? top - 23 : 149;
    for (int i = top; i >= last; i--)
        bits = 2 * bits + bit(b, i);
    for (int i = 0; i < last - 1; i++)
        is_more = is_more || bit(b, i);
    bits += bit(b, last - 1) && (is_more || (bits & 1));
    /* A carry out of the mantissa moves the exponent up by itself. */
    bits += bits >= 1u << 23 ? (uint64_t)(last - 149) << 23 : 0;
    return (uint32_t)(bits > 0x7f800000 ? 0x7f800000 : bits) | (uint32_t)b->negative << 31;
}

static uint32_t mantissa_of(float f)
{
    const uint32_t bits = smol_f32_bits(f), m = bits & 0x7fffff;

    return bits >> 23 & 255 ? m | 0x800000 : m;
}

static int exponent_of(float f)
{
    const int e = (int)(smol_f32_bits(f) >> 23 & 255);

    return (e ? e : 1) - 150;
}

static uint32_t exact(float a, float b, float c)
{
    const struct big product = big_of((uint64_t)mantissa_of(a) * mantissa_of(b),
                                      exponent_of(a) + exponent_of(b),
                                      (signbit(a) != 0) != (signbit(b) != 0)),
                     addend = big_of(mantissa_of(c), exponent_of(c), signbit(c) != 0);
    struct big sum = big_sum(product, addend);
    const struct big zero = {.negative = product.negative && addend.negative};

    return compare(&sum, &(struct big){0}) == 0 ? big_round(&zero) : big_round(&sum);
}

/* ---- cases ---- */

static uint64_t random_state = 7;

static float any_bits(void)
{
    float f;

    do
        f = smol_bits_f32(test_random(&random_state));
    while (!isfinite(f));
    return f;
}

/* Of a magnitude: mantissas of many bits, or of few, or between two of few. */
static float near(int exponent)
{
    const uint32_t r = test_random(&random_state), few = r >> 8 & 0x7ff000,
                   kinds[] = {r & 0x7fffff, few, few + 1, few ? few - 1 : 1, 0, 0x7fffff, 1};
    const int e = exponent < -126 ? -126 : exponent > 127 ? 127 : exponent;
    const float f = smol_bits_f32((uint32_t)(e + 127) << 23 | kinds[r % 7]);

    return (test_random(&random_state) & 1 ? -1.0f : 1.0f) *
           (exponent < -126 ? ldexpf(f, exponent + 126) : f);
}

static int between(int least, int most)
{
    return least + (int)(test_random(&random_state) % (uint32_t)(most - least + 1));
}

struct terms {
    float a[VEC_LANES], b[VEC_LANES], c[VEC_LANES];
};

static void check(const struct terms *t)
{
    float y[3][VEC_LANES];
    const f32x16 a = vec_load_first(t->a, VEC_LANES), b = vec_load_first(t->b, VEC_LANES),
                 c = vec_load_first(t->c, VEC_LANES);

    vec_store_first(y[0], vec_fma(a, b, c), VEC_LANES);
    vec_store_first(y[1], vec_fma_normal(a, b, c), VEC_LANES);
    vec_store_first(y[2], vec_fma_at_once(a, b, c), VEC_LANES);
    for (unsigned i = 0; i < VEC_LANES; i++) {
        const uint32_t right = exact(t->a[i], t->b[i], t->c[i]), magnitude = right & 0x7fffffff;
        cr_assert_eq(smol_f32_bits(y[0][i]), right, "%a x %a + %a is not %a", (double)t->a[i],
                     (double)t->b[i], (double)t->c[i], (double)y[0][i]);
        cr_assert_eq(smol_f32_bits(y[2][i]), right, "%a x %a + %a is not %a, at once",
                     (double)t->a[i], (double)t->b[i], (double)t->c[i], (double)y[2][i]);
        cr_assert_eq(smol_f32_bits(smol_fma_plain(t->a[i], t->b[i], t->c[i])), right,
                     "%a x %a + %a in plain C", (double)t->a[i], (double)t->b[i], (double)t->c[i]);
        if (magnitude >= 0x00800000)
            cr_assert_eq(smol_f32_bits(y[1][i]), right, "%a x %a + %a, normal", (double)t->a[i],
                         (double)t->b[i], (double)t->c[i]);
    }
}

#define EACH(n, statement)                                                                         \
    for (unsigned round = 0; round < (n); round++) {                                               \
        struct terms t;                                                                            \
        for (unsigned i = 0; i < VEC_LANES; i++)                                                   \
            statement;                                                                             \
        check(&t);                                                                                 \
    }

/* Worked out by hand. */
Test(fma, by_hand)
{
    static const struct {
        float a, b, c, y;
    } cases[] = {
        /* 1 + 2^-24 is halfway, and goes to the even 1; what little there is more decides. */
        {0x1p-12f, 0x1p-12f, 1.0f, 1.0f},
        {0x1.000002p-12f, 0x1p-12f, 1.0f, 0x1.000002p0f},
        {0x1.fffffep-13f, 0x1p-12f, 1.0f, 1.0f},
        {0x1p-12f, 0x1p-12f, 0x1.000002p0f, 0x1.000004p0f},
        /* The product, 2^-24 (1 - 2^-46), is too long for a double beside 1. */
        {0x1.000002p-12f, 0x1.fffffcp-13f, 0x1.000002p0f, 0x1.000002p0f},
        {0x1.000002p-12f, -0x1.fffffcp-13f, 0x1.000002p0f, 0x1.000002p0f},
        /* Less than 2^-52 above halfway, and that is what a double says: an odd one, to stay so. */
        {0x1.ffe102p-12f, 0x1.000f8p-13f, 1.0f, 0x1.000002p0f},
        /* The same between subnormal numbers, where musl's fmaf goes wrong. */
        {0x1.000002p-75f, 0x1.fffffcp-76f, 0x1.000004p-127f, 0x1.000004p-127f},
        {-0x1.000002p-75f, 0x1.fffffcp-76f, -0x1.000004p-127f, -0x1.000004p-127f},
        /* Too small, too large, and just not. */
        {0x1p-75f, 0x1p-75f, 0.0f, 0.0f},
        {0x1.000002p-75f, 0x1p-75f, 0.0f, 0x1p-149f},
        {0x1p-149f, -0x1p-149f, 0.0f, -0.0f},
        {0x1p-149f, 0x1p-149f, 0x1p-149f, 0x1p-149f},
        {0x1p64f, 0x1p64f, 0.0f, INFINITY},
        {0x1p64f, 0x1p64f, -0x1p104f, 0x1.fffffep127f},
        {0x1p64f, 0x1p64f, -0x1p103f, INFINITY},
        {0x1p64f, -0x1p64f, 0x1.8p103f, -0x1.fffffep127f},
        /* What cancels. */
        {0x1.000002p0f, 0x1.000002p0f, -0x1.000004p0f, 0x1p-46f},
        {3.0f, 5.0f, -15.0f, 0.0f},
        {-3.0f, 5.0f, 15.0f, 0.0f},
        {-0.0f, 5.0f, -0.0f, -0.0f},
        {0.0f, 5.0f, -0.0f, 0.0f},
        {INFINITY, 2.0f, 1.0f, INFINITY},
        {1.0f, 2.0f, -INFINITY, -INFINITY},
    };

    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++) {
        float y[2][VEC_LANES], care[4];
        const f32x16 a = vec_set1(cases[k].a), b = vec_set1(cases[k].b), c = vec_set1(cases[k].c);
        vec_store_first(y[0], vec_fma(a, b, c), VEC_LANES);
        vec_store_first(y[1], vec_fma_at_once(a, b, c), VEC_LANES);
        wasm_v128_store(care, fma_with_care(a.v[0], b.v[0], c.v[0]));
        for (unsigned i = 0; i < 2 * VEC_LANES; i++)
            cr_assert_eq(smol_f32_bits(y[i / VEC_LANES][i % VEC_LANES]), smol_f32_bits(cases[k].y),
                         "case %zu: %a", k, (double)y[i / VEC_LANES][i % VEC_LANES]);
        for (unsigned i = 0; i < 4; i++)
            cr_assert_eq(smol_f32_bits(care[i]), smol_f32_bits(cases[k].y), "case %zu, care: %a", k,
                         (double)care[i]);
        cr_assert_eq(smol_f32_bits(smol_fma_plain(cases[k].a, cases[k].b, cases[k].c)),
                     smol_f32_bits(cases[k].y), "case %zu in plain C", k);
    }
}

Test(fma, not_a_number)
{
    static const float none[][3] = {
        {NAN, 1, 1}, {1, NAN, 1}, {1, 1, NAN}, {INFINITY, 0, 1}, {INFINITY, 1, -INFINITY}};

    for (size_t k = 0; k < sizeof none / sizeof *none; k++)
        cr_assert(isnan(
            vec_sum(vec_fma(vec_set1(none[k][0]), vec_set1(none[k][1]), vec_set1(none[k][2])))));
}

Test(fma, any_bits){EACH(4000, (t.a[i] = any_bits(), t.b[i] = any_bits(), t.c[i] = any_bits()))}

/* Sums whose parts overlap, in all ways: a x b and c from 2^-70 to 2^70 apart. */
Test(fma, any_distance){EACH(8000,
                             {
                                 const int e = between(-60, 60);
                                 t.a[i] = near(e);
                                 t.b[i] = near(between(-60, 60));
                                 t.c[i] = near(e + (int)(smol_f32_bits(t.b[i]) >> 23 & 255) - 127 +
                                               between(-70, 70));
                             })}

/* Results about the ends of subnormal numbers. */
Test(fma, subnormal){EACH(8000,
                          {
                              const int e = between(-149, 0);
                              t.a[i] = near(e);
                              t.b[i] = near(between(-155, -120) - e);
                              t.c[i] = near(between(-149, -120));
                          })}

/* Halfway, less the least that a product can lack, and more. */
Test(fma, halfway){EACH(4000,
                        {
                            const int e = between(-149, 100);
                            const int unit = e - 23 < -149 ? -149 : e - 23;
                            const int half = unit / 2;
                            t.c[i] = near(e);
                            t.a[i] = ldexpf(near(0), half);
                            t.b[i] =
                                ldexpf(2.0f - fabsf(t.a[i]) / ldexpf(1, half), unit - 1 - half);
                        })}

Test(fma, overflow)
{
    EACH(2000, {
        const int e = between(1, 127);
        t.a[i] = near(e);
        t.b[i] = near(between(125, 128) - e);
        t.c[i] = near(between(100, 127));
    })
}
