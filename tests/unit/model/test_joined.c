/* Golden deltas run with their parts, against another program's logits and weights: every logit on
 * every instruction set, one token at a time and in batches, weights kept or not. */
#include "golden.h"
#include "kernel/kernel.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <math.h>
#include <smol/session.h>
#include <smol/weights.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAX_TOKENS 20u
#define MAX_FILES 5u

static const enum smol_isa sets[] = {SMOL_ISA_SCALAR, SMOL_ISA_AVX2, SMOL_ISA_AVX512,
                                     SMOL_ISA_NEON};

/* A line of vectors/joined.txt, and the files that it names; the delta first. */
struct line {
    char delta[64], parts[256], tokens_text[128], last[160];
    float own;
    uint64_t logits, weights;
    uint32_t tokens[MAX_TOKENS];
    size_t n;
    struct smol_file files[MAX_FILES], joined;
};

static uint8_t bytes[MAX_FILES][GOLDEN_MAX_BYTES];

/* "PATH,PATH*FACTOR" */
static size_t open_parts(struct line *line, struct smol_file_part *parts)
{
    size_t n = 0;

    for (char *path = strtok(line->parts, ","); path; path = strtok(NULL, ",")) {
        char *star = strchr(path, '*');
        cr_assert_lt(n + 1, MAX_FILES);
        parts[n].factor = star ? strtof(star + 1, NULL) : NAN;
        if (star)
            *star = '\0';
        golden_open_path(&line->files[n + 1], bytes[n + 1], path);
        parts[n].file = &line->files[n + 1];
        n++;
    }
    return n;
}

static void parse(struct line *line, const char *text)
{
    struct smol_file_part parts[MAX_FILES];
    struct smol_error error = {0};
    size_t n;

    cr_assert_eq(sscanf(text,
                        "%63s own=%f parts=%255s tokens=%127s xxh3=%16" SCNx64 " weights=%16" SCNx64
                        " last=%159s",
                        line->delta, &line->own, line->parts, line->tokens_text, &line->logits,
                        &line->weights, line->last),
                 7, "%s", text);
    line->n = 0;
    for (char *at = line->tokens_text; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL)
        line->tokens[line->n++] = (uint32_t)strtoul(at, NULL, 10);
    golden_open_path(&line->files[0], bytes[0], line->delta);
    n = open_parts(line, parts);
    cr_assert_eq(smol_file_join(&line->joined, &line->files[0], parts, n, line->own, &error),
                 SMOL_OK, "%s: %s", line->delta, error.text);
}

/* The logits after each token, or after each batch those of its last. */
static void check_session(struct smol_session *session, const struct line *line, size_t step)
{
    const size_t V = line->joined.config.vocab;
    float *logits = malloc(line->n * V * sizeof *logits);
    const char *at = line->last;
    char *end;

    for (size_t i = 0; i < line->n; i += step) {
        const size_t n = line->n - i < step ? line->n - i : step;
        cr_assert_eq(smol_session_feed(session, &line->tokens[i], n, NULL), SMOL_OK);
        memcpy(logits + (i + n - 1) * V, smol_session_logits(session), V * sizeof *logits);
    }
    for (size_t i = 0; i < 4 && i < V; i++, at = end + 1)
        cr_expect_eq((double)logits[(line->n - 1) * V + i], strtod(at, &end), "%s: logit %zu",
                     line->delta, i);
    if (step == 1)
        cr_expect_eq(XXH3_64bits(logits, line->n * V * sizeof *logits), line->logits, "%s",
                     line->delta);
    free(logits);
}

static void check_logits(const struct line *line, const struct smol_session_options *options,
                         size_t step)
{
    struct smol_session *session;
    struct smol_error error = {0};
    size_t size;
    void *memory;

    if (!smol_kernels_select(options->isa))
        return;
    cr_assert_eq(smol_session_size(&size, &line->joined, options, &error), SMOL_OK, "%s",
                 error.text);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_session_init(&session, &line->joined, options, memory, size, &error),
                 SMOL_OK);
    check_session(session, line, step);
    smol_session_finish(session);
    free(memory);
}

static void check_weights(const struct line *line)
{
    const uint32_t n = smol_file_tensor_count(&line->joined);
    uint64_t sum = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct smol_tensor t, again;
        smol_file_tensor_at(&t, &line->joined, i);
        cr_assert_eq(smol_file_tensor_find(&again, &line->joined, t.name, NULL), SMOL_OK);
        cr_assert_arr_eq(&t, &again, sizeof t);
        const size_t size = (size_t)t.rows * t.cols * sizeof(double);
        double *values = malloc(size);
        void *scratch =
            aligned_alloc(64, (smol_tensor_scratch_bytes(&line->joined, &t) + 63) / 64 * 64);
        cr_assert_eq(smol_tensor_read(values, &line->joined, &t, 0, t.rows, scratch, NULL),
                     SMOL_OK);
        sum += XXH3_64bits_withSeed(values, size, XXH3_64bits(t.name, strlen(t.name)));
        free(scratch);
        free(values);
    }
    cr_expect_eq(sum, line->weights, "%s: weights", line->delta);
}

static void check(const struct line *line)
{
    struct smol_session_options options = {.struct_bytes = sizeof options};

    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        options.isa = sets[i];
        check_logits(line, &options, 1);
    }
    options.isa = SMOL_ISA_SCALAR;
    options.memory_bytes = 1u << 24; /* which keeps weights */
    options.n_threads = 2;
    check_logits(line, &options, 1);
    check_logits(line, &options, 3);
    check_weights(line);
}

static void check_line(char *text)
{
    static struct line line;

    parse(&line, text);
    check(&line);
}

Test(joined, gives_the_references_logits_and_weights)
{
    cr_assert_geq(golden_lines("joined", check_line), 14);
}

/* What a session and a reader of weights say of a delta alone. */
Test(joined, needs_its_parts)
{
    struct smol_error error;
    struct smol_tensor t;
    struct smol_file file;
    double value;
    size_t size;

    golden_open_path(&file, bytes[0], "deltas/alpha.smol");
    cr_assert_not(smol_file_is_whole(&file));
    cr_assert_eq(smol_session_size(&size, &file, NULL, &error), SMOL_E_BASE);
    smol_file_tensor_at(&t, &file, 0);
    cr_assert_eq(smol_tensor_scratch_bytes(&file, &t), 0);
    cr_assert_eq(smol_tensor_read(&value, &file, &t, 0, 1, NULL, &error), SMOL_E_BASE);
}
