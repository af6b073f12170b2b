/* A program that carries its model, and is all that it needs: continues TEXT by N tokens.
 *     smoltool embed-c MODEL.smol -o model.h
 *     cc -std=c11 embedded.c $(pkg-config --cflags --libs smol) -o embedded
 * Without shared libraries, and without those that models of bytes and alphas have no use for:
 *     cc -std=c11 -static embedded.c $(pkg-config --static --cflags --libs smol_lean) -o embedded
 * Usage: embedded TEXT N SEED */
#include "model.h"

#include <smol/model.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct smol_sampler_options sampling;
    struct smol_model *opened = NULL;
    struct smol_text *text = NULL;
    struct smol_error error;
    char bytes[SMOL_MAX_TOKEN_BYTES];
    uint32_t token;
    size_t n;
    int code = 1;

    if (argc != 4) {
        fprintf(stderr, "usage: embedded TEXT N SEED\n");
        return 2;
    }
    smol_sampler_defaults(&sampling, sizeof sampling);
    sampling.seed = strtoull(argv[3], NULL, 10);
    if (smol_model_open_memory(&opened, model, sizeof model, 1, &error) ||
        smol_text_create(&text, opened, NULL, &sampling, &error) ||
        smol_text_append_bytes(text, argv[1], strlen(argv[1]), &error))
        goto done;
    for (long left = strtol(argv[2], NULL, 10); left > 0; left--) {
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
