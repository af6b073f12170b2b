/* The values of a GGUF file by their keys. What they contain was checked when the file was read. */
#include "base/bytes.h"
#include "interchange/gguf.h"

#include <stdlib.h>

const uint8_t smol_gguf_value_bytes[N_VALUE_TYPES] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

static int compare_bytes(const uint8_t *a, size_t n_a, const uint8_t *b, size_t n_b)
{
    const int order = memcmp(a, b, n_a < n_b ? n_a : n_b);

    return order ? order : (n_a > n_b) - (n_a < n_b);
}

int smol_gguf_by_key(const void *a, const void *b)
{
    const struct member *x = a, *y = b;

    return compare_bytes(x->key.data, x->key.size_bytes, y->key.data, y->key.size_bytes);
}

static const struct member *find_member(const struct smol_gguf *f, const char *key)
{
    const struct member wanted = {.key = {(const uint8_t *)key, strlen(key)}};

    return f->n_members
               ? bsearch(&wanted, f->members, f->n_members, sizeof wanted, smol_gguf_by_key)
               : NULL;
}

static double number_at(enum value_type type, const uint8_t *p)
{
    const uint64_t bits = smol_gguf_value_bytes[type] == 8 ? smol_le64(p) : 0;
    double value;

    switch (type) {
    case U8:
    case BOOL: return p[0];
    case I8: return (int8_t)p[0];
    case U16: return smol_le16(p);
    case I16: return (int16_t)smol_le16(p);
    case U32: return smol_le32(p);
    case I32: return (int32_t)smol_le32(p);
    case F32: return (double)smol_load_f32(p);
    case U64: return (double)bits;
    case I64: return (double)(int64_t)bits;
    default: memcpy(&value, &bits, sizeof value); return value;
    }
}

bool smol_gguf_has(const struct smol_gguf *file, const char *key) { return find_member(file, key); }

bool smol_gguf_number(double *value, const struct smol_gguf *file, const char *key)
{
    const struct member *m = find_member(file, key);

    if (!m || m->is_list || m->type == STRING)
        return false;
    *value = number_at(m->type, m->value.data);
    return true;
}

bool smol_gguf_text(struct smol_span *text, const struct smol_gguf *file, const char *key)
{
    const struct member *m = find_member(file, key);

    if (!m || m->is_list || m->type != STRING)
        return false;
    *text = (struct smol_span){m->value.data + 8, m->value.size_bytes - 8};
    return true;
}

bool smol_gguf_list(struct smol_gguf_list *list, const struct smol_gguf *file, const char *key)
{
    const struct member *m = find_member(file, key);

    if (!m || !m->is_list)
        return false;
    *list = (struct smol_gguf_list){m->value, m->n, m->type == STRING, (uint32_t)m->type};
    return true;
}

bool smol_gguf_next_text(struct smol_span *text, struct smol_gguf_list *list)
{
    uint64_t n;

    if (list->n == 0 || !list->is_text)
        return false;
    n = smol_le64(list->rest.data); /* which is there: take_values */
    *text = (struct smol_span){list->rest.data + 8, (size_t)n};
    list->rest.data += 8 + n;
    list->rest.size_bytes -= (size_t)(8 + n);
    list->n--;
    return true;
}

bool smol_gguf_next_number(double *value, struct smol_gguf_list *list)
{
    if (list->n == 0 || list->is_text)
        return false;
    *value = number_at((enum value_type)list->type, list->rest.data);
    list->rest.data += smol_gguf_value_bytes[list->type];
    list->rest.size_bytes -= smol_gguf_value_bytes[list->type];
    list->n--;
    return true;
}
