/* Writing safetensors. */
#include "base/bytes.h"
#include "base/error.h"
#include "train/output/safetensors.h"

#include <stdlib.h>

#define NUMBERS 4096u /* of a tensor that are put at a time */

static size_t size_of(const struct smol_tensor_source *s)
{
    return (s->rows > 0 ? s->rows : 1) * s->cols;
}

/* The file's beginning, for free(); *size_bytes is the size of the whole file. */
static enum smol_status header_of(uint8_t **header, size_t *header_bytes, uint64_t *size_bytes,
                                  const struct smol_tensor_sources *sources,
                                  struct smol_error *error)
{
    struct smol_array *arrays = calloc(sources->n + 1, sizeof *arrays);
    enum smol_status status;
    uint64_t data_bytes = 0;

    if (!arrays)
        return smol_fail_memory(error);
    for (size_t i = 0; i < sources->n; i++) {
        const struct smol_tensor_source *s = &sources->items[i];
        const uint64_t size = 4 * (uint64_t)size_of(s);

        arrays[i] = (struct smol_array){.name = s->name,
                                        .type = SMOL_ARRAY_F32,
                                        .n_dims = s->rows > 0 ? 2 : 1,
                                        .size_bytes = size};
        arrays[i].shape[0] = s->rows > 0 && !s->transposed ? s->rows : s->cols;
        arrays[i].shape[1] = s->transposed ? s->rows : s->cols;
        data_bytes += size;
    }
    status = smol_safetensors_header(header, header_bytes, arrays, sources->n, sources->metadata,
                                     sources->n_metadata, error);
    free(arrays);
    if (!status)
        *size_bytes = *header_bytes + data_bytes;
    return status;
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

enum smol_status smol_tensor_file_write(uint8_t **bytes, uint64_t *size_bytes,
                                        struct smol_writer *writer,
                                        const struct smol_tensor_sources *sources,
                                        struct smol_error *error)
{
    struct target to = {.writer = writer};
    uint8_t *header, *memory = NULL;
    size_t header_bytes;
    uint64_t size = 0;
    enum smol_status status = header_of(&header, &header_bytes, &size, sources, error);

    if (status)
        return status;
    if (!writer && !(to.at = memory = malloc((size_t)size)))
        status = smol_fail_memory(error);
    if (!status)
        status = put(&to, header, header_bytes, error);
    for (size_t i = 0; i < sources->n && !status; i++)
        status = put_tensor(&to, &sources->items[i], error);
    free(header);
    if (status)
        return status;
    if (!writer)
        *bytes = memory;
    *size_bytes = size;
    return SMOL_OK;
}
