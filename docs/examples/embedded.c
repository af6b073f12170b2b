/* A program that carries its model: continues the text given, greedily. The header is made by
 *     smoltool embed-c MODEL.smol -o model.h
 * Usage: embedded TEXT N */
#include "model.h"

#include <smol/model.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct smol_sampler_options greedy;
    struct smol_model *opened = NULL;
    struct smol_text *text = NULL;
    struct smol_error error;
    char bytes[SMOL_MAX_TOKEN_BYTES];
    uint32_t token;
    size_t n;
    int code = 1;

    if (argc != 3)
        return 2;
    smol_sampler_defaults(&greedy, sizeof greedy);
    greedy.temperature = 0;
    if (smol_model_open_memory(&opened, model, sizeof model, 1, &error) ||
        smol_text_create(&text, opened, NULL, &greedy, &error) ||
        smol_text_append_bytes(text, argv[1], strlen(argv[1]), &error))
        goto done;
    for (int left = atoi(argv[2]); left > 0; left--) {
        if (smol_text_next(&token, text, &error) ||
            smol_model_decode(&n, bytes, sizeof bytes, opened, &token, 1, &error))
            goto done;
        fwrite(bytes, 1, n, stdout);
    }
    code = 0;
done:
    if (code)
        fprintf(stderr, "embedded: %s\n", error.text);
    smol_text_destroy(text);
    smol_model_close(opened);
    return code;
}
