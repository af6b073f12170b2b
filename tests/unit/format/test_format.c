/* The container: what is written is read back, every limit has two sides, and damage is never
 * accepted. SPEC.md 2 to 4. */
#include "base/bytes.h"
#include "format/format.h"
#include "make_model.h"

#include <criterion/criterion.h>
#include <smol/key.h>
#include <stdio.h>
#include <stdlib.h>

#include <xxhash.h>

static const struct model_recipe recipes[] = {
    {.card = NULL},
    {.source = SMOL_MATRIX_OWN,
     .alpha_type = SMOL_F16,
     .wte_type = SMOL_Q8,
     .wpe_type = SMOL_Q8,
     .card = "{\"a\": \"\xc3\xa9\"}"},
    {.source = SMOL_MATRIX_SHARED,
     .dist = SMOL_GAUSS,
     .d = 9,
     .width = 15,
     .n_heads = 3,
     .vocab = 257,
     .wte_type = SMOL_F16},
    {.rank = 3,
     .value_type = SMOL_F16,
     .norms = SMOL_NORM_STORED,
     .width = 7,
     .n_heads = 1,
     .n_ff = 5,
     .wpe_type = SMOL_F16},
    {.source = SMOL_MATRIX_OWN,
     .d = 64,
     .norms = SMOL_NORM_OWN,
     .rank = 1,
     .context = 1,
     .vocab = 11,
     .width = 1,
     .n_heads = 1},
};
#define N_RECIPES (sizeof recipes / sizeof recipes[0])

/* Parse, hash and signature as smol_file_open does them. */
static enum smol_status check_all(const uint8_t *bytes, size_t size)
{
    struct smol_error error;
    struct smol_file file;
    enum smol_status status = smol_file_parse(&file, bytes, size, &error);

    if (!status)
        status = smol_file_check_hash(&file, &error);
    if (!status && file.is_signed)
        status = smol_file_check_signature(&file, &error);
    return status;
}

static size_t sign_in_place(uint8_t *bytes, size_t size)
{
    struct smol_secret_key key;
    struct smol_signature signature;
    struct smol_error error;

    cr_assert_eq(smol_key_generate(&key, &error), SMOL_OK);
    smol_sign_hash(&signature, bytes + size - SMOL_HASH_BYTES, &key);
    smol_signature_encode(bytes + size, &signature);
    return size + SMOL_SIGNATURE_BLOCK_BYTES;
}

Test(format, what_is_read_is_written_again)
{
    for (size_t i = 0; i < N_RECIPES; i++) {
        struct smol_parts parts;
        struct smol_file file;
        struct smol_error error;
        uint8_t *again;

        model_open(&file, &recipes[i]);
        smol_parts_of(&parts, &file);
        again = malloc(file.bytes.size_bytes);
        cr_assert_eq(smol_file_write(again, file.bytes.size_bytes, &parts, &error), SMOL_OK);
        cr_assert_arr_eq(again, file.bytes.data, file.bytes.size_bytes);
        cr_assert_eq(check_all(again, file.bytes.size_bytes), SMOL_OK);
        free(again);
        free((void *)(uintptr_t)file.bytes.data);
    }
}

Test(format, sizes_add_up_to_the_file)
{
    for (size_t i = 0; i < N_RECIPES; i++) {
        struct smol_size_report r;
        struct smol_file file;

        model_open(&file, &recipes[i]);
        smol_file_sizes(&r, &file);
        cr_assert_eq(r.header + r.directory + r.config + r.params + r.hash + r.signature,
                     r.non_embedding);
        cr_assert_eq(r.non_embedding + r.padding + r.embeddings + r.tokenizer + r.card, r.file);
        free((void *)(uintptr_t)file.bytes.data);
    }
}

/* The promise of the README: 12 layers x 768 with 5 alphas a matrix, signed, under 1,024 bytes. */
Test(format, a_gpt2_shape_takes_under_a_kilobyte)
{
    const struct model_recipe gpt2 = {.n_layers = 12,
                                      .n_heads = 12,
                                      .width = 768,
                                      .context = 64,
                                      .vocab = 300,
                                      .d = 5,
                                      .source = SMOL_MATRIX_OWN,
                                      .alpha_type = SMOL_F16,
                                      .wte_type = SMOL_Q8,
                                      .wpe_type = SMOL_Q8,
                                      .card = "{\"name\": \"x\"}"};
    struct smol_size_report r;
    struct smol_file file;
    size_t size;
    uint8_t *bytes = model_make(&size, &gpt2);

    size = sign_in_place(bytes, size);
    cr_assert_eq(smol_file_parse(&file, bytes, size, NULL), SMOL_OK);
    smol_file_sizes(&r, &file);
    cr_assert_eq(r.params, 480);
    fprintf(stderr,
            "12 layers x 768, 5 alphas a matrix, signed: %llu bytes besides embeddings and card\n",
            (unsigned long long)r.non_embedding);
    cr_assert_lt(r.non_embedding, 1024);
    free(bytes);
}

Test(format, a_cut_anywhere_is_refused)
{
    for (size_t i = 0; i < N_RECIPES; i++) {
        size_t size;
        uint8_t *bytes = model_make(&size, &recipes[i]);
        const size_t signed_size = sign_in_place(bytes, size);

        cr_assert_eq(check_all(bytes, signed_size), SMOL_OK);
        for (size_t n = 0; n < signed_size; n++) {
            /* A copy of just that size, so that a sanitizer sees a step too far. The cut that
             * leaves off exactly the signature is a whole unsigned file. */
            uint8_t *copy = malloc(n ? n : 1);
            const enum smol_status expected = n == size ? SMOL_OK : SMOL_E_TRUNCATED;
            memcpy(copy, bytes, n);
            cr_assert_eq(check_all(copy, n), expected, "cut to %zu of %zu", n, signed_size);
            free(copy);
        }
        free(bytes);
    }
}

Test(format, a_flipped_bit_anywhere_is_refused)
{
    const struct model_recipe tiny = {.n_layers = 1,
                                      .n_heads = 1,
                                      .width = 3,
                                      .n_ff = 2,
                                      .context = 2,
                                      .vocab = 11,
                                      .source = SMOL_MATRIX_OWN,
                                      .alpha_type = SMOL_F16,
                                      .norms = SMOL_NORM_STORED,
                                      .rank = 1,
                                      .wte_type = SMOL_Q8,
                                      .card = "{}"};
    size_t size;
    uint8_t *bytes = model_make(&size, &tiny);

    size = sign_in_place(bytes, size);
    for (size_t bit = 0; bit < 8 * size; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        cr_assert_neq(check_all(bytes, size), SMOL_OK, "bit %zu", bit);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    cr_assert_eq(check_all(bytes, size), SMOL_OK);
    free(bytes);
}

Test(format, bytes_after_the_end_are_refused)
{
    size_t size;
    uint8_t *bytes = model_make(&size, &recipes[0]);
    const size_t signed_size = sign_in_place(bytes, size);
    uint8_t *longer = calloc(signed_size + 1, 1);

    memcpy(longer, bytes, signed_size);
    cr_assert_eq(check_all(longer, signed_size + 1), SMOL_E_TRAILING);
    free(longer);
    free(bytes);
}

/* One stored seed hashed in pieces gives the root that one pass gives: a body of three pieces. */
Test(format, the_hash_of_pieces_is_the_hash)
{
    const struct model_recipe large = {
        .width = 64, .n_heads = 4, .vocab = 9000, .wte_type = SMOL_F32};
    struct smol_file file;
    uint8_t leaves[8 * SMOL_HASH_BYTES], hash[SMOL_HASH_BYTES];

    model_open(&file, &large);
    cr_assert_eq(smol_hash_pieces(file.body_bytes), 3);
    for (uint64_t i = 3; i-- > 0;)
        smol_hash_leaf(leaves + i * SMOL_HASH_BYTES, file.bytes.data, file.body_bytes, i);
    smol_hash_root(hash, leaves, file.body_bytes);
    cr_assert_arr_eq(hash, file.hash, sizeof hash);
    free((void *)(uintptr_t)file.bytes.data);
}

/* Writes over a field of CONF, repairs both checksums, and says what the reader makes of it. */
static enum smol_status with_conf(const uint8_t *good, size_t size, size_t offset,
                                  const void *value, size_t n, struct smol_error *error)
{
    uint8_t *bytes = malloc(size);
    const unsigned n_sections = good[12];
    const size_t conf = 32 + 24 * (size_t)n_sections;
    uint8_t joined[24 + 24 * 5];
    struct smol_file file;
    enum smol_status status;

    memcpy(bytes, good, size);
    memcpy(bytes + conf + offset, value, n);
    smol_put64(bytes + 32 + 16, XXH3_64bits(bytes + conf, smol_le64(bytes + 32 + 8)));
    memcpy(joined, bytes, 24);
    memcpy(joined + 24, bytes + 32, 24 * (size_t)n_sections);
    smol_put64(bytes + 24, XXH3_64bits(joined, 24 + 24 * (size_t)n_sections));
    status = smol_file_parse(&file, bytes, size, error);
    free(bytes);
    return status;
}

/* Every field of CONF with a value just outside its limits: status and byte are named. */
Test(format, each_field_out_of_range_is_named)
{
    static const struct {
        size_t offset, n;
        uint64_t value;
        enum smol_status status;
    } cases[] = {
        {0, 2, 3, SMOL_E_ENUM},
        {2, 2, 1, SMOL_E_RESERVED},
        {4, 4, 0, SMOL_E_RANGE},
        {4, 4, 257, SMOL_E_RANGE},
        {8, 4, 0, SMOL_E_RANGE},
        {8, 4, 1025, SMOL_E_RANGE},
        {8, 4, 3, SMOL_E_RANGE},
        {12, 4, 0, SMOL_E_RANGE},
        {12, 4, 65537, SMOL_E_RANGE},
        {16, 4, 0, SMOL_E_RANGE},
        {16, 4, 262145, SMOL_E_RANGE},
        {20, 4, 0, SMOL_E_RANGE},
        {20, 4, 1048577, SMOL_E_RANGE},
        {24, 4, 0, SMOL_E_RANGE},
        {24, 4, 16777217, SMOL_E_RANGE},
        {24, 4, 0xffffffff, SMOL_E_RANGE},
        {28, 4, 0, SMOL_E_RANGE},
        {28, 4, 0x7fc00000, SMOL_E_RANGE},
        {28, 4, 0x3f800001, SMOL_E_RANGE},
        {40, 1, 4, SMOL_E_ENUM},
        {41, 1, 4, SMOL_E_ENUM},
        {42, 1, 3, SMOL_E_ENUM},
        {43, 1, 0, SMOL_E_RANGE},
        {43, 1, 1, SMOL_E_RANGE},
        {43, 1, 33, SMOL_E_RANGE},
        {44, 2, 0, SMOL_E_RANGE},
        {44, 2, 257, SMOL_E_RANGE},
        {46, 1, 9, SMOL_E_RANGE},
        {47, 1, 1, SMOL_E_RESERVED},
        {48, 4, 0, SMOL_E_RANGE},
        {48, 4, 0x7f800000, SMOL_E_RANGE},
        {48, 4, 0xbf800000, SMOL_E_RANGE},
        {52, 4, 1, SMOL_E_RESERVED},
        /* the first scheme is a norm, the second a matrix with two alphas */
        {56, 1, 3, SMOL_E_ENUM},
        {57, 1, 3, SMOL_E_ENUM},
        {58, 1, 1, SMOL_E_CANONICAL},
        {59, 1, 1, SMOL_E_CANONICAL},
        {60, 2, 1, SMOL_E_CANONICAL},
        {62, 1, 1, SMOL_E_CANONICAL},
        {63, 1, 1, SMOL_E_CANONICAL},
        {64, 4, 0x3f800000, SMOL_E_CANONICAL},
        {68, 4, 1, SMOL_E_CANONICAL},
        {73, 1, 7, SMOL_E_ENUM},
        {74, 1, 2, SMOL_E_ENUM},
        {75, 1, 0, SMOL_E_RANGE},
        {75, 1, 65, SMOL_E_RANGE},
        {76, 2, 4097, SMOL_E_RANGE},
        {78, 1, 2, SMOL_E_ENUM},
        {79, 1, 1, SMOL_E_CANONICAL},
        {80, 4, 0, SMOL_E_RANGE},
        {80, 4, 0x7f800000, SMOL_E_RANGE},
        {80, 4, 0x7fc00000, SMOL_E_RANGE},
        {84, 4, 1, SMOL_E_CANONICAL},
    };
    const struct model_recipe recipe = {.source = SMOL_MATRIX_OWN, .d = 2};
    size_t size;
    uint8_t *good = model_make(&size, &recipe);

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct smol_error error = {0};
        uint8_t value[8];
        smol_put64(value, cases[i].value);
        const enum smol_status status =
            with_conf(good, size, cases[i].offset, value, cases[i].n, &error);
        cr_assert_eq(status, cases[i].status, "case %zu: %s, %s", i, smol_status_name(status),
                     error.text);
        cr_assert_eq(error.code, status);
        cr_assert_neq(error.offset, SMOL_NO_OFFSET);
        cr_assert_eq(with_conf(good, size, cases[i].offset, value, cases[i].n, NULL), status,
                     "without an error to fill");
    }
    free(good);
}

/* EMBD may not begin behind the body, however small it is. Three sections: the directory ends at
 * 104, CONF of four schemes and a span at 232, LRND of 8 x 5 floats at 392, EMBD begins at 448. */
Test(format, a_section_cannot_begin_behind_the_body)
{
    const struct model_recipe recipe = {.source = SMOL_MATRIX_OWN, .d = 5};
    uint8_t joined[24 + 3 * 24];
    struct smol_error error;
    struct smol_file file;
    size_t size;
    uint8_t *bytes = model_make(&size, &recipe);

    cr_assert(smol_le16(bytes + 12) == 3 && smol_le64(bytes + 40) == 128 &&
              smol_le64(bytes + 64) == 160);
    smol_put64(bytes + 16, 400); /* the body */
    smol_put64(bytes + 88, 1);   /* EMBD */
    memset(bytes + 400, 0xff, 64);
    memcpy(joined, bytes, 24);
    memcpy(joined + 24, bytes + 32, 72);
    smol_put64(bytes + 24, XXH3_64bits(joined, sizeof joined));
    cr_assert_eq(smol_file_parse(&file, bytes, 400 + 64, &error), SMOL_E_SIZE, "%s", error.text);
    cr_assert_eq(error.offset, 448);
    free(bytes);
}

/* A CONF that ends before its number of schemes: a directory of two sections, eight bytes, and
 * zeros to EMBD's one byte at 128. */
Test(format, a_configuration_that_is_too_short_is_not_read)
{
    uint8_t bytes[129 + 64] = {0}, joined[24 + 2 * 24];
    struct smol_error error;
    struct smol_file file;

    memcpy(bytes, "\x89SMOL\r\n\x1a\1\0\0\0\2", 13);
    smol_put64(bytes + 16, 129);
    memcpy(bytes + 32, "CONF", 4);
    smol_put64(bytes + 40, 8);
    smol_put64(bytes + 48, XXH3_64bits(bytes + 80, 8));
    memcpy(bytes + 56, "EMBD", 4);
    smol_put64(bytes + 64, 1);
    smol_put64(bytes + 72, XXH3_64bits(bytes + 128, 1));
    memcpy(joined, bytes, 24);
    memcpy(joined + 24, bytes + 32, 48);
    smol_put64(bytes + 24, XXH3_64bits(joined, sizeof joined));
    cr_assert_eq(smol_file_parse(&file, bytes, sizeof bytes, &error), SMOL_E_SIZE, "%s",
                 error.text);
    cr_assert_eq(error.offset, 80);
}

/* A character that goes on behind the text is none, whatever stands there. */
Test(format, text_is_not_read_behind_its_end)
{
    static const char text[] = "a\xc3\xa9\xe2\x82\xac\xf0\x9f\x90\x98";
    static const size_t whole[] = {0, 1, 3, 6, 10};
    struct smol_error error;

    for (size_t n = 0, k = 0; n <= 10; n++) {
        const bool is_whole = n == whole[k];
        const enum smol_status status = smol_text_check((const uint8_t *)text, n, &error);
        cr_assert_eq(status, is_whole ? SMOL_OK : SMOL_E_TEXT, "%zu bytes", n);
        cr_assert(is_whole || error.offset == whole[k - 1]);
        k += is_whole;
    }
}

/* What is cut short is told how much it lacks; a hash and part of a signature, something else. */
Test(format, a_cut_is_told_what_is_missing)
{
    const struct model_recipe recipe = {.card = NULL};
    struct smol_error error;
    struct smol_file file;
    char wanted[64];
    size_t size;
    uint8_t *bytes = model_make(&size, &recipe);

    snprintf(wanted, sizeof wanted, "at least %zu bytes", size);
    cr_assert_eq(smol_file_parse(&file, bytes, size - 1, &error), SMOL_E_TRUNCATED);
    cr_assert_not_null(strstr(error.text, wanted), "%s", error.text);
    memset(bytes + size, 0, SMOL_SIGNATURE_BLOCK_BYTES);
    cr_assert_eq(smol_file_parse(&file, bytes, size + 1, &error), SMOL_E_TRUNCATED);
    cr_assert_not_null(strstr(error.text, "truncated signature"), "%s", error.text);
    free(bytes);
}

/* A shape that wraps or exceeds what is there is refused by its size, before anything is read. */
Test(format, shapes_beyond_the_file_are_refused)
{
    static const uint32_t fields[] = {12, 16, 20, 24};
    static const uint32_t values[] = {65536, 262144, 1048576, 16777216};
    const struct model_recipe recipe = {.source = SMOL_MATRIX_OWN, .d = 2, .rank = 1};
    size_t size;
    uint8_t *good = model_make(&size, &recipe);

    for (size_t i = 0; i < 4; i++) {
        struct smol_error error;
        uint8_t value[4];
        smol_put32(value, values[i]);
        cr_assert_eq(with_conf(good, size, fields[i], value, 4, &error), SMOL_E_SIZE, "field %u",
                     fields[i]);
    }
    free(good);
}

/* What a reader would refuse is not written either. */
Test(format, the_parts_must_be_readable)
{
    static const uint8_t bad_card[] = "{\x1b}";
    struct smol_parts parts;
    struct smol_file file;
    struct smol_error error = {0};
    uint8_t *embeddings, *dest;

    model_open(&file, &recipes[0]);
    dest = malloc(file.bytes.size_bytes + 64);
    smol_parts_of(&parts, &file);
    parts.card = (struct smol_span){bad_card, 3};
    cr_assert_eq(smol_file_write(dest, file.bytes.size_bytes + 64, &parts, &error), SMOL_E_TEXT);
    smol_parts_of(&parts, &file);
    embeddings = malloc(parts.embeddings.size_bytes);
    memcpy(embeddings, parts.embeddings.data, parts.embeddings.size_bytes);
    smol_put32(embeddings, 0x7f800000);
    parts.embeddings.data = embeddings;
    cr_assert_eq(smol_file_write(dest, file.bytes.size_bytes, &parts, &error), SMOL_E_NONFINITE);
    cr_assert_eq(error.code, SMOL_E_NONFINITE);
    free(embeddings);
    free(dest);
    free((void *)(uintptr_t)file.bytes.data);
}

Test(format, the_parts_must_be_of_the_right_size)
{
    struct smol_parts parts;
    struct smol_file file;
    struct smol_error error;
    uint64_t size;

    model_open(&file, &recipes[1]);
    smol_parts_of(&parts, &file);
    parts.params.size_bytes--;
    cr_assert_eq(smol_file_size(&size, &parts, &error), SMOL_E_SIZE);
    smol_parts_of(&parts, &file);
    parts.embeddings.size_bytes += 64;
    cr_assert_eq(smol_file_size(&size, &parts, &error), SMOL_E_SIZE);
    smol_parts_of(&parts, &file);
    cr_assert_eq(smol_file_write((uint8_t[1]){0}, 1, &parts, &error), SMOL_E_ARGUMENT);
    free((void *)(uintptr_t)file.bytes.data);
}
