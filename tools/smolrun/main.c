/* smolrun: text from a .smol model. */
#include "cli/guard.h"
#include "cli/json.h"
#include "cli/session_args.h"
#include "smolrun/smolrun.h"
#include "smolrun/text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int complain_errno(const char *path)
{
    struct smol_error error = {.code = SMOL_E_IO, .offset = SMOL_NO_OFFSET};

    snprintf(error.text, sizeof error.text, "%s", strerror(errno));
    return cli_complain(path, &error);
}

/* Whether the model that is mapped is signed by a key that is demanded, in the file or beside it.
 */
static int check_signer(struct run *run, const struct trust *trust)
{
    const struct trust_subject subject = {
        .path = run->args->model, .bytes = run->mapping.bytes, .model = &run->file};
    struct smol_error error;
    char *blamed = NULL;

    if (trust_check(&run->proof, &blamed, trust, &subject, &error)) {
        cli_complain(blamed, &error);
        free(blamed);
        return CLI_FAILED;
    }
    return 0;
}

static int check_trust(struct run *run)
{
    struct trust trust = {NULL, 0};
    int code = 0;

    if (run->args->trust)
        code = trust_key(&trust, run->args->trust);
    else if (run->args->trusted)
        code = trust_folder(&trust);
    if (code == 0 && trust.n_keys)
        code = check_signer(run, &trust);
    trust_free(&trust);
    return code;
}

/* The one block that a session lives in. */
static int create_session(struct run *run)
{
    struct smol_session_options o = run->args->session;
    const struct smol_session_options *options = &o;
    struct smol_error error;

    if (session_args_budget(&o, &run->file, &error) ||
        smol_session_size(&run->memory_bytes, &run->file, options, &error))
        return cli_complain(run->args->model, &error);
    run->memory = cli_memory(run->memory_bytes);
    if (!run->memory)
        return complain_errno(run->args->model);
    if (smol_session_init(&run->session, &run->file, options, run->memory, run->memory_bytes,
                          &error))
        return cli_complain(run->args->model, &error);
    return 0;
}

static int measure(struct run *run)
{
    struct perplexity result;
    struct smol_mapping text;
    struct smol_error error;
    enum smol_status status = cli_map(&text, run->args->perplexity_file, &error);

    if (status)
        return cli_complain(run->args->perplexity_file, &error);
    status = perplexity_measure(&result, &run->file, run->session, text.bytes, &error);
    cli_unmap(&text);
    if (status)
        return cli_complain(
            status == SMOL_E_NUMERIC ? run->args->model : run->args->perplexity_file, &error);
    if (!run_print_perplexity(run, &result))
        return complain_errno(NULL);
    return cli_check_unchanged(&run->mapping, run->args->model);
}

/* What an error of a generation is about. */
static const char *blamed(const struct run *run, enum smol_status code)
{
    if (code == SMOL_E_NUMERIC)
        return run->args->model;
    return code == SMOL_E_CONTEXT || code == SMOL_E_TOKEN ? "prompt" : NULL;
}

static int continue_text(struct run_text *text, struct run *run, struct smol_span prompt)
{
    struct run_result result;
    struct smol_error error;

    run_catch_interrupts(false);
    if (run_text_turn(&result, text, prompt, !run->args->no_display_prompt, &error))
        return cli_complain(blamed(run, error.code), &error);
    if (!run->args->json)
        run_print_statistics(run, &result);
    else if (!run_print_json(run, &result))
        return complain_errno(NULL);
    return 0;
}

static int continue_prompt(struct run *run, const uint8_t *prompt, size_t prompt_bytes)
{
    const struct smol_span span = {prompt, prompt_bytes};
    struct run_text text;
    struct smol_error error;
    int code;

    if (run->args->interactive) {
        code = run_interactive(run, span);
    } else if (run_text_open(&text, run, &error)) {
        code = cli_complain(NULL, &error);
    } else {
        code = continue_text(&text, run, span);
        run_text_close(&text);
    }
    return code ? code : cli_check_unchanged(&run->mapping, run->args->model);
}

/* The prompt from -p, -f or standard input, which in the interactive mode has the lines to come. */
static int generate(struct run *run)
{
    const struct run_args *args = run->args;
    uint8_t *prompt = NULL;
    size_t n;
    int fd = STDIN_FILENO, code;
    bool got;

    if (args->prompt)
        return continue_prompt(run, (const uint8_t *)args->prompt, strlen(args->prompt));
    if (!args->prompt_file && (args->interactive || isatty(STDIN_FILENO) == 1))
        return continue_prompt(run, NULL, 0);
    if (args->prompt_file && (fd = open(args->prompt_file, O_RDONLY | O_CLOEXEC)) < 0)
        return complain_errno(args->prompt_file);
    got = cli_read_all(&prompt, &n, fd);
    code = got ? 0 : complain_errno(args->prompt_file ? args->prompt_file : "standard input");
    if (fd != STDIN_FILENO)
        close(fd);
    if (got)
        code = continue_prompt(run, prompt, n);
    free(prompt);
    return code;
}

static int run_model(struct run *run)
{
    const struct run_args *args = run->args;
    struct smol_error error;
    const double start = cli_seconds();
    int code;

    if (cli_open(&run->mapping, &run->file, args->model,
                 args->check_fast ? 0 : args->session.n_threads, &error))
        return cli_complain(args->model, &error);
    run->open_seconds = cli_seconds() - start;
    code = check_trust(run);
    if (code == 0)
        code = create_session(run);
    if (code == 0)
        code = run->args->perplexity_file ? measure(run) : generate(run);
    smol_session_finish(run->session);
    trust_proof_free(&run->proof);
    cli_memory_free(run->memory, run->memory_bytes);
    cli_unmap(&run->mapping);
    return code;
}

/* A request for it anywhere gives all options the meaning they have there. */
static bool wants_bench(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--bench") == 0)
            return true;
    return false;
}

int main(int argc, char **argv)
{
    struct run_args args;
    struct run run = {.args = &args};
    int code;

    cli_program = "smolrun";
    cli_json_start();
    if (wants_bench(argc, argv)) {
        code = run_bench(argc, (const char **)argv);
    } else if (run_args_parse(&args, argc, (const char **)argv, &code) == 0) {
        code = run_model(&run);
        run_args_free(&args);
    }
    return cli_close_output(code);
}
