/* Writing safetensors. */
#include "base/bytes.h"
#include "base/error.h"
#include "train/safetensors.h"

#include <stdlib.h>

char *smol_json_text(const json_t *object, size_t flags)
{
	char *text = object != NULL ? json_dumps(object, flags) : NULL, *copy = NULL;
	json_free_t release;

	if (text == NULL)
		return NULL;
	copy = malloc(strlen(text) + 1);
	if (copy != NULL)
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
		return json_pack("{s:s, s:[I], s:[I, I]}", "dtype", "F32", "shape", cols,
		                 "data_offsets", from, to);
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
	int bad = metadata != NULL && json_object_set(header, "__metadata__", metadata) != 0;

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

static uint8_t *put_tensor(uint8_t *dest, const struct smol_tensor_source *s)
{
	const size_t rows = s->rows > 0 ? s->rows : 1, cols = s->cols;

	for (size_t i = 0; i < rows * cols; i++, dest += 4) {
		const size_t from = s->transposed ? i % rows * cols + i / rows : i;
		const real value = s->values != NULL ? s->values[from] : 0;

		smol_put32(dest, smol_f32_bits((float)((double)value * s->scale)));
	}
	return dest;
}

enum smol_status smol_tensor_file_write(uint8_t **out, size_t *size_bytes,
                                        const struct smol_tensor_source *sources, size_t n_sources,
                                        json_t *metadata, struct smol_error *error)
{
	uint64_t data_bytes, header_bytes;
	char *header = header_text(&data_bytes, sources, n_sources, metadata);
	uint8_t *bytes = NULL, *at;

	if (header != NULL) {
		header_bytes = smol_round_up(strlen(header), 8);
		bytes = malloc((size_t)(8 + header_bytes + data_bytes));
	}
	if (bytes == NULL) {
		free(header);
		return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
		                 "no memory for the tensors' file");
	}
	smol_put64(bytes, header_bytes);
	memset(bytes + 8, ' ', (size_t)header_bytes);
	memcpy(bytes + 8, header, strlen(header));
	free(header);
	at = bytes + 8 + header_bytes;
	for (size_t i = 0; i < n_sources; i++)
		at = put_tensor(at, sources + i);
	*out = bytes;
	*size_bytes = (size_t)(8 + header_bytes + data_bytes);
	return SMOL_OK;
}
