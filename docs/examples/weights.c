/* Weights by name: prints one row of a tensor, exactly. No other row is computed.
 *     cc -std=c11 weights.c $(pkg-config --cflags --libs smol) -o weights
 * Usage: weights MODEL.smol TENSOR ROW; such as weights MODEL.smol h.0.attn.c_attn.weight 7 */
#include <smol/io.h>
#include <smol/weights.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
    struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET, "out of memory"};
    struct smol_mapping mapping = {.fd = -1};
    struct smol_tensor tensor;
    struct smol_file file;
    double *values = NULL;
    void *scratch = NULL;
    size_t scratch_bytes;
    uint32_t row;
    int code = 1;

    if (argc != 4) {
        fprintf(stderr, "usage: weights MODEL.smol TENSOR ROW\n");
        return 2;
    }
    row = (uint32_t)strtoul(argv[3], NULL, 10);
    if (smol_file_open(&mapping, &file, argv[1], 1, &error) ||
        smol_tensor_find(&tensor, &file.config, argv[2], &error))
        goto done;
    if (row >= tensor.rows) {
        snprintf(error.text, sizeof error.text, "%s has %u rows", tensor.name,
                 (unsigned)tensor.rows);
        goto done;
    }
    scratch_bytes = smol_tensor_scratch_bytes(&file, &tensor);
    if (!(values = malloc(tensor.cols * sizeof *values)) ||
        !(scratch = aligned_alloc(64, (scratch_bytes + 64) / 64 * 64)) ||
        smol_tensor_read(values, &file, &tensor, row, 1, scratch, &error))
        goto done;
    for (uint32_t i = 0; i < tensor.cols; i++)
        printf("%.17g\n", values[i]);
    code = 0;
done:
    if (code)
        fprintf(stderr, "weights: %s: %s\n", argv[1], error.text);
    free(scratch);
    free(values);
    smol_mapping_close(&mapping);
    return code;
}
