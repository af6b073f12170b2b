/* The numbers of a command line, strictly: popt takes "" for 0, 010 for 8, and -1 for a count. */
#include "cli/cli.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a table of popt's whose every option returns its place ---- */

struct flat {
    struct poptOption *options;       /* they store nothing */
    const struct poptOption **origin; /* of each: val - 1 is its index */
    size_t n;
};

static size_t count(const struct poptOption *o)
{
    size_t n = 0;

    for (; o->longName || o->shortName || o->arg; o++)
        n += (o->argInfo & POPT_ARG_MASK) == POPT_ARG_INCLUDE_TABLE ? count(o->arg) : 1;
    return n;
}

static void flatten(struct flat *f, const struct poptOption *o)
{
    for (; o->longName || o->shortName || o->arg; o++) {
        const unsigned type = o->argInfo & POPT_ARG_MASK;
        if (type == POPT_ARG_INCLUDE_TABLE) {
            flatten(f, o->arg);
            continue;
        }
        f->origin[f->n] = o;
        f->options[f->n] = (struct poptOption){
            .longName = o->longName,
            .shortName = o->shortName,
            .argInfo =
                (type == POPT_ARG_NONE || type == POPT_ARG_VAL ? POPT_ARG_NONE : POPT_ARG_STRING) |
                (o->argInfo & POPT_ARGFLAG_ONEDASH),
            .val = (int)f->n + 1};
        f->n++;
    }
}

/* ---- one number ---- */

static int refuse(const struct poptOption *o, const char *why)
{
    char name[64];

    snprintf(name, sizeof name, o->argInfo & POPT_ARGFLAG_ONEDASH ? "-%s" : "--%s", o->longName);
    return cli_usage_error(name, why);
}

/* Into an int, or an unsigned one of its size. */
static int take_count(const struct poptOption *o, const char *text)
{
    uint64_t value;
    int number;

    if (!cli_parse_u64(&value, text) || value > INT_MAX)
        return refuse(o, "takes a whole number, 0 or more");
    number = (int)value;
    memcpy(o->arg, &number, sizeof number);
    return 0;
}

static int take_whole(const struct poptOption *o, const char *text)
{
    const bool negative = text[0] == '-';
    uint64_t value;

    if (!cli_parse_u64(&value, text + negative) || value > INT_MAX)
        return refuse(o, "takes a whole number");
    *(long *)o->arg = negative ? -(long)value : (long)value;
    return 0;
}

static int check_real(const struct poptOption *o, const char *text)
{
    char *end;

    strtod(text, &end);
    return text[0] > ' ' && *end == '\0' ? 0 : refuse(o, "takes a number");
}

static int take(const struct poptOption *o, const char *text)
{
    switch (o->argInfo & POPT_ARG_MASK) {
    case POPT_ARG_INT: return take_count(o, text);
    case POPT_ARG_LONG: return take_whole(o, text);
    case POPT_ARG_FLOAT:
    case POPT_ARG_DOUBLE: return check_real(o, text);
    }
    return 0;
}

int cli_numbers(int argc, const char **argv, const struct poptOption *options)
{
    const size_t n = count(options);
    struct flat f = {.options = calloc(n + 1, sizeof *f.options),
                     .origin = calloc(n + 1, sizeof *f.origin)};
    poptContext popt = NULL;
    int code = 0, val;

    if (f.options && f.origin) {
        flatten(&f, options);
        popt = poptGetContext(cli_program, argc, argv, f.options, 0);
    }
    if (!popt)
        code = cli_no_memory(NULL);
    while (code == 0 && (val = poptGetNextOpt(popt)) > 0) {
        char *text = poptGetOptArg(popt);
        code = text ? take(f.origin[val - 1], text) : 0;
        free(text);
    }
    poptFreeContext(popt);
    free(f.origin);
    free(f.options);
    return code;
}
