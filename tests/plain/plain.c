/* Runs the tests of a program, see criterion/criterion.h. */
#include "criterion/criterion.h"

#include <setjmp.h>
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
static jmp_buf end_of_test;

enum { ENTERED = 0, FAILED = 1, SKIPPED = 2 };

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
    longjmp(end_of_test, FAILED);
}

/* The test has said why. */
void plain_skip(void) { longjmp(end_of_test, SKIPPED); }

/* All tests, or those with a word in their names. */
int main(int argc, char **argv)
{
    volatile int passed = 0, failed = 0;

    for (volatile int i = 0; i < n_tests; i++) {
        if (argc > 1 && !strstr(tests[i].name, argv[1]))
            continue;
        const int how = setjmp(end_of_test);
        if (how == ENTERED) {
            tests[i].run();
            passed++;
        } else if (how == FAILED) {
            printf("FAILED: %s\n", tests[i].name);
            failed++;
        }
    }
    printf("%d passed, %d failed\n", passed, failed);
    return failed != 0 || passed == 0;
}
