/* The header of a NumPy array. */
#ifndef NPY_H
#define NPY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Format 1.0, C order, of (rows, cols) or, for a vector, (cols); descr is NumPy's word for the
 * type. Returns the header's bytes. */
size_t npy_header(char header[256], const char *descr, uint32_t rows, uint32_t cols,
                  bool is_vector);

#endif
