/* A history for a model: the five numbers with which what followed the same tokens before makes a
 * text likeliest, and the loss of the text with them and without. `smoltool history` writes the
 * model that has them.
 *     cc -std=c11 history.c $(pkg-config --cflags --libs smol) -o history
 * Usage: history MODEL.smol TEXT */
#include <smol/history.h>
#include <smol/io.h>
#include <smol/session.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TOKENS 4096

int main(int argc, char **argv)
{
    /* The network alone, if the model has a history already. */
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .n_threads = 2, .history = 1};
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    struct smol_mapping mapping = {.fd = -1};
    struct smol_session *session = NULL;
    struct smol_file file;
    uint32_t tokens[MAX_TOKENS];
    double nats[MAX_TOKENS], with, without = 0;
    float numbers[SMOL_HISTORY_LENGTHS];
    void *memory = NULL;
    size_t n, n_bytes;
    int code = 1;

    if (argc != 3 || strlen(argv[2]) < 2 || strlen(argv[2]) > MAX_TOKENS) {
        fprintf(stderr, "usage: history MODEL.smol TEXT\n");
        return 2;
    }
    if (smol_file_open(&mapping, &file, argv[1], 1, &error) ||
        smol_encode_bytes(&n, tokens, &file, (const uint8_t *)argv[2], strlen(argv[2]), &error) ||
        smol_session_size(&n_bytes, &file, &options, &error) ||
        !(memory = aligned_alloc(64, (n_bytes + 63) / 64 * 64)) ||
        smol_session_init(&session, &file, &options, memory, n_bytes, &error) ||
        smol_session_score(session, nats + 1, tokens, tokens + 1, n - 1, &error) ||
        smol_history_fit(numbers, &with, tokens, nats, n, file.config.vocab, &error))
        goto done;
    for (size_t i = 1; i < n; i++)
        without += nats[i] / (double)(n - 1);
    for (unsigned k = 0; k < SMOL_HISTORY_LENGTHS; k++)
        printf("%.4f ", (double)numbers[k]);
    printf("make %.6f nats a token of %.6f\n", with, without);
    code = 0;
done:
    if (code)
        fprintf(stderr, "history: %s: %s\n", argv[1], error.text);
    smol_session_finish(session); /* before the memory that it lives in */
    free(memory);
    smol_mapping_close(&mapping);
    return code;
}
