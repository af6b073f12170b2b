/* See run_log.h. */
#include "plot/run_log.h"
#include "cli/cli.h"
#include "cli/foreign.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct reader {
    struct run_log *log;
    size_t line;
    double seconds_before; /* that earlier runs took */
};

/* A finite number that is not negative, or NaN. */
static double number(const json_t *record, const char *name)
{
    const json_t *value = json_object_get(record, name);
    const double v = json_number_value(value);

    return json_is_number(value) && v >= 0 ? v : NAN;
}

static double option(const struct run_log *log, const char *name)
{
    return number(json_object_get(log->start, "options"), name);
}

static void drop_after(struct run_log_curve *c, double step)
{
    while (c->n > 0 && c->points[c->n - 1].step > step)
        c->n--;
}

/* Short, and safe anywhere. */
static bool is_name(const char *text)
{
    return text && *text && strlen(text) < 40 &&
           text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

/* A run that goes on from a checkpoint does the steps after it once more. */
static int take_start(struct reader *r, json_t *record)
{
    struct run_log *log = r->log;
    const double step = number(record, "step");

    if (isnan(step) || !is_name(json_string_value(json_object_get(record, "method"))) ||
        isnan(number(record, "tokens_per_step")))
        return cli_fail(log->path, "line %zu: a start without its step, method or tokens_per_step",
                        r->line);
    json_decref(log->start);
    log->start = json_incref(record);
    drop_after(&log->train, step);
    drop_after(&log->validation, step);
    r->seconds_before = log->train.n ? log->train.points[log->train.n - 1].seconds : 0;
    log->finished = false;
    return 0;
}

static bool append(struct run_log_curve *c, struct run_log_point point)
{
    if (c->n == c->capacity) {
        const size_t larger = c->capacity ? 2 * c->capacity : 256;
        struct run_log_point *points = realloc(c->points, larger * sizeof *points);
        if (!points)
            return false;
        c->points = points;
        c->capacity = larger;
    }
    c->points[c->n++] = point;
    return true;
}

static int take_point(struct reader *r, const json_t *record, struct run_log_curve *curve,
                      const char *loss)
{
    struct run_log_point p = {number(record, "step"), 0,
                              r->seconds_before + number(record, "seconds"), number(record, loss)};

    if (isnan(p.step) || isnan(p.seconds) || isnan(p.loss))
        return cli_fail(r->log->path, "line %zu: a record without its step, seconds or loss",
                        r->line);
    if (curve->n && p.step < curve->points[curve->n - 1].step)
        return cli_fail(r->log->path, "line %zu: a step before the one above", r->line);
    p.tokens = p.step * number(r->log->start, "tokens_per_step");
    return append(curve, p) ? 0 : cli_no_memory(r->log->path);
}

static void take_stored(struct run_log *log, const json_t *record)
{
    log->nats_per_token = number(record, "nats_per_token");
    log->bits_per_byte = number(record, "bits_per_byte");
}

static void take_model(struct run_log *log, const json_t *record)
{
    log->non_embedding_bytes = number(record, "non_embedding_bytes");
    log->non_embedding_params = number(record, "non_embedding_params");
    log->finished = number(record, "step") == option(log, "n_steps") &&
                    !isnan(log->nats_per_token) && !isnan(log->bits_per_byte) &&
                    !isnan(log->non_embedding_bytes) && !isnan(log->non_embedding_params);
}

/* Other events are for other readers. */
static int take_record(struct reader *r, json_t *record)
{
    const char *event = json_string_value(json_object_get(record, "event"));

    if (!event)
        return cli_fail(r->log->path, "line %zu: not a smoltrain record", r->line);
    if (strcmp(event, "start") == 0)
        return take_start(r, record);
    if (!r->log->start)
        return cli_fail(r->log->path, "line %zu: no start before it", r->line);
    if (strcmp(event, "train") == 0)
        return take_point(r, record, &r->log->train, "loss");
    if (strcmp(event, "validation") == 0 && json_is_true(json_object_get(record, "stored")))
        take_stored(r->log, record);
    else if (strcmp(event, "validation") == 0)
        return take_point(r, record, &r->log->validation, "nats_per_token");
    else if (strcmp(event, "model") == 0)
        take_model(r->log, record);
    return 0;
}

static int take_line(struct reader *r, const char *text, size_t n)
{
    json_t *record = json_loadb(text, n, JSON_REJECT_DUPLICATES, NULL);
    int code;

    code = record ? take_record(r, record) : cli_fail(r->log->path, "line %zu: not JSON", r->line);
    json_decref(record);
    return code;
}

static int take_lines(struct reader *r, const char *text, size_t left)
{
    const char *end;
    int code = 0;

    for (; !code && left && (end = memchr(text, '\n', left)); text = end + 1) {
        const size_t n = (size_t)(end - text);
        r->line++;
        code = take_line(r, text, n);
        left -= n + 1;
    }
    if (!code && !r->log->start)
        code = cli_fail(r->log->path, "not a smoltrain log: it is empty");
    return code;
}

int run_log_read(struct run_log *log, const char *path)
{
    struct run_log l = {.path = path, .nats_per_token = NAN, .bits_per_byte = NAN};
    struct reader reader = {.log = &l};
    struct smol_span text;
    struct smol_error error;
    uint8_t *bytes;
    size_t size;
    int code = cli_read_file(&bytes, &size, path);

    if (code)
        return code;
    text = (struct smol_span){bytes, size};
    code = foreign_start(&text, &error)
               ? cli_complain(path, &error)
               : take_lines(&reader, (const char *)text.data, text.size_bytes);
    free(bytes);
    if (code)
        run_log_free(&l);
    else
        *log = l;
    return code;
}

void run_log_free(struct run_log *log)
{
    json_decref(log->start);
    free(log->train.points);
    free(log->validation.points);
    *log = (struct run_log){0};
}

const char *run_log_method(const struct run_log *log)
{
    return json_string_value(json_object_get(log->start, "method"));
}

static unsigned small(double v) { return v >= 0 && v < 4e9 ? (unsigned)v : 0; }

unsigned run_log_d(const struct run_log *log)
{
    const char *method = run_log_method(log);

    if (strcmp(method, "embed") == 0 || strcmp(method, "full") == 0 || strcmp(method, "lora") == 0)
        return 0;
    return small(option(log, "d"));
}

void run_log_label(char *label, size_t size, const struct run_log *log)
{
    const unsigned d = run_log_d(log), rank = small(option(log, "rank"));
    char numbers[64] = "";
    size_t n = 0;

    if (d)
        n = (size_t)snprintf(numbers, sizeof numbers, ", d = %u", d);
    if (rank)
        snprintf(numbers + n, sizeof numbers - n, ", rank %u", rank);
    snprintf(label, size, "%s%s", run_log_method(log), numbers);
}

double run_log_tokens_per_second(const struct run_log *log)
{
    const struct run_log_point *last;

    if (log->train.n == 0)
        return 0;
    last = log->train.points + log->train.n - 1;
    return last->seconds > 0 ? last->tokens / last->seconds : 0;
}
