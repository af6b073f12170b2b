/* How a failure is told: opens every file given as a model, and prints the status, the place and
 * the rule that was broken.
 *     cc -std=c11 status.c $(pkg-config --cflags --libs smol) -o status
 * Usage: status FILE... */
#include <smol/io.h>
#include <smol/status.h>

#include <stdio.h>

/* Whether it is a sound model. What a call leaves in *error is one line, ready to be shown. */
static int check(const char *path)
{
    struct smol_mapping mapping;
    struct smol_file file;
    struct smol_error error;
    const enum smol_status status = smol_file_open(&mapping, &file, path, 1, &error);

    printf("%s: %s", path, smol_status_name(status));
    if (status == SMOL_OK) {
        printf("\n");
        smol_mapping_close(&mapping);
        return 1;
    }
    if (error.offset != SMOL_NO_OFFSET)
        printf(" at byte %llu", (unsigned long long)error.offset);
    printf(": %s\n", error.text);
    return 0;
}

int main(int argc, char **argv)
{
    int code = 0;

    if (argc < 2) {
        fprintf(stderr, "usage: status FILE...\n");
        return 2;
    }
    for (int i = 1; i < argc; i++)
        if (!check(argv[i]))
            code = 1;
    return code;
}
