/* Tokens a second of one model, from the least time that each token took in many rounds: so a
 * machine that others share shows what it can do, and two builds can be compared, such as this
 * program natively and in WebAssembly. Run by hand: bench_least MODEL.smol [TOKENS [SECONDS
 * [prompt]]]; with "prompt" the tokens are fed at once. Over the minimal library too. */
#define _POSIX_C_SOURCE 200809L
#include <smol/file.h>
#include <smol/session.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MOST_TOKENS 4096u

static _Alignas(64) uint8_t model[4u << 20], memory[64u << 20];
static double least[MOST_TOKENS];
static uint32_t tokens[MOST_TOKENS];

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int fail(const char *why)
{
    fprintf(stderr, "bench_least: %s\n", why);
    return 1;
}

/* One round: the first one's seconds go to *first. */
static enum smol_status round_of(double *first, struct smol_session *session, uint32_t n,
                                 uint32_t at_once, struct smol_error *error)
{
    const double begin = now();

    smol_session_rewind(session, 0);
    for (uint32_t i = 0; i < n; i += at_once) {
        const double before = now();
        const enum smol_status status =
            smol_session_feed(session, tokens + i, n - i < at_once ? n - i : at_once, error);
        const double seconds = now() - before;
        if (status)
            return status;
        if (least[i] == 0 || seconds < least[i])
            least[i] = seconds;
    }
    *first = *first > 0 ? *first : now() - begin;
    return SMOL_OK;
}

static int measure(const char *name, struct smol_session *session, uint32_t n, double seconds,
                   uint32_t at_once)
{
    const double begin = now();
    double first = 0, sum = 0;
    struct smol_error error;

    do
        if (round_of(&first, session, n, at_once, &error))
            return fail(error.text);
    while (now() - begin < seconds);
    for (uint32_t i = 0; i < n; i++)
        sum += least[i];
    printf("%s: %u tokens%s, %.0f tokens/s; in the first round %.0f\n", name, n,
           at_once > 1 ? " at once" : "", n / sum, n / first);
    return 0;
}

int main(int argc, char **argv)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .n_threads = 1};
    const long n = argc > 2 ? atol(argv[2]) : 128;
    FILE *f = argc > 1 ? fopen(argv[1], "rb") : NULL;
    const size_t size = f ? fread(model, 1, sizeof model, f) : 0;
    struct smol_session *session;
    struct smol_error error;
    struct smol_file file;

    if (f)
        fclose(f);
    if (!size || n < 1 || n > (long)MOST_TOKENS)
        return fail("MODEL.smol [TOKENS, to 4096 [SECONDS [prompt]]]");
    if (smol_file_parse(&file, model, size, &error) || smol_file_check_hash(&file, &error) ||
        smol_session_init(&session, &file, &options, memory, sizeof memory, &error))
        return fail(error.text);
    for (uint32_t i = 0; i < (uint32_t)n; i++)
        tokens[i] = (uint32_t)((i * UINT64_C(2654435761) >> 7) % file.config.vocab);
    return measure(argv[1], session, (uint32_t)n, argc > 3 ? atof(argv[3]) : 3,
                   argc > 4 ? (uint32_t)n : 1);
}
