/* From a path to a perplexity: how well a model predicts TEXT.
 *     cc -std=c11 perplexity.c $(pkg-config --cflags --libs smol) -o perplexity
 * Usage: perplexity MODEL.smol TEXT */
#include <smol/model.h>

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    struct smol_model *model = NULL;
    struct smol_score score;
    struct smol_error error;
    int code = 1;

    if (argc != 3) {
        fprintf(stderr, "usage: perplexity MODEL.smol TEXT\n");
        return 2;
    }
    if (smol_model_open(&model, argv[1], 1, &error) ||
        smol_model_score(&score, model, NULL, argv[2], strlen(argv[2]), &error)) {
        fprintf(stderr, "perplexity: %s: %s\n", argv[1], error.text);
    } else {
        printf("perplexity %.4f\n", score.perplexity);
        code = 0;
    }
    smol_model_close(model);
    return code;
}
