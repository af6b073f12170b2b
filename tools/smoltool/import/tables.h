/* Embeddings out of other programs' files, under GPT-2's names: safetensors, NumPy's .npz, .npy. */
#ifndef IMPORT_TABLES_H
#define IMPORT_TABLES_H

#include <smol/arrays.h>
#include <smol/io.h>

/* Memory and files behind a table. */
struct table_source {
    struct smol_mapping mapping;
    struct smol_safetensors *tensors;
    void *member; /* of an .npz, taken out */
    size_t member_bytes;
};

/* A table: rows x C floats that can be read. */
struct import_table {
    struct smol_array array;
    struct table_source source;
};

/* Finds the table called "wte" or "wpe" in a file of any of the formats, told apart by their first
 * bytes; an .npy is that table. found is false, and the table empty, if the file has none of that
 * name. On failure nothing stays open. */
enum smol_status import_open(struct import_table *table, bool *found, const char *path,
                             const char *name, struct smol_error *error);
void import_close(struct import_table *table);

#endif
