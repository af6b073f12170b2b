/* The reader of GGUF against a small file made here by ggml's docs/gguf.md, and every way in which
 * one can be wrong. */
#include "base/bytes.h"

#include <smol/arrays.h>

#include <criterion/criterion.h>
#include <stdlib.h>

static uint8_t file[4096];
static size_t n_file;

static void put(uint64_t value, size_t n_bytes)
{
    for (size_t i = 0; i < n_bytes; i++)
        file[n_file++] = (uint8_t)(value >> 8 * i);
}

static void put_text(const char *text)
{
    put(strlen(text), 8);
    memcpy(file + n_file, text, strlen(text));
    n_file += strlen(text);
}

static void begin(uint32_t version, uint64_t n_tensors, uint64_t n_keys)
{
    memset(file, 0, sizeof file);
    memcpy(file, "GGUF", 4);
    n_file = 4;
    put(version, 4);
    put(n_tensors, 8);
    put(n_keys, 8);
}

static void put_key(const char *key, uint32_t type)
{
    put_text(key);
    put(type, 4);
}

static void put_tensor(const char *name, uint64_t cols, uint64_t rows, uint32_t type, uint64_t at)
{
    put_text(name);
    put(rows ? 2 : 1, 4);
    put(cols, 8);
    if (rows)
        put(rows, 8);
    put(type, 4);
    put(at, 8);
}

/* Data begins here. */
static void align(void) { n_file = (n_file + 31) / 32 * 32; }

/* What the reader says of a copy of its very size, so that a sanitizer sees a step too far; the
 * file is kept until the next call. */
static struct smol_gguf *gguf;
static uint8_t *copy;

static enum smol_status read_file(void)
{
    struct smol_error error = {0};
    enum smol_status status;

    smol_gguf_destroy(gguf);
    gguf = NULL;
    free(copy);
    copy = malloc(n_file);
    cr_assert_not_null(copy);
    memcpy(copy, file, n_file);
    status = smol_gguf_create(&gguf, copy, n_file, &error);
    cr_assert(status == error.code && (status == SMOL_OK || error.text[0]));
    return status;
}

static bool is(struct smol_span text, const char *word)
{
    return text.size_bytes == strlen(word) && memcmp(text.data, word, text.size_bytes) == 0;
}

static double number(const char *key)
{
    double value = -1;

    cr_assert(smol_gguf_number(&value, gguf, key), "%s", key);
    return value;
}

Test(gguf, reads_values_of_every_type)
{
    struct smol_gguf_list list;
    struct smol_span text;
    double value;

    begin(3, 0, 13);
    put_key("u8", 0), put(255, 1);
    put_key("i8", 1), put(255, 1);
    put_key("u16", 2), put(65535, 2);
    put_key("i16", 3), put(65535, 2);
    put_key("u32", 4), put(4294967295u, 4);
    put_key("i32", 5), put(4294967295u, 4);
    put_key("f32", 6), put(0x3fc00000, 4);
    put_key("bool", 7), put(1, 1);
    put_key("u64", 10), put((uint64_t)1 << 40, 8);
    put_key("i64", 11), put(~(uint64_t)1, 8);
    put_key("f64", 12), put(0xbff8000000000000u, 8);
    put_key("text", 8), put_text("gpt2");
    put_key("list", 9), put(8, 4), put(2, 8), put_text("a"), put_text("");
    cr_assert_eq(read_file(), SMOL_OK);
    cr_assert(number("u8") == 255 && number("i8") == -1 && number("u16") == 65535 &&
              number("i16") == -1 && number("u32") == 4294967295.0 && number("i32") == -1 &&
              number("f32") == 1.5 && number("bool") == 1 && number("u64") == 0x1p40 &&
              number("i64") == -2 && number("f64") == -1.5);
    cr_assert(smol_gguf_text(&text, gguf, "text") && is(text, "gpt2"));
    cr_assert(smol_gguf_list(&list, gguf, "list") && list.is_text && list.n == 2);
    cr_assert(smol_gguf_next_text(&text, &list) && is(text, "a"));
    cr_assert(!smol_gguf_next_number(&value, &list));
    cr_assert(smol_gguf_next_text(&text, &list) && is(text, "") &&
              !smol_gguf_next_text(&text, &list));
    cr_assert(!smol_gguf_number(&value, gguf, "text") && !smol_gguf_text(&text, gguf, "list") &&
              !smol_gguf_list(&list, gguf, "u8") && !smol_gguf_has(gguf, "none"));
}

Test(gguf, reads_tensors)
{
    const struct smol_array *a;
    float values[32];

    begin(2, 3, 1);
    put_key("general.alignment", 4), put(64, 4);
    put_tensor("b", 3, 2, 0, 0);
    put_tensor("a", 32, 0, 8, 64);
    put_tensor("new", 7, 5, 77, 128);
    n_file = (n_file + 63) / 64 * 64;
    for (uint32_t i = 0; i < 6; i++)
        put(0x3f800000 + (i << 20), 4);
    n_file += 40;
    put(0xc000, 2); /* a half, -2 */
    for (uint32_t i = 0; i < 32; i++)
        put(i - 16, 1);
    n_file += 30;
    cr_assert_eq(read_file(), SMOL_OK);
    a = smol_gguf_find(gguf, "b");
    cr_assert(a == smol_gguf_at(gguf, 0) && a->type == SMOL_ARRAY_F32 && a->n_dims == 2 &&
              a->shape[0] == 2 && a->shape[1] == 3 && a->size_bytes == 24);
    cr_assert_eq(smol_array_values(values, a, 3, 1, NULL), SMOL_OK);
    cr_assert(values[0] == 1.375f);
    a = smol_gguf_find(gguf, "a");
    cr_assert(a->type == SMOL_ARRAY_Q8_0 && a->n_dims == 1 && a->size_bytes == 34);
    cr_assert_eq(smol_array_values(values, a, 0, 32, NULL), SMOL_OK);
    for (int i = 0; i < 32; i++)
        cr_assert(values[i] == (float)(-2 * (i - 16)));
    a = smol_gguf_find(gguf, "new");
    cr_assert(a->type == SMOL_ARRAY_OTHER && a->size_bytes == 0 &&
              smol_array_values(values, a, 0, 1, NULL) == SMOL_E_ENUM);
    cr_assert(!smol_gguf_find(gguf, "c") && !smol_gguf_at(gguf, 3));
}

/* One tensor that is wrong in one way. */
static enum smol_status one(const char *name, uint64_t cols, uint64_t rows, uint32_t type,
                            uint64_t at, size_t n_data)
{
    begin(3, 1, 0);
    put_tensor(name, cols, rows, type, at);
    align();
    n_file += n_data;
    return read_file();
}

Test(gguf, refuses_tensors)
{
    static const char name_64[] =
        "0123456789012345678901234567890123456789012345678901234567890123";

    cr_assert_eq(one("a", 3, 2, 0, 0, 24), SMOL_OK);
    cr_assert_eq(one("a", 3, 2, 0, 0, 23), SMOL_E_TRUNCATED);
    cr_assert_eq(one("a", 3, 2, 0, 32, 24), SMOL_E_TRUNCATED);
    cr_assert_eq(one("a", 3, 2, 0, 4, 64), SMOL_E_RANGE);
    cr_assert_eq(one("a", 3, 2, 0, ~(uint64_t)31, 64), SMOL_E_TRUNCATED);
    cr_assert_eq(one("a", 33, 1, 8, 0, 128), SMOL_E_SIZE);
    cr_assert_eq(one("a", (uint64_t)1 << 40, (uint64_t)1 << 40, 0, 0, 64), SMOL_E_SIZE);
    cr_assert_eq(one("a", (uint64_t)1 << 62, 1, 0, 0, 64), SMOL_E_SIZE);
    cr_assert_eq(one("", 1, 1, 0, 0, 64), SMOL_E_TEXT);
    cr_assert_eq(one(name_64, 1, 1, 0, 0, 64), SMOL_E_TEXT);
    cr_assert_eq(one(name_64 + 1, 1, 1, 0, 0, 64), SMOL_OK);
    begin(3, 2, 0);
    put_tensor("a", 1, 0, 0, 0), put_tensor("a", 1, 0, 0, 32), align(), n_file += 64;
    cr_assert_eq(read_file(), SMOL_E_SECTION);
    begin(3, 1, 0);
    put_text("a"), put(5, 4), n_file += 64;
    cr_assert_eq(read_file(), SMOL_E_RANGE);
}

static enum smol_status alignment(uint32_t type, uint64_t value)
{
    begin(3, 0, 1);
    put_key("general.alignment", type), put(value, 8);
    return read_file();
}

Test(gguf, refuses_values)
{
    cr_assert_eq(alignment(4, 1), SMOL_OK);
    cr_assert_eq(alignment(4, 48), SMOL_E_RANGE);
    cr_assert_eq(alignment(4, 0), SMOL_E_RANGE);
    cr_assert_eq(alignment(4, 131072), SMOL_E_RANGE);
    cr_assert_eq(alignment(8, 0), SMOL_E_RANGE);
    begin(3, 0, 1);
    put_key("a", 13), put(0, 8);
    cr_assert_eq(read_file(), SMOL_E_ENUM);
    begin(3, 0, 1);
    put_key("a", 9), put(9, 4), put(0, 8);
    cr_assert_eq(read_file(), SMOL_E_ENUM);
    for (uint32_t type = 0; type < 13; type++) {
        begin(3, 0, 1);
        put_key("a", 9), put(type, 4), put(~(uint64_t)0, 8), put(0, 8);
        cr_assert_eq(read_file(), type == 9 ? SMOL_E_ENUM : SMOL_E_TRUNCATED, "%u", type);
    }
    begin(3, 0, 1);
    put_key("", 0), put(0, 1);
    cr_assert_eq(read_file(), SMOL_E_SIZE);
    begin(3, 0, 2);
    put_key("a", 0), put(0, 1), put_key("a", 1), put(0, 1);
    cr_assert_eq(read_file(), SMOL_E_TEXT);
    begin(3, 0, 2);
    put_key("ab", 0), put(0, 1), put_key("a", 1), put(3, 1);
    cr_assert_eq(read_file(), SMOL_OK);
    cr_assert(number("a") == 3 && number("ab") == 0);
}

Test(gguf, refuses_beginnings)
{
    begin(1, 0, 0);
    cr_assert_eq(read_file(), SMOL_E_VERSION);
    begin(0x03000000, 0, 0);
    cr_assert_eq(read_file(), SMOL_E_VERSION);
    begin(3, 65537, 0);
    cr_assert_eq(read_file(), SMOL_E_RANGE);
    begin(3, 0, ~(uint64_t)0);
    cr_assert_eq(read_file(), SMOL_E_RANGE);
    begin(3, 0, 0);
    file[0] = 'g';
    cr_assert_eq(read_file(), SMOL_E_MAGIC);
    cr_assert_eq(one("a", 3, 2, 0, 0, 0), SMOL_E_TRUNCATED);
    for (size_t n = n_file; n-- > 0;) {
        n_file = n;
        cr_assert_eq(read_file(), SMOL_E_TRUNCATED, "%zu", n);
    }
}
