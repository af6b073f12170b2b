/* The models of the fuzz target unpack, good files of tests/golden, with a packer each. */
#ifndef PACKERS_H
#define PACKERS_H

#include <smol/pack.h>
#include <smol/tokenizer.h>

#define N_PACKERS 8u
#define MAX_UNPACKED 40u

extern const char *const packer_names[N_PACKERS];

struct fuzz_packer {
    struct smol_file file;
    struct smol_packer *packers[2]; /* without and with a check byte */
    struct smol_encoder *encoder;   /* of BPE; else NULL */
};
/* The i-th; opened once. */
const struct fuzz_packer *fuzz_packer(unsigned i);

/* Packs a text of at most MAX_UNPACKED bytes; returns how many bytes it is then. */
size_t fuzz_pack(uint8_t *packed, const struct fuzz_packer *p, bool has_check, const uint8_t *text,
                 size_t size);

#endif
