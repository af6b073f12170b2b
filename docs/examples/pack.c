/* A text packed in few bytes, and unpacked again from them: what radios and labels carry.
 *     cc -std=c11 pack.c $(pkg-config --cflags --libs smol) -o pack
 * Usage: pack MODEL.smol TEXT */
#include <smol/model.h>
#include <smol/pack.h>

#include <stdio.h>
#include <string.h>

#define MAX_BYTES 1024

int main(int argc, char **argv)
{
    struct smol_model *model = NULL;
    struct smol_error error;
    unsigned char packed[SMOL_PACKED_BOUND(MAX_BYTES)];
    char text[MAX_BYTES];
    size_t n_packed, n_text;
    int code = 1;

    if (argc != 3 || strlen(argv[2]) > MAX_BYTES) {
        fprintf(stderr, "usage: pack MODEL.smol TEXT\n");
        return 2;
    }
    if (smol_model_open(&model, argv[1], 1, &error) ||
        smol_pack(&n_packed, packed, model, NULL, argv[2], strlen(argv[2]), &error) ||
        smol_unpack(&n_text, text, sizeof text, model, NULL, packed, n_packed, &error)) {
        fprintf(stderr, "pack: %s: %s\n", argv[1], error.text);
    } else {
        for (size_t i = 0; i < n_packed; i++)
            printf("%02x", packed[i]);
        printf("\n%zu bytes for %zu: %.*s\n", n_packed, n_text, (int)n_text, text);
        code = 0;
    }
    smol_model_close(model);
    return code;
}
