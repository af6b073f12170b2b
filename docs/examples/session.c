/* A session in memory of the caller's, which allocates nothing: how many nats each byte of a text
 * costs after those before it.
 *     cc -std=c11 session.c $(pkg-config --cflags --libs smol) -o session
 * Usage: session MODEL.smol TEXT */
#include <smol/io.h>
#include <smol/session.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_TOKENS 1024

int main(int argc, char **argv)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .n_threads = 2};
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    struct smol_mapping mapping = {.fd = -1};
    struct smol_session *session = NULL;
    struct smol_file file;
    uint32_t tokens[MAX_TOKENS];
    double nats[MAX_TOKENS];
    void *memory = NULL;
    size_t n, n_bytes;
    int code = 1;

    if (argc != 3 || strlen(argv[2]) < 2 || strlen(argv[2]) > MAX_TOKENS) {
        fprintf(stderr, "usage: session MODEL.smol TEXT\n");
        return 2;
    }
    if (smol_file_open(&mapping, &file, argv[1], 1, &error) ||
        smol_encode_bytes(&n, tokens, &file, (const uint8_t *)argv[2], strlen(argv[2]), &error) ||
        smol_session_size(&n_bytes, &file, &options, &error) ||
        !(memory = aligned_alloc(64, (n_bytes + 63) / 64 * 64)) ||
        smol_session_init(&session, &file, &options, memory, n_bytes, &error) ||
        smol_session_score(session, nats, tokens, tokens + 1, n - 1, &error))
        goto done;
    for (size_t i = 0; i + 1 < n; i++)
        printf("%u %.6f\n", (unsigned)tokens[i + 1], nats[i]);
    code = 0;
done:
    if (code)
        fprintf(stderr, "session: %s: %s\n", argv[1], error.text);
    smol_session_finish(session); /* before the memory that it lives in */
    free(memory);
    smol_mapping_close(&mapping);
    return code;
}
