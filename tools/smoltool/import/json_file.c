/* See json_file.h. */
#include "smoltool/import/json_file.h"
#include "cli/cli.h"
#include "cli/guard.h"

#include <stdio.h>

int json_file_load(json_t **json, const char *path)
{
    struct smol_mapping mapping;
    struct smol_error error;
    json_error_t fault;

    if (cli_map(&mapping, path, &error))
        return cli_complain(path, &error);
    *json = json_loadb((const char *)mapping.bytes.data, mapping.bytes.size_bytes,
                       JSON_REJECT_DUPLICATES, &fault);
    cli_unmap(&mapping);
    if (*json)
        return 0;
    if (json_error_code(&fault) == json_error_out_of_memory)
        return cli_no_memory(path);
    error = (struct smol_error){.code = SMOL_E_TEXT, .offset = (uint64_t)fault.position};
    snprintf(error.text, sizeof error.text, "not JSON: %s", fault.text);
    return cli_complain(path, &error);
}
