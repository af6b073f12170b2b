/* Packed texts of the good files of tests/golden, against another program's: the same bytes packed,
 * the same texts and the same refusals unpacked, on every instruction set. */
#include "golden.h"
#include "kernel/kernel.h"

#include <criterion/criterion.h>
#include <smol/pack.h>
#include <smol/tokenizer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_BYTES 256u
#define MAX_WORD (2 * MAX_BYTES + 1)

static const enum smol_isa sets[] = {SMOL_ISA_SCALAR, SMOL_ISA_AVX2, SMOL_ISA_AVX512,
                                     SMOL_ISA_NEON};

/* A line of vectors/packed.txt. */
struct line {
    char name[64];
    bool is_unpack, has_check, is_damaged;
    uint8_t from[MAX_BYTES], to[MAX_BYTES];
    size_t from_bytes, to_bytes;
};

static size_t parse_hex(uint8_t dest[MAX_BYTES], const char *word)
{
    size_t n = 0;

    for (; word[0] != '-' && word[2 * n]; n++) {
        const char digits[3] = {word[2 * n], word[2 * n + 1], 0};
        char *end;
        dest[n] = (uint8_t)strtoul(digits, &end, 16);
        cr_assert_eq(*end, 0, "%s", word);
    }
    return n;
}

static void parse(struct line *line, const char *text)
{
    char what[8], from[MAX_WORD], to[MAX_WORD];
    unsigned check;

    *line = (struct line){0};
    cr_assert_eq(sscanf(text, "%63s %7s %u %512s %512s", line->name, what, &check, from, to), 5,
                 "%s", text);
    line->is_unpack = strcmp(what, "unpack") == 0;
    line->has_check = check != 0;
    line->from_bytes = parse_hex(line->from, from);
    line->is_damaged = strcmp(to, "damaged") == 0;
    line->to_bytes = line->is_damaged ? 0 : parse_hex(line->to, to);
}

/* For BPE the tokens of SPEC.md 9, of a text in two halves where an end of text stands. */
static size_t encode(uint32_t tokens[MAX_BYTES], const struct smol_file *file,
                     const struct line *line)
{
    static const char special[] = "<|endoftext|>";
    size_t cut = 0, n = 0, more = 0;
    struct smol_encoder *encoder;

    for (size_t i = 0; i + sizeof special - 1 <= line->from_bytes; i++)
        cut = memcmp(line->from + i, special, sizeof special - 1) == 0 ? i + 7 : cut;
    cr_assert_eq(smol_encoder_create(&encoder, file, NULL), SMOL_OK);
    cr_assert_eq(smol_encode(&n, tokens, encoder, line->from, cut, NULL), SMOL_OK);
    cr_assert_eq(
        smol_encode(&more, tokens + n, encoder, line->from + cut, line->from_bytes - cut, NULL),
        SMOL_OK);
    smol_encoder_destroy(encoder);
    return n + more;
}

static void check_packer(struct smol_packer *packer, const struct smol_file *file,
                         const struct line *line, const char *text)
{
    uint8_t out[MAX_BYTES + 2] = {0};
    uint32_t tokens[MAX_BYTES];
    enum smol_status status;
    size_t n = 0;

    if (line->is_unpack)
        status = smol_packer_unpack(&n, out, MAX_BYTES, packer, line->from, line->from_bytes, NULL);
    else {
        const bool is_bpe = file->config.tokenizer == SMOL_TOKENIZER_BPE;
        const size_t n_tokens = is_bpe ? encode(tokens, file, line) : 0;
        status = smol_packer_pack(&n, out, packer, line->from, line->from_bytes,
                                  is_bpe ? tokens : NULL, n_tokens, NULL);
    }
    cr_assert_eq(status, line->is_damaged ? SMOL_E_PACKED : SMOL_OK, "%s", text);
    cr_assert_eq(n, line->to_bytes, "%s", text);
    cr_assert_arr_eq(out, line->to, line->to_bytes, "%s", text);
}

static void check(const struct line *line, const char *text)
{
    static uint8_t bytes[GOLDEN_MAX_BYTES];
    struct smol_file file;

    golden_open(&file, bytes, line->name);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        const struct smol_pack_options options = {
            .struct_bytes = sizeof options, .has_check = line->has_check, .isa = sets[i]};
        struct smol_packer *packer;
        size_t size;
        void *memory;
        if (!smol_kernels_select(sets[i]))
            continue;
        cr_assert_eq(smol_packer_size(&size, &file, &options, NULL), SMOL_OK);
        memory = aligned_alloc(64, (size + 63) / 64 * 64);
        cr_assert_eq(smol_packer_init(&packer, &file, &options, memory, size, NULL), SMOL_OK);
        check_packer(packer, &file, line, text);
        smol_packer_finish(packer);
        free(memory);
    }
}

static void check_line(char *text)
{
    struct line line;

    parse(&line, text);
    check(&line, text);
}

Test(golden_packed, are_those_of_the_reference)
{
    cr_assert_geq(golden_lines("packed", check_line), 250);
}
