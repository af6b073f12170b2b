/* See tables.h. */
#include "smoltool/import/tables.h"
#include "cli/cli.h"
#include "cli/guard.h"

#include <stdio.h>
#include <string.h>
#include <zip.h>

/* Deflate makes at most 1032 bytes of one. */
#define MAX_INFLATION 1032u
#define MAX_MEMBER_BYTES ((uint64_t)1 << 43)

/* Around the name of a table. */
static const struct {
    const char *before, *after;
} name_forms[] = {{"", ".weight"}, {"transformer.", ".weight"}, {"", ""}};
#define N_FORMS (sizeof name_forms / sizeof name_forms[0])

static void form_name(char name[64], size_t form, const char *stem, const char *suffix)
{
    snprintf(name, 64, "%s%s%s%s", name_forms[form].before, stem, name_forms[form].after, suffix);
}

static enum smol_status open_safetensors(struct import_table *t, bool *found, const char *stem,
                                         struct smol_error *error)
{
    const struct smol_span bytes = t->source.mapping.bytes;
    const enum smol_status status =
        smol_safetensors_create(&t->source.tensors, bytes.data, bytes.size_bytes, error);
    char name[64];

    for (size_t form = 0; !status && form < N_FORMS; form++) {
        const struct smol_array *array;
        form_name(name, form, stem, "");
        array = smol_safetensors_find(t->source.tensors, name);
        if (array && *found)
            return cli_error(error, SMOL_E_TENSOR, "%.64s: present under two names", name);
        if (!array)
            continue;
        t->array = *array;
        *found = true;
    }
    return status;
}

/* A member's bytes, whose checksum libzip compares at their end. */
static enum smol_status read_member(struct table_source *s, zip_t *zip, zip_uint64_t index,
                                    struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    zip_file_t *file = zip_fopen_index(zip, index, 0);
    zip_uint64_t done = 0;
    zip_int64_t n = 1;
    uint8_t more;

    if (!file)
        return cli_error(error, SMOL_E_IO, "%s", zip_strerror(zip));
    while (n > 0 && done < s->member_bytes) {
        n = zip_fread(file, (uint8_t *)s->member + done, s->member_bytes - done);
        done += n > 0 ? (zip_uint64_t)n : 0;
    }
    if (n < 0 || done < s->member_bytes || zip_fread(file, &more, 1) != 0)
        status = cli_error(error, SMOL_E_CHECKSUM, "damaged");
    zip_fclose(file);
    return status;
}

static enum smol_status take_member(struct import_table *t, zip_t *zip, zip_uint64_t index,
                                    struct smol_error *error)
{
    struct table_source *s = &t->source;
    struct smol_array array;
    enum smol_status status;
    zip_stat_t about;

    if (zip_stat_index(zip, index, 0, &about) != 0)
        return cli_error(error, SMOL_E_IO, "%s", zip_strerror(zip));
    if ((about.comp_method != ZIP_CM_STORE && about.comp_method != ZIP_CM_DEFLATE) ||
        about.encryption_method != ZIP_EM_NONE)
        return cli_error(error, SMOL_E_ENUM, "%.64s: neither stored nor deflated", about.name);
    if (about.size == 0 || about.size > MAX_MEMBER_BYTES ||
        about.size / MAX_INFLATION > about.comp_size)
        return cli_error(error, SMOL_E_SIZE, "%.64s: impossible size", about.name);
    s->member_bytes = (size_t)about.size;
    s->member = cli_memory(s->member_bytes);
    if (!s->member)
        return cli_error_memory(error);
    status = read_member(s, zip, index, error);
    if (!status)
        status = smol_npy_parse(&array, s->member, s->member_bytes, error);
    if (status) { /* an offset would be one into the member */
        const struct smol_error inner = *error;
        return cli_error(error, status, "%.64s: %.100s", about.name, inner.text);
    }
    t->array = array;
    return SMOL_OK;
}

/* Whether a member is the table; two of one name are refused. */
static enum smol_status find_member(zip_uint64_t *index, bool *found, zip_t *zip, const char *stem,
                                    struct smol_error *error)
{
    const zip_int64_t n = zip_get_num_entries(zip, 0);
    char name[64];

    for (zip_int64_t i = 0; i < n; i++) {
        const char *member = zip_get_name(zip, (zip_uint64_t)i, ZIP_FL_ENC_RAW);
        for (size_t form = 0; member && form < N_FORMS; form++) {
            form_name(name, form, stem, ".npy");
            if (strcmp(member, name) != 0)
                continue;
            if (*found)
                return cli_error(error, SMOL_E_TENSOR, "%.64s: present twice", name);
            *found = true;
            *index = (zip_uint64_t)i;
        }
    }
    return SMOL_OK;
}

static enum smol_status open_npz(struct import_table *t, bool *found, const char *stem,
                                 struct smol_error *error)
{
    const struct smol_span bytes = t->source.mapping.bytes;
    enum smol_status status;
    zip_error_t why;
    zip_source_t *source;
    zip_uint64_t index = 0;
    zip_t *zip = NULL;

    zip_error_init(&why);
    source = zip_source_buffer_create(bytes.data, bytes.size_bytes, 0, &why);
    if (source)
        zip = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &why);
    if (!zip) {
        status = cli_error(error, SMOL_E_IO, "%s", zip_error_strerror(&why));
        zip_source_free(source);
        zip_error_fini(&why);
        return status;
    }
    zip_error_fini(&why);
    status = find_member(&index, found, zip, stem, error);
    if (!status && *found)
        status = take_member(t, zip, index, error);
    zip_discard(zip);
    return status;
}

/* A table of floats, of a size that a model may have. */
static enum smol_status check(const struct smol_array *a, const char *stem,
                              struct smol_error *error)
{
    if (a->type == SMOL_ARRAY_OTHER)
        return cli_error(
            error, SMOL_E_ENUM,
            "%.64s: its numbers are not floats of 16, 32 or 64 bits, or it has over %u dimensions",
            stem, SMOL_ARRAY_MAX_DIMS);
    if (a->n_dims != 2 || a->shape[0] < 1 || a->shape[0] > SMOL_MAX_VOCAB || a->shape[1] < 1 ||
        a->shape[1] > SMOL_MAX_WIDTH)
        return cli_error(error, SMOL_E_RANGE,
                         "%.64s: not a table of 1 to 16777216 rows of 1 to 65536 numbers", stem);
    return SMOL_OK;
}

enum smol_status import_open(struct import_table *table, bool *found, const char *path,
                             const char *name, struct smol_error *error)
{
    struct import_table t = {.source.mapping.fd = -1};
    enum smol_status status = cli_map(&t.source.mapping, path, error);
    const struct smol_span bytes = t.source.mapping.bytes;
    bool is_there = false;

    if (!status && bytes.size_bytes >= 4 && memcmp(bytes.data, "PK\x03\x04", 4) == 0)
        status = open_npz(&t, &is_there, name, error);
    else if (!status && memcmp(bytes.data, "\x93", 1) == 0) {
        status = smol_npy_parse(&t.array, bytes.data, bytes.size_bytes, error);
        is_there = true;
    } else if (!status)
        status = open_safetensors(&t, &is_there, name, error);
    if (!status && is_there)
        status = check(&t.array, name, error);
    if (status || !is_there)
        import_close(&t);
    if (status)
        return status;
    *table = t;
    *found = is_there;
    return SMOL_OK;
}

void import_close(struct import_table *table)
{
    smol_safetensors_destroy(table->source.tensors);
    cli_memory_free(table->source.member, table->source.member_bytes);
    cli_unmap(&table->source.mapping);
    *table = (struct import_table){.source.mapping.fd = -1};
}
