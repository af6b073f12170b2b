/* See tokenizer_file.h. */
#include "tokenizer_file.h"
#include "cli.h"

#include <string.h>

bool tokenizer_is_model(struct smol_span bytes)
{
	return bytes.size_bytes >= 5 && memcmp(bytes.data, "\x89SMOL", 5) == 0;
}

enum smol_status tokenizer_open(struct smol_mapping *mapping, struct smol_file *file, const char *path,
                                struct smol_error *error)
{
	struct smol_mapping m;
	enum smol_status status = smol_map(&m, path, error);

	if (status)
		return status;
	if (tokenizer_is_model(m.bytes)) {
		smol_unmap(&m);
		return smol_open(mapping, file, path, cli_cores(), error);
	}
	status = smol_tokenizer_parse(file, m.bytes.data, m.bytes.size_bytes, error);
	if (status)
		smol_unmap(&m);
	else
		*mapping = m;
	return status;
}
