/* The sampler against a plain re-implementation that sorts everything, and against distributions by
 * hand. SPEC.md 10. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/primitives.h>
#include <smol/sampler.h>
#include <stdlib.h>

struct sampler {
    struct smol_sampler *s;
    void *memory;
};

static void start(struct sampler *s, uint32_t vocab, const struct smol_sampler_options *o)
{
    struct smol_error error = {0};
    size_t size;

    cr_assert_eq(smol_sampler_size(&size, vocab, o, &error), SMOL_OK, "%s", error.text);
    s->memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_sampler_init(&s->s, vocab, o, s->memory, size, &error), SMOL_OK);
}

static uint32_t pick(struct sampler *s, const float *logits)
{
    struct smol_error error = {0};
    uint32_t token = UINT32_MAX;

    cr_assert_eq(smol_sampler_pick(&token, s->s, logits, &error), SMOL_OK, "%s", error.text);
    return token;
}

static const float *sorted_by;
static int by_logit(const void *a, const void *b)
{
    const uint32_t i = *(const uint32_t *)a, j = *(const uint32_t *)b;

    if (sorted_by[i] != sorted_by[j])
        return sorted_by[i] > sorted_by[j] ? -1 : 1;
    return i < j ? -1 : 1;
}

/* SPEC.md 10.3 to 10.6 word by word, with a full sort and the exp of the public primitives. */
static uint32_t plain_pick(const float *l, uint32_t V, const struct smol_sampler_options *o,
                           double u)
{
    uint32_t order[400], n = V, i;
    double sum = 0, running = 0;

    for (i = 0; i < V; i++)
        order[i] = i;
    sorted_by = l;
    qsort(order, V, sizeof *order, by_logit);
    if (o->top_k && o->top_k < n)
        n = o->top_k;
    if (o->top_p < 1) {
        for (i = 0; i < n; i++)
            sum += (double)smol_primitive_exp(l[order[i]] - l[order[0]]);
        for (i = 0; i < n && (i == 0 || running < o->top_p * sum); i++)
            running += (double)smol_primitive_exp(l[order[i]] - l[order[0]]);
        n = i;
    }
    while (n > 1 && smol_primitive_exp(l[order[n - 1]] - l[order[0]]) < o->min_p)
        n--;
    for (sum = 0, i = 0; i < n; i++)
        sum += (double)smol_primitive_exp((l[order[i]] - l[order[0]]) / o->temperature);
    for (running = 0, i = 0; i < n; i++) {
        running += (double)smol_primitive_exp((l[order[i]] - l[order[0]]) / o->temperature);
        if (running > u * sum)
            return order[i];
    }
    return order[n - 1];
}

Test(sampler, agrees_with_a_plain_one)
{
    static const struct smol_sampler_options settings[] = {
        {.struct_bytes = sizeof(struct smol_sampler_options),
         .seed = 1,
         .temperature = 0.8f,
         .top_k = 40,
         .top_p = 0.95,
         .min_p = 0.05f,
         .repeat_penalty = 1},
        {.struct_bytes = sizeof(struct smol_sampler_options),
         .seed = 2,
         .temperature = 1.0f,
         .top_k = 0,
         .top_p = 1,
         .min_p = 0,
         .repeat_penalty = 1},
        {.struct_bytes = sizeof(struct smol_sampler_options),
         .seed = 3,
         .temperature = 5.0f,
         .top_k = 7,
         .top_p = 0.5,
         .min_p = 0,
         .repeat_penalty = 1},
        {.struct_bytes = sizeof(struct smol_sampler_options),
         .seed = 4,
         .temperature = 0.1f,
         .top_k = 1000,
         .top_p = 0.0,
         .min_p = 1,
         .repeat_penalty = 1},
    };
    uint64_t random = 5;

    for (size_t k = 0; k < 4; k++) {
        struct sampler s;
        double draws[200];
        start(&s, 301, &settings[k]);
        smol_primitive_draws(draws, settings[k].seed, 200);
        for (int i = 0; i < 200; i++) {
            float logits[301];
            /* Few different values, so that ties are common. */
            for (int v = 0; v < 301; v++)
                logits[v] = roundf(8 * test_uniform(&random)) / 2;
            cr_assert_eq(pick(&s, logits), plain_pick(logits, 301, &settings[k], draws[i]),
                         "setting %zu pick %d", k, i);
        }
        free(s.memory);
    }
}

/* Two tokens with logits log 3 and 0: three to one. 20,000 draws, five standard deviations. */
Test(sampler, frequencies_are_those_of_the_softmax)
{
    const struct smol_sampler_options o = {
        .struct_bytes = sizeof o, .seed = 9, .temperature = 1, .top_p = 1, .repeat_penalty = 1};
    const float logits[2] = {0, 1.0986123f};
    struct sampler s;
    int ones = 0;

    start(&s, 2, &o);
    for (int i = 0; i < 20000; i++)
        ones += pick(&s, logits) == 1;
    cr_assert_float_eq(ones, 15000, 5 * sqrt(20000 * 0.75 * 0.25));
    free(s.memory);
}

Test(sampler, greedy_takes_the_lowest_of_equals)
{
    const struct smol_sampler_options o = {
        .struct_bytes = sizeof o, .temperature = 0, .top_p = 1, .repeat_penalty = 1};
    const float logits[5] = {1, 3, 2, 3, 3};
    struct sampler s;

    start(&s, 5, &o);
    cr_assert_eq(pick(&s, logits), 1);
    free(s.memory);
}

/* Penalty 2 over the last two tokens: positive logits are halved, negative ones doubled. */
Test(sampler, the_penalty_covers_the_last_n)
{
    const struct smol_sampler_options o = {.struct_bytes = sizeof o,
                                           .temperature = 0,
                                           .top_p = 1,
                                           .repeat_penalty = 2,
                                           .repeat_last_n = 2};
    const float logits[3] = {4, 3, 2.5f}, negative[3] = {-1, -1.5f, -4};
    struct sampler s;

    start(&s, 3, &o);
    cr_assert_eq(pick(&s, logits), 0);   /* none is recent */
    cr_assert_eq(pick(&s, logits), 1);   /* 2, 3, 2.5 */
    cr_assert_eq(pick(&s, logits), 2);   /* 2, 1.5, 2.5 */
    cr_assert_eq(pick(&s, logits), 0);   /* 0 is forgotten: 4, 1.5, 1.25 */
    cr_assert_eq(pick(&s, negative), 1); /* 0 and 2 are recent: -2, -1.5, -8 */
    free(s.memory);
}

Test(sampler, minus_one_remembers_everything)
{
    const struct smol_sampler_options o = {.struct_bytes = sizeof o,
                                           .temperature = 0,
                                           .top_p = 1,
                                           .repeat_penalty = 10,
                                           .repeat_last_n = -1};
    const float logits[4] = {4, 3, 2, 1};
    struct sampler s;

    start(&s, 4, &o);
    smol_sampler_accept(s.s, 0);
    smol_sampler_accept(s.s, 1);
    cr_assert_eq(pick(&s, logits), 2);
    cr_assert_eq(pick(&s, logits), 3);
    cr_assert_eq(pick(&s, logits), 0);
    free(s.memory);
}

Test(sampler, logits_that_are_not_finite_are_an_error)
{
    const struct smol_sampler_options o = {
        .struct_bytes = sizeof o, .temperature = 1, .top_p = 1, .repeat_penalty = 1};
    const float logits[2] = {NAN, 0};
    struct smol_error error;
    struct sampler s;
    uint32_t token = 7;

    start(&s, 2, &o);
    cr_assert_eq(smol_sampler_pick(&token, s.s, logits, &error), SMOL_E_NUMERIC);
    cr_assert_eq(token, 7);
    free(s.memory);
}

Test(sampler, options_out_of_range_are_refused)
{
    struct smol_sampler_options o;
    struct smol_error error;
    size_t size;

#define REFUSED(field, value)                                                                      \
    smol_sampler_defaults(&o, sizeof o);                                                           \
    o.field = value;                                                                               \
    cr_assert_eq(smol_sampler_size(&size, 10, &o, &error), SMOL_E_ARGUMENT)
    REFUSED(temperature, NAN);
    REFUSED(temperature, INFINITY);
    REFUSED(top_p, -0.1);
    REFUSED(top_p, 1.1);
    REFUSED(top_p, (double)NAN);
    REFUSED(min_p, 1.5f);
    REFUSED(repeat_penalty, 0);
    REFUSED(repeat_penalty, INFINITY);
    REFUSED(repeat_last_n, -2);
#undef REFUSED
    smol_sampler_defaults(&o, sizeof o);
    cr_assert_eq(smol_sampler_size(&size, 0, &o, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_sampler_size(&size, 16777217, &o, &error), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_sampler_size(&size, 16777216, &o, &error), SMOL_OK);
}
