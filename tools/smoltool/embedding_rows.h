/* Rows of tables, embeddings and stored matrices, in the encodings of a file. */
#ifndef EMBEDDING_ROWS_H
#define EMBEDDING_ROWS_H

#include <smol/weights.h>

/* Before the rows of a table of q4-row are put, all of them have to be seen: they share a scale. Of
 * other types nothing need be seen. */
void table_see_row(uint8_t *section, const struct smol_table_layout *at, enum smol_dtype type,
                   const float *values, uint32_t width);

/* Row row of width floats into a table of EMBD or LRND; at: where in it its parts lie. What is
 * neither 0 nor of one magnitude becomes ternary with the least squares of what is lost. false if
 * memory is out. */
bool table_put_row(uint8_t *section, const struct smol_table_layout *at, enum smol_dtype type,
                   uint64_t row, const float *values, uint32_t width);

/* Memory to read the rows of two tables with. false if there is none; free it all the same. */
struct table_rows {
    double *a, *b; /* (C) of each */
    void *scratch;
    size_t scratch_bytes;
};
bool table_rows_init(struct table_rows *rows, const struct smol_file *a,
                     const struct smol_tensor *of_a, const struct smol_file *b,
                     const struct smol_tensor *of_b);
void table_rows_free(struct table_rows *rows);

/* Of rows that a delta has: the token of row i, and its numbers, (C) floats. */
uint32_t rows_token(const struct smol_rows_view *rows, uint32_t i);
void rows_read(float *values, const struct smol_rows_view *rows, uint32_t i);

#endif
