/* What a model file is made of: parses bytes that are in memory already, verifies them, and prints
 * how many serve what.
 *     cc -std=c11 sections.c $(pkg-config --cflags --libs smol) -o sections
 * Usage: sections MODEL.smol */
#include <smol/file.h>

#include <stdio.h>

/* Here the C library reads the file: bytes may come from anywhere. */
static uint8_t bytes[1 << 26];

static size_t read_all(const char *path)
{
    FILE *f = fopen(path, "rb");
    const size_t n = f ? fread(bytes, 1, sizeof bytes, f) : 0;

    if (f)
        fclose(f);
    return n;
}

/* Each check presumes the one before it. */
static enum smol_status verify(struct smol_file *file, size_t n, struct smol_error *error)
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
    struct smol_size_report sizes;
    struct smol_error error;
    struct smol_file file;

    if (argc != 2) {
        fprintf(stderr, "usage: sections MODEL.smol\n");
        return 2;
    }
    if (verify(&file, read_all(argv[1]), &error)) {
        fprintf(stderr, "sections: %s: %s\n", argv[1], error.text);
        return 1;
    }
    smol_file_sizes(&sizes, &file);
    printf("embeddings %llu\nconfiguration %llu\nlearned %llu\ntokenizer %llu\ncard %llu\n",
           (unsigned long long)sizes.embeddings, (unsigned long long)sizes.config,
           (unsigned long long)sizes.params, (unsigned long long)sizes.tokenizer,
           (unsigned long long)sizes.card);
    printf("signature %llu\nfile %llu\n", (unsigned long long)sizes.signature,
           (unsigned long long)sizes.file);
    return 0;
}
