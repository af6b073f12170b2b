/* The library as firmware has it: a model among the program's bytes, memory that it was given, no
 * allocation, no thread. Here the model comes from standard input. Prints the tokens that follow an
 * empty prompt, greedily; with "upward" after the rounding was set to that. Of a delta the second
 * argument is its base. Usage: minimal N [upward | BASE.smol] < MODEL.smol */
#include <smol/file.h>
#include <smol/sampler.h>
#include <smol/session.h>
#include <smol/tokenizer.h>

#include <fenv.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(64) uint8_t model[4 << 20], base[1 << 16], memory[16 << 20];

static int fail(const struct smol_error *error)
{
    fprintf(stderr, "minimal: %s\n", error->text);
    return 1;
}

static int generate(struct smol_session *session, const struct smol_file *file, uint32_t n)
{
    uint32_t token = smol_start_token(file), fed = token;
    struct smol_error error;

    for (uint32_t i = 0; i < n; i++) {
        const float *logits;
        if (smol_session_feed(session, &fed, 1, &error))
            return fail(&error);
        logits = smol_session_logits(session);
        token = 0;
        for (uint32_t v = 1; v < file->config.vocab; v++)
            token = logits[v] > logits[token] ? v : token;
        printf("%u\n", token);
        fed = token | SMOL_WRITTEN;
    }
    return 0;
}

/* The delta, joined with its base: two files in memory. */
static enum smol_status join(struct smol_file *delta, const char *path, struct smol_error *error)
{
    static struct smol_file file;
    const struct smol_file_part part = {&file, NAN}; /* the factor that the delta states */
    FILE *f = fopen(path, "rb");
    const size_t size = f ? fread(base, 1, sizeof base, f) : 0;
    enum smol_status status = smol_file_parse(&file, base, size, error);

    if (f)
        fclose(f);
    return status ? status : smol_file_join(delta, delta, &part, 1, NAN, error);
}

int main(int argc, char **argv)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .n_threads = 1};
    const size_t size = fread(model, 1, sizeof model, stdin);
    struct smol_session *session;
    struct smol_file file;
    struct smol_error error;

    if (argc < 2)
        return 2;
    if (argc > 2 && strcmp(argv[2], "upward") == 0)
        fesetround(FE_UPWARD);
    if (smol_file_parse(&file, model, size, &error) || smol_file_check_hash(&file, &error) ||
        (smol_config_is_delta(&file.config) && argc > 2 && join(&file, argv[2], &error)) ||
        smol_session_init(&session, &file, &options, memory, sizeof memory, &error))
        return fail(&error);
    return generate(session, &file, (uint32_t)atoi(argv[1]));
}
