/* A low-rank delta as an adapter of llama.cpp: GGUF, with lora_a and lora_b for each matrix. */
#include "cli/cli.h"
#include "smoltool/export/adapter.h"
#include "smoltool/export/gguf.h"

#include <stdio.h>
#include <stdlib.h>

static void put_keys(struct export_out *out, const struct adapter_factor *factors, size_t n,
                     enum export_type type)
{
    gguf_put_text(out, "general.architecture", "gpt2");
    gguf_put_text(out, "general.type", "adapter");
    gguf_put_text(out, "general.name", "smol");
    gguf_put_u32(out, "general.file_type", gguf_file_type(type));
    gguf_put_u32(out, "general.alignment", GGUF_ALIGNMENT);
    gguf_put_text(out, "adapter.type", "lora");
    /* llama.cpp multiplies by alpha / rank, or by 1 where alpha is 0. */
    gguf_put_f32(out, "adapter.lora.alpha", (float)adapter_rank(factors, n));
}
#define N_KEYS 7u

static void put_list(struct export_out *out, const struct adapter_factor *factors, size_t n,
                     enum export_type type)
{
    char gpt2[SMOL_MAX_TENSOR_NAME], name[SMOL_MAX_TENSOR_NAME];
    uint64_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const struct adapter_factor *f = &factors[i];

        snprintf(gpt2, sizeof gpt2, "h.%u.%s.weight.lora_%c", (unsigned)f->layer,
                 smol_slot_name(f->slot), f->is_b ? 'b' : 'a');
        gguf_name(name, gpt2);
        gguf_put_tensor(out, name, f->rows, f->cols, type, at);
        at += gguf_padded_bytes(adapter_count(f), type);
    }
}

static void put_factor(struct export_out *out, const struct smol_file *file,
                       const struct adapter_factor *f, enum export_type type)
{
    const uint64_t n = adapter_count(f);
    float values[1024];

    for (uint64_t at = 0; at < n && !out->status; at += 1024) {
        const size_t part = n - at < 1024 ? (size_t)(n - at) : 1024;

        adapter_read(values, file, f, at, part);
        gguf_put_values(out, values, part, type);
    }
    gguf_put_padding(out);
}

enum smol_status export_gguf_lora(const struct export_job *job, enum export_type type,
                                  struct smol_error *error)
{
    struct adapter_factor *factors;
    struct export_out out;
    enum smol_status status;
    size_t n;

    factors = adapter_list(&n, job->file, "an adapter of llama.cpp", error);
    if (!factors)
        return error->code;
    export_out_open(&out, job->output, error);
    gguf_put_start(&out, n, N_KEYS);
    put_keys(&out, factors, n, type);
    put_list(&out, factors, n, type);
    gguf_put_padding(&out);
    for (size_t i = 0; i < n; i++)
        put_factor(&out, job->file, &factors[i], type);
    status = export_job_close(&out, job);
    free(factors);
    return status;
}
