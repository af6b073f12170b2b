/* smoltool diff: what differs between two models. */
#include "smoltool/diff/diff.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "smoltool/smoltool.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* As diff(1) has them. */
enum { EQUAL, DIFFERENT, TROUBLE };

struct diff_options {
    int json;
    bool differ; /* was found out */
};

/* The report, or NULL after a message. Two models of one hash are one model, whoever signed them.
 */
static json_t *compare(const struct smol_file *a, const struct smol_file *b, const char *path)
{
    const bool equal = memcmp(a->hash, b->hash, SMOL_HASH_BYTES) == 0;
    struct diff d = {a, b, json_pack("{s:b}", "equal", equal), false};
    struct smol_error error;
    enum smol_status status;

    diff_header(&d);
    diff_config(&d);
    diff_base(&d);
    diff_schemes(&d);
    diff_learned(&d);
    status = diff_embeddings(&d, &error);
    diff_rows(&d);
    diff_tokenizer(&d);
    diff_card(&d);
    diff_signature(&d);
    if (!status && !d.failed && cli_json_is_whole())
        return d.report;
    if (status)
        cli_complain(path, &error);
    else
        cli_no_memory(path);
    json_decref(d.report);
    return NULL;
}

/* Prints and releases a report. */
static int tell(json_t *report, bool json)
{
    const bool equal = json_is_true(json_object_get(report, "equal"));

    if (json) {
        if (cli_print_json(report))
            return TROUBLE;
    } else {
        diff_print(report);
        if (equal)
            puts("equal: the same hash");
        json_decref(report);
    }
    if (!cli_json_is_whole()) {
        cli_no_memory(NULL);
        return TROUBLE;
    }
    if (fflush(stdout) != 0 || ferror(stdout)) {
        cli_fail_errno("standard output");
        return TROUBLE;
    }
    return equal ? EQUAL : DIFFERENT;
}

static int diff(void *context, const char *const *paths)
{
    struct diff_options *o = context;
    struct smol_mapping mappings[2];
    struct smol_file files[2];
    struct smol_error error;
    json_t *report = NULL;
    int n = 0, code = TROUBLE;

    while (n < 2 && cli_open(&mappings[n], &files[n], paths[n], cli_cores(), &error) == SMOL_OK)
        n++;
    if (n < 2)
        cli_complain(paths[n], &error);
    else
        report = compare(&files[0], &files[1], paths[0]);
    while (n > 0)
        cli_unmap(&mappings[--n]);
    if (report)
        code = tell(report, o->json != 0);
    o->differ = code == DIFFERENT;
    return code;
}

int tool_diff(int argc, const char **argv)
{
    struct diff_options o = {0};
    int code;
    const struct poptOption options[] = {
        CLI_FLAG("json", 0, &o.json, "print one JSON object"),
        CLI_HELP_OPTION,
        POPT_TABLEEND,
    };

    code = cli_command(argc, argv, options,
                       &(struct cli_usage){"[OPTION...] A.smol B.smol", "A.smol B.smol"}, diff, &o);
    return code == CLI_FAILED && !o.differ ? TROUBLE : code; /* failed before it compared */
}
