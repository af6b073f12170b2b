/* smoltool pack and unpack: what their files share. SPEC.md 15. */
#ifndef SMOLTOOL_PACK_H
#define SMOLTOOL_PACK_H

#include "cli/cli.h"
#include "cli/delta/parts.h"
#include "cli/text_stream.h"

#include <smol/model.h>
#include <smol/pack.h>

/* ---- models.c ---- */

/* A model, opened and verified. Its tag begins what it packs. */
struct pack_model {
    const char *path;
    struct smol_files files; /* a delta with its parts */
    struct smol_model *model;
    unsigned tag;
};
/* Their tags differ, so there are no more. */
#define PACK_MAX_MODELS 15u
struct pack_models {
    struct pack_model items[PACK_MAX_MODELS];
    size_t n;
};

/* -m, which may be repeated; paths as below. */
#define PACK_MODEL_OPTION(paths, text)                                                             \
    {                                                                                              \
        "model", 'm', POPT_ARG_ARGV, paths, 0, text, "MODEL"                                       \
    }
/* paths: NULL at the end; NULL: none. parts: of those that are deltas. 0, or an exit code after a
 * message; close them all the same.
 */
int pack_models_open(struct pack_models *models, char *const *paths,
                     const struct parts_words *parts);
void pack_models_close(struct pack_models *models);
/* Whether any has been written to. 0, or CLI_FAILED after a message. */
int pack_models_check(const struct pack_models *models);

/* ---- command.c ---- */

/* What pack and unpack have in common. */
struct pack_command {
    char **paths; /* of models: NULL at the end; or NULL */
    char *output, *isa_word;
    struct parts_words parts;
    int has_check, as_text, lines, json, n_threads;
    struct smol_pack_options pack;
    struct pack_models models;
};
struct pack_input;
/* Checks these options, and makes pack of them. 0, or an exit code after a message. */
int pack_command_check(struct pack_command *command);
/* Opens the models, reads the argument, as pack_input_read does, and calls work with it. 0, or an
 * exit code after a message. */
int pack_command_run(struct pack_command *command, const char *argument, bool may_be_text,
                     int (*work)(void *context, const struct pack_input *input), void *context);

/* ---- worker.c ---- */

/* Bytes that may grow. */
struct pack_bytes {
    uint8_t *data;
    size_t n, capacity;
};
/* Room for n bytes; what was there is lost. */
enum smol_status pack_bytes_reserve(struct pack_bytes *bytes, size_t n, struct smol_error *error);

/* What one thread packs or unpacks with: a packer for each model, made when it is first needed. */
struct pack_worker {
    const struct pack_models *models;
    const struct smol_pack_options *options;
    struct smol_packer *packers[PACK_MAX_MODELS];
    void *memory[PACK_MAX_MODELS];
    struct pack_bytes trial;
    uint32_t *tokens;
    size_t token_capacity;
};
void pack_worker_start(struct pack_worker *worker, const struct pack_models *models,
                       const struct smol_pack_options *options);
void pack_worker_finish(struct pack_worker *worker);

#define PACK_AS_IT_IS PACK_MAX_MODELS /* no model's form, but the text's own bytes */

/* Packs with each model, and keeps the shortest, of several the first's. *model: which it is, or
 * PACK_AS_IT_IS. */
enum smol_status pack_best(struct pack_bytes *packed, size_t *model, struct pack_worker *worker,
                           struct smol_span text, struct smol_error *error);
/* Unpacks with the model whose tag is there. text: (most_bytes). */
enum smol_status pack_undo(size_t *size_bytes, void *text, size_t most_bytes,
                           struct pack_worker *worker, struct smol_span packed,
                           struct smol_error *error);

/* The same of n texts, side by side as far as the packers' options allow: each has its status. What
 * there was no room for may be longer than that. */
void pack_undo_texts(struct smol_packed_text *texts, size_t n, struct pack_worker *worker);
/* How many texts of each model are unpacked side by side without taking much memory. */
uint64_t pack_side_by_side(const struct pack_models *models,
                           const struct smol_pack_options *options);

/* ---- base91.c ---- */

/* Blocks of bytes, and of digits. */
#define BASE91_BLOCK_BYTES 61u
#define BASE91_BLOCK_DIGITS 75u
/* How many digits n bytes take. */
size_t base91_digits(size_t n_bytes);
/* digits: (base91_digits(n)). */
void base91_write(char *digits, const uint8_t *bytes, size_t n);
/* bytes: room for n_digits of them. White space is passed over. Errors: PACKED, with the place. */
enum smol_status base91_read(size_t *n, uint8_t *bytes, struct smol_span digits,
                             struct smol_error *error);

/* ---- input.c ---- */

/* What is to be packed or unpacked. */
struct pack_input {
    const char *name; /* for messages: of a file, or NULL */
    uint8_t *bytes;   /* (n), for free() */
    size_t n;
};
/* argument: a file's name, or - for the standard input, as is NULL; if may_be_text, what is no
 * file's name is the text itself. 0, or CLI_FAILED after a message. */
int pack_input_read(struct pack_input *input, const char *argument, bool may_be_text);

/* ---- output.c ---- */

/* Bytes for a file, or the standard output: all of them or none. */
struct pack_output {
    const char *path;
    struct text_stream stream; /* with what is to be written */
};
/* NULL and - are the standard output. */
bool pack_output_is_file(const char *path);
/* 0, or CLI_FAILED after a message. */
int pack_output_open(struct pack_output *output, const char *path);
/* Packed bytes as they are, or as a line of digits. */
void pack_put(struct pack_output *output, const uint8_t *bytes, size_t n, bool as_text);
/* Writes it, unless code is one. code, or CLI_FAILED after a message. */
int pack_output_close(struct pack_output *output, int code);

/* ---- lines.c, share.c ---- */

/* One line by itself, and what became of it. */
struct pack_line {
    size_t number; /* in its input, from 1 on */
    struct smol_span from;
    uint8_t *to; /* (n), for free() */
    size_t n;
    size_t model; /* PACK_AS_IT_IS: of none */
};
struct pack_lines {
    struct pack_line *items;
    size_t n;
    bool is_json; /* each the text of a JSON line */
};
/* The lines of an input, whose bytes must outlive them. JSON lines if its name or its first line
 * says so and may_be_json; their texts take the place of what stood for them. 0, or CLI_FAILED
 * after a message. */
int pack_lines_split(struct pack_lines *lines, const struct pack_input *input, bool may_be_json);
void pack_lines_free(struct pack_lines *lines);

/* What is done to n lines, one by one in their order or all at once, by any thread. *failed: of an
 * error, the first line of them that has one. */
typedef enum smol_status pack_line_work(struct pack_line *lines, size_t n, size_t *failed,
                                        struct pack_worker *worker, const void *context,
                                        struct smol_error *error);
#define PACK_MAX_THREADS 256u
/* Cores, as far as there may be threads. */
uint32_t pack_cores(void);
/* How many of n_threads have lines to do. */
uint32_t pack_lines_threads(const struct pack_lines *lines, uint32_t n_threads);

/* How the lines are shared out. */
struct pack_sharing {
    const struct pack_models *models;
    const struct smol_pack_options *options;
    uint32_t n_threads;
    pack_line_work *work;
    size_t at_once; /* lines that a thread takes, at most; 0: 1 */
    const void *context;
    const char *name; /* of the lines' input, for messages */
};
/* 0, or CLI_FAILED after a message about the first line that fails. */
int pack_lines_run(struct pack_lines *lines, const struct pack_sharing *sharing);

/* ---- unpack_lines.c ---- */

/* Unpacks lines of digits. */
struct pack_unpacking {
    size_t most_bytes; /* of a text */
    bool as_json;      /* which allows line ends, and only UTF-8 */
};
pack_line_work pack_unpack_lines; /* context: struct pack_unpacking */

/* Digits, into memory for free(). */
enum smol_status pack_read_digits(struct smol_span *packed, struct smol_span digits,
                                  struct smol_error *error);

/* ---- report.c ---- */

/* Characters of UTF-8; what is none of them counts a byte at a time. */
size_t pack_characters(struct smol_span text);
/* What packing so many lines in so many seconds came to. */
struct pack_report {
    const struct pack_lines *lines;
    const struct pack_models *models;
    double seconds;
    uint32_t n_threads;
    bool is_text; /* written as text, which counts too */
};
void pack_report_print(FILE *to, const struct pack_report *report);
/* The same as JSON. 0, or CLI_FAILED after a message. */
int pack_report_json(FILE *to, const struct pack_report *report);

#endif
