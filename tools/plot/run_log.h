/* The JSON-lines log of a training run, as smoltrain --log writes it. */
#ifndef RUN_LOG_H
#define RUN_LOG_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* seconds count from the start of the first run, without the time that the training stood still. */
struct run_log_point {
    double step, tokens, seconds, loss; /* loss in nats per token */
};

struct run_log_curve {
    struct run_log_point *points; /* (n), in order of steps */
    size_t n, capacity;
};

struct run_log {
    const char *path;
    json_t *start; /* the last start record: method, options, sizes */
    struct run_log_curve train, validation;
    bool finished; /* the model of the last step was written; then the rest is known: */
    double nats_per_token, bits_per_byte; /* of the model as stored */
    double non_embedding_bytes, non_embedding_params;
};

/* Reads a log; path stays the caller's. What a resumed run did again counts once. A last line
 * without an end does not count: it is being written. An exit code, after a message if not 0. */
int run_log_read(struct run_log *log, const char *path);
void run_log_free(struct run_log *log);

/* "alpha", "lora" and so on; what d is where the method has one, else 0. */
const char *run_log_method(const struct run_log *log);
unsigned run_log_d(const struct run_log *log);
#define RUN_LOG_LABEL_BYTES 400u /* enough for a label and a file name */
/* "alpha, d = 5" */
void run_log_label(char *label, size_t size, const struct run_log *log);
/* Of the whole training; 0 if it is not known. */
double run_log_tokens_per_second(const struct run_log *log);

#endif
