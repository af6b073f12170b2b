/* The low-rank factors of a delta, for programs that know LoRA (Hu et al. 2021). */
#ifndef EXPORT_ADAPTER_H
#define EXPORT_ADAPTER_H

#include "smoltool/export/export.h"

/* A factor of a matrix: A (r, K), then B (R, r). Their product is the difference of the weights,
 * outputs x inputs. */
struct adapter_factor {
    uint32_t layer;
    enum smol_slot slot;
    bool is_b;
    uint32_t rank, rows, cols;
};

/* All factors of a delta that has nothing else, and one model of GPT-2's architecture, in the order
 * of the forward pass, for free(). NULL, with an error that names what it has else. format: which
 * other format has no place for that. */
struct adapter_factor *adapter_list(size_t *n, const struct smol_file *file, const char *format,
                                    struct smol_error *error);
/* Numbers of a factor. */
uint64_t adapter_count(const struct adapter_factor *factor);
/* The rank that all have, or 0. */
uint32_t adapter_rank(const struct adapter_factor *factors, size_t n);
/* n of a factor's numbers from number begin, a multiple of 64, on. */
void adapter_read(float *values, const struct smol_file *file, const struct adapter_factor *factor,
                  uint64_t begin, size_t n);

#endif
