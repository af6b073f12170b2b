/* A model as GGUF, version 3: keys and values, the list of tensors, their data at multiples of 32
 * bytes. */
#include "cli/cli.h"
#include "smoltool/export/export.h"
#include "smoltool/gguf_names.h"

#include <smol/initial.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ALIGNMENT 32u

/* GGUF's numbers for the types of values and of tensors. */
enum {
    VALUE_U32 = 4,
    VALUE_I32 = 5,
    VALUE_F32 = 6,
    VALUE_BOOL = 7,
    VALUE_STRING = 8,
    VALUE_ARRAY = 9
};
static const struct {
    uint32_t tensor, file;
} numbers[] = {
    [EXPORT_F32] = {0, 0}, [EXPORT_F16] = {1, 1}, [EXPORT_Q8_0] = {8, 7}, [EXPORT_Q4_0] = {2, 2}};
enum { TOKEN_NORMAL = 1, TOKEN_CONTROL = 3, TOKEN_UNUSED = 5 };

static void put_string(struct export_out *out, const char *text)
{
    export_put_number(out, strlen(text), 8);
    export_put(out, text, strlen(text));
}

static void put_key(struct export_out *out, const char *key, uint32_t type)
{
    put_string(out, key);
    export_put_number(out, type, 4);
}

static void put_u32(struct export_out *out, const char *key, uint32_t value)
{
    put_key(out, key, VALUE_U32);
    export_put_number(out, value, 4);
}

static void put_text(struct export_out *out, const char *key, const char *value)
{
    put_key(out, key, VALUE_STRING);
    put_string(out, value);
}

static void put_array(struct export_out *out, const char *key, uint32_t type, uint64_t n)
{
    put_key(out, key, VALUE_ARRAY);
    export_put_number(out, type, 4);
    export_put_number(out, n, 8);
}

#define N_SHAPE_KEYS 9u
static void put_shape(struct export_out *out, const struct smol_config *c, enum export_type type)
{
    uint8_t epsilon[4];

    put_text(out, "general.architecture", "gpt2");
    put_u32(out, "general.file_type", numbers[type].file);
    put_u32(out, "general.alignment", ALIGNMENT);
    put_u32(out, "gpt2.context_length", c->context);
    put_u32(out, "gpt2.embedding_length", c->width);
    put_u32(out, "gpt2.block_count", c->n_layers);
    put_u32(out, "gpt2.feed_forward_length", c->n_ff);
    put_u32(out, "gpt2.attention.head_count", c->n_heads);
    put_key(out, "gpt2.attention.layer_norm_epsilon", VALUE_F32);
    smol_encode_numbers(epsilon, SMOL_F32, &c->ln_epsilon, 1);
    export_put(out, epsilon, sizeof epsilon);
}

static uint64_t token_type(const struct smol_file *file, uint32_t token)
{
    if (!export_token_is_used(file, token))
        return TOKEN_UNUSED;
    return smol_token_is_special(file, token) ? TOKEN_CONTROL : TOKEN_NORMAL;
}

/* n texts that make writes. */
static void put_texts(struct export_out *out, const char *key, const struct smol_file *file,
                      uint32_t n, char *make(char *text, const struct smol_file *file, uint32_t i))
{
    char text[EXPORT_TEXT_BYTES];

    put_array(out, key, VALUE_STRING, n);
    for (uint32_t i = 0; i < n; i++) {
        make(text, file, i);
        put_string(out, text);
    }
}

#define N_TOKENIZER_KEYS 8u
static void put_tokenizer(struct export_out *out, const struct smol_file *file)
{
    const uint32_t n = file->config.vocab;

    put_text(out, "tokenizer.ggml.model", "gpt2");
    put_text(out, "tokenizer.ggml.pre", "gpt-2");
    put_texts(out, "tokenizer.ggml.tokens", file, n, export_token);
    put_array(out, "tokenizer.ggml.token_type", VALUE_I32, n);
    for (uint32_t i = 0; i < n; i++)
        export_put_number(out, token_type(file, i), 4);
    put_texts(out, "tokenizer.ggml.merges", file, smol_tokenizer_merge_count(file), export_merge);
    put_u32(out, "tokenizer.ggml.bos_token_id", export_bos(file));
    put_u32(out, "tokenizer.ggml.eos_token_id", export_eos(file));
    put_key(out, "tokenizer.ggml.add_bos_token", VALUE_BOOL);
    export_put_number(out, 0, 1);
}

/* Vectors and the positions stay whole, as llama.cpp has them. */
static enum export_type type_of(const struct export_tensor *t, enum export_type type)
{
    return t->is_vector || strcmp(t->name, "wpe.weight") == 0 ? EXPORT_F32 : type;
}

static uint64_t padded_bytes(const struct export_tensor *t, enum export_type type)
{
    const uint64_t count = export_count(t), block = export_block_bytes(type_of(t, type));
    const uint64_t n =
        count % EXPORT_BLOCK ? count * (block / EXPORT_BLOCK) : count / EXPORT_BLOCK * block;

    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void put_list(struct export_out *out, const struct export_tensor *tensors, size_t n,
                     enum export_type type)
{
    char name[SMOL_MAX_TENSOR_NAME];
    uint64_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const struct export_tensor *t = &tensors[i];
        gguf_name(name, t->name);
        put_string(out, name);
        export_put_number(out, t->is_vector ? 1 : 2, 4);
        export_put_number(out, t->cols, 8);
        if (!t->is_vector)
            export_put_number(out, t->rows, 8);
        export_put_number(out, numbers[type_of(t, type)].tensor, 4);
        export_put_number(out, at, 8);
        at += padded_bytes(t, type);
    }
}

static void put_padding(struct export_out *out)
{
    export_put_zeros(out, (ALIGNMENT - out->n_bytes % ALIGNMENT) % ALIGNMENT);
}

/* n values. Only whole numbers and halves come in less than a block at the end. */
static void put_values(struct export_out *out, const float *values, size_t n, enum export_type type)
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

static void put_tensor(struct export_out *out, struct export_reader *reader,
                       const struct export_tensor *t, enum export_type type)
{
    const float *values;
    size_t n;

    export_reader_begin(reader, t);
    do {
        if (!out->status)
            out->status = export_reader_next(&values, &n, reader, out->error);
        if (!out->status)
            put_values(out, values, n, type_of(t, type));
    } while (!out->status && n);
    put_padding(out);
}

static void put_file(struct export_out *out, const struct export_job *job,
                     struct export_reader *reader, const struct export_tensor *tensors, size_t n,
                     enum export_type type)
{
    const bool is_quantised = type == EXPORT_Q8_0 || type == EXPORT_Q4_0;

    export_put(out, "GGUF", 4);
    export_put_number(out, 3, 4);
    export_put_number(out, n, 8);
    export_put_number(out, N_SHAPE_KEYS + N_TOKENIZER_KEYS + 1 + is_quantised, 8);
    put_shape(out, &job->file->config, type);
    put_text(out, "general.name", "smol");
    if (is_quantised)
        put_u32(out, "general.quantization_version", 2);
    put_tokenizer(out, job->file);
    put_list(out, tensors, n, type);
    put_padding(out);
    for (size_t i = 0; i < n && !out->status; i++)
        put_tensor(out, reader, &tensors[i], type);
}

enum smol_status export_gguf(const struct export_job *job, enum export_type type,
                             struct smol_error *error)
{
    const struct smol_config *c = &job->file->config;
    struct export_reader *reader = NULL;
    struct export_tensor *tensors;
    struct export_out out;
    enum smol_status status;
    size_t n;

    if (c->architecture != SMOL_ARCH_GPT2)
        return cli_error(error, SMOL_E_ARGUMENT,
                         "GGUF has no architecture smol; --safetensors and --npz hold any");
    if ((type == EXPORT_Q8_0 || type == EXPORT_Q4_0) &&
        (c->width % EXPORT_BLOCK || c->n_ff % EXPORT_BLOCK))
        return cli_error(error, SMOL_E_ARGUMENT,
                         "blocks of 32 do not divide its rows; --type f16 or f32 can hold it");
    tensors = export_list(&n, c, false);
    if (!tensors)
        status = cli_error_memory(error);
    else
        status = export_reader_create(&reader, job->file, tensors, n, error);
    if (!status) {
        export_out_open(&out, job->output, error);
        put_file(&out, job, reader, tensors, n, type);
        status = export_out_close(&out, job->mapping);
    }
    export_reader_destroy(reader);
    free(tensors);
    return status;
}
