/* smoltool inspect: the learned numbers that it shows one by one, for a person. */
#include "cli/cli.h"
#include "smoltool/inspect/inspect.h"

#include <stdio.h>

#define MAX_ALPHAS_SHOWN 8u

static void print_alphas(const struct smol_file *file)
{
    const struct smol_config *c = &file->config;
    const uint32_t n = smol_tensor_count(c);
    bool shared_shown = false, any = false;
    float alpha[SMOL_MAX_BASES];
    struct smol_tensor t;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t d;
        bool shared;
        smol_tensor_at(&t, c, i);
        if (!inspect_alphas(alpha, &d, &shared, file, &t) || (shared && shared_shown))
            continue;
        if (!any)
            puts("\nalphas");
        any = true;
        shared_shown = shared_shown || shared;
        printf("  %-26s", shared ? "shared by all matrices" : t.name);
        for (uint32_t k = 0; k < d && k < MAX_ALPHAS_SHOWN; k++)
            printf(" %9.5f", (double)alpha[k]);
        puts(d > MAX_ALPHAS_SHOWN ? " ..." : "");
    }
}

/* The factors of the heads, layer by layer. */
static void print_heads(const struct smol_file *file)
{
    const struct smol_config *c = &file->config;
    const uint32_t n = smol_tensor_count(c);
    struct smol_tensor t;

    if (smol_config_head_factors(c) == 0)
        return;
    puts("\nheads");
    for (uint32_t i = 0; i < n; i++) {
        smol_tensor_at(&t, c, i);
        if (!inspect_is_of_heads(&t))
            continue;
        printf("  %-26s", t.name);
        for (uint32_t h = 0; h < c->n_heads && h < MAX_ALPHAS_SHOWN; h++)
            printf(" %9.5f", inspect_head_factor(file, &t, h));
        puts(c->n_heads > MAX_ALPHAS_SHOWN ? " ..." : "");
    }
}

void inspect_print_numbers(const struct smol_file *file)
{
    print_alphas(file);
    print_heads(file);
}

/* The number of each length; of a delta, differences. */
void inspect_print_history(const struct smol_file *file)
{
    const bool is_delta = smol_config_is_delta(&file->config);
    float numbers[SMOL_HISTORY_LENGTHS];

    inspect_history(numbers, file);
    fputs("history     ", stdout);
    for (unsigned k = 0; k < SMOL_HISTORY_LENGTHS; k++)
        printf(is_delta ? " %+.4g" : " %.4g", (double)numbers[k]);
    printf(" (%s%s)\n", smol_dtype_name(file->config.head_type),
           is_delta ? "" : "; the lower, the more it counts");
}
