/* A text that goes on for longer than its context: continues TEXT by N tokens, and tells whenever
 * the first half of the context is dropped.
 *     cc -std=c11 text.c $(pkg-config --cflags --libs smol) -o text
 * Usage: text MODEL.smol TEXT N */
#include <smol/model.h>
#include <smol/text.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .context = 32};
    struct smol_model *model = NULL;
    struct smol_text *text = NULL;
    struct smol_error error;
    char bytes[SMOL_MAX_TOKEN_BYTES];
    uint32_t token;
    size_t n;
    int code = 1;

    if (argc != 4) {
        fprintf(stderr, "usage: text MODEL.smol TEXT N\n");
        return 2;
    }
    if (smol_model_open(&model, argv[1], 1, &error) ||
        smol_text_create(&text, model, &options, NULL, &error) ||
        smol_text_append_bytes(text, argv[2], strlen(argv[2]), &error))
        goto done;
    for (long left = strtol(argv[3], NULL, 10); left > 0; left--) {
        if (smol_text_is_full(text))
            fprintf(stderr, "text: the context is full after %zu tokens\n", smol_text_count(text));
        if (smol_text_next(&token, text, &error) ||
            smol_model_decode(&n, bytes, sizeof bytes, model, &token, 1, &error))
            goto done;
        fwrite(bytes, 1, n, stdout);
    }
    code = 0;
done:
    if (code)
        fprintf(stderr, "text: %s: %s\n", argv[1], error.text);
    smol_text_destroy(text);
    smol_model_close(model);
    return code;
}
