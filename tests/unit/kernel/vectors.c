/* Reads golden/vectors/frozen.txt. */
#include "vectors.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATH TEST_DATA "/golden/vectors/frozen.txt"

static void free_owned(struct vector *v)
{
    while (v->n_owned > 0)
        free(v->owned[--v->n_owned]);
}

void vectors_each(const char *kind, void (*check)(struct vector *v))
{
    FILE *file = fopen(PATH, "r");
    const size_t length = strlen(kind);
    struct vector v = {0};
    char *line = NULL;
    size_t size = 0;
    unsigned n_checked = 0;

    cr_assert_not_null(file, "cannot open " PATH);
    while (getline(&line, &size, file) >= 0) {
        v.number++;
        if (strncmp(line, kind, length) != 0 || line[length] != ' ')
            continue;
        v.text = line + length;
        check(&v);
        free_owned(&v);
        n_checked++;
    }
    free(line);
    fclose(file);
    cr_assert_gt(n_checked, 0, "no line '%s' in " PATH, kind);
}

/* What stands after " name=". */
static const char *value_of(const struct vector *v, const char *name)
{
    const size_t length = strlen(name);

    for (const char *p = strchr(v->text, ' '); p; p = strchr(p + 1, ' '))
        if (strncmp(p + 1, name, length) == 0 && p[1 + length] == '=')
            return p + 2 + length;
    cr_assert_fail("line %u has no %s", v->number, name);
    return NULL;
}

static size_t count_of(const struct vector *v, const char *name)
{
    const char *p = value_of(v, name);
    const size_t length = strcspn(p, " \n");
    size_t n = 1;

    for (size_t i = 0; i < length; i++)
        n += p[i] == ',';
    return n;
}

static void *own(struct vector *v, size_t size)
{
    void *p = malloc(size);

    cr_assert_not_null(p);
    cr_assert_lt(v->n_owned, sizeof v->owned / sizeof *v->owned);
    v->owned[v->n_owned++] = p;
    return p;
}

/* One value, and on to the next. */
static const char *after(const struct vector *v, const char *name, const char *begin,
                         const char *end)
{
    cr_assert(end != begin && errno == 0 && strchr(", \n", *end), "line %u: %s is malformed",
              v->number, name);
    return end + 1;
}

static double next_f64(const struct vector *v, const char *name, const char **p)
{
    char *end;

    errno = 0;
    const double value = strtod(*p, &end);
    errno = errno == ERANGE ? 0 : errno; /* some C libraries say so of subnormals */
    *p = after(v, name, *p, end);
    return value;
}

static float next_f32(const struct vector *v, const char *name, const char **p)
{
    const double value = next_f64(v, name, p);

    cr_assert_eq((double)(float)value, value, "line %u: %s is no float", v->number, name);
    return (float)value;
}

static int64_t next_i64(const struct vector *v, const char *name, const char **p, int64_t min,
                        int64_t max)
{
    char *end;

    errno = 0;
    const long long value = strtoll(*p, &end, 10);
    *p = after(v, name, *p, end);
    cr_assert(value >= min && value <= max, "line %u: %s is out of range", v->number, name);
    return value;
}

uint64_t vector_u64(const struct vector *v, const char *name)
{
    const char *p = value_of(v, name);
    char *end;

    errno = 0;
    const unsigned long long value = strtoull(p, &end, 10);
    after(v, name, p, end);
    return value;
}

uint32_t vector_u32(const struct vector *v, const char *name)
{
    const char *p = value_of(v, name);

    return (uint32_t)next_i64(v, name, &p, 0, UINT32_MAX);
}

double vector_f64(const struct vector *v, const char *name)
{
    const char *p = value_of(v, name);

    return next_f64(v, name, &p);
}

float vector_f32(const struct vector *v, const char *name)
{
    const char *p = value_of(v, name);

    return next_f32(v, name, &p);
}

double *vector_f64s(struct vector *v, const char *name, size_t *n)
{
    const char *p = value_of(v, name);
    const size_t count = count_of(v, name);
    double *values = own(v, count * sizeof *values);

    for (size_t i = 0; i < count; i++)
        values[i] = next_f64(v, name, &p);
    if (n)
        *n = count;
    return values;
}

float *vector_f32s(struct vector *v, const char *name, size_t *n)
{
    const char *p = value_of(v, name);
    const size_t count = count_of(v, name);
    float *values = own(v, count * sizeof *values);

    for (size_t i = 0; i < count; i++)
        values[i] = next_f32(v, name, &p);
    if (n)
        *n = count;
    return values;
}

int64_t *vector_i64s(struct vector *v, const char *name, size_t *n)
{
    const char *p = value_of(v, name);
    const size_t count = count_of(v, name);
    int64_t *values = own(v, count * sizeof *values);

    for (size_t i = 0; i < count; i++)
        values[i] = next_i64(v, name, &p, INT64_MIN, INT64_MAX);
    if (n)
        *n = count;
    return values;
}

int16_t *vector_i16s(struct vector *v, const char *name, size_t *n)
{
    const char *p = value_of(v, name);
    const size_t count = count_of(v, name);
    int16_t *values = own(v, count * sizeof *values);

    for (size_t i = 0; i < count; i++)
        values[i] = (int16_t)next_i64(v, name, &p, INT16_MIN, INT16_MAX);
    if (n)
        *n = count;
    return values;
}

uint32_t *vector_u32s(struct vector *v, const char *name, size_t *n)
{
    const char *p = value_of(v, name);
    const size_t count = count_of(v, name);
    uint32_t *values = own(v, count * sizeof *values);

    for (size_t i = 0; i < count; i++)
        values[i] = (uint32_t)next_i64(v, name, &p, 0, UINT32_MAX);
    if (n)
        *n = count;
    return values;
}

uint8_t *vector_bytes(struct vector *v, const char *name, size_t *n)
{
    const char *p = value_of(v, name);
    const size_t count = strcspn(p, " \n") / 2;
    uint8_t *values = own(v, count);

    for (size_t i = 0; i < count; i++) {
        unsigned byte;
        cr_assert_eq(sscanf(p + 2 * i, "%2x", &byte), 1, "line %u: %s is no hex", v->number, name);
        values[i] = (uint8_t)byte;
    }
    if (n)
        *n = count;
    return values;
}

void vector_same_f32(const struct vector *v, const float *got, const float *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(memcmp(&got[i], &want[i], sizeof *got), 0, "line %u [%zu]: %a, not %a",
                     v->number, i, (double)got[i], (double)want[i]);
}

void vector_same_f64(const struct vector *v, const double *got, const double *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(memcmp(&got[i], &want[i], sizeof *got), 0, "line %u [%zu]: %a, not %a",
                     v->number, i, got[i], want[i]);
}

void vector_same_i16(const struct vector *v, const int16_t *got, const int16_t *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(got[i], want[i], "line %u [%zu]: %d, not %d", v->number, i, got[i], want[i]);
}

void vector_same_i64(const struct vector *v, const int64_t *got, const int64_t *want, size_t n)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(got[i], want[i], "line %u [%zu]: %lld, not %lld", v->number, i,
                     (long long)got[i], (long long)want[i]);
}
