/* What the good files of tests/golden make of tokens, against another program's logits: every one
 * after every token, on every instruction set. */
#include "golden.h"
#include "kernel/kernel.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <smol/session.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define MAX_TOKENS 20u

static const enum smol_isa sets[] = {SMOL_ISA_SCALAR, SMOL_ISA_AVX2, SMOL_ISA_AVX512,
                                     SMOL_ISA_NEON};

/* A line of vectors/logits.txt. */
struct line {
    char name[64];
    uint32_t tokens[MAX_TOKENS];
    size_t n;
    bool is_unusable;
    uint64_t xxh3;
    char last[160];
};

static void parse(struct line *line, char *text)
{
    char *at = strstr(text, " tokens=");

    cr_assert_not_null(at, "%s", text);
    *line = (struct line){0};
    snprintf(line->name, sizeof line->name, "%.*s", (int)(at - text) - (int)strlen(".smol"), text);
    at += strlen(" tokens=") - 1;
    do {
        cr_assert_lt(line->n, MAX_TOKENS);
        line->tokens[line->n++] = (uint32_t)strtoul(at + 1, &at, 10);
    } while (*at == ',');
    line->is_unusable = strncmp(at, " unusable", 9) == 0;
    if (!line->is_unusable)
        cr_assert_eq(sscanf(at, " xxh3=%16" SCNx64 " last=%159s", &line->xxh3, line->last), 2, "%s",
                     text);
}

/* The logits after each token as they are in memory, little-endian. */
static void check_session(struct smol_session *session, const struct smol_file *file,
                          const struct line *line)
{
    const size_t V = file->config.vocab;
    float *logits = malloc(line->n * V * sizeof *logits);
    char *at = (char *)line->last;
    enum smol_status status = SMOL_OK;

    for (size_t i = 0; i < line->n && !status; i++) {
        status = smol_session_feed(session, &line->tokens[i], 1, NULL);
        if (!status)
            memcpy(logits + i * V, smol_session_logits(session), V * sizeof *logits);
    }
    cr_assert_eq(status, line->is_unusable ? SMOL_E_NUMERIC : SMOL_OK, "%s", line->name);
    for (size_t i = 0; i < 4 && i < V && !line->is_unusable; i++, at++)
        cr_expect_eq((double)logits[(line->n - 1) * V + i], strtod(at, &at), "%s: logit %zu",
                     line->name, i);
    if (!line->is_unusable)
        cr_expect_eq(XXH3_64bits(logits, line->n * V * sizeof *logits), line->xxh3, "%s",
                     line->name);
    free(logits);
}

static void check(const struct line *line)
{
    static uint8_t bytes[GOLDEN_MAX_BYTES];
    struct smol_file file;

    golden_open(&file, bytes, line->name);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        const struct smol_session_options options = {.struct_bytes = sizeof options,
                                                     .isa = sets[i]};
        struct smol_session *session;
        size_t size;
        void *memory;
        if (!smol_kernels_select(sets[i]))
            continue;
        cr_assert_eq(smol_session_size(&size, &file, &options, NULL), SMOL_OK);
        memory = aligned_alloc(64, (size + 63) / 64 * 64);
        cr_assert_eq(smol_session_init(&session, &file, &options, memory, size, NULL), SMOL_OK);
        check_session(session, &file, line);
        smol_session_finish(session);
        free(memory);
    }
}

static void check_line(char *text)
{
    struct line line;

    parse(&line, text);
    check(&line);
}

Test(golden_logits, are_those_of_the_reference)
{
    cr_assert_geq(golden_lines("logits", check_line), 30);
}
