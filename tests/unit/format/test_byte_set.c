/* Section TOKN of tokenizer 2, a set of bytes, and its tokens. SPEC.md 3.4 and 9. */
#include "format/tokn.h"

#include <criterion/criterion.h>
#include <smol/tokenizer.h>
#include <string.h>

#define SIZE 33u

/* The set {10, 32, 97, 98, 255}. */
static const uint8_t five[SIZE] = {[1] = 0x04, [4] = 0x01, [12] = 0x06, [31] = 0x80};

static struct smol_config config_of(uint32_t vocab)
{
    return (struct smol_config){.tokenizer = SMOL_TOKENIZER_BYTE_SET, .vocab = vocab};
}

static void check(const uint8_t *section, size_t size, uint32_t vocab, enum smol_status status,
                  uint64_t offset)
{
    const struct smol_config c = config_of(vocab);
    struct smol_error error = {0};

    cr_assert_eq(smol_tokn_check(&c, (struct smol_span){section, size}, &error), status, "%s",
                 error.text);
    cr_assert(status == SMOL_OK || error.offset == offset, "byte %llu: %s",
              (unsigned long long)error.offset, error.text);
}

Test(byte_set, the_vocabulary_is_exactly_the_set)
{
    uint8_t with_other[SIZE];

    check(five, SIZE, 5, SMOL_OK, 0);
    check(five, SIZE, 4, SMOL_E_RANGE, 0);
    check(five, SIZE, 6, SMOL_E_RANGE, 0);
    memcpy(with_other, five, SIZE);
    with_other[32] = 1;
    check(with_other, SIZE, 6, SMOL_OK, 0);
    check(with_other, SIZE, 5, SMOL_E_RANGE, 0);
    with_other[32] = 2;
    check(with_other, SIZE, 6, SMOL_OK, 0);
    check(with_other, SIZE, 5, SMOL_E_RANGE, 0);
    with_other[32] = 3;
    check(with_other, SIZE, 7, SMOL_OK, 0);
    check(with_other, SIZE, 6, SMOL_E_RANGE, 0);
}

Test(byte_set, has_33_bytes)
{
    uint8_t longer[SIZE + 1] = {0};

    memcpy(longer, five, SIZE);
    check(five, SIZE - 1, 5, SMOL_E_SIZE, 0);
    check(longer, SIZE + 1, 5, SMOL_E_SIZE, 0);
}

Test(byte_set, is_not_empty_and_has_no_other_bits)
{
    uint8_t section[SIZE] = {0};

    check(section, SIZE, 1, SMOL_E_RANGE, 0);
    section[32] = 1;
    check(section, SIZE, 1, SMOL_E_RANGE, 0);
    memcpy(section, five, SIZE);
    for (uint32_t flags = 4; flags < 256; flags++) {
        section[32] = (uint8_t)flags;
        check(section, SIZE, 5, SMOL_E_RESERVED, 32);
    }
}

Test(byte_set, of_all_bytes_leaves_no_other)
{
    uint8_t section[SIZE];

    memset(section, 0xff, 32);
    section[32] = 0;
    check(section, SIZE, 256, SMOL_OK, 0);
    section[32] = 1;
    check(section, SIZE, 257, SMOL_E_RANGE, 32);
    section[32] = 3;
    check(section, SIZE, 258, SMOL_E_RANGE, 32);
    section[32] = 2;
    check(section, SIZE, 257, SMOL_OK, 0);
    section[32] = 1;
    section[31] = 0x7f;
    check(section, SIZE, 256, SMOL_OK, 0);
}

Test(byte_set, tokens_are_the_members_in_ascending_order)
{
    static const uint8_t text[] = {'b', 10, 255, 'a', ' '};
    static const uint32_t expected[] = {3, 0, 4, 2, 1};
    const struct smol_file file = {.config = config_of(5), .tokenizer = {five, SIZE}};
    uint8_t place[SMOL_MAX_TOKEN_BYTES];
    uint32_t tokens[5];
    size_t n;

    cr_assert_eq(smol_encode_bytes(&n, tokens, &file, text, 5, NULL), SMOL_OK);
    cr_assert_eq(n, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct smol_span b = smol_token_bytes(place, &file, tokens[i]);
        cr_assert_eq(tokens[i], expected[i]);
        cr_assert(b.size_bytes == 1 && b.data[0] == text[i]);
    }
}

/* The place of the first byte that has no token. */
Test(byte_set, a_byte_outside_is_named)
{
    const struct smol_file file = {.config = config_of(5), .tokenizer = {five, SIZE}};
    struct smol_error error = {0};
    uint32_t tokens[4];
    size_t n;

    cr_assert_eq(smol_encode_bytes(&n, tokens, &file, (const uint8_t *)"ab?c", 4, &error),
                 SMOL_E_TOKEN);
    cr_assert_eq(error.offset, 2);
}

Test(byte_set, other_stands_for_all_bytes_outside)
{
    uint8_t section[SIZE], place[SMOL_MAX_TOKEN_BYTES];
    const struct smol_file file = {.config = config_of(6), .tokenizer = {section, SIZE}};

    memcpy(section, five, SIZE);
    section[32] = 1;
    for (uint32_t b = 0; b < 256; b++) {
        const bool is_member = b == 10 || b == 32 || b == 97 || b == 98 || b == 255;
        const uint8_t byte = (uint8_t)b;
        uint32_t token;
        size_t n;
        cr_assert_eq(smol_encode_bytes(&n, &token, &file, &byte, 1, NULL), SMOL_OK);
        cr_assert(n == 1 && (token == 5) == !is_member);
        const struct smol_span text = smol_token_bytes(place, &file, token);
        cr_assert(text.size_bytes == 1 && text.data[0] == (is_member ? byte : '?'));
    }
    cr_assert_eq(smol_token_bytes(place, &file, 6).size_bytes, 0);
}

/* The last token, whatever else there is; it stands for no bytes, and none are it. */
Test(byte_set, the_end_of_text_is_the_last_token)
{
    uint8_t section[SIZE], place[SMOL_MAX_TOKEN_BYTES];

    memcpy(section, five, SIZE);
    for (uint32_t other = 0; other < 2; other++) {
        const struct smol_file file = {.config = config_of(6 + other),
                                       .tokenizer = {section, SIZE}};
        uint32_t end = 0, token;
        size_t n;

        section[32] = (uint8_t)(2 + other);
        cr_assert(smol_end_token(&end, &file) && end == 5 + other);
        cr_assert_eq(smol_start_token(&file), end);
        cr_assert_eq(smol_token_count(&file), 6 + other);
        cr_assert_eq(smol_token_bytes(place, &file, end).size_bytes, 0);
        for (uint32_t t = 0; t < 7 + other; t++)
            cr_assert_eq(smol_token_is_special(&file, t), t == end);
        for (uint32_t b = 0; b < 256; b++) {
            const uint8_t byte = (uint8_t)b;
            if (smol_encode_bytes(&n, &token, &file, &byte, 1, NULL) == SMOL_OK)
                cr_assert_lt(token, end);
        }
        section[32] = (uint8_t)other;
        cr_assert_not(smol_end_token(&end, &file));
        cr_assert_eq(smol_start_token(&file), 0); /* the line feed */
    }
}
