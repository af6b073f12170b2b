/* A checkpoint of GPT-2 in other programs' files: a folder of Hugging Face's, a file of safetensors
 * or of GGUF. Its tensors are found under GPT-2's names, wherever and whatever they are called
 * there. */
#ifndef IMPORT_CHECKPOINT_H
#define IMPORT_CHECKPOINT_H

#include <smol/arrays.h>
#include <smol/io.h>
#include <smol/weights.h>

struct checkpoint_file {
    char *path;
    struct smol_mapping mapping;
    struct smol_safetensors *tensors; /* or ... */
    struct smol_gguf *gguf;
};

struct checkpoint_tensor {
    char name[SMOL_MAX_TENSOR_NAME]; /* GPT-2's, without "transformer." */
    const struct smol_array *array;
    const struct checkpoint_file *file;
};

struct checkpoint {
    char *folder; /* where config.json and a tokenizer may be; NULL: nowhere */
    struct checkpoint_file *files;
    size_t n_files;
    struct checkpoint_tensor *tensors; /* in the order of their names */
    size_t n_tensors;
    bool is_transposed; /* matrices of layers are inputs x outputs, as Hugging Face has them */
};

/* Whether a tensor is a matrix of a layer, which may be transposed; or a table of embeddings. All
 * others are vectors. */
bool checkpoint_is_matrix(const struct smol_tensor *tensor);
bool checkpoint_is_table(const struct smol_tensor *tensor);

/* 0, or an exit code after a message. Close it in any case. */
int checkpoint_open(struct checkpoint *checkpoint, const char *path);
void checkpoint_close(struct checkpoint *checkpoint);

/* NULL if there is none. */
const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *checkpoint,
                                                const char *name);

/* Whether a GGUF file has that text for a key. */
bool checkpoint_says(const struct checkpoint_file *file, const char *key, const char *text);

/* The path of a file in the checkpoint's folder, for free(); NULL if it is not there. 0, or an exit
 * code after a message. */
int checkpoint_look(char **path, const struct checkpoint *checkpoint, const char *name);

#endif
