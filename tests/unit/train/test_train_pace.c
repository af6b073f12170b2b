/* How many threads steps take, by how long steps are said to take. */
#include "train/pace.h"

#include <criterion/criterion.h>

/* Of so many steps, how many took all threads, if these and one thread take so many seconds. */
static unsigned steps_of_all(struct smol_pace *p, unsigned steps, double all, double one)
{
    unsigned n = 0;

    for (unsigned i = 0; i < steps; i++) {
        const bool is_all = p->threads == p->most;

        n += is_all;
        cr_assert(is_all || p->threads == 1);
        smol_pace_took(p, is_all ? all : one);
    }
    return n;
}

Test(pace, tries_one_thread_in_two_steps)
{
    struct smol_pace p = smol_pace_of(4);

    cr_assert_eq(steps_of_all(&p, 2, 0.01, 0.03), 2);
    cr_assert_eq(steps_of_all(&p, 2, 0.01, 0.03), 0);
    cr_assert_eq(steps_of_all(&p, 64, 0.01, 0.03), 64);
}

Test(pace, takes_all_where_they_are_faster)
{
    struct smol_pace p = smol_pace_of(2);

    cr_assert_geq(steps_of_all(&p, 5000, 0.01, 0.012), 4980);
}

Test(pace, takes_one_where_that_is_about_as_fast)
{
    struct smol_pace p = smol_pace_of(2), q = smol_pace_of(2);

    cr_assert_leq(steps_of_all(&p, 5000, 0.01, 0.0105), 20);
    cr_assert_leq(steps_of_all(&q, 5000, 0.01, 0.001), 20);
}

Test(pace, notices_that_it_has_changed)
{
    struct smol_pace p = smol_pace_of(2);

    steps_of_all(&p, 1000, 0.01, 0.018);
    cr_assert_eq(p.threads, 2);
    steps_of_all(&p, 1100, 0.04, 0.018); /* another program began */
    cr_assert_eq(p.threads, 1);
    steps_of_all(&p, 1100, 0.01, 0.018);
    cr_assert_eq(p.threads, 2);
}

/* The first of two is slow because its memory is new. */
Test(pace, takes_the_faster_of_two_steps)
{
    struct smol_pace p = smol_pace_of(2);

    smol_pace_took(&p, 0.09);
    smol_pace_took(&p, 0.01);
    smol_pace_took(&p, 0.05);
    smol_pace_took(&p, 0.018);
    cr_assert_eq(p.threads, 2);
}

Test(pace, tries_nothing_with_long_steps)
{
    struct smol_pace p = smol_pace_of(2);

    cr_assert_eq(steps_of_all(&p, 3000, 0.2, 0.1), 3000);
}

Test(pace, has_nothing_to_choose_from_one)
{
    struct smol_pace p = smol_pace_of(1);

    cr_assert_eq(steps_of_all(&p, 200, 0.01, 0.01), 200);
    cr_assert_eq(p.threads, 1);
}
