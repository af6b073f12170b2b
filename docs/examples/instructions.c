/* Instruction sets: which of them this machine has, and that each gives the same logits, bit by
 * bit.
 *     cc -std=c11 instructions.c $(pkg-config --cflags --libs smol) -o instructions
 * Usage: instructions MODEL.smol */
#include <smol/isa.h>
#include <smol/model.h>

#include <stdio.h>
#include <string.h>

/* A text of the start token alone, and so its logits. ARGUMENT if this machine lacks the
 * instructions. */
static enum smol_status begin(struct smol_text **text, const struct smol_model *model,
                              enum smol_isa isa, struct smol_error *error)
{
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .context = 1, .isa = isa};
    const enum smol_status status = smol_text_create(text, model, &options, NULL, error);

    if (status || smol_text_append_bytes(*text, NULL, 0, error))
        return status ? status : error->code;
    return smol_text_feed(*text, error);
}

int main(int argc, char **argv)
{
    static const char *const names[] = {"best", "scalar", "avx2", "avx512", "neon"};
    struct smol_model *model = NULL;
    struct smol_text *plain = NULL, *other = NULL;
    struct smol_model_facts facts;
    struct smol_error error;
    int code = 1;

    if (argc != 2) {
        fprintf(stderr, "usage: instructions MODEL.smol\n");
        return 2;
    }
    if (smol_model_open(&model, argv[1], 1, &error) ||
        begin(&plain, model, SMOL_ISA_SCALAR, &error))
        goto done;
    smol_model_describe(&facts, sizeof facts, model);
    for (int isa = SMOL_ISA_BEST; isa <= SMOL_ISA_NEON; isa++) {
        const enum smol_status status = begin(&other, model, (enum smol_isa)isa, &error);
        const char *result = "not here";
        if (status && status != SMOL_E_ARGUMENT)
            goto done;
        if (status == SMOL_OK)
            result = memcmp(smol_text_logits(plain), smol_text_logits(other),
                            facts.vocab * sizeof(float))
                         ? "other bits"
                         : "the same bits";
        printf("%s: %s\n", names[isa], result);
        smol_text_destroy(other);
        other = NULL;
    }
    code = 0;
done:
    if (code)
        fprintf(stderr, "instructions: %s: %s\n", argv[1], error.text);
    smol_text_destroy(other);
    smol_text_destroy(plain);
    smol_model_close(model);
    return code;
}
