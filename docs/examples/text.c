/* A text of bytes that goes on for longer than its context, over a session and a sampler in one
 * block of memory. cc -std=c11 text.c $(pkg-config --cflags --libs smol) -o text Usage: text
 * MODEL.smol TEXT N */
#include <smol/io.h>
#include <smol/text.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CONTEXT 32

/* Appends the bytes, then N more, of which it prints each. */
static enum smol_status go_on(struct smol_text *text, const struct smol_file *file,
                              const char *bytes, long n, struct smol_error *error)
{
    uint8_t room[SMOL_MAX_TOKEN_BYTES];
    uint32_t tokens[CONTEXT], token;
    size_t n_tokens;

    if (smol_encode_bytes(&n_tokens, tokens, file, (const uint8_t *)bytes, strlen(bytes), error) ||
        smol_text_append(text, tokens, n_tokens, error))
        return error->code;
    for (; n > 0; n--) {
        struct smol_span span;
        if (smol_text_is_full(text))
            fprintf(stderr, "text: the context is full after %zu tokens\n", smol_text_count(text));
        if (smol_text_next(&token, text, error))
            return error->code;
        span = smol_token_bytes(room, file, token);
        fwrite(span.data, 1, span.size_bytes, stdout);
    }
    return SMOL_OK;
}

int main(int argc, char **argv)
{
    const struct smol_session_options options = {.context = CONTEXT};
    struct smol_sampler_options sampling;
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    struct smol_mapping mapping = {.fd = -1};
    struct smol_session *session = NULL;
    struct smol_sampler *sampler;
    struct smol_text *text = NULL;
    struct smol_file file;
    size_t session_bytes, sampler_bytes;
    uint8_t *memory = NULL;
    int code = 1;

    if (argc != 4 || strlen(argv[2]) == 0 || strlen(argv[2]) > CONTEXT) {
        fprintf(stderr, "usage: text MODEL.smol TEXT N (a text of at most %d bytes)\n", CONTEXT);
        return 2;
    }
    smol_sampler_defaults(&sampling);
    if (smol_file_open(&mapping, &file, argv[1], 1, &error) ||
        smol_session_size(&session_bytes, &file, &options, &error) ||
        smol_sampler_size(&sampler_bytes, file.config.vocab, &sampling, &error))
        goto done;
    session_bytes = (session_bytes + 63) / 64 * 64;
    sampler_bytes = (sampler_bytes + 63) / 64 * 64;
    if (!(memory = aligned_alloc(64, session_bytes + sampler_bytes)) ||
        smol_session_init(&session, &file, &options, memory, session_bytes, &error) ||
        smol_sampler_init(&sampler, file.config.vocab, &sampling, memory + session_bytes,
                          sampler_bytes, &error) ||
        smol_text_create(&text, session, sampler, &error) ||
        go_on(text, &file, argv[2], strtol(argv[3], NULL, 10), &error))
        goto done;
    code = 0;
done:
    if (code)
        fprintf(stderr, "text: %s: %s\n", argv[1], error.text);
    smol_text_destroy(text);
    smol_session_finish(session);
    free(memory);
    smol_mapping_close(&mapping);
    return code;
}
