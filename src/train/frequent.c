/* Which tokens are frequent: a delta learns their rows of the tables. */
#include "train/trainer.h"

#include "base/error.h"
#include "train/alloc.h"
#include "train/corpus/corpus.h"

struct counted {
    uint64_t count;
    uint32_t token;
};

/* The most frequent first. */
static int by_count(const void *a, const void *b)
{
    const struct counted *x = a, *y = b;

    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return x->token < y->token ? -1 : x->token > y->token;
}

static int by_token(const void *a, const void *b)
{
    const uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

enum smol_status smol_trainer_choose_rows(struct smol_trainer *t, uint32_t n,
                                          struct smol_error *error)
{
    const uint32_t vocab = t->tokenizer.config.vocab;
    struct counted *counts;

    if (n == 0)
        return SMOL_OK;
    counts = smol_train_alloc(vocab, sizeof *counts);
    t->rows = smol_train_alloc(n, sizeof *t->rows);
    if (!counts || !t->rows) {
        free(counts);
        return smol_fail_memory(error);
    }
    for (uint32_t i = 0; i < vocab; i++)
        counts[i].token = i;
    for (uint64_t i = 0; i < t->n_train; i++)
        counts[smol_corpus_token(&t->corpus, i)].count++;
    qsort(counts, vocab, sizeof *counts, by_count);
    for (uint32_t i = 0; i < n; i++)
        t->rows[i] = counts[i].token;
    free(counts);
    qsort(t->rows, n, sizeof *t->rows, by_token);
    return SMOL_OK;
}
