/* How much memory a model takes, for scripts/minimal_sizes. Usage: ram MODEL.smol CONTEXT...
 * First the bytes of struct smol_file, of a sampler, and of the stack with MEASURES_STACK: to
 * read and check the model, and to begin a session and add tokens. Then for each context
 * those of a session of one position at a time, with a KV cache of f32, f16 and q8, or 0 if the
 * model has not so many positions. */
#include <smol/file.h>
#include <smol/sampler.h>
#include <smol/session.h>
#include <smol/tokenizer.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static _Alignas(64) uint8_t model[1792 << 10], memory[1024 << 10];
static struct smol_file file;
static struct smol_error error;
static size_t n;

static int fail(const char *why)
{
    fprintf(stderr, "ram: %s\n", why);
    return 1;
}

static struct smol_session_options options_of(uint32_t context, enum smol_dtype kv_type)
{
    return (struct smol_session_options){.struct_bytes = sizeof(struct smol_session_options),
                                         .context = context,
                                         .batch = 1,
                                         .kv_type = kv_type};
}

static int check(void)
{
    return smol_file_parse(&file, model, n, &error) || smol_file_check_hash(&file, &error) ||
           (file.is_signed && smol_file_check_signature(&file, &error));
}

static int run(void)
{
    const struct smol_session_options options = options_of(8, SMOL_Q8);
    struct smol_session *session;
    uint32_t token = smol_start_token(&file);

    return smol_session_init(&session, &file, &options, memory, sizeof memory, &error) ||
           smol_session_feed(session, &token, 1, &error) ||
           smol_session_feed(session, &token, 1, &error);
}

#ifdef MEASURES_STACK
#define STACK_BYTES 65536u

/* What lies below this frame is painted, and looked at afterwards: where nothing else is. */
static size_t stack_of(int (*work)(void))
{
    volatile uint8_t here = 0xa5, *const low = &here - STACK_BYTES, *p = low;

    for (; p < &here - 64; p++)
        *p = here;
    if (work())
        return 0;
    for (p = low; *p == 0xa5;)
        p++;
    return (size_t)(&here - p);
}
#else
static size_t stack_of(int (*work)(void))
{
    work();
    return 0;
}
#endif

int main(int argc, char **argv)
{
    struct smol_sampler_options sampling;
    FILE *f = argc > 2 ? fopen(argv[1], "rb") : NULL;
    size_t sampler = 0, stack_to_check, stack_to_run;

    if (!f)
        return fail("MODEL.smol CONTEXT...");
    n = fread(model, 1, sizeof model, f);
    fclose(f);
    stack_to_check = stack_of(check);
    stack_to_run = error.code ? 0 : stack_of(run);
    smol_sampler_defaults(&sampling, sizeof sampling);
    if (error.code || smol_sampler_size(&sampler, file.config.vocab, &sampling, &error))
        return fail(error.text);
    printf("%lu %lu %lu %lu\n", (unsigned long)sizeof file, (unsigned long)sampler,
           (unsigned long)stack_to_check, (unsigned long)stack_to_run);
    for (int i = 2; i < argc; i++) {
        size_t sizes[3] = {0};
        for (int kv = SMOL_F32; kv <= SMOL_Q8; kv++) {
            const struct smol_session_options options =
                options_of((uint32_t)atoi(argv[i]), (enum smol_dtype)kv);
            if (options.context <= file.config.context &&
                smol_session_size(&sizes[kv], &file, &options, &error))
                return fail(error.text);
        }
        printf("%s %lu %lu %lu\n", argv[i], (unsigned long)sizes[0], (unsigned long)sizes[1],
               (unsigned long)sizes[2]); /* not %zu, which newlib may lack */
    }
    return 0;
}
