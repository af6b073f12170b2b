/* The readers of .npy and of safetensors' other types against good files and every way in which one
 * can be wrong. */
#include "base/bytes.h"

#include <smol/arrays.h>

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

/* What parse makes of a copy of its very size, so that a sanitizer sees a step too far. */
static enum smol_status parse_copy(struct smol_array *array, const uint8_t *bytes, size_t size)
{
    uint8_t *exact = malloc(size ? size : 1);
    struct smol_error error = {0};
    enum smol_status status;

    cr_assert_not_null(exact);
    memcpy(exact, bytes, size);
    status = smol_npy_parse(array, exact, size, &error);
    cr_assert(status == error.code && (status == SMOL_OK || error.text[0]));
    free(exact);
    return status;
}

/* A version 1 file of this header and n_data bytes of numbers. */
static size_t npy_of(uint8_t *buffer, const char *header, size_t n_data)
{
    const size_t n = strlen(header);

    memcpy(buffer, "\x93NUMPY\x01\x00", 8);
    smol_put16(buffer + 8, (uint16_t)n);
    memcpy(buffer + 10, header, n);
    memset(buffer + 10 + n, 0, n_data);
    return 10 + n + n_data;
}

static struct smol_array last;

static enum smol_status npy(const char *header, size_t n_data)
{
    uint8_t buffer[512];
    const size_t size = npy_of(buffer, header, n_data);

    return parse_copy(&last, buffer, size);
}

Test(npy, reads_what_numpy_writes)
{
    /* The bytes of numpy.save of [[1, -2.5]] as <f4, by NumPy 1.24. */
    static const char text[] = "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 2), }"
                               "                                                          \n";
    uint8_t buffer[256];
    const size_t size = npy_of(buffer, text, 8);
    struct smol_array a;
    float values[2];

    cr_assert_eq(size, 136);
    smol_put32(buffer + 128, 0x3f800000);
    smol_put32(buffer + 132, 0xc0200000);
    cr_assert_eq(smol_npy_parse(&a, buffer, size, NULL), SMOL_OK);
    cr_assert(a.type == SMOL_ARRAY_F32 && a.n_dims == 2 && a.shape[0] == 1 && a.shape[1] == 2 &&
              a.size_bytes == 8);
    cr_assert_eq(smol_array_values(values, &a, 0, 2, NULL), SMOL_OK);
    cr_assert(values[0] == 1.0f && values[1] == -2.5f);
    cr_assert_eq(smol_array_values(values, &a, 1, 1, NULL), SMOL_OK);
    cr_assert(values[0] == -2.5f);
}

Test(npy, reads_every_spelling_of_a_header)
{
    cr_assert_eq(npy("{'descr':'<f2','fortran_order':False,'shape':(3,)}\n", 6), SMOL_OK);
    cr_assert(last.type == SMOL_ARRAY_F16 && last.n_dims == 1 && last.shape[0] == 3);
    cr_assert_eq(
        npy("{\"shape\" : ( 2 ,3,), 'descr': \"<f8\", \"fortran_order\": False , }  \n", 48),
        SMOL_OK);
    cr_assert(last.type == SMOL_ARRAY_F64 && last.n_dims == 2 && last.shape[0] == 2 &&
              last.shape[1] == 3);
    cr_assert_eq(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (), }\n", 4), SMOL_OK);
    cr_assert_eq(last.n_dims, 0);
    cr_assert_eq(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 5), }\n", 0), SMOL_OK);
    cr_assert_eq(last.size_bytes, 0);
    cr_assert_eq(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1), }\n", 4),
                 SMOL_OK);
}

/* As NumPy under Python 2 wrote shapes on Windows. */
Test(npy, reads_long_numbers_of_python_2)
{
    cr_assert_eq(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (2L, 3L), }\n", 24),
                 SMOL_OK);
    cr_assert(last.n_dims == 2 && last.shape[0] == 2 && last.shape[1] == 3);
    cr_assert_eq(npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0L,), }\n", 0), SMOL_OK);
}

/* The columns of [[1, 2, 3], [4, 5, 6]], one after the other; and where there is but one order. */
Test(npy, reads_fortran_order)
{
    static const char fortran[] = "{'descr': '<f4', 'fortran_order': True, 'shape': (%s), }\n";
    static const char *const one_order[] = {"1, 6", "6, 1", "6,", "1, 6, 1", "1, 1, 1, 6"};
    static const uint32_t columns[] = {0x3f800000, 0x40800000, 0x40000000,
                                       0x40a00000, 0x40400000, 0x40c00000};
    uint8_t buffer[256];
    char header[128];
    struct smol_array a;
    float v[6];
    size_t size;

    snprintf(header, sizeof header, fortran, "2, 3");
    size = npy_of(buffer, header, 24);
    for (size_t i = 0; i < 6; i++)
        smol_put32(buffer + size - 24 + 4 * i, columns[i]);
    cr_assert_eq(smol_npy_parse(&a, buffer, size, NULL), SMOL_OK);
    cr_assert(a.is_fortran && a.shape[0] == 2 && a.shape[1] == 3);
    cr_assert_eq(smol_array_values(v, &a, 0, 6, NULL), SMOL_OK);
    for (size_t i = 0; i < 6; i++)
        cr_assert_eq(v[i], (float)(i + 1));
    cr_assert_eq(smol_array_values(v, &a, 4, 2, NULL), SMOL_OK);
    cr_assert(v[0] == 5 && v[1] == 6);
    for (size_t i = 0; i < sizeof one_order / sizeof one_order[0]; i++) {
        snprintf(header, sizeof header, fortran, one_order[i]);
        cr_assert_eq(npy(header, 24), SMOL_OK, "%s", header);
        cr_assert(!last.is_fortran);
    }
    snprintf(header, sizeof header, fortran, "2, 0, 3");
    cr_assert_eq(npy(header, 0), SMOL_E_ENUM);
}

#define D "'descr': '<f4', "
#define F "'fortran_order': False, "
#define S "'shape': (2,), "

Test(npy, rejects_bad_headers)
{
    static const struct {
        enum smol_status status;
        const char *header;
    } bad[] = {
        {SMOL_E_TEXT, ""},
        {SMOL_E_TEXT, "\n"},
        {SMOL_E_TEXT, "{}\n"},
        {SMOL_E_TEXT, "{" D F "}\n"},
        {SMOL_E_TEXT, "{" D S "}\n"},
        {SMOL_E_TEXT, "{" F S "}\n"},
        {SMOL_E_TEXT, "{" D F S},
        {SMOL_E_TEXT, "{" D F S "\n"},
        {SMOL_E_TEXT, "{" D F S "}"},
        {SMOL_E_TEXT, "{" D F S "} x\n"},
        {SMOL_E_TEXT, "{" D F S "}\n}\n"},
        {SMOL_E_TEXT, "{" D D F S "}\n"},
        {SMOL_E_TEXT, "{" D F S S "}\n"},
        {SMOL_E_TEXT, "{" D F S ",}\n"},
        {SMOL_E_TEXT, "{," D F S "}\n"},
        {SMOL_E_TEXT, "{" D F S "'other': 1}\n"},
        {SMOL_E_TEXT, "{'descr' '<f4', " F S "}\n"},
        {SMOL_E_TEXT, "{'descr\": '<f4', " F S "}\n"},
        {SMOL_E_TEXT, "{descr: '<f4', " F S "}\n"},
        {SMOL_E_TEXT, "{' descr': '<f4', " F S "}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (2,) 'x': 1}\n"},
        {SMOL_E_ENUM, "{'descr': '>f4', " F S "}\n"},
        {SMOL_E_ENUM, "{'descr': '<i4', " F S "}\n"},
        {SMOL_E_ENUM, "{'descr': '<f4 ', " F S "}\n"},
        {SMOL_E_ENUM, "{'descr': '|O', " F S "}\n"},
        {SMOL_E_ENUM, "{'descr': [('a', '<f4')], " F S "}\n"},
        {SMOL_E_ENUM, "{'descr': '<f4\", " F S "}\n"},
        {SMOL_E_ENUM, "{" D "'fortran_order': True, 'shape': (2, 1, 2)}\n"},
        {SMOL_E_TEXT, "{" D "'fortran_order': 0, " S "}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': 2}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (2)}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': [2]}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (-2,)}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (2.0,)}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (2,,)}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (,)}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (2 1,)}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (02,)}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (L,)}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (2LL,)}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (2 L,)}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (2l,)}\n"},
        {SMOL_E_TEXT, "{" D F "'shape': (2,"},
        {SMOL_E_TEXT, "{" D F "'shape': (18446744073709551616,)}\n"},
        {SMOL_E_RANGE, "{" D F "'shape': (1,1,1,1,1,1,1,1,1)}\n"},
        /* 2^31 x 2^31 x 4 wraps to 0 in 64 bits. */
        {SMOL_E_SIZE, "{" D F "'shape': (2147483648, 2147483648)}\n"},
        {SMOL_E_SIZE, "{" D F "'shape': (4611686018427387904,)}\n"},
        {SMOL_E_TRUNCATED, "{" D F "'shape': (3,)}\n"},
        {SMOL_E_TRAILING, "{" D F "'shape': (1,)}\n"},
        {SMOL_E_TRAILING, "{" D F "'shape': (0,)}\n"},
        {SMOL_E_TRUNCATED, "{" D F "'shape': (4611686018427387903,)}\n"},
    };

    cr_assert_eq(npy("{" D F S "}\n", 8), SMOL_OK);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        cr_assert_eq(npy(bad[i].header, 8), bad[i].status, "%s", bad[i].header);
}

Test(npy, rejects_bad_beginnings)
{
    uint8_t buffer[512], spoilt[512];
    const size_t size = npy_of(buffer, "{" D F S "}\n", 8);
    struct smol_array a;

    for (size_t n = 0; n < size; n++)
        cr_assert_eq(parse_copy(&a, buffer, n), SMOL_E_TRUNCATED, "cut to %zu bytes", n);
    for (size_t i = 0; i < 8; i++) {
        memcpy(spoilt, buffer, size);
        spoilt[i] ^= 0x10;
        cr_assert_eq(parse_copy(&a, spoilt, size), i < 6 ? SMOL_E_MAGIC : SMOL_E_VERSION);
    }
    smol_put16(buffer + 8, 0xffff);
    cr_assert_eq(parse_copy(&a, buffer, size), SMOL_E_TRUNCATED);
    /* Version 2 and 3 have four bytes of length. */
    memmove(buffer + 12, buffer + 10, size - 10);
    buffer[6] = 2;
    smol_put32(buffer + 8, 0xffffffff);
    cr_assert_eq(parse_copy(&a, buffer, size + 2), SMOL_E_RANGE);
    smol_put32(buffer + 8, (uint32_t)(size - 18));
    for (buffer[6] = 2; buffer[6] <= 3; buffer[6]++)
        cr_assert_eq(parse_copy(&a, buffer, size + 2), SMOL_OK);
    buffer[6] = 0;
    cr_assert_eq(parse_copy(&a, buffer, size + 2), SMOL_E_VERSION);
}

/* Values by IEEE 754: 1, -2, the largest, the smallest. */
Test(values, of_every_type)
{
    static const uint8_t halves[] = {0x00, 0x3c, 0x00, 0xc0, 0xff, 0x7b, 0x01, 0x00};
    static const uint8_t brains[] = {0x80, 0x3f, 0x00, 0xc0, 0x7f, 0x7f, 0x01, 0x00};
    static const uint8_t doubles[] = {0, 0, 0, 0,    0, 0, 0xf0, 0x3f,
                                      1, 0, 0, 0x10, 0, 0, 0xf0, 0x3f};
    struct smol_array a = {NULL, SMOL_ARRAY_F16, 1, {4}, halves, sizeof halves, false};
    float v[4];

    cr_assert_eq(smol_array_values(v, &a, 0, 4, NULL), SMOL_OK);
    cr_assert(v[0] == 1.0f && v[1] == -2.0f && v[2] == 65504.0f && v[3] == 0x1p-24f);
    a = (struct smol_array){NULL, SMOL_ARRAY_BF16, 1, {4}, brains, sizeof brains, false};
    cr_assert_eq(smol_array_values(v, &a, 0, 4, NULL), SMOL_OK);
    cr_assert(v[0] == 1.0f && v[1] == -2.0f && v[2] == 0x1.fep127f && v[3] == 0x1p-133f);
    /* 1 + 2^-24 + 2^-52 is past the middle of two floats. */
    a = (struct smol_array){NULL, SMOL_ARRAY_F64, 1, {2}, doubles, sizeof doubles, false};
    cr_assert_eq(smol_array_values(v, &a, 0, 2, NULL), SMOL_OK);
    cr_assert(v[0] == 1.0f && v[1] == 0x1.000002p+0f);
    a.type = SMOL_ARRAY_OTHER;
    cr_assert_eq(smol_array_values(v, &a, 0, 1, NULL), SMOL_E_ENUM);
}

Test(values, that_are_no_floats_are_refused_and_nothing_is_put)
{
    static const uint64_t bad[] = {0x7ff0000000000000, 0xfff0000000000000, 0x7ff8000000000000,
                                   0x47f0000000000000, 0x47efffffffffffff};
    uint8_t bytes[16] = {0};
    struct smol_array a = {NULL, SMOL_ARRAY_F64, 1, {2}, bytes, 16, false};
    struct smol_error error;
    float v[2] = {5, 5};

    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        smol_put64(bytes + 8, bad[i]);
        cr_assert_eq(smol_array_values(v, &a, 0, 2, &error), SMOL_E_NUMERIC);
        cr_assert(v[0] == 5 && strstr(error.text, "number 1 "));
    }
    smol_put64(bytes + 8, 0x47efffffe0000000); /* the largest float */
    cr_assert_eq(smol_array_values(v, &a, 0, 2, NULL), SMOL_OK);
    cr_assert(v[1] == 0x1.fffffep127f);
}

static enum smol_status tensors(const char *header, size_t n_data)
{
    const size_t n = strlen(header), size = 8 + n + n_data;
    uint8_t *bytes = calloc(size, 1);
    struct smol_safetensors *file;
    struct smol_error error;
    enum smol_status status;

    cr_assert_not_null(bytes);
    smol_put64(bytes, n);
    memcpy(bytes + 8, header, n);
    status = smol_safetensors_create(&file, bytes, size, &error);
    if (status == SMOL_OK)
        smol_safetensors_destroy(file);
    free(bytes);
    return status;
}

/* What GPT-2's own file has besides: masks of four dimensions, and other types. */
Test(safetensors, passes_over_what_it_cannot_read)
{
    static const struct {
        const char *name;
        unsigned bits;
    } types[] = {{"F32", 32},        {"F16", 16},        {"BF16", 16},   {"F64", 64},
                 {"BOOL", 8},        {"U8", 8},          {"I8", 8},      {"U16", 16},
                 {"I16", 16},        {"U32", 32},        {"I32", 32},    {"U64", 64},
                 {"I64", 64},        {"F8_E4M3", 8},     {"F8_E5M2", 8}, {"F8_E8M0", 8},
                 {"F8_E4M3FNUZ", 8}, {"F8_E5M2FNUZ", 8}, {"C64", 64},    {"F4", 4},
                 {"F6_E2M3", 6},     {"F6_E3M2", 6}};
    char header[256];

    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        const unsigned n = 8 * types[i].bits / 8;
        snprintf(header, sizeof header,
                 "{\"m\":{\"dtype\":\"%s\",\"shape\":[1,2,2,2],\"data_offsets\":[0,%u]}}",
                 types[i].name, n);
        cr_assert_eq(tensors(header, n), SMOL_OK, "%s", types[i].name);
        cr_assert_eq(tensors(header, n + 1), SMOL_E_TRAILING);
        cr_assert_eq(tensors(header, n - 1), SMOL_E_RANGE);
    }
    cr_assert_eq(tensors("{\"m\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4),
                 SMOL_OK, "a number");
    cr_assert_eq(tensors("{\"m\":{\"dtype\":\"F32\",\"shape\":[0,7],\"data_offsets\":[0,0]}}", 0),
                 SMOL_OK, "no number");
    /* What nobody knows may have any size and shape, but its place is checked as others' are. */
    cr_assert_eq(tensors("{\"m\":{\"dtype\":\"F7\",\"shape\":[4],\"data_offsets\":[0,4]}}", 4),
                 SMOL_OK);
    cr_assert_eq(tensors("{\"m\":{\"dtype\":\"\",\"shape\":7,\"data_offsets\":[0,4]}}", 4),
                 SMOL_OK);
    cr_assert_eq(tensors("{\"m\":{\"dtype\":\"F7\",\"shape\":[4],\"data_offsets\":[0,4]}}", 5),
                 SMOL_E_TRAILING);
    cr_assert_eq(tensors("{\"m\":{\"dtype\":\"F7\",\"shape\":[4],\"data_offsets\":[0,5]}}", 4),
                 SMOL_E_RANGE);
    cr_assert_eq(tensors("{\"m\":{\"dtype\":\"F7\",\"data_offsets\":[1,4]}}", 4), SMOL_E_SECTION);
    cr_assert_eq(tensors("{\"m\":{\"dtype\":\"F7\",\"data_offsets\":[0,3]},"
                         "\"n\":{\"dtype\":\"F7\",\"data_offsets\":[2,4]}}",
                         4),
                 SMOL_E_SECTION);
    cr_assert_eq(tensors("{\"m\":{\"dtype\":\"F4\",\"shape\":[3],\"data_offsets\":[0,2]}}", 2),
                 SMOL_E_SIZE, "12 bits");
    cr_assert_eq(tensors("{\"m\":{\"dtype\":4,\"shape\":[1],\"data_offsets\":[0,4]}}", 4),
                 SMOL_E_ENUM);
    cr_assert_eq(
        tensors("{\"m\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,4]}}",
                4),
        SMOL_OK);
    cr_assert_eq(
        tensors("{\"m\":{\"dtype\":\"F32\",\"shape\":[1,1,1,1,1,1,1,1,2],\"data_offsets\":[0,4]}}",
                4),
        SMOL_E_SIZE);
    cr_assert_eq(tensors("{\"__metadata__\":null}", 0), SMOL_OK);
    cr_assert_eq(tensors("{\"__metadata__\":[]}", 0), SMOL_E_TEXT);
    cr_assert_eq(
        tensors("{\"m\":{\"dtype\":\"U8\",\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]}}",
                1),
        SMOL_E_TEXT);
    cr_assert_eq(
        tensors("{\"m\":{\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,1]}}",
                1),
        SMOL_E_TEXT);
}

/* Depth costs a parser its stack. */
Test(safetensors, is_not_sunk_by_depth)
{
    char *header = malloc(1 << 20);

    cr_assert_not_null(header);
    memset(header, '[', 1 << 20);
    memcpy(header, "{\"m\":", 5);
    header[(1 << 20) - 1] = '\0';
    cr_assert_eq(tensors(header, 0), SMOL_E_TEXT);
    free(header);
}

/* The expected bytes follow from NumPy's description of the format. */
Test(npy, headers_are_those_of_numpy)
{
    static const struct {
        struct smol_array array;
        const char *text;
        size_t size_bytes;
    } cases[] = {
        {{.type = SMOL_ARRAY_F64, .n_dims = 2, .shape = {3, 70}},
         "{'descr': '<f8', 'fortran_order': False, 'shape': (3, 70), }",
         128},
        {{.type = SMOL_ARRAY_F32, .n_dims = 1, .shape = {7}},
         "{'descr': '<f4', 'fortran_order': False, 'shape': (7,), }",
         128},
        {{.type = SMOL_ARRAY_F16, .n_dims = 8, .shape = {UINT64_MAX, 1, 1, 1, 1, 1, 1, UINT64_MAX}},
         "{'descr': '<f2', 'fortran_order': False, 'shape': (18446744073709551615, 1, 1, 1, 1, 1, "
         "1, 18446744073709551615), }",
         128},
    };

    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint8_t header[SMOL_NPY_HEADER_BYTES];
        const size_t n = strlen(cases[i].text), total = smol_npy_header(header, &cases[i].array);

        cr_assert_eq(total, cases[i].size_bytes, "%zu: %zu", i, total);
        cr_assert_arr_eq(header, "\x93NUMPY\x01\x00", 8);
        cr_assert_eq(smol_le16(header + 8), total - 10);
        cr_assert_arr_eq(header + 10, cases[i].text, n);
        for (size_t at = 10 + n; at < total - 1; at++)
            cr_assert_eq(header[at], ' ');
        cr_assert_eq(header[total - 1], '\n');
    }
}

Test(safetensors, headers_list_arrays_one_after_the_other)
{
    static const struct smol_array arrays[] = {
        {.name = "a", .type = SMOL_ARRAY_F16, .n_dims = 2, .shape = {2, 3}, .size_bytes = 12},
        {.name = "b.c", .type = SMOL_ARRAY_BF16, .n_dims = 0, .size_bytes = 2},
        {.name = "d", .type = SMOL_ARRAY_F64, .n_dims = 1, .shape = {1}, .size_bytes = 8}};
    static const char expected[] =
        "{\"__metadata__\":{\"k\":\"a \\\"b\\\"\"},"
        "\"a\":{\"dtype\":\"F16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
        "\"b.c\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[12,14]},"
        "\"d\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[14,22]}}";
    const struct smol_safetensors_member metadata[] = {{"k", "a \"b\""}, {"none", NULL}};
    const size_t n = sizeof expected - 1, n_padded = (n + 7) / 8 * 8;
    struct smol_error error;
    uint8_t *header;
    size_t size;

    cr_assert_eq(smol_safetensors_header(&header, &size, arrays, 3, metadata, 2, &error), SMOL_OK);
    cr_assert_eq(size, 8 + n_padded);
    cr_assert_eq(smol_le64(header), n_padded);
    cr_assert_arr_eq(header + 8, expected, n);
    for (size_t at = 8 + n; at < size; at++)
        cr_assert_eq(header[at], ' ');
    free(header);
    cr_assert_eq(smol_safetensors_header(&header, &size, NULL, 0, NULL, 0, &error), SMOL_OK);
    cr_assert_eq(size, 16);
    cr_assert_arr_eq(header + 8, "{}      ", 8);
    free(header);
}
