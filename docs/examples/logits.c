/* A session in memory of the caller's: feeds it a text of bytes, and prints the five likeliest
 * bytes that may follow. cc -std=c11 logits.c $(pkg-config --cflags --libs smol) -o logits Usage:
 * logits MODEL.smol TEXT */
#include <smol/io.h>
#include <smol/session.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TOKENS 1024
#define SHOWN 5

/* Keeps the likeliest so far in falling order; of equal ones the first comes first. */
static void print_best(const float *logits, uint32_t vocab)
{
    uint32_t best[SHOWN + 1], n = 0;

    for (uint32_t token = 0; token < vocab; token++) {
        uint32_t i = n;
        for (; i > 0 && logits[token] > logits[best[i - 1]]; i--)
            best[i] = best[i - 1];
        best[i] = token;
        n += n < SHOWN;
    }
    for (uint32_t i = 0; i < n; i++)
        printf("%u %.9g\n", (unsigned)best[i], (double)logits[best[i]]);
}

int main(int argc, char **argv)
{
    /* The logits are the same with any number. */
    const struct smol_session_options options = {.n_threads = 2};
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    struct smol_mapping mapping = {.fd = -1};
    struct smol_session *session = NULL;
    struct smol_file file;
    uint32_t tokens[MAX_TOKENS];
    void *memory = NULL;
    size_t n, n_bytes;
    int code = 1;

    if (argc != 3 || strlen(argv[2]) == 0 || strlen(argv[2]) > MAX_TOKENS) {
        fprintf(stderr, "usage: logits MODEL.smol TEXT\n");
        return 2;
    }
    if (smol_file_open(&mapping, &file, argv[1], 1, &error) ||
        smol_encode_bytes(&n, tokens, &file, (const uint8_t *)argv[2], strlen(argv[2]), &error) ||
        smol_session_size(&n_bytes, &file, &options, &error) ||
        !(memory = aligned_alloc(64, (n_bytes + 63) / 64 * 64)) ||
        smol_session_init(&session, &file, &options, memory, n_bytes, &error) ||
        smol_session_feed(session, tokens, n, &error))
        goto done;
    print_best(smol_session_logits(session), file.config.vocab);
    code = 0;
done:
    if (code)
        fprintf(stderr, "logits: %s: %s\n", argv[1], error.text);
    smol_session_finish(session); /* before the memory that it lives in */
    free(memory);
    smol_mapping_close(&mapping);
    return code;
}
