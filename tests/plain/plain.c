/* Runs the tests of a program, see criterion/criterion.h. */
#include "criterion/criterion.h"

#ifndef __wasm__
#include <setjmp.h>
#endif
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TESTS 100

static struct {
    plain_test *run;
    const char *name;
} tests[MAX_TESTS];
static int n_tests;
static volatile int passed, failed;

enum { ENTERED = 0, FAILED = 1, SKIPPED = 2 };

static int end_tests(void)
{
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0 || passed == 0;
}

#ifdef __wasm__ /* has no way out of a function but its end: the first failure ends the program */

static _Noreturn void leave_test(int how)
{
    failed += how == FAILED;
    exit(end_tests());
}

static int enter_test(void) { return ENTERED; }

#else

static jmp_buf end_of_test;

static _Noreturn void leave_test(int how) { longjmp(end_of_test, how); }

#define enter_test() setjmp(end_of_test)

#endif

void plain_add(plain_test *test, const char *name)
{
    if (n_tests == MAX_TESTS)
        abort();
    tests[n_tests].run = test;
    tests[n_tests++].name = name;
}

void plain_check(bool good, const char *file, int line, const char *what, const char *format, ...)
{
    va_list arguments;

    if (good)
        return;
    printf("%s:%d: not so: %s: ", file, line, what);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
    leave_test(FAILED);
}

/* The test has said why. */
void plain_skip(void) { leave_test(SKIPPED); }

/* All tests, or those with a word in their names. */
int main(int argc, char **argv)
{
    for (volatile int i = 0; i < n_tests; i++) {
        if (argc > 1 && !strstr(tests[i].name, argv[1]))
            continue;
        const int how = enter_test();
        if (how == ENTERED) {
            tests[i].run();
            passed++;
        } else if (how == FAILED) {
            printf("FAILED: %s\n", tests[i].name);
            failed++;
        }
    }
    return end_tests();
}
