/* A model opened from a path and written anew, whole or not at all, with another card. A signature
 * does not outlive that.
 *     cc -std=c11 card.c $(pkg-config --cflags --libs smol) -o card
 * Usage: card MODEL.smol JSON OUT.smol */
#include <smol/io.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The new file's bytes, for free(). */
static enum smol_status with_card(uint8_t **bytes, uint64_t *n, const struct smol_file *file,
                                  const char *card, struct smol_error *error)
{
    struct smol_parts parts;

    smol_parts_of(&parts, file);
    parts.card = (struct smol_span){(const uint8_t *)card, strlen(card)};
    if (smol_file_size(n, &parts, error))
        return error->code;
    *bytes = malloc((size_t)*n);
    if (!*bytes)
        return SMOL_E_MEMORY;
    return smol_file_write(*bytes, *n, &parts, error);
}

int main(int argc, char **argv)
{
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    struct smol_mapping mapping = {.fd = -1}; /* so that there is nothing to unmap yet */
    struct smol_file file;
    uint8_t *bytes = NULL;
    uint64_t n;
    int code = 1;

    if (argc != 4) {
        fprintf(stderr, "usage: card MODEL.smol JSON OUT.smol\n");
        return 2;
    }
    /* What the file was when it was checked counts: it may have changed while it was copied. */
    if (smol_file_open(&mapping, &file, argv[1], 1, &error) ||
        with_card(&bytes, &n, &file, argv[2], &error) || smol_mapping_check(&mapping, &error))
        fprintf(stderr, "card: %s: %s\n", argv[1], error.text);
    else if (smol_write_file(argv[3], bytes, (size_t)n, 0666, &error))
        fprintf(stderr, "card: %s: %s\n", argv[3], error.text);
    else
        code = 0;
    free(bytes);
    smol_mapping_close(&mapping);
    return code;
}
