/* What differs between two models, for a person. */
#include "cli/json.h"
#include "smoltool/diff/diff.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_value(const json_t *value)
{
    char *text = value ? cli_json_text(value, JSON_ENCODE_ANY | JSON_ENSURE_ASCII | JSON_COMPACT |
                                                  JSON_REAL_PRECISION(9))
                       : NULL;

    fputs(text ? text : "nothing", stdout);
    free(text);
}

/* "key  1 and 2". */
static void print_pair(const char *key, const json_t *pair)
{
    cli_json_print_key(key);
    print_value(json_object_get(pair, "a"));
    fputs(" and ", stdout);
    print_value(json_object_get(pair, "b"));
    putchar('\n');
}

static void print_pairs(const json_t *object, const char *indent)
{
    const char *key;
    json_t *pair;

    json_object_foreach((json_t *)(uintptr_t)object, key, pair)
    {
        fputs(indent, stdout);
        print_pair(key, pair);
    }
}

static void print_schemes(const json_t *schemes)
{
    const char *slot;
    json_t *members;

    json_object_foreach((json_t *)(uintptr_t)schemes, slot, members)
    {
        printf("  %s\n", slot);
        print_pairs(members, "    ");
    }
}

static double number(const json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

static void print_off(const json_t *object)
{
    printf("%.0f of %.0f differ, the largest by %.6g, RMS %.6g", number(object, "different"),
           number(object, "compared"), number(object, "largest"), number(object, "rms"));
}

static void print_learned(const json_t *learned)
{
    const json_t *tensors = json_object_get(learned, "tensors");
    const char *name;
    json_t *entry;
    int width = 26;

    json_object_foreach((json_t *)(uintptr_t)tensors, name, entry)
    {
        if ((int)strlen(name) >= width)
            width = (int)strlen(name) + 1;
    }
    printf("  %.0f and %.0f parameters", number(learned, "a"), number(learned, "b"));
    if (number(learned, "compared") > 0) {
        fputs("; ", stdout);
        print_off(learned);
    }
    putchar('\n');
    json_object_foreach((json_t *)(uintptr_t)tensors, name, entry)
    {
        printf("  %-*s", width, name);
        if (json_object_get(entry, "compared"))
            print_off(entry);
        else
            printf("%.0f and %.0f parameters", number(entry, "a"), number(entry, "b"));
        putchar('\n');
    }
}

static void print_table(const json_t *table)
{
    const json_t *a = json_object_get(table, "a"), *b = json_object_get(table, "b");

    if (!json_equal(a, b)) {
        fputs("  shape ", stdout);
        print_value(a);
        fputs(" and ", stdout);
        print_value(b);
        putchar('\n');
    }
    if (!json_object_get(table, "rows_compared"))
        return;
    printf("  %.0f of %.0f rows; ", number(table, "rows_different"),
           number(table, "rows_compared"));
    print_off(table);
    putchar('\n');
    if (json_equal(a, b) && number(table, "different") == 0)
        puts("  the same values in other bytes");
}

/* Rows of deltas, those of one token beside each other. */
static void print_rows(const json_t *rows)
{
    printf("  %.0f and %.0f rows, %.0f of the same tokens", number(rows, "rows_a"),
           number(rows, "rows_b"), number(rows, "rows_compared"));
    if (number(rows, "rows_compared") > 0) {
        fputs("; ", stdout);
        print_off(rows);
    }
    putchar('\n');
}

void diff_print(const json_t *report)
{
    const char *section;
    json_t *found;

    json_object_foreach((json_t *)(uintptr_t)report, section, found)
    {
        if (!json_is_object(found))
            continue;
        puts(strcmp(section, "card_text") == 0 ? "card" : section);
        if (strcmp(section, "schemes") == 0)
            print_schemes(found);
        else if (strcmp(section, "learned") == 0)
            print_learned(found);
        else if (json_is_array(json_object_get(found, "a")))
            print_table(found);
        else if (json_object_get(found, "rows_a"))
            print_rows(found);
        else
            print_pairs(found, "  ");
    }
}
