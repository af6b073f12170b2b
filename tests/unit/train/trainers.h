/* What tests of whole trainers share: a text, and steps over it. */
#ifndef TRAINERS_H
#define TRAINERS_H

#include "train/trainer.h"

#include <criterion/criterion.h>

enum { TEXT_BYTES = 3000 };
static uint8_t text[TEXT_BYTES];

static inline void fill_text(void)
{
    static const char words[] =
        "the quick brown fox jumps over the lazy dog, and then the dog jumps over the fox. ";

    for (size_t i = 0; i < TEXT_BYTES; i++)
        text[i] = (uint8_t)words[i * 7 / 6 % (sizeof words - 1)];
}

static inline struct smol_trainer *create(const struct smol_train_options *o)
{
    struct smol_trainer *t = NULL;
    struct smol_error error;

    fill_text();
    cr_assert_eq(smol_trainer_create(&t, o, text, TEXT_BYTES, &error), SMOL_OK, "%s", error.text);
    return t;
}

/* Up to a step; the loss of the last one. */
static inline double steps(struct smol_trainer *t, uint32_t until)
{
    struct smol_train_step s = {0};

    while (smol_trainer_steps(t) < until)
        cr_assert_eq(smol_trainer_step(t, &s, NULL), SMOL_OK);
    return s.loss;
}

static inline double evaluate(struct smol_trainer *t)
{
    struct smol_train_score score;

    cr_assert_eq(smol_trainer_evaluate(t, &score, NULL), SMOL_OK);
    return score.nats_per_token;
}

static inline void check_same_values(const struct smol_trainer *a, const struct smol_trainer *b,
                                     size_t i)
{
    cr_assert_eq(a->net->n_values, b->net->n_values, "case %zu", i);
    cr_assert_eq(memcmp(a->net->value, b->net->value, a->net->n_values * sizeof(real)), 0,
                 "case %zu", i);
}

/* Up to a step, where both have the same numbers and, finished if that is wanted, the same loss. */
static inline void end_alike(struct smol_trainer *a, struct smol_trainer *b, uint32_t until,
                             bool finishes, size_t i)
{
    steps(a, until);
    steps(b, until);
    check_same_values(a, b, i);
    if (finishes) {
        cr_assert_eq(smol_trainer_finish(a, NULL), SMOL_OK);
        cr_assert_eq(smol_trainer_finish(b, NULL), SMOL_OK);
    }
    cr_assert(evaluate(a) == evaluate(b), "case %zu", i);
    smol_trainer_destroy(a);
    smol_trainer_destroy(b);
}

#endif
