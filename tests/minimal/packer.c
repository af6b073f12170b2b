/* Texts packed and unpacked as firmware does it: in memory that was given, on a stack of which is
 * known how much was used. Prints the result in hexadecimal, and the bytes of both. The model comes
 * from standard input. Usage: packer pack|unpack BATCH MAX_BYTES HEX < MODEL.smol */
#include <smol/file.h>
#include <smol/pack.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ucontext.h>

#define MAX_TEXT 4096u
#define STACK_BYTES 65536u

static _Alignas(64) uint8_t model[4 << 20], memory[16 << 20], stack[STACK_BYTES];

/* What is done on the stack that is watched. */
static struct {
    struct smol_file file;
    struct smol_pack_options options;
    bool packs;
    uint8_t in[MAX_TEXT], out[MAX_TEXT];
    size_t n_in, n_out, n_memory;
    enum smol_status status;
    struct smol_error error;
} job;

static void work(void)
{
    struct smol_packer *packer;
    struct smol_error *e = &job.error;

    if ((job.status = smol_packer_size(&job.n_memory, &job.file, &job.options, e)) ||
        (job.status = smol_packer_init(&packer, &job.file, &job.options, memory, sizeof memory, e)))
        return;
    job.status =
        job.packs
            ? smol_packer_pack(&job.n_out, job.out, packer, job.in, job.n_in, NULL, 0, e)
            : smol_packer_unpack(&job.n_out, job.out, sizeof job.out, packer, job.in, job.n_in, e);
    smol_packer_finish(packer);
}

/* Does the work; returns how much of the stack it has touched. */
static size_t watched(void)
{
    static ucontext_t here, there;
    size_t untouched = 0;

    memset(stack, 0xa5, sizeof stack);
    getcontext(&there);
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof stack;
    there.uc_link = &here;
    makecontext(&there, work, 0);
    swapcontext(&here, &there);
    while (untouched < sizeof stack && stack[untouched] == 0xa5)
        untouched++;
    return sizeof stack - untouched;
}

static size_t from_hex(uint8_t *bytes, const char *hex)
{
    size_t n = 0;
    unsigned byte;

    for (; n < MAX_TEXT - 2 && sscanf(hex + 2 * n, "%2x", &byte) == 1; n++)
        bytes[n] = (uint8_t)byte;
    return n;
}

int main(int argc, char **argv)
{
    const size_t size = fread(model, 1, sizeof model, stdin);
    size_t used;

    if (argc != 5)
        return 2;
    job.packs = strcmp(argv[1], "pack") == 0;
    job.options = (struct smol_pack_options){.struct_bytes = sizeof job.options,
                                             .batch = (uint32_t)atoi(argv[2]),
                                             .max_bytes = (size_t)atoi(argv[3])};
    job.n_in = from_hex(job.in, argv[4]);
    if (smol_file_parse(&job.file, model, size, &job.error) ||
        smol_file_check_hash(&job.file, &job.error) || (used = watched(), job.status)) {
        fprintf(stderr, "packer: %s\n", job.error.text);
        return 1;
    }
    for (size_t i = 0; i < job.n_out; i++)
        printf("%02x", job.out[i]);
    printf("\n%zu %zu\n", job.n_memory, used);
    return 0;
}
