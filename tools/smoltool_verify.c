/* smoltool verify: the three checks, each by its name. SPEC.md 4. */
#include "cli.h"
#include "cli_guard.h"
#include "cli_json.h"
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

/* The same as JSON; error NULL: all holds, else file may not. */
static int report_json(const char *path, const struct smol_file *file, bool demanded,
                       const struct smol_error *error)
{
	char hash[2 * SMOL_HASH_BYTES + 1], number[17];
	json_t *object;
	int code;

	if (error) {
		object = json_pack("{s:b, s:s, s:o, s:s}", "verified", 0, "status",
		                   smol_status_name(error->code), "offset",
		                   error->offset == SMOL_NO_OFFSET
		                           ? json_null()
		                           : json_integer((json_int_t)error->offset),
		                   "error", error->text);
	} else {
		cli_hex(hash, file->hash, SMOL_HASH_BYTES);
		cli_key_number(number, file->signature.key_number);
		object = json_pack("{s:b, s:s, s:b, s:s?, s:b}", "verified", 1, "hash", hash, "signed",
		                   file->is_signed, "signer", file->is_signed ? number : NULL,
		                   "demanded", demanded);
	}
	code = cli_print_json(object);
	fflush(stdout);
	return error ? cli_complain(path, error) : code;
}

static int verify(const char *path, const char *pubkey, bool json)
{
	struct smol_public_key key;
	struct smol_mapping mapping;
	struct smol_file file;
	struct smol_error error;
	int code;

	if (pubkey && (code = key_file_public(&key, pubkey)) != 0)
		return code;
	if (cli_open(&mapping, &file, path, cli_cores(), &error))
		return json ? report_json(path, NULL, pubkey != NULL, &error)
		            : cli_complain(path, &error);
	if (json)
		code = report_json(path, &file, pubkey != NULL,
		                   pubkey && smol_file_check_signer(&file, &key, &error) ? &error
		                                                                         : NULL);
	else
		code = report(path, &file, pubkey ? &key : NULL);
	cli_unmap(&mapping);
	return code;
}

int tool_verify(int argc, const char **argv)
{
	char *pubkey = NULL;
	int json = 0;
	const struct poptOption options[] = {
		{"pubkey", 0, POPT_ARG_STRING, &pubkey, 0, "demand a signature by this minisign key (a file, or its base64)", "KEY"},
		{"json", 0, POPT_ARG_NONE, &json, 0, "print one JSON object", NULL},
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
		code = path ? verify(path, pubkey, json != 0) : CLI_USAGE;
	}
	free(pubkey);
	poptFreeContext(context);
	return code;
}
