/* The fuzz target of the reader of NumPy's files. What is accepted has its numbers to the end of
 * the file. */
#include "base/bytes.h"
#include "fuzz.h"
#include "mutate.h"

#include <smol/arrays.h>

#include <stdlib.h>

#define MAX_HEADER 4096u

const char fuzz_name[] = "npy";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct smol_error error = {0};
    struct smol_array a;
    const enum smol_status status = smol_npy_parse(&a, data, size, &error);
    uint64_t n = 1;
    float value;

    if (status) {
        fuzz_require(error.code == status && error.text[0] != '\0' &&
                     (error.offset == SMOL_NO_OFFSET || error.offset <= size));
        return 0;
    }
    fuzz_require(a.type != SMOL_ARRAY_OTHER && a.type != SMOL_ARRAY_BF16 &&
                 a.n_dims <= SMOL_ARRAY_MAX_DIMS && a.name == NULL &&
                 (!a.is_fortran || a.n_dims == 2));
    fuzz_require(a.data >= data + 10 && a.data + a.size_bytes == data + size && a.data[-1] == '\n');
    for (uint32_t d = 0; d < a.n_dims; d++)
        n *= a.shape[d];
    fuzz_require(n == a.size_bytes / (a.type == SMOL_ARRAY_F64   ? 8
                                      : a.type == SMOL_ARRAY_F32 ? 4
                                                                 : 2));
    for (uint64_t i = 0; i < n; i++)
        if (smol_array_values(&value, &a, i, 1, &error))
            fuzz_require(error.code == SMOL_E_NUMERIC);
    return 0;
}

/* Damage to the header's text, with its length repaired and the file cut where the reader says that
 * it must end; or anywhere. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    static const char *const words[] = {"{",
                                        "}",
                                        "(",
                                        ")",
                                        ",",
                                        ":",
                                        "'",
                                        "\"",
                                        "'descr'",
                                        "'fortran_order'",
                                        "'shape'",
                                        "'<f4'",
                                        "'<f2'",
                                        "'<f8'",
                                        "'>f4'",
                                        "'|O'",
                                        "True",
                                        "False",
                                        "(2, 3)",
                                        "(6,)",
                                        "(1, 6)",
                                        "2L",
                                        "()",
                                        "0",
                                        "1",
                                        "2",
                                        "00",
                                        "-1",
                                        "\n",
                                        " ",
                                        "4294967296",
                                        "9223372036854775808",
                                        "18446744073709551615",
                                        "18446744073709551616",
                                        "\\x00",
                                        NULL};
    uint8_t text[MAX_HEADER];
    uint64_t random = seed;
    struct smol_error error;
    struct smol_array a;
    size_t n;

    if (size < 10 || mutate_random(&random) % 8 == 0)
        return mutate(data, size, capacity, &random);
    n = smol_le16(data + 8) < size - 10 ? smol_le16(data + 8) : size - 10;
    n = n < MAX_HEADER / 2 ? n : MAX_HEADER / 2;
    memcpy(text, data + 10, n);
    n = mutate_text(text, n, MAX_HEADER, words, &random);
    if (10 + n + 512 > capacity)
        return size;
    smol_put16(data + 8, (uint16_t)n);
    memcpy(data + 10, text, n);
    for (size_t i = 0; i < 512; i++)
        data[10 + n + i] = (uint8_t)mutate_random(&random);
    size = 10 + n + 512;
    if (mutate_random(&random) % 8 && smol_npy_parse(&a, data, size, &error) == SMOL_E_TRAILING)
        size = (size_t)error.offset;
    return size;
}
