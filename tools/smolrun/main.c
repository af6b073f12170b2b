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

/* Whether a file is signed by a key that is demanded, in the file or beside it. */
static int check_signer(struct trust_proof *proof, const struct smol_open_file *file,
                        const struct trust *trust)
{
    const struct trust_subject subject = {
        .path = file->path, .bytes = file->mapping.bytes, .model = &file->file};
    struct smol_error error;
    char *blamed = NULL;

    if (trust_check(proof, &blamed, trust, &subject, &error)) {
        cli_complain(blamed, &error);
        free(blamed);
        return CLI_FAILED;
    }
    return 0;
}

/* Whether a file is one that another, which stands for it by its hash, names. */
static bool is_vouched_for(const struct smol_file *joined, const struct smol_open_file *file)
{
    for (size_t at = 0; at < joined->base.size_bytes; at += SMOL_BASE_ENTRY_BYTES)
        if (memcmp(joined->base.data + at, file->file.hash, SMOL_HASH_BYTES) == 0)
            return true;
    return false;
}

/* Of a delta, its signature is one of its parts too, whose hashes it holds; deltas that are added
 * to it have to be signed themselves. */
static int check_signers(struct run *run, const struct trust *trust)
{
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < run->files.n_open; i++) {
        const struct smol_open_file *file = &run->files.open[i];
        struct trust_proof proof = {.signature_path = NULL};
        if (is_vouched_for(run->file, file))
            continue;
        code = check_signer(&proof, file, trust);
        if (code == 0 && file == run->named)
            run->proof = proof;
        else
            trust_proof_free(&proof);
    }
    return code;
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
        code = check_signers(run, &trust);
    trust_free(&trust);
    return code;
}

const char *run_blamed(const struct run *run, enum smol_status code)
{
    if (code == SMOL_E_NUMERIC)
        return run->args->model;
    return code == SMOL_E_CONTEXT || code == SMOL_E_TOKEN ? "prompt" : NULL;
}

uint32_t run_context(const struct run *run)
{
    return run->session.context ? run->session.context : run->file->config.context;
}

bool run_slides(const struct run *run)
{
    return smol_config_has(&run->file->config, SMOL_FEATURE_DISTANCES) && !run->session.is_fixed;
}

uint32_t run_history(const struct run *run)
{
    return session_args_history(&run->session, &run->file->config);
}

static int continue_text(struct run_text *text, struct smol_span prompt)
{
    const struct run *run = text->run;
    struct run_result result;
    struct smol_error error;

    run_catch_interrupts(false);
    if (run_text_turn(&result, text, prompt, !run->args->no_display_prompt, &error))
        return cli_complain(run_blamed(run, error.code), &error);
    if (run->args->json)
        return run_print_json(run, &result);
    run_print_statistics(run, &result);
    return 0;
}

/* The prompt from -p, -f or standard input, which in the interactive mode has the lines to come.
 * *owned is for free(). */
static int find_prompt(struct smol_span *prompt, uint8_t **owned, const struct run_args *args)
{
    const char *name = args->prompt_file ? args->prompt_file : "standard input";
    int fd = STDIN_FILENO, code = 0;

    if (args->prompt)
        *prompt = (struct smol_span){(const uint8_t *)args->prompt, strlen(args->prompt)};
    if (args->prompt || (!args->prompt_file && (args->interactive || isatty(fd) == 1)))
        return 0;
    if (args->prompt_file && (fd = open(name, O_RDONLY | O_CLOEXEC)) < 0)
        return cli_fail(name, "cannot open: %s", strerror(errno));
    if (cli_read_all(owned, &prompt->size_bytes, fd))
        prompt->data = *owned;
    else
        code = cli_fail(name, "cannot read: %s", strerror(errno));
    if (fd != STDIN_FILENO)
        close(fd);
    /* As llama.cpp does: editors end a file so, and the model is to go on in the line. */
    if (code == 0 && args->prompt_file && prompt->size_bytes > 0 &&
        prompt->data[prompt->size_bytes - 1] == '\n')
        prompt->size_bytes--;
    return code;
}

static int generate_one(const struct run *run, struct smol_span prompt)
{
    struct run_text text;
    struct smol_error error;
    int code;

    if (run_text_open(&text, run, &error))
        return cli_complain(run->args->model, &error);
    code = run->args->interactive ? run_interactive(&text, prompt) : continue_text(&text, prompt);
    run_text_close(&text);
    return code;
}

static int generate(const struct run *run)
{
    struct smol_span prompt = {NULL, 0};
    uint8_t *owned = NULL;
    int code = find_prompt(&prompt, &owned, run->args);

    if (code == 0)
        code = run->args->n_texts ? run_parallel(run, prompt) : generate_one(run, prompt);
    free(owned);
    return code;
}

/* The model's handle, over files that are mapped under guard. */
static int open_model(struct run *run)
{
    const struct run_args *args = run->args;
    const double start = cli_seconds();
    struct smol_error error;
    int code = parts_open(&run->files, args->model, &args->parts, args->session.n_threads,
                          args->check_fast);

    if (code)
        return code;
    if (smol_model_open_file(&run->model, &run->files.file, &error)) {
        parts_close(&run->files);
        return cli_complain(args->model, &error);
    }
    run->file = smol_model_file(run->model);
    run->named = run->files.open;
    for (uint32_t i = 0; i < run->files.n_open; i++)
        if (run->files.open[i].file.bytes.data == run->file->bytes.data)
            run->named = &run->files.open[i];
    run->open_seconds = cli_seconds() - start;
    return 0;
}

static int run_model(const struct run_args *args)
{
    struct run run = {.args = args, .session = args->session};
    struct smol_error error;
    int code = open_model(&run);

    if (code)
        return code;
    if (args->n_texts)
        run.session.n_texts = 1 + run_texts_side_by_side(&run); /* and the prompt */
    code = check_trust(&run);
    if (code == 0 && session_args_budget(&run.session, run.file, &error))
        code = cli_complain(args->model, &error);
    if (code == 0)
        code = args->perplexity_file ? run_perplexity(&run) : generate(&run);
    if (code == 0)
        code = parts_check_unchanged(&run.files);
    trust_proof_free(&run.proof);
    smol_model_close(run.model);
    parts_close(&run.files);
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
    const char **words = (const char **)argv;

    cli_start("smolrun");
    cli_json_start();
    return cli_close_output(wants_bench(argc, argv) ? run_bench(argc, words)
                                                    : run_args_read(argc, words, run_model));
}
