/* Rows of embeddings in the encodings of a file. */
#ifndef EMBEDDING_ROWS_H
#define EMBEDDING_ROWS_H

#include <smol/file.h>

/* Row row of width floats into a table of EMBD; at: where its parts lie. */
void table_put_row(uint8_t *embeddings, const struct smol_table_layout *at, enum smol_dtype type,
                   uint64_t row, const float *values, uint32_t width);

/* The bytes of the file that parts make, for free(). NULL, with an error, if they cannot be had. */
uint8_t *table_file(uint64_t *size_bytes, const struct smol_parts *parts, struct smol_error *error);

#endif
