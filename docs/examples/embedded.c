/* A program that carries its model: continues the text given, greedily. The header is made by
 *     smoltool embed-c MODEL.smol -o model.h
 * Usage: embedded TEXT N */
#include "model.h"

#include <smol/model.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    const struct smol_sampler_options greedy = {.top_p = 1, .repeat_penalty = 1};
    uint8_t bytes[SMOL_MAX_TOKEN_BYTES];
    struct smol_encoder *encoder = NULL;
    struct smol_model *opened = NULL;
    struct smol_text *text = NULL;
    struct smol_error error;
    uint32_t tokens[4096], token;
    size_t n;
    int code = 1;

    if (argc != 3 || strlen(argv[1]) == 0 || strlen(argv[1]) > 4096)
        return 2;
    if (smol_model_open_memory(&opened, model, sizeof model, 1, &error) ||
        smol_encoder_create(&encoder, smol_model_file(opened), &error) ||
        smol_encode(&n, tokens, encoder, (const uint8_t *)argv[1], strlen(argv[1]), &error) ||
        smol_model_text(&text, opened, NULL, &greedy, &error) ||
        smol_text_append(text, tokens, n, &error))
        goto done;
    for (int left = atoi(argv[2]); left > 0; left--) {
        struct smol_span more;
        if (smol_text_next(&token, text, &error))
            goto done;
        more = smol_token_bytes(bytes, smol_model_file(opened), token);
        fwrite(more.data, 1, more.size_bytes, stdout);
    }
    code = 0;
done:
    if (code)
        fprintf(stderr, "embedded: %s\n", error.text);
    smol_text_destroy(text);
    smol_encoder_destroy(encoder);
    smol_model_close(opened);
    return code;
}
