/* A sampler without a model: picks N times among the logits given, and prints the numbers of those
 * that it picked.
 *     cc -std=c11 sample.c $(pkg-config --cflags --libs smol) -o sample
 * Usage: sample SEED N LOGIT... */
#include <smol/sampler.h>

#include <stdio.h>
#include <stdlib.h>

#define MAX_LOGITS 256

int main(int argc, char **argv)
{
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    struct smol_sampler_options options;
    struct smol_sampler *sampler;
    float logits[MAX_LOGITS];
    const int n_logits = argc - 3;
    size_t n_bytes;
    uint32_t token;
    void *memory = NULL;
    int code = 1;

    if (n_logits < 1 || n_logits > MAX_LOGITS) {
        fprintf(stderr, "usage: sample SEED N LOGIT...\n");
        return 2;
    }
    for (int i = 0; i < n_logits; i++)
        logits[i] = strtof(argv[3 + i], NULL);
    smol_sampler_defaults(&options, sizeof options);
    options.seed = strtoull(argv[1], NULL, 10);
    options.repeat_penalty = 1.1f;
    if (smol_sampler_size(&n_bytes, (uint32_t)n_logits, &options, &error) ||
        !(memory = aligned_alloc(64, (n_bytes + 63) / 64 * 64)) ||
        smol_sampler_init(&sampler, (uint32_t)n_logits, &options, memory, n_bytes, &error))
        goto done;
    for (long left = strtol(argv[2], NULL, 10); left > 0; left--) {
        if (smol_sampler_pick(&token, sampler, logits, &error))
            goto done;
        printf("%u\n", (unsigned)token);
    }
    code = 0;
done:
    if (code)
        fprintf(stderr, "sample: %s\n", error.text);
    free(memory); /* there is nothing else to end */
    return code;
}
