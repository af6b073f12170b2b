/* Tokens to bytes and back, and where UTF-8 may be cut. SPEC.md 9. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <smol/tokenizer.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

Test(tokenizer, every_byte_comes_back)
{
    struct smol_encoder *encoder;
    struct smol_file file;
    uint8_t text[256], place[SMOL_MAX_TOKEN_BYTES];
    uint32_t tokens[256];
    size_t n;

    model_open(&file, &(struct model_recipe){.vocab = 300});
    for (int i = 0; i < 256; i++)
        text[i] = (uint8_t)i;
    cr_assert_eq(smol_encoder_create(&encoder, &file, NULL), SMOL_OK);
    cr_assert_eq(smol_encode(&n, tokens, encoder, text, 256, NULL), SMOL_OK);
    cr_assert_eq(n, 256);
    for (uint32_t i = 0; i < 256; i++) {
        const struct smol_span b = smol_token_bytes(place, &file, tokens[i]);
        cr_assert_eq(tokens[i], i);
        cr_assert_eq(b.size_bytes, 1);
        cr_assert_eq(b.data[0], i);
    }
    cr_assert_eq(smol_token_bytes(place, &file, 299).size_bytes, 0);
    cr_assert_eq(smol_token_count(&file), 256);
    cr_assert_eq(smol_start_token(&file), 10);
    cr_assert_not(smol_end_token(tokens, &file));
    smol_encoder_destroy(encoder);
    free((void *)(uintptr_t)file.bytes.data);
}

Test(tokenizer, a_byte_without_a_token_is_named)
{
    struct smol_encoder *encoder;
    struct smol_error error;
    struct smol_file file;
    uint32_t tokens[4];
    size_t n = 99;

    model_open(&file, &(struct model_recipe){.vocab = 8});
    cr_assert_eq(smol_encoder_create(&encoder, &file, NULL), SMOL_OK);
    cr_assert_eq(smol_encode(&n, tokens, encoder, (const uint8_t *)"\1\2\x08", 3, &error),
                 SMOL_E_TOKEN);
    cr_assert_eq(error.offset, 2);
    cr_assert_eq(n, 99);
    cr_assert_eq(smol_start_token(&file), 7);
    smol_encoder_destroy(encoder);
    free((void *)(uintptr_t)file.bytes.data);
}

/* The golden model of BPE. Its tokens: 0 the end of text, 1..256 the bytes, from 257 on "te",
 * "tee", "tete", " h", then "[\xc3\xa9\n]"; 262 and 263 are nothing. */
static void open_bpe(struct smol_file *file, struct smol_encoder **encoder)
{
    static uint8_t bytes[65536];
    FILE *f = fopen(TEST_DATA "/golden/good/bpe.smol", "rb");
    struct smol_error error = {0};

    cr_assert_not_null(f);
    const size_t size = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    cr_assert_eq(smol_file_parse(file, bytes, size, &error), SMOL_OK, "%s", error.text);
    cr_assert_eq(smol_encoder_create(encoder, file, &error), SMOL_OK, "%s", error.text);
}

/* Bytes in GPT-2's order: '!' is the first. */
Test(tokenizer, bpe_merges_as_by_hand)
{
    static const struct {
        const char *text;
        size_t n;
        uint32_t tokens[6];
    } cases[] = {
        {"", 0, {0}},
        {"!", 1, {1}},
        {"teete", 2, {258, 257}},  /* the first merge twice, then the second */
        {"tetete", 2, {259, 257}}, /* of two pairs alike the left one */
        {"te", 1, {257}},
        {" he", 2, {260, 69}},
        {"  he", 3, {221, 260, 69}}, /* the last space is the word's */
        {"te he", 3, {257, 260, 69}},
        {"te<|endoftext|>te", 3, {257, 0, 257}},
        {"<|end", 5, {28, 92, 69, 78, 68}},
        {"[\xc3\xa9\n]", 1, {261}},
        {"\xff", 1, {188}},
        {"te\xfete", 3, {257, 187, 257}},
    };
    struct smol_encoder *encoder;
    struct smol_file file;
    uint32_t tokens[64];
    size_t n;

    open_bpe(&file, &encoder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const size_t size = strlen(cases[i].text);
        cr_assert_eq(smol_encode(&n, tokens, encoder, (const uint8_t *)cases[i].text, size, NULL),
                     SMOL_OK);
        cr_assert_eq(n, cases[i].n, "case %zu: %zu tokens", i, n);
        for (size_t j = 0; j < cases[i].n; j++)
            cr_assert_eq(tokens[j], cases[i].tokens[j], "case %zu, token %zu: %u", i, j, tokens[j]);
    }
    smol_encoder_destroy(encoder);
}

Test(tokenizer, bpe_knows_its_tokens)
{
    static const struct {
        uint32_t token;
        const char *text;
        bool special;
    } cases[] = {{0, "<|endoftext|>", true}, {1, "!", false},
                 {256, "\xad", false},       {257, "te", false},
                 {258, "tee", false},        {259, "tete", false},
                 {260, " h", false},         {261, "[\xc3\xa9\n]", true},
                 {262, "", false},           {263, "", false},
                 {UINT32_MAX, "", false}};
    struct smol_encoder *encoder;
    struct smol_file file;
    uint8_t place[SMOL_MAX_TOKEN_BYTES];
    uint32_t token = 99;
    size_t n;

    open_bpe(&file, &encoder);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct smol_span b = smol_token_bytes(place, &file, cases[i].token);
        cr_assert_eq(b.size_bytes, strlen(cases[i].text), "case %zu", i);
        cr_assert_eq(memcmp(b.data, cases[i].text, b.size_bytes), 0, "case %zu", i);
        cr_assert_eq(smol_token_is_special(&file, cases[i].token), cases[i].special, "case %zu", i);
    }
    cr_assert_eq(smol_token_count(&file), 262);
    cr_assert(smol_end_token(&token, &file) && token == 0);
    cr_assert_eq(smol_start_token(&file), 0);
    cr_assert_eq(smol_encode_bytes(&n, &token, &file, place, 1, NULL), SMOL_E_ARGUMENT);
    smol_encoder_destroy(encoder);
}

static void round_trip(const struct smol_file *file, struct smol_encoder *encoder,
                       const uint8_t *text, size_t size)
{
    uint32_t *tokens = malloc((size + 1) * sizeof *tokens);
    uint8_t *exact = malloc(size + 1), place[SMOL_MAX_TOKEN_BYTES];
    size_t n, at = 0;

    memcpy(exact, text, size);
    cr_assert_eq(smol_encode(&n, tokens, encoder, exact, size, NULL), SMOL_OK);
    cr_assert_leq(n, size);
    for (size_t i = 0; i < n; i++) {
        const struct smol_span b = smol_token_bytes(place, file, tokens[i]);
        cr_assert(b.size_bytes > 0 && b.size_bytes <= size - at &&
                  memcmp(b.data, exact + at, b.size_bytes) == 0);
        at += b.size_bytes;
    }
    cr_assert_eq(at, size);
    free(tokens);
    free(exact);
}

/* Random bytes, and bytes drawn from those of which the tokens, characters and pieces are made. */
Test(tokenizer, any_bytes_come_back)
{
    static const char parts[] =
        "te h[]\xc3\xa9\n<|endoftext|>\xe2\x82\xac\xf0\x9f\x98\x80'll \t1\xc2\xa0\xc2\x85";
    struct smol_encoder *encoder;
    struct smol_file file;
    uint8_t text[64];
    uint64_t random = 7;

    open_bpe(&file, &encoder);
    for (unsigned i = 0; i < 20000; i++) {
        const size_t size = test_random(&random) % sizeof text;
        for (size_t j = 0; j < size; j++)
            text[j] = (uint8_t)(i % 2 ? test_random(&random)
                                      : (uint32_t)parts[test_random(&random) % (sizeof parts - 1)]);
        round_trip(&file, encoder, text, size);
    }
    smol_encoder_destroy(encoder);
}

/* A million bytes of one piece: with the square of that this would take minutes. */
Test(tokenizer, long_pieces_take_no_square_of_time, .timeout = 30)
{
    static uint8_t text[1 << 20];
    static const char *const patterns[] = {"te", " ",        "a",           "\xff",
                                           "'",  "\xc3\xa9", "<|endoftext", "  \n"};
    struct smol_encoder *encoder;
    struct smol_file file;

    open_bpe(&file, &encoder);
    for (size_t i = 0; i < sizeof patterns / sizeof patterns[0]; i++) {
        for (size_t j = 0; j < sizeof text; j++)
            text[j] = (uint8_t)patterns[i][j % strlen(patterns[i])];
        round_trip(&file, encoder, text, sizeof text);
    }
    smol_encoder_destroy(encoder);
}

/* By the table of well-formed byte sequences of the Unicode standard (3-7). */
Test(tokenizer, unfinished_characters_are_held_back)
{
    static const struct {
        const char *text;
        size_t held;
    } cases[] = {
        {"", 0},
        {"a", 0},
        {"\xc3", 1},
        {"\xc3\xa9", 0},
        {"a\xe2", 1},
        {"a\xe2\x82", 2},
        {"\xe2\x82\xac", 0},
        {"\xf0", 1},
        {"\xf0\x9f", 2},
        {"\xf0\x9f\x98", 3},
        {"\xf0\x9f\x98\x80", 0},
        {"\x80", 0},
        {"\xbf\xbf\xbf\xbf", 0},
        {"\xc0", 0},
        {"\xc1", 0},
        {"\xf5", 0},
        {"\xff", 0},
        {"\xe0\x80", 0},
        {"\xed\xa0", 0},
        {"\xf0\x80", 0},
        {"\xf4\x90", 0},
        {"\xf4\x8f", 2},
        {"\xe0\xa0", 2},
        {"\xc3\xa9\x80", 0},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        cr_assert_eq(smol_utf8_incomplete((const uint8_t *)cases[i].text, strlen(cases[i].text)),
                     cases[i].held, "case %zu", i);
}
