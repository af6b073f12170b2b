/* What a program of firmware calls, to be linked and measured by scripts/minimal_sizes, and not
 * run: with USES 0 nothing at all, then step by step a model that is read and run, its hash, its
 * signature, the sampler, and packing and unpacking. */
#if USES >= 1
#include <smol/file.h>
#include <smol/pack.h>
#include <smol/sampler.h>
#include <smol/session.h>
#include <smol/tokenizer.h>

static uint8_t bytes[64];
static void *volatile somewhere = bytes;
static struct smol_file file;
static struct smol_error error;

static int run(void)
{
    struct smol_session *session;
    uint32_t token;

    if (smol_file_parse(&file, somewhere, sizeof bytes, &error) ||
        smol_session_init(&session, &file, NULL, somewhere, sizeof bytes, &error))
        return 1;
    token = smol_start_token(&file);
    if (smol_session_feed(session, &token, 1, &error))
        return 1;
    somewhere = (void *)smol_session_logits(session);
    return (int)smol_token_bytes(bytes, &file, token).size_bytes;
}
#endif

#if USES >= 4
static int sample(void)
{
    struct smol_sampler_options options;
    struct smol_sampler *sampler;
    uint32_t token;

    smol_sampler_defaults(&options, sizeof options);
    return smol_sampler_init(&sampler, file.config.vocab, &options, somewhere, sizeof bytes,
                             &error) ||
           smol_sampler_pick(&token, sampler, somewhere, &error);
}
#endif

#if USES >= 5
static int pack(void)
{
    struct smol_packer *packer;
    size_t n;

    return smol_packer_init(&packer, &file, NULL, somewhere, sizeof bytes, &error) ||
           smol_packer_pack(&n, somewhere, packer, somewhere, 1, NULL, 0, &error) ||
           smol_packer_unpack(&n, somewhere, 1, packer, somewhere, n, &error);
}
#endif

int main(void)
{
    int code = 0;

#if USES >= 1
    code += run();
#endif
#if USES >= 2
    code += smol_file_check_hash(&file, &error) != SMOL_OK;
#endif
#if USES >= 3
    code += smol_file_check_signature(&file, &error) != SMOL_OK;
#endif
#if USES >= 4
    code += sample();
#endif
#if USES >= 5
    code += pack();
#endif
    return code;
}
