/* The header of a NumPy array. */
#include "base/bytes.h"

#include <smol/arrays.h>

#include <stdio.h>

/* It ends in a line feed at a multiple of 64. */
size_t smol_npy_header(uint8_t header[SMOL_NPY_HEADER_BYTES], const struct smol_array *array)
{
    char text[SMOL_NPY_HEADER_BYTES - 10];
    size_t n, total;

    n = (size_t)snprintf(text, sizeof text, "{'descr': '<f%c', 'fortran_order': False, 'shape': (",
                         array->type == SMOL_ARRAY_F64   ? '8'
                         : array->type == SMOL_ARRAY_F32 ? '4'
                                                         : '2');
    for (uint32_t i = 0; i < array->n_dims; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "%s%llu", i ? ", " : "",
                              (unsigned long long)array->shape[i]);
    n += (size_t)snprintf(text + n, sizeof text - n, "%s), }", array->n_dims == 1 ? "," : "");
    total = (size_t)smol_round_up(10 + n + 1, 64);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    smol_put16(header + 8, (uint16_t)(total - 10));
    memcpy(header + 10, text, n);
    memset(header + 10 + n, ' ', total - 11 - n);
    header[total - 1] = '\n';
    return total;
}
