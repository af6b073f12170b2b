/* A packer in memory of the caller's, which allocates nothing: a text for a radio that carries 230
 * bytes, whose damage a check byte shows. Firmware does the same with the minimal build.
 *     cc -std=c11 packer.c $(pkg-config --cflags --libs smol) -o packer
 * Usage: packer MODEL.smol TEXT */
#include <smol/io.h>
#include <smol/pack.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES 230

int main(int argc, char **argv)
{
    const struct smol_pack_options options = {
        .struct_bytes = sizeof options, .has_check = true, .batch = 1, .max_bytes = MAX_BYTES};
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    struct smol_mapping mapping = {.fd = -1};
    struct smol_packer *packer = NULL;
    struct smol_file file;
    unsigned char packed[SMOL_PACKED_BOUND(MAX_BYTES)];
    char text[MAX_BYTES];
    void *memory = NULL;
    size_t n_memory, n_packed, n_text;
    int code = 1;

    if (argc != 3 || strlen(argv[2]) > MAX_BYTES) {
        fprintf(stderr, "usage: packer MODEL.smol TEXT\n");
        return 2;
    }
    if (smol_file_open(&mapping, &file, argv[1], 1, &error) ||
        smol_packer_size(&n_memory, &file, &options, &error) ||
        !(memory = aligned_alloc(64, (n_memory + 63) / 64 * 64)) ||
        smol_packer_init(&packer, &file, &options, memory, n_memory, &error) ||
        smol_packer_pack(&n_packed, packed, packer, argv[2], strlen(argv[2]), NULL, 0, &error) ||
        smol_packer_unpack(&n_text, text, sizeof text, packer, packed, n_packed, &error))
        goto done;
    printf("%zu bytes for %zu, in %zu bytes of memory: %.*s\n", n_packed, n_text, n_memory,
           (int)n_text, text);
    code = 0;
done:
    if (code)
        fprintf(stderr, "packer: %s: %s\n", argv[1], error.text);
    smol_packer_finish(packer); /* before the memory that it lives in */
    free(memory);
    smol_mapping_close(&mapping);
    return code;
}
