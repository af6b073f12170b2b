/* Numbers of two models side by side, summed up. */
#include "smoltool/diff/diff.h"

#include <math.h>
#include <string.h>

bool diff_off_add(struct diff_off *o, double a, double b)
{
    const bool differ = memcmp(&a, &b, sizeof a) != 0;

    o->n++;
    o->n_different += differ;
    o->largest = fmax(o->largest, fabs(b - a));
    o->sum += (b - a) * (b - a);
    return differ;
}

void diff_off_join(struct diff_off *o, const struct diff_off *more)
{
    o->n += more->n;
    o->n_different += more->n_different;
    o->largest = fmax(o->largest, more->largest);
    o->sum += more->sum;
}

void diff_off_set(struct diff *d, json_t *object, const struct diff_off *o)
{
    diff_set(d, object, "compared", json_integer((json_int_t)o->n));
    diff_set(d, object, "different", json_integer((json_int_t)o->n_different));
    diff_set(d, object, "largest", json_real(o->largest));
    diff_set(d, object, "rms", json_real(o->n ? sqrt(o->sum / (double)o->n) : 0));
}
