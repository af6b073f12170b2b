/* Once a session runs, a token takes no system call: a process that may only read, write and exit
 * (seccomp's strict mode) feeds and samples on. What allocates or locks is not even linked into the
 * files of the token loop: tests/layers.py looks. */
#define _DEFAULT_SOURCE
#include "make_model.h"

#include <criterion/criterion.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <smol/sampler.h>
#include <smol/session.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_TOKENS 20u

/* Feeds a prompt, locks itself in, and generates; the one way out. forbidden: does what kills it,
 * to show that it would. */
static void generate_locked_in(struct smol_session *session, struct smol_sampler *sampler,
                               bool forbidden)
{
    uint32_t tokens[3] = {1, 2, 3};
    struct smol_error error;
    bool good = smol_session_feed(session, tokens, 3, &error) == SMOL_OK;

    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0)
        _exit(77);
    for (uint32_t i = 0; good && i < N_TOKENS; i++) {
        uint32_t token;
        good =
            smol_sampler_pick(&token, sampler, smol_session_logits(session), &error) == SMOL_OK &&
            smol_session_feed(session, &token, 1, &error) == SMOL_OK;
    }
    if (forbidden)
        (void)getppid();
    syscall(SYS_exit, good ? 0 : 1);
}

static int run_locked_in(const struct model_recipe *recipe,
                         const struct smol_session_options *options, bool forbidden)
{
    const struct smol_sampler_options sampling = {.struct_bytes = sizeof sampling,
                                                  .temperature = 0.8f,
                                                  .top_k = 5,
                                                  .top_p = 0.95,
                                                  .repeat_penalty = 1.1f,
                                                  .repeat_last_n = 64,
                                                  .seed = 1};
    struct smol_session *session;
    struct smol_sampler *sampler;
    struct smol_file file;
    struct smol_error error = {0};
    void *memory, *more;
    size_t size;
    pid_t child;
    int status = -1;

    model_open(&file, recipe);
    cr_assert_eq(smol_session_size(&size, &file, options, &error), SMOL_OK, "%s", error.text);
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_session_init(&session, &file, options, memory, size, &error), SMOL_OK, "%s",
                 error.text);
    cr_assert_eq(smol_sampler_size(&size, file.config.vocab, &sampling, &error), SMOL_OK, "%s",
                 error.text);
    more = aligned_alloc(64, (size + 63) / 64 * 64);
    cr_assert_eq(smol_sampler_init(&sampler, file.config.vocab, &sampling, more, size, &error),
                 SMOL_OK, "%s", error.text);
    child = fork();
    if (child == 0)
        generate_locked_in(session, sampler, forbidden);
    cr_assert_eq(waitpid(child, &status, 0), child);
    smol_session_finish(session);
    free(memory), free(more), free((void *)(uintptr_t)file.bytes.data);
    return status;
}

Test(quiet, a_token_takes_no_system_call, .timeout = 60)
{
    static const struct model_recipe recipes[] = {
        {.source = SMOL_MATRIX_OWN,
         .d = 5,
         .wte_type = SMOL_Q8,
         .wpe_type = SMOL_Q8,
         .context = 64},
        {.source = SMOL_MATRIX_SHARED,
         .dist = SMOL_GAUSS,
         .d = 3,
         .norms = SMOL_NORM_OWN,
         .wte_type = SMOL_Q4,
         .context = 64},
        {.rank = 3,
         .value_type = SMOL_F16,
         .norms = SMOL_NORM_STORED,
         .wte_type = SMOL_F16,
         .context = 64},
        {.features = SMOL_ALL_FEATURES,
         .source = SMOL_MATRIX_MASK,
         .output_type = SMOL_TERNARY,
         .context = 5}, /* the text slides */
    };
    static const struct smol_session_options options[] = {
        {.struct_bytes = sizeof(struct smol_session_options), .n_threads = 1},
        {.struct_bytes = sizeof(struct smol_session_options),
         .n_threads = 1,
         .kv_type = SMOL_Q8,
         .is_fast = true},
        {.struct_bytes = sizeof(struct smol_session_options),
         .n_threads = 1,
         .isa = SMOL_ISA_SCALAR,
         .kv_type = SMOL_F16,
         .memory_bytes = 100000000}};

    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++)
        for (size_t o = 0; o < sizeof options / sizeof options[0]; o++) {
            const int status = run_locked_in(&recipes[i], &options[o], false);
            cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0, "recipe %zu, options %zu: %s",
                      i, o, WIFSIGNALED(status) ? "killed for a system call" : "failed");
        }
}

Test(quiet, a_system_call_would_be_seen, .timeout = 60)
{
    static const struct model_recipe recipe = {.context = 64};
    const struct smol_session_options options = {.struct_bytes = sizeof options, .n_threads = 1};
    int status;

    status = run_locked_in(&recipe, &options, true);
    cr_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}
