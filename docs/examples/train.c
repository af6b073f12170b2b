/* Training from memory: a small model of the method `alpha` learns a text, and is written as a
 * file.
 *     cc -std=c11 train.c $(pkg-config --cflags --libs smol_train) -o train
 * Usage: train TEXT OUT.smol STEPS */
#include <smol/io.h>
#include <smol/train.h>

#include <stdio.h>
#include <stdlib.h>

/* All steps, one validation, and the model's bytes, for free(). */
static enum smol_status train(uint8_t **bytes, size_t *n, const struct smol_train_options *options,
                              struct smol_span text, struct smol_error *error)
{
    struct smol_trainer *trainer = NULL;
    struct smol_train_score score;
    struct smol_train_step step;
    enum smol_status status =
        smol_trainer_create(&trainer, options, text.data, text.size_bytes, error);

    for (uint32_t i = 0; status == SMOL_OK && i < options->n_steps; i++) {
        status = smol_trainer_step(trainer, &step, error);
        if (status == SMOL_OK && i % 100 == 0)
            fprintf(stderr, "step %u: %.4f nats\n", (unsigned)i, step.loss);
    }
    /* Now the numbers become those that the file will hold, and those are validated. */
    if (status == SMOL_OK)
        status = smol_trainer_finish(trainer, error);
    if (status == SMOL_OK)
        status = smol_trainer_evaluate(trainer, &score, error);
    if (status == SMOL_OK)
        status = smol_trainer_model(bytes, n, trainer, NULL, 0, error);
    if (status == SMOL_OK)
        printf("%llu parameters, %.6f nats a token, %.6f bits per byte\n",
               (unsigned long long)smol_trainer_parameters(trainer), score.nats_per_token,
               score.bits_per_byte);
    smol_trainer_destroy(trainer);
    return status;
}

int main(int argc, char **argv)
{
    struct smol_mapping text = {.fd = -1};
    struct smol_train_options options;
    struct smol_error error;
    uint8_t *bytes = NULL;
    const char *path;
    size_t n;
    int code;

    if (argc != 4 || strtoul(argv[3], NULL, 10) == 0) {
        fprintf(stderr, "usage: train TEXT OUT.smol STEPS\n");
        return 2;
    }
    smol_train_defaults(&options, sizeof options, "alpha");
    options.n_layers = 1;
    options.width = 32;
    options.n_heads = 2;
    options.context = 32;
    options.batch = 8;
    options.n_steps = (uint32_t)strtoul(argv[3], NULL, 10);
    code = smol_mapping_open(&text, path = argv[1], &error) ||
           train(&bytes, &n, &options, text.bytes, &error) ||
           smol_write_file(path = argv[2], bytes, n, 0666, &error);
    if (code)
        fprintf(stderr, "train: %s: %s\n", path, error.text);
    free(bytes);
    smol_mapping_close(&text);
    return code;
}
