/* Reading safetensors. The file comes from disk: nothing in it is believed before it is checked. */
#include "base/bytes.h"
#include "base/error.h"
#include "train/safetensors.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAX_HEADER_BYTES (64u << 20)

static enum smol_status read_shape(struct smol_tensor_entry *entry, const json_t *shape,
                                   struct smol_error *error)
{
	uint64_t size_bytes = 4;

	if (!json_is_array(shape) || json_array_size(shape) < 1 ||
	    json_array_size(shape) > SMOL_TENSORS_MAX_DIMS)
		return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
		                 "tensor %.64s: not of one or two dimensions", entry->name);
	entry->n_dims = (uint32_t)json_array_size(shape);
	for (uint32_t i = 0; i < entry->n_dims; i++) {
		const json_t *n = json_array_get(shape, i);

		if (!json_is_integer(n) || json_integer_value(n) < 0)
			return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
			                 "tensor %.64s: a dimension is not a count", entry->name);
		entry->shape[i] = (uint64_t)json_integer_value(n);
		if (!smol_mul(&size_bytes, size_bytes, entry->shape[i]))
			return smol_fail(error, SMOL_E_SIZE, SMOL_NO_OFFSET, "tensor %.64s: too large",
			                 entry->name);
	}
	if (size_bytes != entry->end - entry->begin)
		return smol_fail(error, SMOL_E_SIZE, SMOL_NO_OFFSET,
		                 "tensor %.64s: its bytes contradict its shape", entry->name);
	return SMOL_OK;
}

static enum smol_status read_entry(struct smol_tensor_entry *entry, const char *name,
                                   const json_t *value, uint64_t data_bytes, struct smol_error *error)
{
	const char *type = json_string_value(json_object_get(value, "dtype"));
	const json_t *offsets = json_object_get(value, "data_offsets");
	const json_t *begin = json_array_get(offsets, 0), *end = json_array_get(offsets, 1);

	entry->name = name;
	if (type == NULL || strcmp(type, "F32") != 0)
		return smol_fail(error, SMOL_E_ENUM, SMOL_NO_OFFSET,
		                 "tensor %.64s: its numbers are not F32", name);
	if (json_array_size(offsets) != 2 || !json_is_integer(begin) || !json_is_integer(end) ||
	    json_integer_value(begin) < 0 || json_integer_value(end) < json_integer_value(begin) ||
	    (uint64_t)json_integer_value(end) > data_bytes)
		return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
		                 "tensor %.64s: its place is outside the file", name);
	entry->begin = (uint64_t)json_integer_value(begin);
	entry->end = (uint64_t)json_integer_value(end);
	return read_shape(entry, json_object_get(value, "shape"), error);
}

static int by_place(const void *a, const void *b)
{
	const struct smol_tensor_entry *x = a, *y = b;

	if (x->begin != y->begin)
		return x->begin < y->begin ? -1 : 1;
	return (x->end > y->end) - (x->end < y->end);
}

/* The tensors in the order of their data must follow each other exactly. */
static enum smol_status check_cover(struct smol_tensor_file *f, struct smol_error *error)
{
	uint64_t at = 0;

	qsort(f->entries, f->n_entries, sizeof *f->entries, by_place);
	for (size_t i = 0; i < f->n_entries; i++) {
		if (f->entries[i].begin != at)
			return smol_fail(error, SMOL_E_SECTION, SMOL_NO_OFFSET,
			                 "tensor %.64s: a hole or an overlap before it",
			                 f->entries[i].name);
		at = f->entries[i].end;
	}
	if (at != f->data_bytes)
		return smol_fail(error, SMOL_E_TRAILING, SMOL_NO_OFFSET, "bytes after the last tensor");
	return SMOL_OK;
}

static enum smol_status check_metadata(const struct smol_tensor_file *f, struct smol_error *error)
{
	const char *key;
	json_t *value;

	if (f->metadata == NULL)
		return SMOL_OK;
	if (!json_is_object(f->metadata))
		return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "the metadata are not an object");
	json_object_foreach((json_t *)(uintptr_t)f->metadata, key, value)
	{
		if (!json_is_string(value))
			return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
			                 "metadata %.64s: not a string", key);
	}
	return SMOL_OK;
}

static enum smol_status read_entries(struct smol_tensor_file *f, struct smol_error *error)
{
	const char *key;
	json_t *value;

	f->metadata = json_object_get(f->header, "__metadata__");
	f->entries = calloc(json_object_size(f->header) + 1, sizeof *f->entries);
	if (f->entries == NULL)
		return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
		                 "no memory for the list of tensors");
	json_object_foreach(f->header, key, value)
	{
		enum smol_status status;

		if (strcmp(key, "__metadata__") == 0)
			continue;
		status = read_entry(f->entries + f->n_entries++, key, value, f->data_bytes, error);
		if (status != SMOL_OK)
			return status;
	}
	return SMOL_OK;
}

enum smol_status smol_tensor_file_parse(struct smol_tensor_file *out, const uint8_t *bytes,
                                        size_t size_bytes, struct smol_error *error)
{
	struct smol_tensor_file f = {0};
	enum smol_status status;
	json_error_t json_error;
	uint64_t header_bytes;

	if (size_bytes < 8)
		return smol_fail(error, SMOL_E_TRUNCATED, size_bytes,
		                 "ends before the length of its header");
	header_bytes = smol_le64(bytes);
	if (header_bytes > MAX_HEADER_BYTES)
		return smol_fail(error, SMOL_E_RANGE, 0, "a header of %" PRIu64 " bytes", header_bytes);
	if (header_bytes > size_bytes - 8)
		return smol_fail(error, SMOL_E_TRUNCATED, size_bytes, "ends inside its header");
	f.data = bytes + 8 + header_bytes;
	f.data_bytes = size_bytes - 8 - header_bytes;
	f.header = json_loadb((const char *)bytes + 8, (size_t)header_bytes, JSON_REJECT_DUPLICATES,
	                      &json_error);
	if (!json_is_object(f.header)) {
		json_decref(f.header);
		return smol_fail(error, SMOL_E_TEXT, 8, "the header is not a JSON object");
	}
	status = read_entries(&f, error);
	if (status == SMOL_OK)
		status = check_metadata(&f, error);
	if (status == SMOL_OK)
		status = check_cover(&f, error);
	if (status != SMOL_OK)
		smol_tensor_file_free(&f);
	else
		*out = f;
	return status;
}

void smol_tensor_file_free(struct smol_tensor_file *f)
{
	json_decref(f->header);
	free(f->entries);
}

const char *smol_tensor_file_text(const struct smol_tensor_file *f, const char *key)
{
	return json_string_value(json_object_get(f->metadata, key));
}

static const struct smol_tensor_entry *find(const struct smol_tensor_file *f, const char *name)
{
	for (size_t i = 0; i < f->n_entries; i++)
		if (strcmp(f->entries[i].name, name) == 0)
			return f->entries + i;
	return NULL;
}

enum smol_status smol_tensor_file_read(real *values, const struct smol_tensor_file *f, const char *name,
                                       size_t rows, size_t cols, struct smol_error *error)
{
	const struct smol_tensor_entry *e = find(f, name);

	if (e == NULL)
		return smol_fail(error, SMOL_E_TENSOR, SMOL_NO_OFFSET, "there is no tensor %.64s",
		                 name);
	if ((e->n_dims == 2 ? e->shape[0] : 1) != rows || e->shape[e->n_dims - 1] != cols)
		return smol_fail(error, SMOL_E_SIZE, SMOL_NO_OFFSET,
		                 "tensor %.64s: its shape is not %zu x %zu", name, rows, cols);
	for (size_t i = 0; i < rows * cols; i++)
		values[i] = (real)smol_load_f32(f->data + e->begin + 4 * i);
	return SMOL_OK;
}
