/* A low-rank delta as an adapter of Hugging Face's PEFT: adapter_model.safetensors and
 * adapter_config.json. */
#include "cli/cli.h"
#include "cli/json.h"
#include "smoltool/export/adapter.h"

#include <smol/initial.h>

#include <stdio.h>
#include <stdlib.h>

#define NAME_BYTES 96u

/* GPT-2's names as its adapters have them. */
static void factor_name(char name[NAME_BYTES], const struct adapter_factor *f)
{
    snprintf(name, NAME_BYTES, "base_model.model.transformer.h.%u.%s.lora_%c.weight",
             (unsigned)f->layer, smol_slot_name(f->slot), f->is_b ? 'B' : 'A');
}

/* What the file begins with, for free(). */
static enum smol_status header_of(uint8_t **header, size_t *size_bytes,
                                  const struct adapter_factor *factors, size_t n,
                                  struct smol_error *error)
{
    struct smol_array *arrays = calloc(n, sizeof *arrays);
    char(*names)[NAME_BYTES] = calloc(n, sizeof *names);
    enum smol_status status = arrays && names ? SMOL_OK : cli_error_memory(error);

    for (size_t i = 0; !status && i < n; i++) {
        factor_name(names[i], &factors[i]);
        arrays[i] = (struct smol_array){.name = names[i],
                                        .type = SMOL_ARRAY_F32,
                                        .n_dims = 2,
                                        .shape = {factors[i].rows, factors[i].cols},
                                        .size_bytes = 4 * adapter_count(&factors[i])};
    }
    if (!status)
        status =
            smol_safetensors_header(header, size_bytes, arrays, n,
                                    &(struct smol_safetensors_member){"format", "pt"}, 1, error);
    free(arrays);
    free(names);
    return status;
}

static void put_factor(struct export_out *out, const struct smol_file *file,
                       const struct adapter_factor *f)
{
    const uint64_t n = adapter_count(f);
    float values[1024];
    uint8_t bytes[sizeof values];

    for (uint64_t at = 0; at < n && !out->status; at += 1024) {
        const size_t part = n - at < 1024 ? (size_t)(n - at) : 1024;

        adapter_read(values, file, f, at, part);
        smol_encode_numbers(bytes, SMOL_F32, values, part);
        export_put(out, bytes, 4 * part);
    }
}

static enum smol_status put_factors(const struct export_job *job,
                                    const struct adapter_factor *factors, size_t n,
                                    struct smol_error *error)
{
    char *path = cli_text("%s/adapter_model.safetensors", job->output);
    size_t header_bytes = 0;
    uint8_t *header = NULL;
    struct export_out out;
    enum smol_status status =
        path ? header_of(&header, &header_bytes, factors, n, error) : cli_error_memory(error);

    if (!status) {
        export_out_open(&out, path, error);
        export_put(&out, header, header_bytes);
        for (size_t i = 0; i < n; i++)
            put_factor(&out, job->file, &factors[i]);
        status = export_job_close(&out, job);
    }
    free(header);
    free(path);
    return status;
}

/* PEFT looks for modules whose names end so: "h.3.attn.c_attn". */
static json_t *module_name(const struct adapter_factor *f)
{
    return json_sprintf("h.%u.%s", (unsigned)f->layer, smol_slot_name(f->slot));
}

/* Whether all layers have factors for a slot. */
static bool is_everywhere(const struct smol_config *c, enum smol_slot slot)
{
    for (uint32_t layer = 0; layer < c->n_layers; layer++)
        if (smol_config_scheme(c, layer, slot)->rank == 0)
            return false;
    return true;
}

static json_t *modules_json(const struct smol_config *c, const struct adapter_factor *factors,
                            size_t n)
{
    json_t *list = json_array();

    for (enum smol_slot slot = SMOL_LN_1; slot < SMOL_N_SLOTS; slot++)
        if (smol_slot_is_matrix(slot) && is_everywhere(c, slot))
            json_array_append_new(list, json_string(smol_slot_name(slot)));
    for (size_t i = 0; i < n; i += 2)
        if (!is_everywhere(c, factors[i].slot))
            json_array_append_new(list, module_name(&factors[i]));
    return list;
}

/* The ranks that are not the usual one, by module; and alphas, which are equal to them, so that
 * PEFT multiplies by 1. */
static json_t *pattern_json(const struct adapter_factor *factors, size_t n, uint32_t usual)
{
    json_t *pattern = json_object();
    char name[NAME_BYTES];

    for (size_t i = 0; i < n; i += 2)
        if (factors[i].rank != usual) {
            snprintf(name, sizeof name, "h.%u.%s", (unsigned)factors[i].layer,
                     smol_slot_name(factors[i].slot));
            json_object_set_new(pattern, name, json_integer(factors[i].rank));
        }
    return pattern;
}

/* GPT-2's matrices are Conv1D, which hold inputs x outputs: fan_in_fan_out. */
static json_t *config_json(const struct smol_config *c, const struct adapter_factor *factors,
                           size_t n)
{
    const uint32_t rank = factors[0].rank;

    return json_pack(
        "{s:s, s:s, s:n, s:b, s:i, s:i, s:f, s:b, s:s, s:o, s:o, s:o, s:n, s:b, s:b, s:b}",
        "peft_type", "LORA", "task_type", "CAUSAL_LM", "base_model_name_or_path", "inference_mode",
        1, "r", (int)rank, "lora_alpha", (int)rank, "lora_dropout", 0.0, "fan_in_fan_out", 1,
        "bias", "none", "target_modules", modules_json(c, factors, n), "rank_pattern",
        pattern_json(factors, n, rank), "alpha_pattern", pattern_json(factors, n, rank),
        "modules_to_save", "init_lora_weights", 1, "use_rslora", 0, "use_dora", 0);
}

enum smol_status export_peft(const struct export_job *job, struct smol_error *error)
{
    size_t n;
    struct adapter_factor *factors = adapter_list(&n, job->file, "an adapter of PEFT", error);
    enum smol_status status;

    if (!factors)
        return error->code;
    status = put_factors(job, factors, n, error);
    if (!status)
        status = export_put_json(job, "adapter_config.json",
                                 config_json(&job->file->config, factors, n), error);
    free(factors);
    return status;
}
