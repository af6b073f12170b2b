/* The configuration of a checkpoint: what its tensors' shapes say, and what it says of itself. */
#ifndef IMPORT_CONFIG_H
#define IMPORT_CONFIG_H

#include "smoltool/import/checkpoint.h"

/* What a checkpoint says of itself; 0, and none for a flag, where it says nothing. */
struct import_stated {
    const char *where; /* the file that says so */
    uint32_t n_layers, n_heads, width, n_ff, context, vocab;
    double epsilon;
    bool is_tied, is_untied; /* the output table */
};

/* config.json of a folder, what smoltrain writes into its safetensors, or GGUF's keys. *path: of
 * the file, for free(); where points to it. Nothing is stated if there is none of these. 0, or an
 * exit code after a message. */
int import_stated(struct import_stated *stated, char **path, const struct checkpoint *checkpoint);
/* The last of them alone. */
int import_stated_gguf(struct import_stated *stated, const struct checkpoint_file *file);

/* Number types of the file that is made; vectors are floats. */
struct import_types {
    enum smol_dtype matrices, wte, wpe; /* the output table, if there is one, is as wte */
};

/* The whole configuration but the tokenizer. heads: 0 if not given. Every tensor is then there,
 * with its right size, and no other that would matter. 0, or an exit code after a message. */
int import_config(struct smol_config *config, const struct checkpoint *checkpoint,
                  const struct import_stated *stated, const struct import_types *types,
                  uint32_t heads);

#endif
