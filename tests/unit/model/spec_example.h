/* Reads the worked examples of SPEC.md, appendix B, for the tests of them. */
#ifndef TEST_SPEC_EXAMPLE_H
#define TEST_SPEC_EXAMPLE_H

#include "base/bytes.h"
#include "kernel/kernel.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_VALUES 512u
#define MAX_FILE 2048u

static inline char *spec_text(void)
{
    static char text[1 << 18];
    FILE *f = fopen(TEST_DATA "/../SPEC.md", "rb");

    cr_assert_not_null(f);
    text[fread(text, 1, sizeof text - 1, f)] = '\0';
    fclose(f);
    return text;
}

/* The inside of a block; the test fails if there is none of that name. */
static inline char *block(const char *name)
{
    char head[64];
    char *begin, *end;

    snprintf(head, sizeof head, "```example %s\n", name);
    begin = strstr(spec_text(), head);
    cr_assert_not_null(begin, "no example %s", name);
    end = strstr(begin + 3, "```");
    cr_assert_not_null(end);
    *end = '\0';
    return begin + strlen(head);
}

/* All values of a key; those of lines with the same key follow each other. */
static inline size_t values(double out[MAX_VALUES], char *in, const char *key)
{
    const size_t length = strlen(key);
    size_t n = 0;

    for (char *line = in; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        char *at = line + length + 3;
        if (strncmp(line, key, length) != 0 || strncmp(line + length, " = ", 3) != 0)
            continue;
        for (char *next; *at && *at != '\n'; at = next) {
            cr_assert_lt(n, MAX_VALUES);
            out[n++] = strtod(at, &next);
            if (next == at)
                break;
        }
    }
    cr_assert_gt(n, 0, "no %s", key);
    return n;
}

static inline size_t floats(float out[MAX_VALUES], char *in, const char *key)
{
    double d[MAX_VALUES] = {0};
    const size_t n = values(d, in, key);

    for (size_t i = 0; i < n; i++) {
        out[i] = (float)d[i];
        cr_assert_eq((double)out[i], d[i], "%s is not a float", key);
    }
    return n;
}

static inline double value(char *in, const char *key)
{
    double d[MAX_VALUES] = {0};

    values(d, in, key);
    return d[0];
}

static inline size_t bytes(uint8_t out[MAX_FILE], char *in, const char *key)
{
    const size_t length = strlen(key);
    size_t n = 0;

    for (char *line = in; line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL)
        if (strncmp(line, key, length) == 0 && line[length] == ' ')
            for (const char *at = line + length + 3; *at && *at != '\n'; at += 2) {
                unsigned b;
                cr_assert_eq(sscanf(at, "%2x", &b), 1);
                cr_assert_lt(n, MAX_FILE);
                out[n++] = (uint8_t)b;
            }
    return n;
}

static inline void same(const float *got, const float *want, size_t n, const char *what)
{
    for (size_t i = 0; i < n; i++)
        cr_assert_eq(smol_f32_bits(got[i]), smol_f32_bits(want[i]), "%s %zu: %a, expected %a", what,
                     i, (double)got[i], (double)want[i]);
}

/* Instruction sets, which this machine may have. */
static const enum smol_isa sets[] = {SMOL_ISA_SCALAR, SMOL_ISA_AVX2, SMOL_ISA_AVX512,
                                     SMOL_ISA_NEON};
#define N_SETS (sizeof sets / sizeof sets[0])

typedef void check_kernels(const struct smol_kernels *k);

static inline void on_each(check_kernels *check)
{
    for (size_t i = 0; i < N_SETS; i++)
        if (smol_kernels_select(sets[i]))
            check(smol_kernels_select(sets[i]));
}

#endif
