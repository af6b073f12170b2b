/* What others reach with as many bytes on the same text: so that a model's size and loss mean
 * something. */
#ifndef SMOLTRAIN_RIVALS_H
#define SMOLTRAIN_RIVALS_H

#include "smoltrain/data/data.h"

/* All losses are nats per byte of the text held out. */
struct plan_rivals {
    bool has_table; /* an n-gram table fits */
    double table_nats;
    unsigned table_order, table_least_count;
    uint64_t table_bytes;   /* packed */
    double xz_nats;         /* beyond what the end of the text took to be packed */
    uint64_t xz_bytes;      /* that end, packed */
    uint64_t xz_text_bytes; /* and as it is */
};

/* Both for files of size_bytes: the best table of orders 0 to 6 that packs into as much, and xz
 * that has packed as much of the end of the training text before. n_train: tokens to train on.
 * CANCELLED after a signal; MEMORY. */
enum smol_status plan_rivals_find(struct plan_rivals *rivals, const struct train_data *data,
                                  uint64_t n_train, uint64_t size_bytes, struct smol_error *error);

#endif
