/* Text to tokens and back: encodes a text by the tokenizer of a model, and prints each token with
 * its bytes.
 *     cc -std=c11 tokens.c $(pkg-config --cflags --libs smol) -o tokens
 * Usage: tokens MODEL.smol TEXT */
#include <smol/io.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Bytes, not characters: a character may come in several tokens. */
static void print_token(const struct smol_file *file, uint32_t token)
{
    uint8_t room[SMOL_MAX_TOKEN_BYTES];
    const struct smol_span span = smol_token_bytes(room, file, token);

    printf("%u%s", (unsigned)token, smol_token_is_special(file, token) ? " special" : "");
    for (size_t i = 0; i < span.size_bytes; i++)
        printf(" %02x", span.data[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    struct smol_mapping mapping = {.fd = -1};
    struct smol_encoder *encoder = NULL;
    struct smol_file file;
    uint32_t *tokens = NULL;
    size_t n;
    int code = 1;

    if (argc != 3) {
        fprintf(stderr, "usage: tokens MODEL.smol TEXT\n");
        return 2;
    }
    if (smol_file_open(&mapping, &file, argv[1], 1, &error) ||
        smol_encoder_create(&encoder, &file, &error) ||
        !(tokens = malloc((strlen(argv[2]) + 1) * sizeof *tokens)) ||
        smol_encode(&n, tokens, encoder, (const uint8_t *)argv[2], strlen(argv[2]), &error))
        goto done;
    for (size_t i = 0; i < n; i++)
        print_token(&file, tokens[i]);
    code = 0;
done:
    if (code)
        fprintf(stderr, "tokens: %s: %s\n", argv[1], error.text);
    free(tokens);
    smol_encoder_destroy(encoder);
    smol_mapping_close(&mapping);
    return code;
}
