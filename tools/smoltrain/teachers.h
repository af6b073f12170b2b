/* Models that a training learns from besides its text. */
#ifndef SMOLTRAIN_TEACHERS_H
#define SMOLTRAIN_TEACHERS_H

#include <smol/io.h>
#include <smol/train.h>

struct train_teachers {
    struct smol_mapping *mappings;  /* (n) */
    struct smol_file *models;       /* (n) */
    const struct smol_file **files; /* (n) the same */
    size_t n;
};

/* Opens and checks the models with those paths, NULL at the end. 0, or an exit code after a
 * message. */
int train_teachers_open(struct train_teachers *teachers, char *const *paths, uint32_t n_threads);
void train_teachers_close(struct train_teachers *teachers);

/* Has them predict the training text, showing how far they are. CANCELLED after a signal. */
enum smol_status train_teachers_teach(const struct train_teachers *teachers,
                                      struct smol_trainer *trainer, struct smol_error *error);

#endif
