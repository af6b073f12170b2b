/* The fuzz target of the reader. What is accepted must be what the writer would write, and must run
 * (or say that its numbers overflow) without harm. With libFuzzer: built by -Dfuzz=true. */
#include "fuzz.h"
#include "mutate.h"
#include "use_tokens.h"

#include <smol/session.h>
#include <smol/weights.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SESSION_BYTES (4u << 20)

const char fuzz_name[] = "read";

/* One file for one content. */
static void write_again(const struct smol_file *file)
{
    const size_t size = file->body_bytes + SMOL_HASH_BYTES;
    uint8_t *again = malloc(size);
    struct smol_parts parts;
    struct smol_error error;
    uint64_t needed;

    smol_parts_of(&parts, file);
    fuzz_require(smol_file_size(&needed, &parts, &error) == SMOL_OK && needed == size);
    fuzz_require(smol_file_write(again, size, &parts, &error) == SMOL_OK);
    fuzz_require(memcmp(again, file->bytes.data, file->body_bytes) == 0);
    free(again);
}

/* Two tokens through a model of reasonable size; a few more than its context if they slide, some of
 * them again. */
static void run(const struct smol_file *file)
{
    const uint32_t last = file->config.vocab - 1,
                   tokens[8] = {0, last, 0, last, last, last / 2, 0, last / 3};
    const bool slides = smol_config_has(&file->config, SMOL_FEATURE_DISTANCES);
    const size_t n = slides && file->config.context <= 6 ? file->config.context + 2
                     : file->config.context < 2          ? 1
                                                         : 2;
    struct smol_session *session;
    struct smol_error error;
    size_t size;
    void *memory;

    fuzz_require(smol_session_size(&size, file, NULL, &error) == SMOL_OK);
    if (size > MAX_SESSION_BYTES || file->config.n_layers > 8)
        return;
    memory = aligned_alloc(64, (size + 63) / 64 * 64);
    fuzz_require(smol_session_init(&session, file, NULL, memory, size, &error) == SMOL_OK);
    if (smol_session_feed(session, tokens, n, &error) == SMOL_OK)
        for (uint32_t v = 0; v < file->config.vocab; v++)
            fuzz_require(smol_session_logits(session)[v] - smol_session_logits(session)[v] == 0);
    smol_session_finish(session);
    free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t text[] = "It's 12  \n te<|endoftext|>\xff\xc3\xa9\xe2\x82 aaaaaaaa\0bb";
    struct smol_error error = {0};
    struct smol_file file;
    const enum smol_status status = smol_file_parse(&file, data, size, &error);

    if (status) {
        fuzz_require(error.code == status && error.text[0] != '\0');
        fuzz_require(error.offset == SMOL_NO_OFFSET || error.offset <= size);
        return 0;
    }
    smol_file_check_hash(&file, &error);
    if (file.is_signed)
        smol_file_check_signature(&file, &error);
    write_again(&file);
    fuzz_use_tokens(&file, text, sizeof text);
    run(&file);
    return 0;
}

/* Damage, mostly repaired. */
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed)
{
    uint64_t random = seed;

    if (mutate_random(&random) % 3 == 0)
        mutate_contents(data, size, &random);
    else
        size = mutate(data, size, capacity, &random);
    repair_mostly(data, size, &random);
    return size;
}
