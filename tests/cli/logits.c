/* Prints what a network computes, for drivers: logits MODEL.smol TOKEN... writes the (V) logits
 * after the last token, without a history, as floats in the machine's order. The parts of a delta
 * are found beside it. */
#include <smol/model.h>
#include <smol/session.h>

#include <stdio.h>
#include <stdlib.h>

#define MAX_TOKENS 4096

static int fail(const struct smol_error *error)
{
    fprintf(stderr, "logits: %s\n", error->text);
    return 1;
}

static int feed_and_print(const struct smol_file *file, const uint32_t *tokens, size_t n)
{
    const bool slides = smol_config_has(&file->config, SMOL_FEATURE_DISTANCES);
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .context = slides ? 0 : (uint32_t)n, .history = 1};
    struct smol_session *session;
    struct smol_error error;
    size_t size_bytes;
    void *memory;
    int code = 0;

    if (smol_session_size(&size_bytes, file, &options, &error))
        return fail(&error);
    memory = aligned_alloc(64, (size_bytes + 63) / 64 * 64);
    if (!memory || smol_session_init(&session, file, &options, memory, size_bytes, &error)) {
        free(memory);
        return fail(&error);
    }
    if (smol_session_feed(session, tokens, n, &error))
        code = fail(&error);
    else if (fwrite(smol_session_logits(session), sizeof(float), file->config.vocab, stdout) !=
             file->config.vocab)
        code = 1;
    smol_session_finish(session);
    free(memory);
    return code;
}

int main(int argc, char **argv)
{
    static uint32_t tokens[MAX_TOKENS];
    struct smol_error error;
    struct smol_model *model;
    size_t n = 0;
    int code;

    if (argc < 3 || argc - 2 > MAX_TOKENS)
        return 2;
    for (int i = 2; i < argc; i++)
        tokens[n++] = (uint32_t)strtoul(argv[i], NULL, 10);
    if (smol_model_open(&model, argv[1], 1, &error))
        return fail(&error);
    code = feed_and_print(smol_model_file(model), tokens, n);
    smol_model_close(model);
    return code;
}
