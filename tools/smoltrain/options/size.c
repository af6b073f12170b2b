/* See size.h. */
#include "smoltrain/options/size.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* The unit that a number is followed by; 0: there is none of that name. */
static uint64_t unit_of(const char *name)
{
    static const char *const ends[] = {"", "B", "iB"};
    const bool is_mega = *name == 'M' || *name == 'm';

    if (*name == '\0')
        return 1;
    for (unsigned i = 0; (is_mega || *name == 'K' || *name == 'k') && i < 3; i++)
        if (strcasecmp(name + 1, ends[i]) == 0)
            return is_mega ? 1u << 20 : 1u << 10;
    return 0;
}

/* Digits, with a point among them or not, before *end. */
static bool parse_number(double *number, const char **end, const char *text)
{
    double place = 1;
    bool has_point = false, has_digit = false;

    for (*number = 0; isdigit((unsigned char)*text) || (*text == '.' && !has_point); text++) {
        if (*text == '.') {
            has_point = true;
            continue;
        }
        has_digit = true;
        place = has_point ? place / 10 : 1;
        *number = has_point ? *number + place * (*text - '0') : 10 * *number + (*text - '0');
    }
    *end = text;
    return has_digit && *number <= (double)TRAIN_MAX_SIZE;
}

bool train_parse_size(uint64_t *bytes, const char *text)
{
    const char *unit;
    double number;
    uint64_t size;

    if (!parse_number(&number, &unit, text) || unit_of(unit) == 0)
        return false;
    size = (uint64_t)(number * (double)unit_of(unit));
    if (size == 0 || size > TRAIN_MAX_SIZE)
        return false;
    *bytes = size;
    return true;
}
