/* A model as GGUF, version 3: keys and values, the list of tensors, their data at multiples of 32
 * bytes. */
#include "smoltool/export/gguf.h"
#include "cli/cli.h"

#include <smol/tokenizer.h>

#include <stdlib.h>
#include <string.h>

enum { TOKEN_NORMAL = 1, TOKEN_CONTROL = 3, TOKEN_UNUSED = 5 };

#define N_SHAPE_KEYS 9u
static void put_shape(struct export_out *out, const struct smol_config *c, enum export_type type)
{
    gguf_put_text(out, "general.architecture", "gpt2");
    gguf_put_u32(out, "general.file_type", gguf_file_type(type));
    gguf_put_u32(out, "general.alignment", GGUF_ALIGNMENT);
    gguf_put_u32(out, "gpt2.context_length", c->context);
    gguf_put_u32(out, "gpt2.embedding_length", c->width);
    gguf_put_u32(out, "gpt2.block_count", c->n_layers);
    gguf_put_u32(out, "gpt2.feed_forward_length", c->n_ff);
    gguf_put_u32(out, "gpt2.attention.head_count", c->n_heads);
    gguf_put_f32(out, "gpt2.attention.layer_norm_epsilon", c->ln_epsilon);
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

    gguf_put_array(out, key, GGUF_STRING, n);
    for (uint32_t i = 0; i < n; i++) {
        make(text, file, i);
        gguf_put_string(out, text);
    }
}

#define N_TOKENIZER_KEYS 8u
static void put_tokenizer(struct export_out *out, const struct smol_file *file)
{
    const uint32_t n = file->config.vocab;

    gguf_put_text(out, "tokenizer.ggml.model", "gpt2");
    gguf_put_text(out, "tokenizer.ggml.pre", "gpt-2");
    put_texts(out, "tokenizer.ggml.tokens", file, n, export_token);
    gguf_put_array(out, "tokenizer.ggml.token_type", GGUF_I32, n);
    for (uint32_t i = 0; i < n; i++)
        export_put_number(out, token_type(file, i), 4);
    put_texts(out, "tokenizer.ggml.merges", file, smol_tokenizer_merge_count(file), export_merge);
    gguf_put_u32(out, "tokenizer.ggml.bos_token_id", export_bos(file));
    gguf_put_u32(out, "tokenizer.ggml.eos_token_id", export_eos(file));
    gguf_put_key(out, "tokenizer.ggml.add_bos_token", GGUF_BOOL);
    export_put_number(out, 0, 1);
}

/* Vectors and the positions stay whole, as llama.cpp has them. */
static enum export_type type_of(const struct export_tensor *t, enum export_type type)
{
    return t->is_vector || strcmp(t->name, "wpe.weight") == 0 ? EXPORT_F32 : type;
}

static void put_list(struct export_out *out, const struct export_tensor *tensors, size_t n,
                     enum export_type type)
{
    char name[SMOL_MAX_TENSOR_NAME];
    uint64_t at = 0;

    for (size_t i = 0; i < n; i++) {
        const struct export_tensor *t = &tensors[i];

        gguf_name(name, t->name);
        gguf_put_tensor(out, name, t->is_vector ? 0 : t->rows, t->cols, type_of(t, type), at);
        at += gguf_padded_bytes(export_count(t), type_of(t, type));
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
            gguf_put_values(out, values, n, type_of(t, type));
    } while (!out->status && n);
    gguf_put_padding(out);
}

static void put_file(struct export_out *out, const struct export_job *job,
                     struct export_reader *reader, const struct export_tensor *tensors, size_t n,
                     enum export_type type)
{
    const bool is_quantised = type == EXPORT_Q8_0 || type == EXPORT_Q4_0;

    gguf_put_start(out, n, N_SHAPE_KEYS + N_TOKENIZER_KEYS + 1 + is_quantised);
    put_shape(out, &job->file->config, type);
    gguf_put_text(out, "general.name", "smol");
    if (is_quantised)
        gguf_put_u32(out, "general.quantization_version", 2);
    put_tokenizer(out, job->file);
    put_list(out, tensors, n, type);
    gguf_put_padding(out);
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

    if (c->features)
        return cli_error(error, SMOL_E_ARGUMENT,
                         "GGUF has no architecture smol; --safetensors and --npz hold any");
    if ((type == EXPORT_Q8_0 || type == EXPORT_Q4_0) &&
        (c->width % EXPORT_BLOCK || c->n_ff % EXPORT_BLOCK))
        return cli_error(error, SMOL_E_ARGUMENT,
                         "blocks of 32 do not divide its rows; --type f16 or f32 can hold it");
    tensors = export_list(&n, job->file, false, error);
    if (!tensors)
        status = error->code;
    else
        status = export_reader_create(&reader, job->file, tensors, n, error);
    if (!status) {
        export_out_open(&out, job->output, error);
        put_file(&out, job, reader, tensors, n, type);
        status = export_job_close(&out, job);
    }
    export_reader_destroy(reader);
    free(tensors);
    return status;
}
