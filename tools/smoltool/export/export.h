/* What the exporters share: a model's weights under GPT-2's names and in its layout, read tile by
 * tile into a file that appears whole or not at all. */
#ifndef EXPORT_H
#define EXPORT_H

#include <smol/arrays.h>
#include <smol/model.h>
#include <smol/weights.h>

#include <jansson.h>

/* A tensor as the other format has it, rows in its own order. */
struct export_tensor {
    char name[SMOL_MAX_TENSOR_NAME];
    struct smol_tensor source;
    uint32_t rows, cols;
    bool is_vector;     /* one dimension: rows is 1 */
    bool is_transposed; /* rows are the source's columns */
    bool is_zero;       /* a bias that smol does not have */
    bool is_shift; /* 1 for the channels of the source's inputs that half-shift shifts, else 0 */
    double factor; /* that each value is multiplied by */
};

/* All tensors in the order of the forward pass, for free(); NULL, with an error, if there is no
 * memory, or models are mixed whose logits have scales that differ. GPT-2's own files hold the
 * matrices of a layer as inputs x outputs: transposed. Before c_attn and c_fc comes what half-shift
 * does to their inputs, if it does. file: whole. */
struct export_tensor *export_list(size_t *n, const struct smol_file *file, bool transposed,
                                  struct smol_error *error);
/* Numbers of a tensor. */
uint64_t export_count(const struct export_tensor *tensor);
/* A tensor as an array of F32 without its numbers. */
struct smol_array export_array(const struct export_tensor *tensor);

/* Reads tensors whole rows at a time, in memory that depends on the rows' length and not on their
 * number. */
struct export_reader;
enum smol_status export_reader_create(struct export_reader **reader, const struct smol_file *file,
                                      const struct export_tensor *tensors, size_t n,
                                      struct smol_error *error);
void export_reader_destroy(struct export_reader *reader);
void export_reader_begin(struct export_reader *reader, const struct export_tensor *tensor);
/* The next rows: n values that live until the next call; n = 0 at the end. NUMERIC if one is no
 * float. */
enum smol_status export_reader_next(const float **values, size_t *n, struct export_reader *reader,
                                    struct smol_error *error);

/* A file that is being written. The first failure is kept; what follows it does nothing. */
struct export_out {
    struct smol_writer *writer;
    enum smol_status status;
    struct smol_error *error;
    uint64_t n_bytes; /* put so far */
    size_t n_held;
    uint8_t held[16384]; /* not written yet */
};

void export_out_open(struct export_out *out, const char *path, struct smol_error *error);
void export_put(struct export_out *out, const void *bytes, size_t n);
void export_put_number(struct export_out *out, uint64_t value, size_t n_bytes); /* little-endian */
void export_put_zeros(struct export_out *out, size_t n);
/* Commits, unless something failed or the model that was read has changed meanwhile. */
enum smol_status export_out_close(struct export_out *out, const struct smol_mapping *model);

/* What a model is exported from and to. */
struct export_job {
    const struct smol_file *file;       /* whole, but for adapters */
    const struct smol_files *files;     /* that it was opened with; NULL: mapping alone */
    const struct smol_mapping *mapping; /* its own */
    const char *output;                 /* a folder, or for GGUF a file */
};
/* CHANGED if one of the files that a job reads has changed. */
enum smol_status export_check_unchanged(const struct export_job *job, struct smol_error *error);
/* export_out_close, of what all of them are read for. */
enum smol_status export_job_close(struct export_out *out, const struct export_job *job);

enum export_type { EXPORT_F32, EXPORT_F16, EXPORT_Q8_0, EXPORT_Q4_0 };

/* One for each format. */
enum smol_status export_safetensors(const struct export_job *job, struct smol_error *error);
enum smol_status export_npz(const struct export_job *job, struct smol_error *error);
enum smol_status export_gguf(const struct export_job *job, enum export_type type,
                             struct smol_error *error);

/* Low-rank factors alone, of a delta that has nothing else: as an adapter of Hugging Face's PEFT,
 * and of llama.cpp. */
enum smol_status export_peft(const struct export_job *job, struct smol_error *error);
enum smol_status export_gguf_lora(const struct export_job *job, enum export_type type,
                                  struct smol_error *error);

/* A file of the folder; takes json over. What Jansson could not make is known at the end. */
enum smol_status export_put_json(const struct export_job *job, const char *name, json_t *json,
                                 struct smol_error *error);
/* config.json and the tokenizer's files into the folder. */
enum smol_status export_small_files(const struct export_job *job, struct smol_error *error);

/* Room for two tokens in GPT-2's letters, of two bytes each, and a space; and for one of them. */
#define EXPORT_TOKEN_BYTES (2 * SMOL_MAX_TOKEN_BYTES + 1)
#define EXPORT_TEXT_BYTES (2 * EXPORT_TOKEN_BYTES)
/* The bytes of a token in GPT-2's letters, or a special one's text. A token that stands for none is
 * "[PADn]". Returns the end. */
char *export_token(char text[EXPORT_TOKEN_BYTES], const struct smol_file *file, uint32_t token);
bool export_token_is_used(const struct smol_file *file, uint32_t token);
/* Merge i: the letters of its left token, a space, those of its right one. Returns the end. */
char *export_merge(char text[EXPORT_TEXT_BYTES], const struct smol_file *file, uint32_t i);
/* Tokens that begin and end a text. Where none ends it, the one of byte 0, which no text has,
 * stands in. */
uint32_t export_bos(const struct smol_file *file);
uint32_t export_eos(const struct smol_file *file);

/* Numbers of a block, and its bytes. */
#define EXPORT_BLOCK 32u
size_t export_block_bytes(enum export_type type);
/* A block of 32 values. false if they are too large for the type. */
bool export_block(uint8_t *dest, enum export_type type, const float *values);

#endif
