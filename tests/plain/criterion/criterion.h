/* As much of Criterion as the tests of arithmetic use, for machines that it cannot be installed
 * for: the tests run one after the other in one process, the last line is "N passed, M failed". */
#ifndef PLAIN_CRITERION_H
#define PLAIN_CRITERION_H

#pragma GCC system_header /* the macros below may have no variable arguments, which C11 lacks */

#include <stdbool.h>
#include <string.h>

typedef void plain_test(void);

void plain_add(plain_test *test, const char *name);

/* Ends the test that runs, after a message, unless good. */
void plain_check(bool good, const char *file, int line, const char *what, const char *format, ...);
void plain_skip(void);

#define Test(suite, name, ...)                                                                     \
    static void suite##_##name(void);                                                              \
    __attribute__((constructor)) static void add_##suite##_##name(void)                            \
    {                                                                                              \
        plain_add(suite##_##name, #suite "/" #name);                                               \
    }                                                                                              \
    static void suite##_##name(void)

#define cr_assert(condition, ...)                                                                  \
    plain_check(condition, __FILE__, __LINE__, #condition, "" __VA_ARGS__)
#define cr_assert_eq(a, b, ...)                                                                    \
    plain_check((a) == (b), __FILE__, __LINE__, #a " == " #b, "" __VA_ARGS__)
#define cr_assert_neq(a, b, ...)                                                                   \
    plain_check((a) != (b), __FILE__, __LINE__, #a " != " #b, "" __VA_ARGS__)
#define cr_assert_lt(a, b, ...)                                                                    \
    plain_check((a) < (b), __FILE__, __LINE__, #a " < " #b, "" __VA_ARGS__)
#define cr_assert_leq(a, b, ...)                                                                   \
    plain_check((a) <= (b), __FILE__, __LINE__, #a " <= " #b, "" __VA_ARGS__)
#define cr_assert_gt(a, b, ...)                                                                    \
    plain_check((a) > (b), __FILE__, __LINE__, #a " > " #b, "" __VA_ARGS__)
#define cr_assert_geq(a, b, ...)                                                                   \
    plain_check((a) >= (b), __FILE__, __LINE__, #a " >= " #b, "" __VA_ARGS__)
#define cr_assert_float_eq(a, b, by, ...)                                                          \
    plain_check((a) - (b) <= (by) && (b) - (a) <= (by), __FILE__, __LINE__, #a " near " #b,        \
                "" __VA_ARGS__)
#define cr_assert_null(a, ...)                                                                     \
    plain_check((a) == NULL, __FILE__, __LINE__, #a " is NULL", "" __VA_ARGS__)
#define cr_assert_not_null(a, ...)                                                                 \
    plain_check((a) != NULL, __FILE__, __LINE__, #a " is not NULL", "" __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...)                                                                \
    plain_check(strcmp(a, b) == 0, __FILE__, __LINE__, #a " is " #b, "" __VA_ARGS__)
#define cr_assert_arr_eq(a, b, size, ...)                                                          \
    plain_check(memcmp(a, b, size) == 0, __FILE__, __LINE__, #a " equals " #b, "" __VA_ARGS__)
#define cr_assert_arr_neq(a, b, size, ...)                                                         \
    plain_check(memcmp(a, b, size) != 0, __FILE__, __LINE__, #a " differs from " #b, "" __VA_ARGS__)
#define cr_assert_fail(...) plain_check(false, __FILE__, __LINE__, "reached", "" __VA_ARGS__)
#define cr_skip_test(...) plain_skip()

#endif
