/* Threads share one model, which is constant: each continues the same text, with a session and a
 * seed of its own. cc -std=c11 threads.c $(pkg-config --cflags --libs smol) -pthread -o threads
 * Usage: threads MODEL.smol TEXT N_THREADS */
#include <smol/model.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <threads.h>

#define MAX_THREADS 16
#define MAX_BYTES 256
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

static enum smol_status write_text(struct job *job, struct smol_text *text)
{
    uint32_t prompt[MAX_BYTES];
    size_t n;
    enum smol_status status =
        smol_encode_bytes(&n, prompt, smol_model_file(job->model), (const uint8_t *)job->prompt,
                          strlen(job->prompt), &job->error);

    if (status == SMOL_OK)
        status = smol_text_append(text, prompt, n, &job->error);
    for (int i = 0; status == SMOL_OK && i < N_TOKENS; i++)
        status = smol_text_next(&job->tokens[i], text, &job->error);
    return status;
}

static int work(void *argument)
{
    struct job *job = argument;
    struct smol_sampler_options sampling;
    struct smol_text *text;
    enum smol_status status;

    smol_sampler_defaults(&sampling);
    sampling.seed = job->seed;
    status = smol_model_text(&text, job->model, NULL, &sampling, &job->error);
    if (status == SMOL_OK) {
        status = write_text(job, text);
        smol_text_destroy(text);
    }
    return (int)status;
}

/* Waits for a thread and prints its text; whether there is one. */
static int finish(struct job *job)
{
    uint8_t room[SMOL_MAX_TOKEN_BYTES];
    int status;

    thrd_join(job->thread, &status);
    if (status) {
        fprintf(stderr, "threads: %s\n", job->error.text);
        return 0;
    }
    printf("%llu:", (unsigned long long)job->seed);
    for (int i = 0; i < N_TOKENS; i++) {
        const struct smol_span span =
            smol_token_bytes(room, smol_model_file(job->model), job->tokens[i]);
        for (size_t k = 0; k < span.size_bytes; k++)
            printf(" %02x", span.data[k]);
    }
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

    if (n < 1 || n > MAX_THREADS || strlen(argv[2]) == 0 || strlen(argv[2]) > MAX_BYTES) {
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
