/* Reading NumPy's .npy: a magic number, the length of a header, the header, the numbers. The header
 * is a Python dictionary of three keys; of all that Python would take, this is what NumPy writes:
 * keys in any order, spaces anywhere, commas at the end or not, Python 2's long numbers. */
#include "base/bytes.h"
#include "base/error.h"

#include <smol/arrays.h>

#define MAX_HEADER_BYTES 65536u

static const uint8_t magic[6] = {0x93, 'N', 'U', 'M', 'P', 'Y'};

/* The header's text as far as it is read. */
struct text {
    const uint8_t *at, *end;
};

static void skip_spaces(struct text *t)
{
    while (t->at < t->end && (*t->at == ' ' || *t->at == '\n'))
        t->at++;
}

/* Takes a word, after spaces, if it is next. */
static bool take(struct text *t, const char *word)
{
    const size_t n = strlen(word);

    skip_spaces(t);
    if ((size_t)(t->end - t->at) < n || memcmp(t->at, word, n) != 0)
        return false;
    t->at += n;
    return true;
}

/* A word in single or double quotes. */
static bool take_quoted(struct text *t, const char *word)
{
    const struct text before = *t;
    const char *quote = take(t, "'") ? "'" : take(t, "\"") ? "\"" : NULL;

    /* Spaces within the quotes are no part of a word. */
    if (quote && t->at < t->end && *t->at != ' ' && take(t, word) && t->at < t->end &&
        *t->at == (uint8_t)*quote) {
        t->at++;
        return true;
    }
    *t = before;
    return false;
}

static bool take_number(struct text *t, uint64_t *number)
{
    const uint8_t *begin;

    skip_spaces(t);
    begin = t->at;
    *number = 0;
    for (; t->at < t->end && *t->at >= '0' && *t->at <= '9'; t->at++)
        if (!smol_mul(number, *number, 10) || !smol_add(number, *number, (uint64_t)(*t->at - '0')))
            return false;
    if (t->at == begin || (*begin == '0' && t->at > begin + 1))
        return false;
    t->at += t->at < t->end && *t->at == 'L'; /* 4L */
    return true;
}

static enum smol_status read_type(struct smol_array *array, struct text *t,
                                  struct smol_error *error)
{
    static const struct {
        const char *name;
        enum smol_array_type type;
    } types[] = {{"<f4", SMOL_ARRAY_F32}, {"<f2", SMOL_ARRAY_F16}, {"<f8", SMOL_ARRAY_F64}};

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
        if (take_quoted(t, types[i].name)) {
            array->type = types[i].type;
            return SMOL_OK;
        }
    return smol_fail(error, SMOL_E_ENUM, SMOL_NO_OFFSET,
                     "its numbers are not little-endian floats of 16, 32 or 64 bits");
}

/* "(300, 70)", "(300,)" or "()". */
static enum smol_status read_shape(struct smol_array *array, struct text *t,
                                   struct smol_error *error)
{
    bool comma = true;

    if (!take(t, "("))
        return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "its shape is not a tuple");
    for (array->n_dims = 0; !take(t, ")"); array->n_dims++) {
        if (array->n_dims == SMOL_ARRAY_MAX_DIMS)
            return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET, "over %u dimensions",
                             SMOL_ARRAY_MAX_DIMS);
        if (!comma || !take_number(t, &array->shape[array->n_dims]))
            return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
                             "a dimension is not a whole number");
        comma = take(t, ",");
    }
    /* Python's (300) is no tuple. */
    if (array->n_dims == 1 && !comma)
        return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "its shape is not a tuple");
    return SMOL_OK;
}

enum { DESCR, ORDER, SHAPE, N_KEYS };

/* One key and its value; seen: the keys that have come. */
static enum smol_status read_member(struct smol_array *array, unsigned *seen, struct text *t,
                                    struct smol_error *error)
{
    static const char *const keys[N_KEYS] = {"descr", "fortran_order", "shape"};
    unsigned key = 0;

    while (key < N_KEYS && !take_quoted(t, keys[key]))
        key++;
    if (key == N_KEYS || *seen >> key & 1 || !take(t, ":"))
        return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
                         "the header has an unknown or repeated key");
    *seen |= 1u << key;
    if (key == DESCR)
        return read_type(array, t, error);
    if (key == SHAPE)
        return read_shape(array, t, error);
    array->is_fortran = take(t, "True");
    return array->is_fortran || take(t, "False")
               ? SMOL_OK
               : smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
                           "fortran_order is neither True nor False");
}

/* With at most one dimension larger than 1 both orders are the same. */
static enum smol_status check_order(struct smol_array *array, struct smol_error *error)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < array->n_dims; i++)
        n += array->shape[i] > 1;
    array->is_fortran = array->is_fortran && n > 1;
    return array->is_fortran && array->n_dims != 2
               ? smol_fail(error, SMOL_E_ENUM, SMOL_NO_OFFSET,
                           "it is in Fortran order; save it with numpy.ascontiguousarray")
               : SMOL_OK;
}

static enum smol_status read_header(struct smol_array *array, struct text t,
                                    struct smol_error *error)
{
    bool comma = true;
    unsigned seen = 0;

    if (!take(&t, "{"))
        return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "the header is not a dictionary");
    while (!take(&t, "}")) {
        const enum smol_status status =
            comma ? read_member(array, &seen, &t, error)
                  : smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET, "the header is not a dictionary");
        if (status)
            return status;
        comma = take(&t, ",");
    }
    skip_spaces(&t);
    if (t.at != t.end || seen != (1u << N_KEYS) - 1 || t.end[-1] != '\n')
        return smol_fail(error, SMOL_E_TEXT, SMOL_NO_OFFSET,
                         "the header does not end as it must, or lacks a key");
    return SMOL_OK;
}

/* Where the header begins and ends. */
static enum smol_status place_header(struct text *header, const uint8_t *bytes, size_t size_bytes,
                                     struct smol_error *error)
{
    size_t at, n;

    if (size_bytes < 12)
        return smol_fail(error, SMOL_E_TRUNCATED, size_bytes, "ends inside its header");
    if (memcmp(bytes, magic, sizeof magic) != 0)
        return smol_fail(error, SMOL_E_MAGIC, 0, "not a NumPy file");
    if (bytes[6] < 1 || bytes[6] > 3 || bytes[7] != 0)
        return smol_fail(error, SMOL_E_VERSION, 6, "version %u.%u, known are 1.0, 2.0 and 3.0",
                         bytes[6], bytes[7]);
    at = bytes[6] == 1 ? 10 : 12;
    n = bytes[6] == 1 ? smol_le16(bytes + 8) : smol_le32(bytes + 8);
    if (n > MAX_HEADER_BYTES)
        return smol_fail(error, SMOL_E_RANGE, 8, "a header of %zu bytes", n);
    if (n > size_bytes - at)
        return smol_fail(error, SMOL_E_TRUNCATED, size_bytes, "ends inside its header");
    *header = (struct text){bytes + at, bytes + at + n};
    return SMOL_OK;
}

enum smol_status smol_npy_parse(struct smol_array *array, const uint8_t *bytes, size_t size_bytes,
                                struct smol_error *error)
{
    struct smol_array a = {0};
    struct text header = {0};
    enum smol_status status = place_header(&header, bytes, size_bytes, error);
    uint64_t there;

    if (!status)
        status = read_header(&a, header, error);
    if (!status)
        status = check_order(&a, error);
    if (status)
        return status;
    a.data = header.end;
    a.size_bytes = a.type == SMOL_ARRAY_F64 ? 8 : a.type == SMOL_ARRAY_F32 ? 4 : 2;
    for (uint32_t i = 0; i < a.n_dims; i++)
        if (!smol_mul(&a.size_bytes, a.size_bytes, a.shape[i]))
            return smol_fail(error, SMOL_E_SIZE, SMOL_NO_OFFSET, "its shape is too large");
    there = size_bytes - (size_t)(header.end - bytes);
    if (a.size_bytes > there)
        return smol_fail(error, SMOL_E_TRUNCATED, size_bytes, "ends before its last number");
    if (a.size_bytes < there)
        return smol_fail(error, SMOL_E_TRAILING, size_bytes - (there - a.size_bytes),
                         "bytes after its last number");
    *array = a;
    return SMOL_OK;
}
