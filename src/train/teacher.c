/* Teachers: models whose predictions of the training text are learned besides the text itself. They
 * are made once, before the first step, and kept: a row of probabilities for each token. */
#include "train/trainer.h"

#include "base/error.h"
#include "train/alloc.h"
#include "train/corpus/corpus.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <smol/session.h>
#include <smol/tokenizer.h>
#include <sodium.h>

/* The text is predicted in pieces, so that the rows do not depend on the number of threads. */
#define PIECE 8192u

/* One teacher's session, and how much it reads before a piece: all that its layers look back on, so
 * that pieces make no difference. */
struct reader {
    struct smol_session *session;
    void *memory;
    uint64_t lead_in;
};

/* A teaching under way, which threads share. */
struct teaching {
    struct smol_trainer *t;
    const struct smol_file *const *teachers;
    size_t n_teachers;
    uint64_t n_rows, n_done;
    smol_train_progress *progress;
    void *context;
    enum smol_status status; /* the first failure */
    struct smol_error *error;
};

uint64_t smol_train_teachers(const struct smol_file *const *teachers, size_t n)
{
    crypto_generichash_state state;
    uint8_t hash[32];
    uint64_t number;

    if (n == 0)
        return 0;
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    for (size_t i = 0; i < n; i++)
        crypto_generichash_update(&state, teachers[i]->hash, SMOL_HASH_BYTES);
    crypto_generichash_final(&state, hash, sizeof hash);
    number = smol_le64(hash);
    return number > 0 ? number : 1;
}

static enum smol_status open_reader(struct reader *r, const struct smol_file *file,
                                    struct smol_error *error)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options, .n_threads = 1};
    size_t size;
    enum smol_status status = smol_session_size(&size, file, &options, error);

    if (status != SMOL_OK)
        return status;
    r->memory = smol_train_alloc(size, 1);
    if (!r->memory)
        return smol_fail_memory(error);
    r->lead_in = (uint64_t)file->config.n_layers * (file->config.context + 1);
    return smol_session_init(&r->session, file, &options, r->memory, size, error);
}

static void close_readers(struct reader *readers, size_t n)
{
    for (size_t i = 0; readers && i < n; i++) {
        smol_session_finish(readers[i].session);
        free(readers[i].memory);
    }
    free(readers);
}

static struct reader *open_readers(struct teaching *g, struct smol_error *error)
{
    struct reader *readers = smol_train_alloc(g->n_teachers, sizeof *readers);
    enum smol_status status = readers ? SMOL_OK : smol_fail_memory(error);

    for (size_t i = 0; status == SMOL_OK && i < g->n_teachers; i++)
        status = open_reader(readers + i, g->teachers[i], error);
    if (status == SMOL_OK)
        return readers;
    close_readers(readers, g->n_teachers);
    return NULL;
}

/* Feeds the token at a place, a document from an empty context on. A session that is full goes on
 * with the last half of its context. */
static enum smol_status feed(const struct reader *r, const struct smol_trainer *t, uint64_t at,
                             struct smol_error *error)
{
    const struct smol_document_text *documents = t->options.documents ? &t->train.text : NULL;
    const uint32_t context = smol_session_context(r->session);
    enum smol_status status = SMOL_OK;
    uint64_t from = at;

    if (!smol_session_slides(r->session) && smol_session_position(r->session) == context) {
        smol_session_rewind(r->session, 0);
        from = at + 1 - (context > 1 ? context / 2 : 1);
    }
    for (; status == SMOL_OK && from <= at; from++) {
        const uint32_t token =
            documents ? smol_document_token(documents, from) : smol_corpus_token(&t->corpus, from);

        if (documents && token == documents->end_token)
            smol_session_rewind(r->session, 0);
        status = smol_session_feed(r->session, &token, 1, error);
    }
    return status;
}

/* Adds a teacher's probabilities, by its logits (V), to sum (V). */
static void add_probabilities(double *sum, const float *logits, size_t V)
{
    double total = 0;
    float max = logits[0];

    for (size_t v = 1; v < V; v++)
        max = logits[v] > max ? logits[v] : max;
    for (size_t v = 0; v < V; v++)
        total += exp((double)(logits[v] - max));
    for (size_t v = 0; v < V; v++)
        sum[v] += exp((double)(logits[v] - max)) / total;
}

/* The row of the token at a place. sum: room for V. */
static enum smol_status make_row(const struct teaching *g, const struct reader *readers,
                                 uint64_t at, double *sum, struct smol_error *error)
{
    const size_t V = g->t->net->config.vocab;
    uint16_t *row = g->t->soft + at * V;

    memset(sum, 0, V * sizeof *sum);
    for (size_t i = 0; i < g->n_teachers; i++) {
        const enum smol_status status = feed(readers + i, g->t, at, error);

        if (status != SMOL_OK)
            return status;
        add_probabilities(sum, smol_session_logits(readers[i].session), V);
    }
    for (size_t v = 0; v < V; v++)
        row[v] = (uint16_t)rint(sum[v] / (double)g->n_teachers * 65535);
    return SMOL_OK;
}

/* Rows first..end - 1, after what each teacher reads before them. */
static enum smol_status make_rows(const struct teaching *g, const struct reader *readers,
                                  uint64_t first, uint64_t end, double *sum,
                                  struct smol_error *error)
{
    enum smol_status status = SMOL_OK;

    for (size_t i = 0; status == SMOL_OK && i < g->n_teachers; i++) {
        uint64_t at = first > readers[i].lead_in ? first - readers[i].lead_in : 0;

        smol_session_rewind(readers[i].session, 0);
        for (; status == SMOL_OK && at < first; at++)
            status = feed(readers + i, g->t, at, error);
    }
    for (uint64_t at = first; status == SMOL_OK && at < end; at++)
        status = make_row(g, readers, at, sum, error);
    return status;
}

/* Counts a piece, by one thread at a time. */
static void finish_piece(struct teaching *g, uint64_t n, enum smol_status status,
                         const struct smol_error *error)
{
    g->n_done += n;
    if (status == SMOL_OK && g->status == SMOL_OK && g->progress &&
        !g->progress(g->context, g->n_done, g->n_rows))
        g->status = smol_fail(g->error, SMOL_E_CANCELLED, SMOL_NO_OFFSET, "cancelled");
    if (status != SMOL_OK && g->status == SMOL_OK) {
        g->status = status;
        if (g->error)
            *g->error = *error;
    }
}

/* What one thread does of it. */
static void take_pieces(struct teaching *g)
{
    struct smol_error error = {0};
    struct reader *readers = open_readers(g, &error);
    double *sum = smol_train_alloc(g->t->net->config.vocab, sizeof *sum);
    const bool is_ready = readers && sum;

    if (readers && !sum)
        smol_fail_memory(&error);
#pragma omp for schedule(dynamic)
    for (uint64_t first = 0; first < g->n_rows; first += PIECE) {
        const uint64_t end = g->n_rows - first < PIECE ? g->n_rows : first + PIECE;
        enum smol_status status = is_ready ? SMOL_OK : SMOL_E_MEMORY;
        bool goes_on;

#pragma omp critical(smol_teaching)
        goes_on = g->status == SMOL_OK;
        if (goes_on && is_ready)
            status = make_rows(g, readers, first, end, sum, &error);
#pragma omp critical(smol_teaching)
        finish_piece(g, end - first, status, &error);
    }
    close_readers(readers, g->n_teachers);
    free(sum);
}

static enum smol_status check(const struct smol_trainer *t, const struct smol_file *const *teachers,
                              size_t n, struct smol_error *error)
{
    if (n == 0 || smol_train_teachers(teachers, n) != t->options.teachers)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "these are not the teachers that the training has");
    for (size_t i = 0; i < n; i++)
        if (teachers[i]->config.vocab != t->net->config.vocab ||
            smol_tokenizer_hash(teachers[i]) != t->corpus.tokenizer_hash)
            return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                             "teacher %zu has other tokens than the text", i + 1);
    return SMOL_OK;
}

enum smol_status smol_trainer_teach(struct smol_trainer *t, const struct smol_file *const *teachers,
                                    size_t n, smol_train_progress *progress, void *context,
                                    struct smol_error *error)
{
    struct teaching g = {.t = t,
                         .teachers = teachers,
                         .n_teachers = n,
                         .n_rows = smol_trainer_rows(t),
                         .progress = progress,
                         .context = context,
                         .error = error};
    const enum smol_status status = check(t, teachers, n, error);

    if (status != SMOL_OK)
        return status;
    free(t->soft);
    t->soft = smol_train_alloc(g.n_rows * t->net->config.vocab, sizeof *t->soft);
    if (!t->soft)
        return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET,
                         "no memory for what teachers predict of %" PRIu64 " tokens", g.n_rows);
    smol_trainer_enter(t);
#pragma omp parallel num_threads((int)t->pace.threads)
    take_pieces(&g);
    if (g.status != SMOL_OK) {
        free(t->soft);
        t->soft = NULL;
    }
    return smol_trainer_leave(t, g.status);
}
