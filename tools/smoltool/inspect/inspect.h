/* What the two faces of smoltool inspect, page and JSON, share, and smoltool diff with them. */
#ifndef INSPECT_H
#define INSPECT_H

#include "cli/session_args.h"
#include "smoltool/smoltool.h"

#include <smol/weights.h>

#include <jansson.h>

/* The alphas of a tensor; false if it has none. alpha: (SMOL_MAX_BASES). */
bool inspect_alphas(float *alpha, uint32_t *d, bool *shared, const struct smol_file *file,
                    const struct smol_tensor *t);

/* The shape of a valid configuration, and a scheme; NULL if there is no memory. */
json_t *inspect_shape_json(const struct smol_config *config);
json_t *inspect_scheme_json(const struct smol_scheme *scheme);

/* A session that the model might run in, and what it would take. */
struct inspect_session {
    struct smol_session_options options;
    uint64_t memory_bytes; /* of the whole process; 0: of a delta whose base is not there */
    size_t session_bytes;
    char *part_paths[SMOL_MAX_PARTS]; /* where a delta's parts were found, or NULL */
};

/* 0, or an exit code after a message. */
int inspect_json(const struct smol_file *file, const struct inspect_session *session);

/* How many bytes a set has, and whether a token for all others. */
uint32_t inspect_set_bytes(bool *has_other, const struct smol_file *file);

/* Whether a tensor has the factors of a layer's heads, and one of them. */
bool inspect_is_of_heads(const struct smol_tensor *tensor);
double inspect_head_factor(const struct smol_file *file, const struct smol_tensor *tensor,
                           uint32_t head);

/* The numbers of the history of a file that has one. */
void inspect_history(float numbers[SMOL_HISTORY_LENGTHS], const struct smol_file *file);
void inspect_print_history(const struct smol_file *file);

/* The alphas and the factors of the heads. */
void inspect_print_numbers(const struct smol_file *file);

/* Whether a file is a delta that only says what it is made of: nothing in it differs from 0. */
bool inspect_is_mix(const struct smol_file *file);
/* "0.6 x model 0123456789abcdef...": a part. */
void inspect_put_part(const struct smol_file *file, uint32_t i);
/* What a delta changes; paths: (SMOL_MAX_PARTS), where its parts are, or NULL. */
void inspect_print_base(const struct smol_file *file, char *const *paths);
void inspect_print_rows(const struct smol_config *config);
/* The same; NULL if there is no memory. paths may be NULL. */
json_t *inspect_base_json(const struct smol_file *file, char *const *paths);

#endif
