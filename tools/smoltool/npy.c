/* See npy.h. */
#include "smoltool/npy.h"

#include <stdio.h>
#include <string.h>

/* The header ends in a line feed at a multiple of 64. */
size_t npy_header(char header[256], const char *descr, uint32_t rows, uint32_t cols, bool is_vector)
{
    char shape[32], text[160];
    size_t n, total;

    if (is_vector)
        snprintf(shape, sizeof shape, "(%u,)", cols);
    else
        snprintf(shape, sizeof shape, "(%u, %u)", rows, cols);
    snprintf(text, sizeof text, "{'descr': '%s', 'fortran_order': False, 'shape': %s, }", descr,
             shape);
    n = strlen(text);
    total = (10 + n + 1 + 63) / 64 * 64;
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = (char)((total - 10) & 0xff);
    header[9] = (char)((total - 10) >> 8);
    memcpy(header + 10, text, n);
    memset(header + 10 + n, ' ', total - 11 - n);
    header[total - 1] = '\n';
    return total;
}
