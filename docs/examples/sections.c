/* What a model file is made of: parses bytes that are in memory already, proves them, and prints
 * how many serve what.
 *     cc -std=c11 sections.c $(pkg-config --cflags --libs smol) -o sections
 * Usage: sections MODEL.smol */
#include <smol/file.h>

#include <stdio.h>
#include <stdlib.h>

#define PORTION_BYTES ((size_t)1 << 20)

/* Here the C library reads the file: bytes may come from anywhere. NULL if it cannot. */
static uint8_t *read_all(size_t *size_bytes, const char *path)
{
    FILE *f = fopen(path, "rb");
    uint8_t *bytes = NULL, *larger;
    size_t n = 0, more = f ? 1 : 0;

    while (more > 0 && (larger = realloc(bytes, n + PORTION_BYTES))) {
        bytes = larger;
        more = fread(bytes + n, 1, PORTION_BYTES, f);
        n += more;
    }
    if (more > 0 || (f && ferror(f))) {
        free(bytes);
        bytes = NULL;
    }
    if (f)
        fclose(f);
    *size_bytes = n;
    return bytes;
}

/* Each check presumes the one before it. */
static enum smol_status prove(struct smol_file *file, const uint8_t *bytes, size_t n,
                              struct smol_error *error)
{
    enum smol_status status = smol_file_parse(file, bytes, n, error);

    if (status == SMOL_OK)
        status = smol_file_check_tokens(file, error);
    if (status == SMOL_OK)
        status = smol_file_check_hash(file, error);
    return status || !file->is_signed ? status : smol_file_check_signature(file, error);
}

int main(int argc, char **argv)
{
    struct smol_error error = {SMOL_E_IO, SMOL_NO_OFFSET, "cannot be read"};
    struct smol_size_report sizes;
    struct smol_file file;
    uint8_t *bytes;
    size_t n;

    if (argc != 2) {
        fprintf(stderr, "usage: sections MODEL.smol\n");
        return 2;
    }
    bytes = read_all(&n, argv[1]);
    if (!bytes || prove(&file, bytes, n, &error)) {
        fprintf(stderr, "sections: %s: %s\n", argv[1], error.text);
        free(bytes);
        return 1;
    }
    smol_file_sizes(&sizes, &file);
    printf("embeddings %llu\nconfiguration %llu\nlearned %llu\ntokenizer %llu\ncard %llu\n",
           (unsigned long long)sizes.embeddings, (unsigned long long)sizes.config,
           (unsigned long long)sizes.learned, (unsigned long long)sizes.tokenizer,
           (unsigned long long)sizes.card);
    printf("signature %llu\nfile %llu\n", (unsigned long long)sizes.signature,
           (unsigned long long)sizes.file);
    free(bytes); /* last: the view points into them */
    return 0;
}
