/* See gguf.h. */
#include "cli/cli.h"
#include "smoltool/export/gguf.h"

#include <smol/initial.h>

#include <string.h>

static const struct {
    uint32_t tensor, file;
} numbers[] = {
    [EXPORT_F32] = {0, 0}, [EXPORT_F16] = {1, 1}, [EXPORT_Q8_0] = {8, 7}, [EXPORT_Q4_0] = {2, 2}};

uint32_t gguf_file_type(enum export_type type) { return numbers[type].file; }

void gguf_put_start(struct export_out *out, uint64_t n_tensors, uint64_t n_keys)
{
    export_put(out, "GGUF", 4);
    export_put_number(out, 3, 4);
    export_put_number(out, n_tensors, 8);
    export_put_number(out, n_keys, 8);
}

void gguf_put_string(struct export_out *out, const char *text)
{
    export_put_number(out, strlen(text), 8);
    export_put(out, text, strlen(text));
}

void gguf_put_key(struct export_out *out, const char *key, uint32_t type)
{
    gguf_put_string(out, key);
    export_put_number(out, type, 4);
}

void gguf_put_u32(struct export_out *out, const char *key, uint32_t value)
{
    gguf_put_key(out, key, GGUF_U32);
    export_put_number(out, value, 4);
}

void gguf_put_f32(struct export_out *out, const char *key, float value)
{
    uint8_t bytes[4];

    gguf_put_key(out, key, GGUF_F32);
    smol_encode_numbers(bytes, SMOL_F32, &value, 1);
    export_put(out, bytes, sizeof bytes);
}

void gguf_put_text(struct export_out *out, const char *key, const char *value)
{
    gguf_put_key(out, key, GGUF_STRING);
    gguf_put_string(out, value);
}

void gguf_put_array(struct export_out *out, const char *key, uint32_t type, uint64_t n)
{
    gguf_put_key(out, key, GGUF_ARRAY);
    export_put_number(out, type, 4);
    export_put_number(out, n, 8);
}

void gguf_put_tensor(struct export_out *out, const char *name, uint64_t rows, uint64_t cols,
                     enum export_type type, uint64_t at)
{
    gguf_put_string(out, name);
    export_put_number(out, rows ? 2 : 1, 4);
    export_put_number(out, cols, 8);
    if (rows)
        export_put_number(out, rows, 8);
    export_put_number(out, numbers[type].tensor, 4);
    export_put_number(out, at, 8);
}

uint64_t gguf_padded_bytes(uint64_t count, enum export_type type)
{
    const uint64_t block = export_block_bytes(type);
    const uint64_t n =
        count % EXPORT_BLOCK ? count * (block / EXPORT_BLOCK) : count / EXPORT_BLOCK * block;

    return (n + GGUF_ALIGNMENT - 1) / GGUF_ALIGNMENT * GGUF_ALIGNMENT;
}

void gguf_put_values(struct export_out *out, const float *values, size_t n, enum export_type type)
{
    const size_t block = export_block_bytes(type);
    float last[EXPORT_BLOCK] = {0};
    uint8_t bytes[4 * EXPORT_BLOCK];

    for (size_t at = 0; at < n && !out->status; at += EXPORT_BLOCK) {
        const size_t left = n - at < EXPORT_BLOCK ? n - at : EXPORT_BLOCK;
        if (left < EXPORT_BLOCK)
            memcpy(last, values + at, left * sizeof *last);
        if (!export_block(bytes, type, left < EXPORT_BLOCK ? last : values + at))
            out->status = cli_error(out->error, SMOL_E_NUMERIC,
                                    "a weight is too large for the type; f32 can hold it");
        export_put(out, bytes, block * left / EXPORT_BLOCK);
    }
}

void gguf_put_padding(struct export_out *out)
{
    export_put_zeros(out, (GGUF_ALIGNMENT - out->n_bytes % GGUF_ALIGNMENT) % GGUF_ALIGNMENT);
}
