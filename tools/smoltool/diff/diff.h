/* What differs between two models, as JSON: an object for each section that differs, and none for
 * one that does not. */
#ifndef DIFF_H
#define DIFF_H

#include <smol/file.h>

#include <jansson.h>

struct diff {
    const struct smol_file *a, *b;
    json_t *report;
    bool failed; /* memory was out: the report is not whole */
};

/* Puts a value, which may be NULL, into an object that may be NULL; both mean memory was out. */
void diff_set(struct diff *d, json_t *object, const char *key, json_t *value);
/* A section's object, or NULL, into the report, unless it is empty. */
void diff_add(struct diff *d, const char *section, json_t *object);
/* The sections, in the order of the page. */
void diff_header(struct diff *d);
void diff_config(struct diff *d);
/* The parts of deltas, each with its factor. */
void diff_base(struct diff *d);
void diff_schemes(struct diff *d);
void diff_learned(struct diff *d);
/* wte, wpe and the output table, which a delta does not have. */
enum smol_status diff_embeddings(struct diff *d, struct smol_error *error);
/* The rows of them that deltas have. */
void diff_rows(struct diff *d);
void diff_tokenizer(struct diff *d);
void diff_card(struct diff *d);
void diff_signature(struct diff *d);

/* Pairs of numbers, and by how much those of B are off. */
struct diff_off {
    uint64_t n, n_different;
    double largest, sum;
};
/* One more pair. Whether they differ: by their bits, -0 is not 0. */
bool diff_off_add(struct diff_off *off, double a, double b);
void diff_off_join(struct diff_off *off, const struct diff_off *more);
/* "compared", "different", "largest" and "rms" into an object. */
void diff_off_set(struct diff *d, json_t *object, const struct diff_off *off);

/* The report for a person. */
void diff_print(const json_t *report);

#endif
