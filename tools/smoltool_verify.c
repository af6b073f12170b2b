/* smoltool verify: the three checks, each by its name. SPEC.md 4. */
#include "cli.h"
#include "key_file.h"
#include "smoltool.h"

#include <stdio.h>
#include <stdlib.h>

/* After smol_open every check has passed but that of the signer. */
static int report(const char *path, const struct smol_file *file, const struct smol_public_key *demanded)
{
	struct smol_error error;
	char hash[2 * SMOL_HASH_BYTES + 1], number[17];

	puts("checksum   ok: not damaged");
	cli_hex(hash, file->hash, SMOL_HASH_BYTES);
	printf("hash       ok: %s\n", hash);
	if (demanded && smol_file_check_signer(file, demanded, &error)) {
		fflush(stdout);
		return cli_complain(path, &error);
	}
	if (!file->is_signed) {
		puts("signature  none");
		return 0;
	}
	cli_key_number(number, file->signature.key_number);
	printf("signature  ok: by key %s%s\n", number,
	       demanded ? ", the key that was asked for" : " (whose it is, only --pubkey can tell)");
	return 0;
}

static int verify(const char *path, const char *pubkey)
{
	struct smol_public_key key;
	struct smol_mapping mapping;
	struct smol_file file;
	struct smol_error error;
	int code;

	if (pubkey && (code = key_file_public(&key, pubkey)) != 0)
		return code;
	if (smol_open(&mapping, &file, path, cli_cores(), &error))
		return cli_complain(path, &error);
	code = report(path, &file, pubkey ? &key : NULL);
	smol_unmap(&mapping);
	return code;
}

int tool_verify(int argc, const char **argv)
{
	char *pubkey = NULL;
	const struct poptOption options[] = {
		{"pubkey", 0, POPT_ARG_STRING, &pubkey, 0, "demand a signature by this minisign key (a file, or its base64)", "KEY"},
		CLI_HELP_OPTION,
		POPT_TABLEEND,
	};
	poptContext context = poptGetContext("smoltool verify", argc, argv, options, 0);
	const char *path;
	int code;

	poptSetOtherOptionHelp(context, "[OPTION...] MODEL.smol");
	code = cli_parse(context);
	if (code == 0) {
		path = cli_one_argument(context, "MODEL.smol");
		code = path ? verify(path, pubkey) : CLI_USAGE;
	}
	free(pubkey);
	poptFreeContext(context);
	return code;
}
