/* Byte tokens, and where UTF-8 may be cut. SPEC.md 9. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <smol/tokenizer.h>
#include <stdlib.h>
#include <string.h>

Test(tokenizer, every_byte_comes_back)
{
	struct smol_file file;
	uint8_t text[256];
	uint32_t tokens[256];
	size_t n;

	model_open(&file, &(struct model_recipe){.vocab = 300});
	for (int i = 0; i < 256; i++)
		text[i] = (uint8_t)i;
	cr_assert_eq(smol_encode_bound(&file, 256), 256);
	cr_assert_eq(smol_encode(&n, tokens, &file, text, 256, NULL), SMOL_OK);
	cr_assert_eq(n, 256);
	for (uint32_t i = 0; i < 256; i++) {
		const struct smol_span b = smol_token_bytes(&file, tokens[i]);
		cr_assert_eq(tokens[i], i);
		cr_assert_eq(b.size_bytes, 1);
		cr_assert_eq(b.data[0], i);
	}
	cr_assert_eq(smol_token_bytes(&file, 299).size_bytes, 0);
	cr_assert_eq(smol_start_token(&file), 10);
	free((void *)(uintptr_t)file.bytes.data);
}

Test(tokenizer, a_byte_without_a_token_is_named)
{
	struct smol_error error;
	struct smol_file file;
	uint32_t tokens[4];
	size_t n = 99;

	model_open(&file, &(struct model_recipe){.vocab = 8});
	cr_assert_eq(smol_encode(&n, tokens, &file, (const uint8_t *)"\1\2\x08", 3, &error), SMOL_E_TOKEN);
	cr_assert_eq(error.offset, 2);
	cr_assert_eq(n, 99);
	cr_assert_eq(smol_start_token(&file), 7);
	free((void *)(uintptr_t)file.bytes.data);
}

/* By the table of well-formed byte sequences of the Unicode standard (3-7). */
Test(tokenizer, unfinished_characters_are_held_back)
{
	static const struct {
		const char *text;
		size_t held;
	} cases[] = {
		{"", 0}, {"a", 0}, {"\xc3", 1}, {"\xc3\xa9", 0}, {"a\xe2", 1}, {"a\xe2\x82", 2}, {"\xe2\x82\xac", 0},
		{"\xf0", 1}, {"\xf0\x9f", 2}, {"\xf0\x9f\x98", 3}, {"\xf0\x9f\x98\x80", 0}, {"\x80", 0}, {"\xbf\xbf\xbf\xbf", 0},
		{"\xc0", 0}, {"\xc1", 0}, {"\xf5", 0}, {"\xff", 0}, {"\xe0\x80", 0}, {"\xed\xa0", 0}, {"\xf0\x80", 0},
		{"\xf4\x90", 0}, {"\xf4\x8f", 2}, {"\xe0\xa0", 2}, {"\xc3\xa9\x80", 0},
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		cr_assert_eq(smol_utf8_incomplete((const uint8_t *)cases[i].text, strlen(cases[i].text)), cases[i].held, "case %zu", i);
}
