/* smoltool generate-vectors: what this implementation computes, for other implementations to
 * compare with. */
#include "cli/cli.h"
#include "cli/json.h"
#include "smoltool/smoltool.h"

#include <smol/params.h>
#include <smol/primitives.h>

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_STEPS 2u
#define MAX_D 9u

static json_t *hex(const uint8_t *bytes, size_t n)
{
    char text[2 * 64 * N_STEPS + 1];

    cli_hex(text, bytes, n);
    return json_string(text);
}

/* A hex float says every bit. */
static json_t *exact(double x)
{
    char text[40];

    snprintf(text, sizeof text, "%a", x);
    return json_string(text);
}

static json_t *keys(void)
{
    static const uint64_t seeds[] = {0, 1, 42, UINT64_MAX};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof seeds / sizeof seeds[0]; i++) {
        uint8_t key[32];
        char text[24];
        smol_primitive_key(key, seeds[i]);
        json_array_append_new(list, json_pack("{s:s, s:o}", "seed", cli_decimal(text, seeds[i]),
                                              "key", hex(key, sizeof key)));
    }
    return list;
}

static json_t *streams(void)
{
    static const uint32_t places[][4] = {{0, 0, 0, 0}, {1, 0, 0, 0}, {0, 1, 0, 0},
                                         {0, 0, 1, 0}, {0, 0, 0, 1}, {7, 2, 3, 1000},
                                         {4, 0, 8, 0}, {4, 0, 8, 1}, {6, 0, 9, 0}};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        const uint32_t *p = places[i];
        uint8_t bytes[64 * N_STEPS];
        smol_primitive_stream(bytes, 42, p[0], p[1], p[2], p[3], N_STEPS);
        json_array_append_new(list,
                              json_pack("{s:s, s:i, s:i, s:i, s:i, s:o}", "seed", "42", "tensor",
                                        (int)p[0], "plane", (int)p[1], "purpose", (int)p[2],
                                        "row_block", (int)p[3], "bytes", hex(bytes, sizeof bytes)));
    }
    return list;
}

static json_t *table(enum smol_dist dist, uint32_t d)
{
    static const double alpha[MAX_D] = {1.0, -0.5, 0.25, 0.125, -0.0625, 2.0, 0.75, -1.5, 0.375};
    const uint32_t planes = dist == SMOL_SIGN ? (d + 7) / 8 : d;
    int16_t q[MAX_D * 256];
    const double s = smol_primitive_table(q, dist, alpha, d);
    json_t *numbers = json_array(), *alphas = json_array();

    for (uint32_t i = 0; i < planes * 256; i++)
        json_array_append_new(numbers, json_integer(q[i]));
    for (uint32_t k = 0; k < d; k++)
        json_array_append_new(alphas, exact(alpha[k]));
    return json_pack("{s:s, s:o, s:o, s:o}", "dist", smol_dist_name(dist), "alpha", alphas, "s",
                     exact(s), "table", numbers);
}

static json_t *tables(void)
{
    static const uint32_t sizes[] = {1, 2, 5, 8, 9};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        json_array_append_new(list, table(SMOL_SIGN, sizes[i]));
        json_array_append_new(list, table(SMOL_GAUSS, sizes[i]));
    }
    return list;
}

static json_t *function(float (*f)(float))
{
    static const float xs[] = {-100.0f,  -88.5f, -10.0f, -3.0f, -1.0f, -0.1f, 0.0f,
                               0x1p-20f, 0.3f,   1.0f,   2.5f,  10.0f, 87.9f, 95.0f};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof xs / sizeof xs[0]; i++)
        json_array_append_new(list,
                              json_pack("[o, o]", exact((double)xs[i]), exact((double)f(xs[i]))));
    return list;
}

/* Rows of ternary numbers: lists of numbers, and their bytes. */
static json_t *ternary(void)
{
    static const size_t sizes[] = {1, 5, 6, 12, 40};
    json_t *list = json_array();

    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        json_t *numbers = json_array();
        int8_t q[40];
        uint8_t row[8];
        for (size_t c = 0; c < sizes[i]; c++) {
            q[c] = (int8_t)((c * c + c / 4 + i) % 3) - 1;
            json_array_append_new(numbers, json_integer(q[c]));
        }
        smol_encode_ternary(row, q, sizes[i]);
        json_array_append_new(
            list, json_pack("{s:o, s:o}", "numbers", numbers, "row",
                            hex(row, smol_row_bytes(SMOL_TERNARY, (uint32_t)sizes[i]))));
    }
    return list;
}

static json_t *draws(void)
{
    double d[20];
    json_t *list = json_array();

    smol_primitive_draws(d, 42, 20);
    for (size_t i = 0; i < 20; i++)
        json_array_append_new(list, exact(d[i]));
    return json_pack("{s:s, s:o}", "seed", "42", "draws", list);
}

static int print(void *context, const char *const *arguments)
{
    const char *output = *(char *const *)context;
    json_t *all =
        json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "spec", "1.3", "keys", keys(),
                  "streams", streams(), "tables", tables(), "exp", function(smol_primitive_exp),
                  "gelu", function(smol_primitive_gelu), "ternary", ternary(), "sampler", draws());
    char *text = all ? cli_json_text(all, JSON_INDENT(1)) : NULL;
    int code = 0;

    (void)arguments;
    json_decref(all);
    if (!text)
        return cli_no_memory(output);
    if (!output)
        puts(text);
    else
        code = cli_write_file(output, text, strlen(text));
    free(text);
    return code;
}

int tool_generate_vectors(int argc, const char **argv)
{
    char *output = NULL;
    const struct poptOption options[] = {
        CLI_WORD("output", 'o', &output, "a file (standard output)", "FILE"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    return cli_command(argc, argv, options, &(struct cli_usage){NULL, ""}, print, &output);
}
