/* Texts packed and unpacked as firmware would: a model in memory, a packer in memory that it was
 * given, no allocation. Prints each text packed, in hexadecimal, once it has come back. The same
 * lines on every machine. Usage: packing MODEL TEXTS [check]
 *
 * TEXTS: for each text a u32 of its size, little-endian, and its bytes. The model's tokens are
 * bytes. */
#include <smol/file.h>
#include <smol/pack.h>

#include <stdio.h>
#include <string.h>

#ifndef PACKING_MODEL_BYTES
#define PACKING_MODEL_BYTES ((size_t)4 << 20)
#define PACKING_MEMORY_BYTES ((size_t)16 << 20)
#define PACKING_TEXT_BYTES ((size_t)1 << 20)
#endif

static _Alignas(64) uint8_t model[PACKING_MODEL_BYTES], memory[PACKING_MEMORY_BYTES];
static uint8_t text[PACKING_TEXT_BYTES], back[PACKING_TEXT_BYTES],
    packed[SMOL_PACKED_BOUND(PACKING_TEXT_BYTES)];

static int fail(const char *why)
{
    fprintf(stderr, "packing: %s\n", why);
    return 1;
}

static int pack_text(struct smol_packer *packer, size_t size)
{
    struct smol_error error = {0};
    size_t n, n_back;

    if (smol_packer_pack(&n, packed, packer, text, size, NULL, 0, &error) ||
        smol_packer_unpack(&n_back, back, size, packer, packed, n, &error))
        return fail(error.text);
    if (n_back != size || memcmp(back, text, size) != 0)
        return fail("another text came back");
    for (size_t i = 0; i < n; i++)
        printf("%02x", packed[i]);
    printf("\n");
    return 0;
}

static int pack_texts(struct smol_packer *packer, FILE *texts)
{
    uint8_t head[4];

    while (fread(head, 1, sizeof head, texts) == sizeof head) {
        const size_t size =
            head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
        if (size > sizeof text || fread(text, 1, size, texts) != size)
            return fail("a text is cut short, or too long");
        if (pack_text(packer, size))
            return 1;
    }
    return 0;
}

int main(int argc, char **argv)
{
    const struct smol_pack_options options = {.struct_bytes = sizeof options,
                                              .has_check = argc > 3};
    FILE *f = argc > 2 ? fopen(argv[1], "rb") : NULL;
    struct smol_packer *packer;
    struct smol_error error = {0};
    struct smol_file file;
    size_t size;
    int failed;

    if (!f)
        return fail("MODEL TEXTS [check]");
    size = fread(model, 1, sizeof model, f);
    fclose(f);
    if (smol_file_parse(&file, model, size, &error) || smol_file_check_hash(&file, &error) ||
        smol_packer_size(&size, &file, &options, &error))
        return fail(error.text);
    fprintf(stderr, "packing: %zu bytes of memory\n", size);
    if (size > sizeof memory)
        return fail("a model that needs more memory");
    if (smol_packer_init(&packer, &file, &options, memory, sizeof memory, &error))
        return fail(error.text);
    f = fopen(argv[2], "rb");
    if (!f)
        return fail("no texts");
    failed = pack_texts(packer, f);
    fclose(f);
    return failed;
}
