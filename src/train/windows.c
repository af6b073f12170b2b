/* The tokens of a step and of a validation: windows of the text, or of its documents. */
#include "train/corpus/corpus.h"
#include "train/trainer.h"

/* Where window b of the next step begins, or which one it is; n: how many there are, `apart`
 * positions apart. */
static uint64_t choose(const struct smol_trainer *t, uint32_t b, uint32_t apart, uint64_t n)
{
    const struct smol_train_options *o = &t->options;

    if (o->order == SMOL_ORDER_SHUFFLED)
        return smol_shuffled_start(t->batch_key, (uint64_t)t->step * o->batch + b, apart, n);
    return smol_batch_start(t->batch_key, t->step, b, n);
}

static void load_plain(struct smol_trainer *t, uint32_t number, size_t b)
{
    const size_t T = t->options.context;
    const uint64_t start = choose(t, number, t->options.context, t->n_train - T);

    for (size_t i = 0; i < T; i++) {
        t->tokens[b * T + i] = smol_corpus_token(&t->corpus, start + i);
        t->targets[b * T + i] = (int32_t)smol_corpus_token(&t->corpus, start + i + 1);
        if (t->soft)
            t->soft_rows[b * T + i] = t->soft + (start + i) * t->net->config.vocab;
    }
}

/* From position i of a window on, nothing. */
static void leave_empty(struct smol_trainer *t, size_t b, size_t i)
{
    const size_t T = t->options.context, begin = i;

    for (; i < T; i++) {
        t->tokens[b * T + i] = 0;
        t->targets[b * T + i] = -1;
        t->begins[b * T + i] = (uint32_t)begin;
        if (t->soft)
            t->soft_rows[b * T + i] = t->soft;
    }
}

/* The documents of a window; back: how far earlier the middle of a long one begins. */
static void load_documents(struct smol_trainer *t, const struct smol_document_windows *w,
                           uint64_t window, size_t b, uint64_t back)
{
    const size_t T = t->options.context;
    size_t i = 0;

    for (uint64_t p = w->first[window]; p < w->first[window + 1]; p++) {
        const struct smol_piece *piece = w->pieces + p;
        const uint64_t at = piece->at - (piece->is_middle ? back : 0);
        const uint32_t begin = (uint32_t)i;

        for (uint32_t k = 0; k < piece->n; k++, i++) {
            t->tokens[b * T + i] = smol_document_token(&w->text, at + k);
            t->targets[b * T + i] = (int32_t)smol_document_token(&w->text, at + k + 1);
            t->begins[b * T + i] = begin;
            if (t->soft)
                t->soft_rows[b * T + i] = t->soft + (at + k) * t->net->config.vocab;
        }
    }
    leave_empty(t, b, i);
}

void smol_trainer_load_batch(struct smol_trainer *t)
{
    for (uint32_t b = 0; b < t->share; b++) {
        const uint32_t number = t->comm.rank * t->share + b;

        if (t->options.documents)
            load_documents(t, &t->train, choose(t, number, 1, t->train.n_windows), b,
                           smol_batch_start(t->batch_key, t->step, ~number, t->options.context));
        else
            load_plain(t, number, b);
    }
}

/* ---- validation ---- */

static size_t count_targets(const struct smol_trainer *t, uint64_t *n_bytes)
{
    size_t n = 0;

    for (size_t i = 0; i < t->net->n_tokens; i++)
        if (t->targets[i] >= 0) {
            *n_bytes += t->token_bytes[t->targets[i]];
            n++;
        }
    return n;
}

uint64_t smol_trainer_validations(const struct smol_trainer *t)
{
    const uint64_t n = t->options.documents
                           ? t->val.n_windows
                           : (t->corpus.n_tokens - t->n_train - 2) / t->options.context + 1;

    return (n + t->share - 1) / t->share;
}

size_t smol_trainer_load_validation(struct smol_trainer *t, uint64_t i, uint64_t *n_bytes)
{
    const uint64_t first = i * t->share;

    for (uint32_t b = 0; t->options.documents && b < t->share; b++)
        if (first + b < t->val.n_windows)
            load_documents(t, &t->val, first + b, b, 0);
        else
            leave_empty(t, b, 0);
    for (size_t k = 0; !t->options.documents && k < t->net->n_tokens; k++) {
        const uint64_t at = t->n_train + first * t->options.context + k;
        const bool inside = at + 1 < t->corpus.n_tokens;

        t->tokens[k] = inside ? smol_corpus_token(&t->corpus, at) : 0;
        t->targets[k] = inside ? (int32_t)smol_corpus_token(&t->corpus, at + 1) : -1;
    }
    return count_targets(t, n_bytes);
}
