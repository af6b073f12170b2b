/* See rivals.h. */
#include "smoltrain/plan/rivals.h"
#include "cli/cli.h"
#include "smoltrain/plan/ngram.h"
#include "smoltrain/plan/pack.h"
#include "smoltrain/signals.h"

#include <smol/tokenizer.h>

#include <stdlib.h>
#include <string.h>

#define MOST_COUNT 256u
#define TRIES 12u /* of how much text packs into a size */

/* The text of a corpus: to train on, then held out. */
struct texts {
    uint8_t *bytes;
    size_t n_train, n;
    uint64_t size_bytes; /* of the rivals */
};

/* The bytes of a token; the end of text in a set of bytes, which has none, is a zero here, so that
 * rivals tell documents apart too. */
static struct smol_span bytes_of(uint8_t scratch[SMOL_MAX_TOKEN_BYTES],
                                 const struct smol_file *tokenizer, uint32_t token)
{
    static const uint8_t zero;
    const struct smol_span bytes = smol_token_bytes(scratch, tokenizer, token);

    return bytes.size_bytes == 0 && smol_token_is_special(tokenizer, token)
               ? (struct smol_span){&zero, 1}
               : bytes;
}

/* Tokens back to bytes. */
static bool read_texts(struct texts *t, const struct train_data *data, uint64_t n_train)
{
    const struct smol_corpus *c = &data->corpus;
    uint8_t scratch[SMOL_MAX_TOKEN_BYTES];
    size_t capacity = (size_t)c->text_bytes + 1;

    t->bytes = malloc(capacity);
    for (uint64_t i = 0; t->bytes && i < c->n_tokens; i++) {
        const struct smol_span token = bytes_of(scratch, &data->tokenizer, train_token_at(c, i));

        if (i == n_train)
            t->n_train = t->n;
        if (token.size_bytes > capacity - t->n) {
            uint8_t *larger = realloc(t->bytes, capacity = 2 * capacity + token.size_bytes);

            if (!larger)
                return false;
            t->bytes = larger;
        }
        memcpy(t->bytes + t->n, token.data, token.size_bytes);
        t->n += token.size_bytes;
    }
    return t->bytes;
}

static enum smol_status stopped(struct smol_error *error)
{
    return train_stop_asked() ? cli_error(error, SMOL_E_CANCELLED, "stopped") : SMOL_OK;
}

/* ---- tables ---- */

static enum smol_status packed_table(size_t *packed, const struct ngram_counts *counts, unsigned k,
                                     unsigned m, struct smol_error *error)
{
    uint8_t *table;
    size_t size;
    bool good;

    if (stopped(error) != SMOL_OK)
        return SMOL_E_CANCELLED;
    if (!ngram_table(&table, &size, counts, k, m))
        return cli_error_memory(error);
    good = plan_pack(packed, table, size);
    free(table);
    return good ? SMOL_OK : cli_error_memory(error);
}

/* The least count with which the table of an order fits, MOST_COUNT if none does: the fewer
 * strings are kept, the smaller it is. Looks close to least, where that of the order before was. */
static enum smol_status least_count(unsigned *m, size_t *packed, const struct ngram_counts *counts,
                                    unsigned k, unsigned least, uint64_t size,
                                    struct smol_error *error)
{
    unsigned below = least, step = 1; /* the answer is not below `below` */
    enum smol_status status = SMOL_OK;
    size_t bytes;

    for (*m = least; *m < MOST_COUNT; *m += step, step *= 2) {
        status = packed_table(packed, counts, k, *m, error);
        if (status != SMOL_OK || *packed <= size)
            break;
        below = *m + 1;
    }
    while (status == SMOL_OK && below < *m && *m < MOST_COUNT) {
        const unsigned middle = (below + *m) / 2;

        status = packed_table(&bytes, counts, k, middle, error);
        if (status == SMOL_OK && bytes <= size) {
            *m = middle;
            *packed = bytes;
        } else {
            below = middle + 1;
        }
    }
    return status;
}

static enum smol_status try_tables(struct plan_rivals *r, const struct ngram_counts *counts,
                                   const struct texts *t, struct smol_error *error)
{
    unsigned m = 1;

    for (unsigned k = 0; k <= NGRAM_MOST_ORDER && m < MOST_COUNT; k++) {
        size_t packed = 0;
        const enum smol_status status =
            least_count(&m, &packed, counts, k, m, t->size_bytes, error);
        double nats;

        if (status != SMOL_OK)
            return status;
        if (m >= MOST_COUNT)
            break;
        nats = ngram_score(counts, k, m, t->bytes + t->n_train, t->n - t->n_train);
        if (r->has_table && nats >= r->table_nats)
            continue;
        r->has_table = true;
        r->table_nats = nats;
        r->table_order = k;
        r->table_least_count = m;
        r->table_bytes = packed;
    }
    return SMOL_OK;
}

static enum smol_status find_table(struct plan_rivals *r, const struct texts *t,
                                   struct smol_error *error)
{
    struct ngram_counts counts;
    enum smol_status status;

    if (!ngram_count(&counts, t->bytes, t->n_train))
        return cli_error_memory(error);
    status = try_tables(r, &counts, t, error);
    ngram_free(&counts);
    return status;
}

/* ---- xz ---- */

static enum smol_status packed_end(size_t *packed, const struct texts *t, size_t n, bool with_rest,
                                   struct smol_error *error)
{
    if (stopped(error) != SMOL_OK)
        return SMOL_E_CANCELLED;
    if (!plan_pack(packed, t->bytes + t->n_train - n, n + (with_rest ? t->n - t->n_train : 0)))
        return cli_error_memory(error);
    return SMOL_OK;
}

/* The longest end of the training text that packs into the size, to a thousandth of its length: by
 * the ratio of the try before, and by halves where that does not help. */
static enum smol_status longest_end(size_t *n, size_t *packed, const struct texts *t,
                                    struct smol_error *error)
{
    size_t fits = 0, fits_packed = 0, over = t->n_train + 1, now = t->n_train;
    double guess = 4 * (double)t->size_bytes;

    for (unsigned i = 0; i < TRIES && over - fits > 1 + fits / 1000; i++) {
        size_t bytes;
        enum smol_status status;

        if (guess > (double)fits && guess < (double)over)
            now = (size_t)guess;
        else
            now =
                guess >= (double)over && over > t->n_train ? t->n_train : fits + (over - fits) / 2;
        status = packed_end(&bytes, t, now, false, error);
        if (status != SMOL_OK)
            return status;
        guess = (double)now * (double)t->size_bytes / (double)(bytes > 0 ? bytes : 1);
        if (bytes <= t->size_bytes) {
            fits = now;
            fits_packed = bytes;
            guess += 1;
        } else {
            over = now;
            guess *= 0.9995;
        }
    }
    *n = fits;
    *packed = fits_packed;
    return SMOL_OK;
}

static enum smol_status find_xz(struct plan_rivals *r, const struct texts *t,
                                struct smol_error *error)
{
    size_t n, packed, with_rest;
    enum smol_status status = longest_end(&n, &packed, t, error);

    if (status == SMOL_OK)
        status = packed_end(&with_rest, t, n, true, error);
    if (status != SMOL_OK)
        return status;
    r->xz_bytes = packed;
    r->xz_text_bytes = n;
    r->xz_nats = ((double)with_rest - (double)packed) * 8 * 0.69314718055994530942 /
                 (double)(t->n - t->n_train);
    return SMOL_OK;
}

enum smol_status plan_rivals_find(struct plan_rivals *out, const struct train_data *data,
                                  uint64_t n_train, uint64_t size_bytes, struct smol_error *error)
{
    struct texts t = {.size_bytes = size_bytes};
    struct plan_rivals r = {.has_table = false};
    enum smol_status status = read_texts(&t, data, n_train) ? SMOL_OK : cli_error_memory(error);

    if (status == SMOL_OK && t.n - t.n_train >= 2)
        status = find_table(&r, &t, error);
    if (status == SMOL_OK)
        status = find_xz(&r, &t, error);
    free(t.bytes);
    if (status == SMOL_OK)
        *out = r;
    return status;
}
