/* Threads share one model, which is constant: each continues the same text, with a session and a
 * seed of its own.
 *     cc -std=c11 threads.c $(pkg-config --cflags --libs smol) -pthread -o threads
 * Usage: threads MODEL.smol TEXT N_THREADS */
#include <smol/model.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#define MAX_THREADS 16
#define N_TOKENS 24

/* What one thread works on; nobody else touches it meanwhile. */
struct job {
    const struct smol_model *model;
    const char *prompt;
    uint64_t seed;
    uint32_t tokens[N_TOKENS];
    struct smol_error error;
    thrd_t thread;
};

static int work(void *argument)
{
    struct job *job = argument;
    struct smol_sampler_options sampling;
    struct smol_text *text = NULL;
    enum smol_status status;

    smol_sampler_defaults(&sampling, sizeof sampling);
    sampling.seed = job->seed;
    status = smol_text_create(&text, job->model, NULL, &sampling, &job->error);
    if (status == SMOL_OK)
        status = smol_text_append_bytes(text, job->prompt, strlen(job->prompt), &job->error);
    for (int i = 0; status == SMOL_OK && i < N_TOKENS; i++)
        status = smol_text_next(&job->tokens[i], text, &job->error);
    smol_text_destroy(text);
    return (int)status;
}

/* Waits for a thread and prints its text; whether there is one. */
static int finish(struct job *job)
{
    unsigned char bytes[N_TOKENS * SMOL_MAX_TOKEN_BYTES];
    size_t n;
    int status;

    thrd_join(job->thread, &status);
    if (status || smol_model_decode(&n, bytes, sizeof bytes, job->model, job->tokens, N_TOKENS,
                                    &job->error)) {
        fprintf(stderr, "threads: %s\n", job->error.text);
        return 0;
    }
    printf("%llu:", (unsigned long long)job->seed);
    for (size_t i = 0; i < n; i++)
        printf(" %02x", bytes[i]);
    printf("\n");
    return 1;
}

int main(int argc, char **argv)
{
    static struct job jobs[MAX_THREADS];
    const int n = argc == 4 ? atoi(argv[3]) : 0;
    struct smol_model *model;
    struct smol_error error;
    int started = 0, good = 0;

    if (n < 1 || n > MAX_THREADS) {
        fprintf(stderr, "usage: threads MODEL.smol TEXT N_THREADS\n");
        return 2;
    }
    if (smol_model_open(&model, argv[1], 1, &error)) {
        fprintf(stderr, "threads: %s: %s\n", argv[1], error.text);
        return 1;
    }
    for (; started < n; started++) {
        jobs[started] = (struct job){.model = model, .prompt = argv[2], .seed = (uint64_t)started};
        if (thrd_create(&jobs[started].thread, work, &jobs[started]) != thrd_success)
            break;
    }
    for (int i = 0; i < started; i++)
        good += finish(&jobs[i]);
    smol_model_close(model);
    return good < n;
}
