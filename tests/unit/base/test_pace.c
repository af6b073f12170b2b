/* How many threads work takes, by how long its units are said to take. */
#include "base/threads/pace.h"

#include <criterion/criterion.h>

/* Seconds of a unit by the binary logarithm of its threads. */
typedef const double times[5];

/* Of so many units, how many took so many threads. */
static unsigned units_of(struct smol_pace *p, uint32_t threads, unsigned units,
                         const double *seconds)
{
    unsigned n = 0;

    for (unsigned i = 0; i < units; i++) {
        unsigned log = 0;
        while (1u << log < p->threads)
            log++;
        n += p->threads == threads;
        smol_pace_took(p, 1, seconds[log]);
    }
    return n;
}

Test(pace, tries_half_of_the_threads_in_every_second_block)
{
    struct smol_pace p = smol_pace_of(4, 0.1);
    times t = {0.06, 0.033, 0.03};

    for (unsigned i = 0; i < 2; i++) {
        cr_assert_eq(units_of(&p, 4, 2, t), 2); /* during the first, threads wake */
        cr_assert_eq(units_of(&p, 2, 1, t), 1);
    }
    cr_assert_eq(units_of(&p, 4, 96, t), 96);
}

/* 5 milliseconds, after 25 in which more threads than before wake. */
Test(pace, a_block_has_as_many_units_as_it_takes)
{
    struct smol_pace p = smol_pace_of(2, 0.1);
    times t = {0.0007, 0.00061};

    cr_assert_eq(units_of(&p, 2, 41 + 9, t), 50);
    cr_assert_eq(units_of(&p, 1, 8, t), 8);
    cr_assert_eq(units_of(&p, 2, 41 + 9, t), 50);
}

Test(pace, does_not_measure_threads_that_wake)
{
    struct smol_pace p = smol_pace_of(2, 0.1);

    for (unsigned i = 0; i < 2; i++) {
        smol_pace_took(&p, 1, 0.09);
        smol_pace_took(&p, 1, 0.01);
        smol_pace_took(&p, 1, 0.011);
    }
    cr_assert_eq(p.chosen, 2);
    cr_assert(smol_pace_rests(&p));
}

Test(pace, takes_all_where_they_are_faster)
{
    struct smol_pace p = smol_pace_of(2, 0.1);
    times t = {0.012, 0.01};

    cr_assert_geq(units_of(&p, 2, 5000, t), 4900);
}

Test(pace, takes_one_where_that_is_about_as_fast)
{
    struct smol_pace p = smol_pace_of(2, 0.1), q = smol_pace_of(2, 0.1);
    times about = {0.01, 0.0097}, faster = {0.001, 0.01};

    cr_assert_leq(units_of(&p, 2, 5000, about), 100);
    cr_assert_leq(units_of(&q, 2, 5000, faster), 100);
}

Test(pace, goes_down_to_the_fewest_that_are_as_fast)
{
    struct smol_pace p = smol_pace_of(16, 0.1), q = smol_pace_of(16, 0.1);
    times two = {0.02, 0.011, 0.012, 0.02, 0.04}, one = {0.01, 0.02, 0.03, 0.04, 0.05};

    units_of(&p, 1, 40, two);
    cr_assert_eq(p.chosen, 2);
    cr_assert_geq(units_of(&p, 2, 5000, two), 4900);
    units_of(&q, 1, 22, one); /* four comparisons */
    cr_assert_eq(q.chosen, 1);
}

Test(pace, tries_numbers_that_are_no_powers_of_two)
{
    struct smol_pace p = smol_pace_of(6, 0.1);
    bool tried[7] = {false};

    for (unsigned i = 0; i < 3000; i++) {
        tried[p.threads] = true;
        smol_pace_took(&p, 1, i < 1000 ? 0.01 * p.threads : 0.06 / p.threads);
    }
    cr_assert(tried[6] && tried[3] && tried[1] && tried[2] && tried[4] && !tried[5]);
    cr_assert_eq(p.chosen, 6);
}

Test(pace, notices_that_it_has_changed)
{
    struct smol_pace p = smol_pace_of(2, 0.1);
    times quiet = {0.018, 0.01}, busy = {0.018, 0.04};

    units_of(&p, 2, 1000, quiet);
    cr_assert_eq(p.chosen, 2);
    units_of(&p, 2, 1100, busy); /* another program began */
    cr_assert_eq(p.chosen, 1);
    units_of(&p, 2, 1100, quiet);
    cr_assert_eq(p.chosen, 2);
}

/* Something interrupted the others. */
Test(pace, takes_the_faster_of_two_blocks)
{
    struct smol_pace p = smol_pace_of(2, 0.1);

    smol_pace_took(&p, 1, 0.03);
    smol_pace_took(&p, 1, 0.05);
    smol_pace_took(&p, 1, 0.018);
    smol_pace_took(&p, 1, 0.03);
    smol_pace_took(&p, 1, 0.01);
    smol_pace_took(&p, 1, 0.05);
    cr_assert_eq(p.chosen, 2);
    cr_assert(smol_pace_rests(&p));
}

Test(pace, tries_nothing_with_long_units)
{
    struct smol_pace p = smol_pace_of(2, 0.1);

    cr_assert_eq(units_of(&p, 2, 3000, (times){0.1, 0.2}), 3000);
}

Test(pace, does_not_try_again_what_is_much_slower)
{
    struct smol_pace p = smol_pace_of(2, 0.1);

    cr_assert_eq(units_of(&p, 2, 100, (times){0.05, 0.03}), 98); /* 3 units, 48 of rest, and 3 */
}

/* Several at a time count as what one of them takes. */
Test(pace, units_side_by_side)
{
    struct smol_pace p = smol_pace_of(2, 0.1);

    for (unsigned i = 0; i < 2; i++) {
        smol_pace_took(&p, 8, 0.03);
        smol_pace_took(&p, 64, 0.064);
        cr_assert_eq(p.threads, 1);
        smol_pace_took(&p, 32, 0.0368);
    }
    cr_assert_eq(p.chosen, 2);
}

Test(pace, has_nothing_to_choose_from_one)
{
    struct smol_pace p = smol_pace_of(1, 0.1);

    cr_assert_eq(units_of(&p, 1, 200, (times){0.01}), 200);
    cr_assert(smol_pace_rests(&p));
}
