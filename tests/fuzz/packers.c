/* See packers.h. What is opened stays until the program ends. */
#include "packers.h"
#include "fuzz.h"
#include "golden_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of every kind of tokenizer, with and without `other`, the end of text and an escape. */
const char *const packer_names[N_PACKERS] = {
    "bpe",       "byte-set", "byte-set-end", "byte-set-of-one", "byte-set-other-end",
    "embed-f32", "q4-row",   "smol"};

static void open_file(struct smol_file *file, const char *name)
{
    char path[256];

    snprintf(path, sizeof path, "good/%s.smol", name);
    fuzz_golden_open(file, path);
}

static void open_packer(struct fuzz_packer *p, bool has_check)
{
    const struct smol_pack_options options = {.struct_bytes = sizeof options,
                                              .has_check = has_check};
    size_t size;
    void *memory;

    fuzz_require(smol_packer_size(&size, &p->file, &options, NULL) == SMOL_OK);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    fuzz_require(memory && smol_packer_init(&p->packers[has_check], &p->file, &options, memory,
                                            size, NULL) == SMOL_OK);
}

const struct fuzz_packer *fuzz_packer(unsigned i)
{
    static struct fuzz_packer opened[N_PACKERS];
    struct fuzz_packer *p = &opened[i];

    if (!p->packers[0]) {
        open_file(&p->file, packer_names[i]);
        open_packer(p, false);
        open_packer(p, true);
        if (p->file.config.tokenizer == SMOL_TOKENIZER_BPE)
            fuzz_require(smol_encoder_create(&p->encoder, &p->file, NULL) == SMOL_OK);
    }
    return p;
}

/* Tokens of a text, in which no end of text may be: it is cut in each. */
static size_t encode(uint32_t tokens[MAX_UNPACKED], struct smol_encoder *encoder,
                     const uint8_t *text, size_t size)
{
    static const char end[] = "<|endoftext|>";
    size_t from = 0, n = 0, more;

    for (size_t i = 0; i <= size; i++)
        if (i == size ||
            (i >= 7 && size - i >= 6 && memcmp(text + i - 7, end, sizeof end - 1) == 0)) {
            fuzz_require(smol_encode(&more, tokens + n, encoder, text + from, i - from, NULL) ==
                         SMOL_OK);
            n += more;
            from = i;
        }
    return n;
}

size_t fuzz_pack(uint8_t *packed, const struct fuzz_packer *p, bool has_check, const uint8_t *text,
                 size_t size)
{
    uint32_t tokens[MAX_UNPACKED];
    const size_t n_tokens = p->encoder ? encode(tokens, p->encoder, text, size) : 0;
    size_t n;

    fuzz_require(smol_packer_pack(&n, packed, p->packers[has_check], text, size,
                                  p->encoder ? tokens : NULL, n_tokens, NULL) == SMOL_OK);
    fuzz_require(n <= (size ? size + 1 + has_check : 0));
    return n;
}
