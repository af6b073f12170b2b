/* Key files against minisign's published ones, and every way to spoil them. INTEROP: minisign 0.11. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <smol/key.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The public key of minisign's own documentation. */
static const char published[] = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

static enum smol_status parse_public(struct smol_public_key *key, const char *text)
{
	return smol_public_key_parse(key, (const uint8_t *)text, strlen(text), NULL);
}

Test(key, a_published_public_key_is_read)
{
	static const uint8_t number[8] = {0x1f, 0xe8, 0xb4, 0x42, 0x18, 0x0f, 0x62, 0xe7};
	struct smol_public_key key;
	char file[200];
	uint8_t text[SMOL_KEY_FILE_BYTES];
	size_t n;

	cr_assert_eq(parse_public(&key, published), SMOL_OK);
	cr_assert_arr_eq(key.key_number, number, 8);
	snprintf(file, sizeof file, "untrusted comment: minisign public key E7620F1842B4E81F\n%s\n", published);
	smol_public_key_format(text, &n, &key);
	cr_assert_eq(n, strlen(file));
	cr_assert_arr_eq(text, file, n);
	cr_assert_eq(parse_public(&key, file), SMOL_OK);
	snprintf(file, sizeof file, "untrusted comment: x\r\n%s\r\n", published);
	cr_assert_eq(parse_public(&key, file), SMOL_OK);
}

Test(key, spoiled_public_keys_are_refused)
{
	static const char *const spoiled[] = {
		"", "\n", "untrusted comment: x\n", "trusted comment: x\nRWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\n",
		"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO",   /* short */
		"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3AAAA", /* long */
		"RXQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",  /* another algorithm */
		"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GF=3",  /* padding inside */
		"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GF-3",  /* a letter of another alphabet */
		" RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3", /* space */
		"RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3\nmore",
	};

	for (size_t i = 0; i < sizeof spoiled / sizeof spoiled[0]; i++) {
		struct smol_public_key key;
		memset(&key, 7, sizeof key);
		cr_assert_eq(parse_public(&key, spoiled[i]), SMOL_E_KEY, "case %zu", i);
		cr_assert_eq(key.key[0], 7, "untouched on failure");
	}
}

Test(key, secret_keys_come_back)
{
	struct smol_secret_key key, again;
	uint8_t text[SMOL_KEY_FILE_BYTES];
	bool encrypted = true;
	size_t n;

	cr_assert_eq(smol_key_generate(&key, NULL), SMOL_OK);
	cr_assert_eq(smol_secret_key_format(text, &n, &key, NULL, NULL), SMOL_OK);
	cr_assert_eq(smol_secret_key_is_encrypted(&encrypted, text, n, NULL), SMOL_OK);
	cr_assert(!encrypted);
	cr_assert_eq(smol_secret_key_parse(&again, text, n, NULL, NULL), SMOL_OK);
	cr_assert_arr_eq(again.key, key.key, 64);
	cr_assert_arr_eq(again.key_number, key.key_number, 8);
	smol_secret_key_wipe(&again);
	cr_assert_eq(again.key[0] | again.key[63], 0);
}

/* Minisign's own scrypt limits take a gigabyte and a second or two: once. */
Test(key, a_password_hides_a_secret_key, .timeout = 120)
{
	struct smol_secret_key key, again;
	uint8_t text[SMOL_KEY_FILE_BYTES];
	struct smol_error error;
	size_t n;
	bool encrypted = false;

	cr_assert_eq(smol_key_generate(&key, NULL), SMOL_OK);
	cr_assert_eq(smol_secret_key_format(text, &n, &key, "correct horse", &error), SMOL_OK);
	cr_assert_eq(smol_secret_key_is_encrypted(&encrypted, text, n, NULL), SMOL_OK);
	cr_assert(encrypted);
	cr_assert_eq(smol_secret_key_parse(&again, text, n, NULL, &error), SMOL_E_PASSWORD);
	cr_assert_eq(smol_secret_key_parse(&again, text, n, "wrong horse", &error), SMOL_E_PASSWORD);
	cr_assert_eq(smol_secret_key_parse(&again, text, n, "correct horse", &error), SMOL_OK);
	cr_assert_arr_eq(again.key, key.key, 64);
}

Test(key, only_the_signer_is_accepted)
{
	struct smol_secret_key key, other;
	struct smol_public_key public_key, other_public;
	struct smol_signature signature;
	struct smol_error error;
	struct smol_file file;
	size_t size;
	uint8_t *bytes = model_make(&size, &(struct model_recipe){.width = 4});

	smol_key_generate(&key, NULL);
	smol_key_generate(&other, NULL);
	smol_key_public(&public_key, &key);
	smol_key_public(&other_public, &other);
	cr_assert_eq(smol_file_parse(&file, bytes, size, NULL), SMOL_OK);
	cr_assert_eq(smol_file_check_signer(&file, &public_key, &error), SMOL_E_UNTRUSTED);
	cr_assert_eq(smol_file_check_signature(&file, &error), SMOL_E_UNTRUSTED);
	smol_sign_hash(&signature, file.hash, &key);
	smol_signature_encode(bytes + size, &signature);
	size += SMOL_SIGNATURE_BLOCK_BYTES;
	cr_assert_eq(smol_file_parse(&file, bytes, size, NULL), SMOL_OK);
	cr_assert_eq(smol_file_check_signature(&file, &error), SMOL_OK);
	cr_assert_eq(smol_file_check_signer(&file, &public_key, &error), SMOL_OK);
	cr_assert_eq(smol_file_check_signer(&file, &other_public, &error), SMOL_E_UNTRUSTED);
	/* The right key under another number is another key. */
	memcpy(other_public.key, public_key.key, sizeof public_key.key);
	cr_assert_eq(smol_file_check_signer(&file, &other_public, &error), SMOL_E_UNTRUSTED);
	for (size_t i = 0; i < SMOL_SIGNATURE_BLOCK_BYTES; i++) {
		bytes[size - 1 - i] ^= 0x40;
		cr_assert_eq(smol_file_parse(&file, bytes, size, NULL), SMOL_OK);
		cr_assert_eq(smol_file_check_signature(&file, &error), SMOL_E_SIGNATURE, "byte %zu from the end", i);
		bytes[size - 1 - i] ^= 0x40;
	}
	free(bytes);
}
