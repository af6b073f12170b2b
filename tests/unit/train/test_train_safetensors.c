/* The safetensors reader against good files and every way in which one can be wrong. */
#include "base/bytes.h"
#include "train/output/safetensors.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <unistd.h>

static uint8_t buffer[4096];

/* A file of this header and n_data zero bytes. */
static size_t file_of(const char *header, size_t n_data)
{
    const size_t n = strlen(header);

    memset(buffer, 0, sizeof buffer);
    smol_put64(buffer, n);
    memcpy(buffer + 8, header, n);
    return 8 + n + n_data;
}

static enum smol_status parse(const char *header, size_t n_data)
{
    const size_t size = file_of(header, n_data);
    uint8_t *exact = malloc(size); /* so that a sanitizer sees a step too far */
    struct smol_safetensors *file;
    struct smol_error error;
    enum smol_status status;

    cr_assert_not_null(exact);
    memcpy(exact, buffer, size);
    status = smol_tensor_file_parse(&file, exact, size, &error);
    if (status == SMOL_OK)
        smol_safetensors_destroy(file);
    free(exact);
    return status;
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]}"
#define B "\"b\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[24,32]}"

Test(safetensors, reads_names_shapes_and_numbers)
{
    const char header[] = "{\"__metadata__\":{\"key\":\"some text\"}," B "," A "}   ";
    const size_t size = file_of(header, 32);
    struct smol_safetensors *file;
    real values[6];

    for (uint32_t i = 0; i < 8; i++)
        smol_put32(buffer + size - 32 + 4 * i, smol_f32_bits((float)i / 4));
    cr_assert_eq(smol_tensor_file_parse(&file, buffer, size, NULL), SMOL_OK);
    cr_assert_str_eq(smol_safetensors_at(file, 0)->name, "a");
    cr_assert_str_eq(smol_safetensors_at(file, 1)->name, "b");
    cr_assert_null(smol_safetensors_at(file, 2));
    cr_assert_str_eq(smol_safetensors_text(file, "key"), "some text");
    cr_assert_null(smol_safetensors_text(file, "other"));
    cr_assert_eq(smol_tensor_file_read(values, file, "a", 2, 3, NULL), SMOL_OK);
    for (int i = 0; i < 6; i++)
        cr_assert(values[i] == (real)i / 4);
    cr_assert_eq(smol_tensor_file_read(values, file, "b", 1, 2, NULL), SMOL_OK);
    cr_assert(values[0] == (real)1.5 && values[1] == (real)1.75);
    cr_assert_eq(smol_tensor_file_read(values, file, "a", 3, 2, NULL), SMOL_E_SIZE);
    cr_assert_eq(smol_tensor_file_read(values, file, "c", 1, 2, NULL), SMOL_E_TENSOR);
    smol_safetensors_destroy(file);
}

Test(safetensors, rejects_bad_headers)
{
    cr_assert_eq(parse("{" A "," B "}", 32), SMOL_OK);
    cr_assert_eq(parse("{" A "," B, 32), SMOL_E_TEXT, "not closed");
    cr_assert_eq(parse("[1]", 0), SMOL_E_TEXT, "not an object");
    cr_assert_eq(parse("", 0), SMOL_E_TEXT, "empty");
    cr_assert_eq(parse("{" A "," A "}", 24), SMOL_E_TEXT, "a name twice");
    cr_assert_eq(parse("{" A "}\xff", 24), SMOL_E_TEXT, "not UTF-8");
    cr_assert_eq(parse("{\"__metadata__\":[]," A "}", 24), SMOL_E_TEXT, "metadata of another kind");
    cr_assert_eq(parse("{\"__metadata__\":{\"k\":1}," A "}", 24), SMOL_E_TEXT,
                 "metadata that is no text");
}

Test(safetensors, rejects_bad_lengths)
{
    const size_t size = file_of("{" A "}", 24);
    struct smol_safetensors *file;

    for (size_t n = 0; n < size; n++)
        cr_assert_neq(smol_tensor_file_parse(&file, buffer, n, NULL), SMOL_OK, "cut to %zu bytes",
                      n);
    smol_put64(buffer, UINT64_MAX);
    cr_assert_eq(smol_tensor_file_parse(&file, buffer, size, NULL), SMOL_E_RANGE);
    smol_put64(buffer, size - 7);
    cr_assert_eq(smol_tensor_file_parse(&file, buffer, size, NULL), SMOL_E_TRUNCATED);
}

Test(safetensors, rejects_bad_places)
{
    cr_assert_eq(parse("{" A "," B "}", 31), SMOL_E_RANGE, "past the end");
    cr_assert_eq(parse("{" A "," B "}", 33), SMOL_E_TRAILING, "bytes left over");
    cr_assert_eq(parse("{" B "}", 32), SMOL_E_SECTION, "a hole at the start");
    cr_assert_eq(
        parse("{" A ",\"c\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[28,36]}}", 36),
        SMOL_E_SECTION, "a hole in the middle");
    cr_assert_eq(
        parse("{" A ",\"c\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[20,28]}}", 28),
        SMOL_E_SECTION, "an overlap");
    cr_assert_eq(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[-8,0]}}", 0),
                 SMOL_E_RANGE);
    cr_assert_eq(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8),
                 SMOL_E_RANGE);
    cr_assert_eq(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0]}}", 8),
                 SMOL_E_RANGE);
    cr_assert_eq(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8), SMOL_E_RANGE);
    cr_assert_eq(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8.0]}}", 8),
                 SMOL_E_RANGE);
}

Test(safetensors, rejects_bad_shapes)
{
    cr_assert_eq(parse("{\"a\":{\"dtype\":\"F16\",\"shape\":[4],\"data_offsets\":[0,8]}}", 8),
                 SMOL_E_ENUM);
    cr_assert_eq(parse("{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8), SMOL_E_ENUM);
    cr_assert_eq(parse("{\"a\":7}", 8), SMOL_E_ENUM);
    cr_assert_eq(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[3],\"data_offsets\":[0,8]}}", 8),
                 SMOL_E_SIZE);
    cr_assert_eq(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8),
                 SMOL_E_RANGE);
    cr_assert_eq(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4),
                 SMOL_E_RANGE);
    cr_assert_eq(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[1,1,2],\"data_offsets\":[0,8]}}", 8),
                 SMOL_E_RANGE);
    /* 2^31 x 2^31 x 4 wraps to 0 in 64 bits. */
    cr_assert_eq(parse("{\"a\":{\"dtype\":\"F32\",\"shape\":[2147483648,2147483648],\"data_"
                       "offsets\":[0,0]}}",
                       0),
                 SMOL_E_SIZE);
}

/* The expected bytes follow from the format's description. */
Test(safetensors, writes_what_the_format_says)
{
    const real values[6] = {1, 2, 3, 4, 5, 6};
    struct smol_tensor_source items[] = {
        {.name = "m", .rows = 2, .cols = 3, .transposed = true, .values = values, .scale = 2},
        {.name = "z", .rows = 0, .cols = 1, .values = NULL, .scale = 1}};
    const float expected[7] = {2, 8, 4, 10, 6, 12, 0};
    const struct smol_safetensors_member metadata[] = {{"format", "pt"}, {"left out", NULL}};
    uint8_t *bytes;
    uint64_t size;

    cr_assert_eq(smol_tensor_file_write(&bytes, &size, NULL,
                                        &(struct smol_tensor_sources){items, 2, metadata, 2}, NULL),
                 SMOL_OK);
    cr_assert_eq(strstr((char *)bytes + 8, "{\"__metadata__\":{\"format\":\"pt\"},\"m\":"),
                 (char *)bytes + 8);
    cr_assert_eq(smol_le64(bytes) % 8, 0);
    cr_assert_eq(size, 8 + smol_le64(bytes) + 28);
    cr_assert_eq(bytes[8], '{');
    for (size_t i = 0; i < 7; i++)
        cr_assert(smol_load_f32(bytes + size - 28 + 4 * i) == expected[i]);
    cr_assert_not_null(strstr((char *)bytes + 8,
                              "\"m\":{\"dtype\":\"F32\",\"shape\":[3,2],\"data_offsets\":[0,24]}"));
    cr_assert_not_null(strstr((char *)bytes + 8,
                              "\"z\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[24,28]}"));
    free(bytes);
}

/* More numbers than are put at a time, transposed or not, to a file as into memory. */
Test(safetensors, appends_what_it_writes)
{
    enum { ROWS = 97, COLS = 131 };
    static real values[ROWS * COLS];
    struct smol_tensor_source items[] = {
        {.name = "t", .rows = ROWS, .cols = COLS, .transposed = true, .values = values, .scale = 1},
        {.name = "p", .rows = ROWS, .cols = COLS, .values = values, .scale = 1}};
    char path[] = "/tmp/safetensors-XXXXXX";
    const int fd = mkstemp(path);
    const struct smol_tensor_sources sources = {items, 2, NULL, 0};
    struct smol_writer *writer;
    struct smol_mapping m;
    uint64_t appended, size;
    uint8_t *bytes;

    cr_assert(fd >= 0);
    close(fd);
    for (size_t i = 0; i < ROWS * COLS; i++)
        values[i] = (real)i;
    cr_assert_eq(smol_tensor_file_write(&bytes, &size, NULL, &sources, NULL), SMOL_OK);
    for (size_t i = 0; i < ROWS * COLS; i++) {
        const uint8_t *transposed = bytes + size - 8 * ROWS * COLS,
                      *plain = transposed + 4 * ROWS * COLS;

        cr_assert(smol_load_f32(plain + 4 * i) == (float)i);
        cr_assert(smol_load_f32(transposed + 4 * (i % COLS * ROWS + i / COLS)) == (float)i);
    }
    cr_assert_eq(smol_writer_open(&writer, path, 0600, NULL), SMOL_OK);
    cr_assert_eq(smol_tensor_file_write(NULL, &appended, writer, &sources, NULL), SMOL_OK);
    cr_assert_eq(smol_writer_commit(writer, NULL), SMOL_OK);
    cr_assert_eq(smol_mapping_open(&m, path, NULL), SMOL_OK);
    cr_assert_eq(appended, size);
    cr_assert_eq(m.bytes.size_bytes, size);
    cr_assert_eq(memcmp(m.bytes.data, bytes, size), 0);
    smol_mapping_close(&m);
    unlink(path);
    free(bytes);
}
