/* A model behind one handle, which is all that most programs need: continues a text by N tokens.
 *     cc -std=c11 generate.c $(pkg-config --cflags --libs smol) -o generate
 * Usage: generate MODEL.smol TEXT N SEED */
#include <smol/model.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    uint8_t room[SMOL_MAX_TOKEN_BYTES];
    struct smol_sampler_options sampling;
    struct smol_encoder *encoder = NULL;
    struct smol_model *model = NULL;
    struct smol_text *text = NULL;
    uint32_t *tokens = NULL, token;
    size_t n;
    int code = 1;

    if (argc != 5 || strlen(argv[2]) == 0) {
        fprintf(stderr, "usage: generate MODEL.smol TEXT N SEED\n");
        return 2;
    }
    smol_sampler_defaults(&sampling);
    sampling.seed = strtoull(argv[4], NULL, 10);
    if (!(tokens = malloc(strlen(argv[2]) * sizeof *tokens)) || /* never more tokens than bytes */
        smol_model_open(&model, argv[1], 1, &error) ||
        smol_encoder_create(&encoder, smol_model_file(model), &error) ||
        smol_encode(&n, tokens, encoder, (const uint8_t *)argv[2], strlen(argv[2]), &error) ||
        smol_model_text(&text, model, NULL, &sampling, &error) ||
        smol_text_append(text, tokens, n, &error))
        goto done;
    for (long left = strtol(argv[3], NULL, 10); left > 0; left--) {
        struct smol_span span;
        if (smol_text_next(&token, text, &error))
            goto done;
        span = smol_token_bytes(room, smol_model_file(model), token);
        fwrite(span.data, 1, span.size_bytes, stdout);
    }
    code = 0;
done:
    if (code)
        fprintf(stderr, "generate: %s: %s\n", argv[1], error.text);
    smol_text_destroy(text); /* texts first, the model last */
    smol_encoder_destroy(encoder);
    smol_model_close(model);
    free(tokens);
    return code;
}
