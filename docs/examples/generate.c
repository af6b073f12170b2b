/* From a path to a text: continues TEXT by N tokens.
 *     cc -std=c11 generate.c $(pkg-config --cflags --libs smol) -o generate
 * Usage: generate MODEL.smol TEXT N SEED */
#include <smol/model.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct smol_sampler_options sampling;
    struct smol_model *model = NULL;
    struct smol_text *text = NULL;
    struct smol_error error;
    char bytes[SMOL_MAX_TOKEN_BYTES];
    uint32_t token;
    size_t n;
    int code = 1;

    if (argc != 5) {
        fprintf(stderr, "usage: generate MODEL.smol TEXT N SEED\n");
        return 2;
    }
    smol_sampler_defaults(&sampling, sizeof sampling);
    sampling.seed = strtoull(argv[4], NULL, 10);
    if (smol_model_open(&model, argv[1], 1, &error) ||
        smol_text_create(&text, model, NULL, &sampling, &error) ||
        smol_text_append_bytes(text, argv[2], strlen(argv[2]), &error))
        goto done;
    for (long left = strtol(argv[3], NULL, 10); left > 0; left--) {
        if (smol_text_next(&token, text, &error) ||
            smol_model_decode(&n, bytes, sizeof bytes, model, &token, 1, &error))
            goto done;
        fwrite(bytes, 1, n, stdout);
    }
    code = 0;
done:
    if (code)
        fprintf(stderr, "generate: %s: %s\n", argv[1], error.text);
    smol_text_destroy(text); /* texts first, the model last */
    smol_model_close(model);
    return code;
}
