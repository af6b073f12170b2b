/* Reading GGUF: a magic number, counts, keys with values, descriptions of tensors, their data. The
 * values stay where they are in the file; every length in it is compared with the bytes that are
 * left before it is used. */
#include "base/bytes.h"
#include "base/error.h"
#include "interchange/gguf.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAX_KEYS 65536u
#define MAX_TENSORS 65536u
#define MAX_KEY_BYTES 65535u /* as ggml has it */
#define MAX_DIMS 4u
#define MAX_ALIGNMENT 65536u
#define DEFAULT_ALIGNMENT 32u

/* The file as far as it is read. */
struct cursor {
    const uint8_t *begin, *at, *end;
};

/* ---- bytes ---- */

static uint64_t offset_of(const struct cursor *c) { return (uint64_t)(c->at - c->begin); }

static uint64_t left_of(const struct cursor *c) { return (uint64_t)(c->end - c->at); }

static enum smol_status truncated(const struct cursor *c, struct smol_error *error)
{
    return smol_fail(error, SMOL_E_TRUNCATED, offset_of(c), "ends inside its header");
}

static enum smol_status take(struct smol_span *bytes, struct cursor *c, uint64_t n,
                             struct smol_error *error)
{
    if (n > left_of(c))
        return truncated(c, error);
    *bytes = (struct smol_span){c->at, (size_t)n};
    c->at += n;
    return SMOL_OK;
}

static enum smol_status take_u32(uint32_t *value, struct cursor *c, struct smol_error *error)
{
    struct smol_span bytes = {NULL, 0};
    const enum smol_status status = take(&bytes, c, 4, error);

    if (!status)
        *value = smol_le32(bytes.data);
    return status;
}

static enum smol_status take_u64(uint64_t *value, struct cursor *c, struct smol_error *error)
{
    struct smol_span bytes = {NULL, 0};
    const enum smol_status status = take(&bytes, c, 8, error);

    if (!status)
        *value = smol_le64(bytes.data);
    return status;
}

static enum smol_status take_string(struct smol_span *text, struct cursor *c,
                                    struct smol_error *error)
{
    uint64_t n;
    const enum smol_status status = take_u64(&n, c, error);

    return status ? status : take(text, c, n, error);
}

/* ---- keys and values ---- */

static enum smol_status take_type(enum value_type *type, struct cursor *c, struct smol_error *error)
{
    const uint64_t at = offset_of(c);
    uint32_t number;
    const enum smol_status status = take_u32(&number, c, error);

    if (status)
        return status;
    if (number >= N_VALUE_TYPES)
        return smol_fail(error, SMOL_E_ENUM, at, "a value of the unknown type %" PRIu32, number);
    *type = (enum value_type)number;
    return SMOL_OK;
}

/* n values of one type, one after the other. */
static enum smol_status take_values(struct member *m, struct cursor *c, struct smol_error *error)
{
    const struct cursor before = *c;
    enum smol_status status = SMOL_OK;
    struct smol_span text;
    uint64_t size;

    if (m->type == STRING) {
        for (uint64_t i = 0; i < m->n && !status; i++)
            status = take_string(&text, c, error);
        m->value = (struct smol_span){before.at, (size_t)(c->at - before.at)};
        return status;
    }
    return smol_mul(&size, m->n, smol_gguf_value_bytes[m->type]) ? take(&m->value, c, size, error)
                                                                 : truncated(c, error);
}

static enum smol_status take_member(struct member *m, struct cursor *c, struct smol_error *error)
{
    const uint64_t at = offset_of(c);
    enum smol_status status = take_string(&m->key, c, error);

    if (!status && (m->key.size_bytes == 0 || m->key.size_bytes > MAX_KEY_BYTES))
        return smol_fail(error, SMOL_E_SIZE, at, "a key of %zu bytes", m->key.size_bytes);
    if (!status)
        status = take_type(&m->type, c, error);
    if (status)
        return status;
    m->n = 1;
    m->is_list = m->type == ARRAY;
    if (m->is_list) {
        status = take_type(&m->type, c, error);
        if (!status && m->type == ARRAY)
            return smol_fail(error, SMOL_E_ENUM, at, "a list of lists");
        if (!status)
            status = take_u64(&m->n, c, error);
    }
    return status ? status : take_values(m, c, error);
}

static enum smol_status take_members(struct smol_gguf *f, struct cursor *c,
                                     struct smol_error *error)
{
    for (size_t i = 0; i < f->n_members; i++) {
        const enum smol_status status = take_member(&f->members[i], c, error);
        if (status)
            return status;
    }
    qsort(f->members, f->n_members, sizeof *f->members, smol_gguf_by_key);
    for (size_t i = 1; i < f->n_members; i++)
        if (smol_gguf_by_key(&f->members[i - 1], &f->members[i]) == 0)
            return smol_fail(error, SMOL_E_TEXT, (uint64_t)(f->members[i].key.data - c->begin),
                             "a key occurs twice");
    return SMOL_OK;
}

/* ---- tensors ---- */

/* ggml's numbers for types: of n values in each block of so many bytes. */
static const struct type {
    uint32_t number;
    enum smol_array_type type;
    uint32_t n, bytes;
} types[] = {
    {0, SMOL_ARRAY_F32, 1, 4},    {1, SMOL_ARRAY_F16, 1, 2},       {2, SMOL_ARRAY_Q4_0, 32, 18},
    {8, SMOL_ARRAY_Q8_0, 32, 34}, {14, SMOL_ARRAY_Q6_K, 256, 210}, {28, SMOL_ARRAY_F64, 1, 8},
    {30, SMOL_ARRAY_BF16, 1, 2},
};

static const struct type *find_type(uint32_t number)
{
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (types[i].number == number)
            return &types[i];
    return NULL;
}

static enum smol_status take_name(struct tensor *t, struct cursor *c, struct smol_error *error)
{
    const uint64_t at = offset_of(c);
    struct smol_span name = {NULL, 0};
    const enum smol_status status = take_string(&name, c, error);

    if (status)
        return status;
    if (name.size_bytes == 0 || name.size_bytes > MAX_NAME_BYTES ||
        memchr(name.data, 0, name.size_bytes))
        return smol_fail(error, SMOL_E_TEXT, at, "the name of a tensor is not 1 to %u characters",
                         MAX_NAME_BYTES);
    memcpy(t->name, name.data, name.size_bytes);
    t->array.name = t->name;
    return SMOL_OK;
}

/* The first dimension there is the packed one, here the last. */
static enum smol_status take_shape(struct smol_array *a, struct cursor *c, struct smol_error *error)
{
    const uint64_t at = offset_of(c);
    enum smol_status status = take_u32(&a->n_dims, c, error);

    if (!status && (a->n_dims < 1 || a->n_dims > MAX_DIMS))
        return smol_fail(error, SMOL_E_RANGE, at, "tensor %s: %" PRIu32 " dimensions", a->name,
                         a->n_dims);
    for (uint32_t i = a->n_dims; i > 0 && !status; i--)
        status = take_u64(&a->shape[i - 1], c, error);
    return status;
}

/* Bytes of its data, if its type is known. */
static enum smol_status measure(struct smol_array *a, const struct type *type,
                                struct smol_error *error)
{
    const uint64_t row = a->shape[a->n_dims - 1];
    uint64_t n = 1;
    bool good = row % type->n == 0;

    for (uint32_t i = 0; i < a->n_dims && good; i++)
        good = smol_mul(&n, n, a->shape[i]);
    if (!good || !smol_mul(&a->size_bytes, n / type->n, type->bytes))
        return smol_fail(error, SMOL_E_SIZE, SMOL_NO_OFFSET,
                         "tensor %s: its shape is too large, or no blocks of %" PRIu32
                         " fill its rows",
                         a->name, type->n);
    return SMOL_OK;
}

static enum smol_status take_tensor(struct tensor *t, struct cursor *c, struct smol_error *error)
{
    struct smol_array *a = &t->array;
    const struct type *type;
    uint32_t number = 0;
    enum smol_status status = take_name(t, c, error);

    if (!status)
        status = take_shape(a, c, error);
    if (!status)
        status = take_u32(&number, c, error);
    if (!status)
        status = take_u64(&t->offset, c, error);
    if (status)
        return status;
    type = find_type(number);
    a->type = type ? type->type : SMOL_ARRAY_OTHER;
    return type ? measure(a, type, error) : SMOL_OK;
}

static int compare_names(const void *a, const void *b)
{
    const struct tensor *const *x = a, *const *y = b;

    return strcmp((*x)->name, (*y)->name);
}

static enum smol_status take_tensors(struct smol_gguf *f, struct cursor *c,
                                     struct smol_error *error)
{
    for (size_t i = 0; i < f->n_tensors; i++) {
        const enum smol_status status = take_tensor(&f->tensors[i], c, error);
        if (status)
            return status;
        f->by_name[i] = &f->tensors[i];
    }
    qsort(f->by_name, f->n_tensors, sizeof *f->by_name, compare_names);
    for (size_t i = 1; i < f->n_tensors; i++)
        if (strcmp(f->by_name[i - 1]->name, f->by_name[i]->name) == 0)
            return smol_fail(error, SMOL_E_SECTION, SMOL_NO_OFFSET, "tensor %s: occurs twice",
                             f->by_name[i]->name);
    return SMOL_OK;
}

/* ---- data ---- */

static enum smol_status read_alignment(uint64_t *alignment, const struct smol_gguf *f,
                                       struct smol_error *error)
{
    double value = DEFAULT_ALIGNMENT;

    if (smol_gguf_has(f, "general.alignment") && !smol_gguf_number(&value, f, "general.alignment"))
        value = 0;
    *alignment = value >= 1 && value <= MAX_ALIGNMENT ? (uint64_t)value : 0;
    return *alignment && (*alignment & (*alignment - 1)) == 0
               ? SMOL_OK
               : smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
                           "general.alignment is not a power of two of 1 to %u", MAX_ALIGNMENT);
}

/* Data begins at the next multiple of the alignment, each tensor's at another. */
static enum smol_status place_data(struct smol_gguf *f, const struct cursor *c,
                                   struct smol_error *error)
{
    const uint64_t size = (uint64_t)(c->end - c->begin);
    uint64_t alignment, begin;
    enum smol_status status = read_alignment(&alignment, f, error);

    if (status)
        return status;
    begin = smol_round_up(offset_of(c), alignment);
    for (size_t i = 0; i < f->n_tensors; i++) {
        struct tensor *t = &f->tensors[i];
        if (t->offset % alignment != 0)
            return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET,
                             "tensor %s: its data is not aligned", t->name);
        if (begin > size || t->offset > size - begin ||
            t->array.size_bytes > size - begin - t->offset)
            return smol_fail(error, SMOL_E_TRUNCATED, size, "ends before the data of tensor %s",
                             t->name);
        t->array.data = c->begin + begin + t->offset;
    }
    return SMOL_OK;
}

/* ---- all of it ---- */

static enum smol_status take_counts(struct smol_gguf *f, struct cursor *c, struct smol_error *error)
{
    uint64_t n_tensors = 0, n_members = 0;
    uint32_t version = 0;
    enum smol_status status;

    if (left_of(c) < 8)
        return truncated(c, error);
    if (memcmp(c->at, "GGUF", 4) != 0)
        return smol_fail(error, SMOL_E_MAGIC, 0, "not a GGUF file");
    c->at += 4;
    status = take_u32(&version, c, error);
    if (!status && version != 2 && version != 3)
        return smol_fail(error, SMOL_E_VERSION, 4, "version %" PRIu32 ", known are 2 and 3",
                         version);
    if (!status)
        status = take_u64(&n_tensors, c, error);
    if (!status)
        status = take_u64(&n_members, c, error);
    if (!status && (n_tensors > MAX_TENSORS || n_members > MAX_KEYS))
        return smol_fail(error, SMOL_E_RANGE, 8, "%" PRIu64 " tensors and %" PRIu64 " keys",
                         n_tensors, n_members);
    f->n_tensors = (size_t)n_tensors;
    f->n_members = (size_t)n_members;
    return status;
}

static enum smol_status parse(struct smol_gguf *f, const uint8_t *bytes, size_t size_bytes,
                              struct smol_error *error)
{
    struct cursor c = {bytes, bytes, bytes + size_bytes};
    enum smol_status status = take_counts(f, &c, error);

    if (status)
        return status;
    f->members = calloc(f->n_members + 1, sizeof *f->members);
    f->tensors = calloc(f->n_tensors + 1, sizeof *f->tensors);
    f->by_name = calloc(f->n_tensors + 1, sizeof *f->by_name);
    if (!f->members || !f->tensors || !f->by_name)
        return smol_fail_memory(error);
    status = take_members(f, &c, error);
    if (!status)
        status = take_tensors(f, &c, error);
    return status ? status : place_data(f, &c, error);
}

enum smol_status smol_gguf_create(struct smol_gguf **file, const uint8_t *bytes, size_t size_bytes,
                                  struct smol_error *error)
{
    struct smol_gguf *f = calloc(1, sizeof *f);
    enum smol_status status = f ? parse(f, bytes, size_bytes, error) : smol_fail_memory(error);

    if (status)
        smol_gguf_destroy(f);
    else
        *file = f;
    return status;
}

void smol_gguf_destroy(struct smol_gguf *f)
{
    if (!f)
        return;
    free(f->members);
    free(f->tensors);
    free(f->by_name);
    free(f);
}

const struct smol_array *smol_gguf_at(const struct smol_gguf *f, size_t index)
{
    return index < f->n_tensors ? &f->tensors[index].array : NULL;
}

const struct smol_array *smol_gguf_find(const struct smol_gguf *f, const char *name)
{
    size_t begin = 0, end = f->n_tensors;

    while (begin < end) {
        const size_t middle = begin + (end - begin) / 2;
        const int order = strcmp(name, f->by_name[middle]->name);
        if (order == 0)
            return &f->by_name[middle]->array;
        if (order < 0)
            end = middle;
        else
            begin = middle + 1;
    }
    return NULL;
}
