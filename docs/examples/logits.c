/* From a path to logits: the five likeliest tokens that may follow a text.
 *     cc -std=c11 logits.c $(pkg-config --cflags --libs smol) -o logits
 * Usage: logits MODEL.smol TEXT */
#include <smol/model.h>

#include <stdio.h>
#include <string.h>

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
    struct smol_model_facts facts;
    struct smol_model *model = NULL;
    struct smol_text *text = NULL;
    struct smol_error error;
    int code = 1;

    if (argc != 3) {
        fprintf(stderr, "usage: logits MODEL.smol TEXT\n");
        return 2;
    }
    if (smol_model_open(&model, argv[1], 1, &error) ||
        smol_text_create(&text, model, NULL, NULL, &error) ||
        smol_text_append_bytes(text, argv[2], strlen(argv[2]), &error) ||
        smol_text_feed(text, &error))
        goto done;
    smol_model_describe(&facts, sizeof facts, model);
    print_best(smol_text_logits(text), facts.vocab);
    code = 0;
done:
    if (code)
        fprintf(stderr, "logits: %s: %s\n", argv[1], error.text);
    smol_text_destroy(text);
    smol_model_close(model);
    return code;
}
