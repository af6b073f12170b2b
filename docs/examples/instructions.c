/* Instruction sets: which of them this machine has, and that each gives the same logits, bit by
 * bit. cc -std=c11 instructions.c $(pkg-config --cflags --libs smol) -o instructions Usage:
 * instructions MODEL.smol */
#include <smol/io.h>
#include <smol/isa.h>
#include <smol/session.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* logits: (V), those after token 0. ARGUMENT if this machine lacks the instructions. */
static enum smol_status compute(float *logits, const struct smol_file *file, enum smol_isa isa,
                                struct smol_error *error)
{
    const struct smol_session_options options = {.context = 1, .isa = isa};
    struct smol_session *session = NULL;
    void *memory = NULL;
    size_t n;
    enum smol_status status = smol_session_size(&n, file, &options, error);

    if (status == SMOL_OK && !(memory = aligned_alloc(64, (n + 63) / 64 * 64))) {
        *error = (struct smol_error){SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
        status = SMOL_E_MEMORY;
    }
    if (status == SMOL_OK)
        status = smol_session_init(&session, file, &options, memory, n, error);
    if (status == SMOL_OK)
        status = smol_session_feed(session, &(uint32_t){0}, 1, error);
    if (status == SMOL_OK)
        memcpy(logits, smol_session_logits(session), file->config.vocab * sizeof *logits);
    smol_session_finish(session);
    free(memory);
    return status;
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"best", "scalar", "avx2", "avx512", "neon"};
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    struct smol_mapping mapping = {.fd = -1};
    struct smol_file file;
    float *plain = NULL, *other = NULL;
    size_t size_bytes;
    int code = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: instructions MODEL.smol\n");
        return 2;
    }
    if (smol_file_open(&mapping, &file, argv[1], 1, &error))
        goto done;
    size_bytes = file.config.vocab * sizeof *plain;
    if (!(plain = malloc(size_bytes)) || !(other = malloc(size_bytes)) ||
        compute(plain, &file, SMOL_ISA_SCALAR, &error))
        goto done;
    for (int isa = SMOL_ISA_BEST; isa <= SMOL_ISA_NEON; isa++) {
        const enum smol_status status = compute(other, &file, (enum smol_isa)isa, &error);
        const char *result = "not here";
        if (status && status != SMOL_E_ARGUMENT)
            goto done;
        if (status == SMOL_OK)
            result = memcmp(plain, other, size_bytes) ? "other bits" : "the same bits";
        printf("%s: %s\n", names[isa], result);
    }
    code = 0;
done:
    if (code)
        fprintf(stderr, "instructions: %s: %s\n", argv[1], error.text);
    free(other);
    free(plain);
    smol_mapping_close(&mapping);
    return code;
}
