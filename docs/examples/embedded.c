/* A program that carries its model: continues the text given, greedily. The header is made by
 *     smoltool embed-c MODEL.smol -o model.h
 * Usage: embedded TEXT N */
#include "model.h"

#include <smol/session.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t tokens[4096];
static _Alignas(64) unsigned char memory[64 << 20]; /* of which the session touches what it needs */

int main(int argc, char **argv)
{
	const struct smol_session_options options = {.n_threads = 1};
	struct smol_session *session;
	struct smol_encoder *encoder;
	uint8_t bytes[SMOL_MAX_TOKEN_BYTES];
	struct smol_error error;
	struct smol_file file;
	size_t n;

	if (argc != 3 || strlen(argv[1]) == 0 || strlen(argv[1]) > 4096)
		return 2;
	if (smol_file_parse(&file, model, sizeof model, &error) ||
	    smol_file_check_hash(&file, &error) ||
	    smol_encoder_create(&encoder, &file, &error) ||
	    smol_encode(&n, tokens, encoder, (const uint8_t *)argv[1], strlen(argv[1]), &error) ||
	    smol_session_create(&session, &file, &options, memory, sizeof memory, &error))
		goto failed;
	for (int left = atoi(argv[2]); left > 0; left--) {
		const float *logits;
		struct smol_span text;
		if (smol_session_feed(session, tokens, n, &error))
			goto failed;
		logits = smol_session_logits(session);
		tokens[0] = 0;
		n = 1;
		for (uint32_t v = 1; v < file.config.vocab; v++)
			tokens[0] = logits[v] > logits[tokens[0]] ? v : tokens[0];
		text = smol_token_bytes(bytes, &file, tokens[0]);
		fwrite(text.data, 1, text.size_bytes, stdout);
	}
	smol_session_destroy(session);
	smol_encoder_destroy(encoder);
	return 0;
failed:
	fprintf(stderr, "embedded: %s\n", error.text);
	return 1;
}
