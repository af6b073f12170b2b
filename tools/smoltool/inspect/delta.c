/* smoltool inspect: what a delta changes, and by how much. SPEC.md 16. */
#include "cli/cli.h"
#include "cli/json.h"
#include "smoltool/inspect/inspect.h"

#include <stdio.h>

bool inspect_is_mix(const struct smol_file *file)
{
    const struct smol_config *c = &file->config;

    if (!smol_config_is_delta(c) || c->logit_scale != 0.0f || c->input_rows || c->output_rows)
        return false;
    for (uint32_t i = 0; i < c->n_schemes; i++)
        if (c->schemes[i].source != SMOL_MATRIX_UNIT || c->schemes[i].rank || c->schemes[i].terms)
            return false;                                /* a frozen norm has source 0 too */
    for (size_t i = 0; i < file->params.size_bytes; i++) /* the heads', which it must have */
        if (file->params.data[i])
            return false;
    return true;
}

void inspect_put_part(const struct smol_file *file, uint32_t i)
{
    char hash[17];

    cli_hex(hash, file->parts[i].hash, 8);
    printf("%.6g x %s %s...", (double)file->parts[i].factor,
           i < file->config.n_models ? "model" : "delta", hash);
}

void inspect_print_base(const struct smol_file *file, char *const *paths)
{
    const uint32_t n = file->config.n_models + file->config.n_deltas;

    for (uint32_t i = 0; i < n; i++) {
        fputs(i ? "             " : "base         ", stdout);
        inspect_put_part(file, i);
        fputs(", ", stdout);
        if (paths[i])
            cli_put_escaped(stdout, paths[i]);
        puts(paths[i] ? "" : "not found");
    }
}

/* Rows of embeddings, and the difference of the logit scale; nothing for nothing. */
void inspect_print_rows(const struct smol_config *c)
{
    if (c->input_rows)
        printf("embeddings   %u rows of wte (%s)\n", c->input_rows, smol_dtype_name(c->wte_type));
    if (c->output_rows)
        printf("%s   %u rows of the output table (%s)\n",
               c->input_rows ? "          " : "embeddings", c->output_rows,
               smol_dtype_name(c->output_type));
    if (c->logit_scale != 0.0f)
        printf("logit scale  %+.6g\n", (double)c->logit_scale);
}

json_t *inspect_base_json(const struct smol_file *file, char *const *paths)
{
    const uint32_t n = file->config.n_models + file->config.n_deltas;
    char hash[2 * SMOL_HASH_BYTES + 1];
    json_t *list = json_array();

    for (uint32_t i = 0; i < n; i++) {
        cli_hex(hash, file->parts[i].hash, SMOL_HASH_BYTES);
        json_array_append_new(list,
                              json_pack("{s:s, s:s, s:f, s:o}", "kind",
                                        i < file->config.n_models ? "model" : "delta", "hash", hash,
                                        "factor", (double)file->parts[i].factor, "path",
                                        paths && paths[i] ? cli_json_name(paths[i]) : json_null()));
    }
    return list;
}
