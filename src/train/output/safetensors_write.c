/* Writing safetensors. */
#include "base/bytes.h"
#include "base/error.h"
#include "train/output/safetensors.h"

#include <stdlib.h>

#define NUMBERS 4096u /* of a tensor that are put at a time */

char *smol_json_text(const json_t *object, size_t flags)
{
    char *text = object ? json_dumps(object, flags) : NULL, *copy = NULL;
    json_free_t release;

    if (!text)
        return NULL;
    copy = malloc(strlen(text) + 1);
    if (copy)
        strcpy(copy, text);
    json_get_alloc_funcs(NULL, &release);
    release(text);
    return copy;
}

static size_t size_of(const struct smol_tensor_source *s)
{
    return (s->rows > 0 ? s->rows : 1) * s->cols;
}

static json_t *describe(const struct smol_tensor_source *s, uint64_t begin)
{
    const json_int_t from = (json_int_t)begin, to = (json_int_t)(begin + 4 * (uint64_t)size_of(s));
    const json_int_t rows = (json_int_t)s->rows, cols = (json_int_t)s->cols;

    if (s->rows == 0)
        return json_pack("{s:s, s:[I], s:[I, I]}", "dtype", "F32", "shape", cols, "data_offsets",
                         from, to);
    return json_pack("{s:s, s:[I, I], s:[I, I]}", "dtype", "F32", "shape",
                     s->transposed ? cols : rows, s->transposed ? rows : cols, "data_offsets", from,
                     to);
}

/* The header's text, or NULL; *data_bytes is the size of all tensors. */
static char *header_text(uint64_t *data_bytes, const struct smol_tensor_source *sources, size_t n,
                         json_t *metadata)
{
    json_t *header = json_object();
    char *text = NULL;
    uint64_t at = 0;
    int bad = metadata && json_object_set(header, "__metadata__", metadata) != 0;

    for (size_t i = 0; i < n && !bad; i++) {
        bad = json_object_set_new(header, sources[i].name, describe(sources + i, at)) != 0;
        at += 4 * (uint64_t)size_of(sources + i);
    }
    if (!bad)
        text = smol_json_text(header, JSON_COMPACT);
    json_decref(header);
    *data_bytes = at;
    return text;
}

/* Where a file goes, from its first byte to its last: to a writer, or else into memory. */
struct target {
    struct smol_writer *writer;
    uint8_t *at;
};

static enum smol_status put(struct target *to, const void *bytes, size_t n,
                            struct smol_error *error)
{
    if (to->writer)
        return smol_writer_append(to->writer, bytes, n, error);
    memcpy(to->at, bytes, n);
    to->at += n;
    return SMOL_OK;
}

/* The length, the header, and spaces up to a multiple of eight. */
static enum smol_status put_header(struct target *to, const char *header, struct smol_error *error)
{
    const size_t n = strlen(header);
    uint8_t length[8];
    enum smol_status status;

    smol_put64(length, smol_round_up(n, 8));
    status = put(to, length, sizeof length, error);
    if (status == SMOL_OK)
        status = put(to, header, n, error);
    if (status == SMOL_OK)
        status = put(to, "       ", (size_t)(smol_round_up(n, 8) - n), error);
    return status;
}

static real value_at(const struct smol_tensor_source *s, size_t i)
{
    const size_t rows = s->rows > 0 ? s->rows : 1;

    if (!s->values)
        return 0;
    return s->values[s->transposed ? i % rows * s->cols + i / rows : i];
}

static enum smol_status put_tensor(struct target *to, const struct smol_tensor_source *s,
                                   struct smol_error *error)
{
    uint8_t bytes[4 * NUMBERS];
    enum smol_status status = SMOL_OK;

    for (size_t i = 0; i < size_of(s) && status == SMOL_OK; i += NUMBERS) {
        const size_t n = size_of(s) - i < NUMBERS ? size_of(s) - i : NUMBERS;

        for (size_t k = 0; k < n; k++)
            smol_put32(bytes + 4 * k,
                       smol_f32_bits((float)((double)value_at(s, i + k) * s->scale)));
        status = put(to, bytes, 4 * n, error);
    }
    return status;
}

static enum smol_status put_all(struct target *to, const char *header,
                                const struct smol_tensor_source *sources, size_t n,
                                struct smol_error *error)
{
    enum smol_status status = put_header(to, header, error);

    for (size_t i = 0; i < n && status == SMOL_OK; i++)
        status = put_tensor(to, sources + i, error);
    return status;
}

enum smol_status smol_tensor_file_write(uint8_t **out, size_t *size_bytes,
                                        const struct smol_tensor_source *sources, size_t n_sources,
                                        json_t *metadata, struct smol_error *error)
{
    uint64_t size = 0;
    char *header = header_text(&size, sources, n_sources, metadata);
    uint8_t *bytes = NULL;

    if (header) {
        size += 8 + smol_round_up(strlen(header), 8);
        bytes = malloc((size_t)size);
    }
    if (bytes) {
        put_all(&(struct target){.at = bytes}, header, sources, n_sources, error);
        *out = bytes;
        *size_bytes = (size_t)size;
    }
    free(header);
    return bytes ? SMOL_OK : smol_fail_memory(error);
}

enum smol_status smol_tensor_file_append(uint64_t *size_bytes, struct smol_writer *writer,
                                         const struct smol_tensor_source *sources, size_t n_sources,
                                         json_t *metadata, struct smol_error *error)
{
    uint64_t data_bytes;
    char *header = header_text(&data_bytes, sources, n_sources, metadata);
    enum smol_status status;

    if (!header)
        return smol_fail_memory(error);
    status = put_all(&(struct target){.writer = writer}, header, sources, n_sources, error);
    if (status == SMOL_OK)
        *size_bytes = 8 + smol_round_up(strlen(header), 8) + data_bytes;
    free(header);
    return status;
}
