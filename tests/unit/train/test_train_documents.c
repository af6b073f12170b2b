/* Training on documents: which windows they become, what a batch holds, and that the network
 * computes of each what a session does that was fed the end of text first. */
#include "train/corpus/corpus.h"
#include "train/trainers.h"

#include <criterion/criterion.h>
#include <math.h>
#include <smol/session.h>
#include <stdlib.h>

/* Ten letters and the end of text, 10. */
enum { LETTERS = 10, END = 10, VOCAB = 11, MOST = 4000 };
static const uint8_t section[33] = {[12] = 0xfe, [13] = 0x07, [32] = 2};
static const struct smol_file tokenizer = {
    .config = {.vocab = VOCAB, .tokenizer = SMOL_TOKENIZER_BYTE_SET}, .tokenizer = {section, 33}};

/* Documents of such tokens. */
struct documents {
    uint8_t tokens[MOST];
    size_t begin[MOST], n, n_tokens;
};

static void add(struct documents *d, size_t length)
{
    if (d->n > 0)
        d->tokens[d->n_tokens++] = END;
    d->begin[d->n++] = d->n_tokens;
    for (size_t i = 0; i < length; i++)
        d->tokens[d->n_tokens++] = (uint8_t)((d->n * 7 + i * i + i / 3) % LETTERS);
}

static void fill(struct documents *d, size_t n, size_t most)
{
    uint32_t state = 5;

    *d = (struct documents){.n = 0};
    for (size_t i = 0; i < n; i++) {
        state = state * 1664525u + 1013904223u;
        add(d, 1 + (state >> 8) % most);
    }
}

static struct smol_corpus corpus_of(const struct documents *d, uint64_t n_train)
{
    struct smol_corpus c;

    smol_corpus_of_bytes(&c, d->tokens, d->n_tokens);
    c.vocab = VOCAB;
    c.tokenizer_hash = smol_tokenizer_hash(&tokenizer);
    c.n_train = n_train;
    return c;
}

/* ---- windows ---- */

/* What position p of the row is: an end, the documents with ends between them, an end. */
static uint32_t token_at(const struct documents *d, uint64_t p)
{
    return p == 0 || p > d->n_tokens ? END : d->tokens[p - 1];
}

/* Every position once, in windows that are not too long; documents whole, if they fit. */
static void check_windows(const struct documents *d, uint32_t context)
{
    const struct smol_corpus c = corpus_of(d, d->n_tokens);
    const struct smol_document_text row = {&c, 0, d->n_tokens, END};
    const uint8_t key[32] = {1};
    static uint8_t seen[MOST];
    struct smol_document_windows w;
    size_t n_half_empty = 0;

    memset(seen, 0, sizeof seen);
    cr_assert_eq(smol_document_windows_create(&w, &row, context, key, NULL), SMOL_OK);
    for (uint64_t i = 0; i < w.n_windows; i++) {
        uint64_t n = 0;

        for (uint64_t p = w.first[i]; p < w.first[i + 1]; p++) {
            const struct smol_piece *piece = w.pieces + p;
            const bool is_start = token_at(d, piece->at) == END;
            const bool is_end = token_at(d, piece->at + piece->n) == END;

            cr_assert(piece->n > 0);
            cr_assert(is_end || piece->n == context, "a document is cut that fits");
            cr_assert_eq(piece->is_middle, !is_start && piece->n == context);
            for (uint64_t k = 0; k < piece->n; k++) {
                cr_assert(k == 0 || token_at(d, piece->at + k) != END, "two documents in one");
                seen[piece->at + k]++;
            }
            n += piece->n;
        }
        cr_assert(n > 0 && n <= context);
        n_half_empty += 2 * n <= context;
    }
    for (size_t p = 0; p <= d->n_tokens; p++) {
        const bool is_empty = token_at(d, p) == END && token_at(d, p + 1) == END;

        cr_assert_eq(seen[p], !is_empty, "position %zu of context %u", p, (unsigned)context);
    }
    cr_assert_leq(n_half_empty, 1, "two windows would fit one"); /* best fit leaves no such pair */
    smol_document_windows_destroy(&w);
}

Test(train_documents, windows_hold_each_position_once)
{
    static struct documents d;

    for (size_t most = 1; most <= 64; most *= 4)
        for (uint32_t context = 1; context <= 130; context = 2 * context + 1) {
            fill(&d, 60, most);
            check_windows(&d, context);
        }
}

Test(train_documents, empty_documents_are_left_out)
{
    static struct documents d;

    d = (struct documents){.n = 0};
    add(&d, 0);
    add(&d, 3);
    add(&d, 0);
    add(&d, 0);
    add(&d, 9);
    add(&d, 0);
    for (uint32_t context = 1; context < 12; context++)
        check_windows(&d, context);
}

Test(train_documents, a_text_without_documents_is_refused)
{
    static struct documents d;
    struct smol_document_windows w;
    struct smol_error error;
    const uint8_t key[32] = {1};
    struct smol_corpus c;

    d = (struct documents){.n = 0};
    add(&d, 0);
    add(&d, 0);
    c = corpus_of(&d, d.n_tokens);
    cr_assert_eq(smol_document_windows_create(
                     &w, &(struct smol_document_text){&c, 0, d.n_tokens, END}, 8, key, &error),
                 SMOL_E_ARGUMENT);
    cr_assert_str_eq(error.text, "the text has no documents");
}

/* ---- trainers ---- */

static struct smol_train_options options_of(bool gpt2)
{
    struct smol_train_options o;

    cr_assert(smol_train_defaults(&o, sizeof o, gpt2 ? "alpha" : "mask"));
    if (!gpt2)
        smol_train_use(&o, SMOL_ARCH_SMOL);
    o.documents = true;
    o.n_layers = 2;
    o.width = 24;
    o.n_heads = 3;
    o.context = 40;
    o.batch = 4;
    o.n_steps = 12;
    o.embedding_type = SMOL_F32;
    o.param_type = SMOL_F32;
    return o;
}

static struct smol_trainer *create_over(const struct smol_train_options *o,
                                        const struct smol_corpus *c)
{
    struct smol_trainer *t = NULL;
    struct smol_error error;

    cr_assert_eq(smol_trainer_create_corpus(&t, o, c, &tokenizer, &error), SMOL_OK, "%s",
                 error.text);
    return t;
}

/* Whether what follows an end of text in a batch, up to the next one or to the end of the window
 * (left tokens), is a document. */
static bool is_document(const struct documents *d, const int32_t *targets, size_t left)
{
    for (size_t k = 0; k < d->n; k++) {
        size_t j = 0;

        while ((uint32_t)targets[j] == token_at(d, d->begin[k] + j + 1) && targets[j] != END &&
               j + 1 < left)
            j++;
        if ((uint32_t)targets[j] == token_at(d, d->begin[k] + j + 1))
            return true;
    }
    return false;
}

/* Each begins with the end of text and predicts it last, or goes on in the text where it is longer
 * than a window; what is left of a window predicts nothing. */
static void check_batch(const struct smol_trainer *t, const struct documents *d)
{
    const size_t T = t->options.context;

    for (size_t i = 0; i < t->options.batch * T; i++) {
        const bool is_first = t->begins[i] == i % T, goes_on = i % T > 0 && !is_first;

        cr_assert(t->begins[i] <= i % T);
        cr_assert(!goes_on || t->begins[i] == t->begins[i - 1]);
        if (t->targets[i] < 0)
            continue;
        cr_assert(!goes_on || t->tokens[i] == (uint32_t)t->targets[i - 1]);
        cr_assert(!goes_on || t->tokens[i] != END);
        cr_assert(t->tokens[i] != END || is_document(d, t->targets + i, T - i % T));
    }
}

Test(train_documents, batches_hold_documents)
{
    static struct documents d;

    for (unsigned order = SMOL_ORDER_RANDOM; order <= SMOL_ORDER_SHUFFLED; order++) {
        struct smol_train_options o = options_of(false);
        struct smol_trainer *t;
        struct smol_corpus c;

        fill(&d, 60, 90);
        c = corpus_of(&d, d.begin[50]);
        o.order = (enum smol_order)order;
        t = create_over(&o, &c);
        for (; t->step < 20; t->step++) {
            smol_trainer_load_batch(t);
            check_batch(t, &d);
        }
        smol_trainer_destroy(t);
    }
}

/* Nats that a session needs for documents first..n - 1, and the ends after them; *predicted gets
 * how many tokens those are. */
static double score_documents(size_t *predicted, const struct smol_trainer *t,
                              const struct documents *d, size_t first)
{
    const struct smol_session_options options = {.struct_bytes = sizeof options};
    struct smol_session *session;
    struct smol_file file;
    uint8_t *bytes;
    size_t size, memory_bytes;
    double sum = 0;
    void *memory;

    cr_assert_eq(smol_trainer_model(&bytes, &size, t, NULL, 0, NULL), SMOL_OK);
    cr_assert_eq(smol_file_parse(&file, bytes, size, NULL), SMOL_OK);
    cr_assert_eq(smol_session_size(&memory_bytes, &file, &options, NULL), SMOL_OK);
    memory = aligned_alloc(64, (memory_bytes + 63) / 64 * 64);
    cr_assert_eq(smol_session_init(&session, &file, &options, memory, memory_bytes, NULL), SMOL_OK);
    *predicted = 0;
    for (size_t k = first; k < d->n; k++) {
        const size_t end = k + 1 < d->n ? d->begin[k + 1] - 1 : d->n_tokens;
        uint32_t tokens[MOST] = {END};
        size_t n = 1;
        double nats[MOST];

        for (size_t i = d->begin[k]; i < end; i++)
            tokens[n++] = d->tokens[i];
        tokens[n] = END;
        smol_session_rewind(session, 0);
        cr_assert_eq(smol_session_score(session, nats, tokens, tokens + 1, n, NULL), SMOL_OK);
        for (size_t i = 0; i < n; i++)
            sum += nats[i];
        *predicted += n;
    }
    smol_session_finish(session);
    free(memory);
    free(bytes);
    return sum;
}

Test(train_documents, validation_is_what_sessions_say)
{
    static struct documents d;

    for (unsigned gpt2 = 0; gpt2 < 2; gpt2++)
        for (uint32_t n_threads = 1; n_threads <= 3; n_threads += 2) {
            struct smol_train_options o = options_of(gpt2 > 0);
            struct smol_train_score score;
            struct smol_trainer *t;
            struct smol_corpus c;
            size_t n;
            double nats;

            fill(&d, 60, 38);
            c = corpus_of(&d, d.begin[40]);
            o.n_threads = n_threads;
            t = create_over(&o, &c);
            steps(t, 12);
            cr_assert_eq(smol_trainer_finish(t, NULL), SMOL_OK);
            cr_assert_eq(smol_trainer_evaluate(t, &score, NULL), SMOL_OK);
            nats = score_documents(&n, t, &d, 40);
            cr_assert_eq(score.n_tokens, n);
            cr_assert_float_eq(score.nats_per_token, nats / (double)n, 2e-6);
            /* The ends stand for no bytes. */
            cr_assert_float_eq(score.bits_per_byte, nats / log(2) / (double)(n - 20), 1e-5);
            smol_trainer_destroy(t);
        }
}

Test(train_documents, learns_and_goes_on_from_a_checkpoint)
{
    static struct documents d;
    struct smol_train_options o = options_of(false);
    struct smol_trainer *whole, *rest;
    struct smol_corpus c;
    uint8_t *bytes;
    size_t size;

    fill(&d, 60, 60);
    c = corpus_of(&d, d.n_tokens);
    o.n_steps = 60;
    o.order = SMOL_ORDER_SHUFFLED;
    whole = create_over(&o, &c);
    cr_assert_eq(token_at(&d, whole->n_train), END); /* it is divided between two documents */
    cr_assert(whole->n_train > d.n_tokens * 8 / 10 && whole->n_train < d.n_tokens);
    cr_assert_float_eq(steps(whole, 1), log(VOCAB), 0.4);
    steps(whole, 30);
    cr_assert_eq(smol_trainer_save(&bytes, &size, whole, NULL), SMOL_OK);
    rest = create_over(&o, &c);
    cr_assert_eq(smol_trainer_load(rest, bytes, size, NULL), SMOL_OK);
    cr_assert_lt(steps(whole, 60), log(VOCAB) - 0.5);
    steps(rest, 60);
    check_same_values(whole, rest, 0);
    smol_trainer_destroy(whole);
    smol_trainer_destroy(rest);
    free(bytes);
}

static void check_refused(const struct smol_corpus *c, const struct smol_file *with,
                          const char *why)
{
    const struct smol_train_options o = options_of(false);
    struct smol_trainer *t;
    struct smol_error error;

    cr_assert_eq(smol_trainer_create_corpus(&t, &o, c, with, &error), SMOL_E_ARGUMENT);
    cr_assert_str_eq(error.text, why);
}

Test(train_documents, need_an_end_of_text_and_two_documents)
{
    static struct documents d;
    struct smol_corpus c;

    d = (struct documents){.n = 0};
    add(&d, 500);
    c = corpus_of(&d, d.n_tokens);
    check_refused(&c, &tokenizer, "the text has only one document, and none to validate on");
    smol_corpus_of_bytes(&c, d.tokens, d.n_tokens);
    check_refused(&c, NULL, "documents need an end of text among the tokens");
}

/* A document from an empty context on, as it will be learned. */
Test(train_documents, teachers_read_each_by_itself)
{
    static struct documents d;
    struct smol_train_options o = options_of(false);
    struct smol_trainer *teacher, *student;
    struct smol_corpus c;
    struct smol_file file;
    const struct smol_file *const files[] = {&file};
    uint8_t *bytes;
    size_t size;

    fill(&d, 30, 20);
    c = corpus_of(&d, d.begin[25]);
    teacher = create_over(&o, &c);
    steps(teacher, 12);
    cr_assert_eq(smol_trainer_finish(teacher, NULL), SMOL_OK);
    cr_assert_eq(smol_trainer_model(&bytes, &size, teacher, NULL, 0, NULL), SMOL_OK);
    cr_assert_eq(smol_file_parse(&file, bytes, size, NULL), SMOL_OK);
    o.teachers = smol_train_teachers(files, 1);
    o.teacher_weight = 0.5;
    student = create_over(&o, &c);
    cr_assert_eq(smol_trainer_teach(student, files, 1, NULL, NULL, NULL), SMOL_OK);
    /* Two documents that begin alike are continued alike. */
    for (size_t a = 0; a < 25; a++)
        for (size_t b = 0; b < a; b++)
            for (size_t k = 0; token_at(&d, d.begin[a] + k) == token_at(&d, d.begin[b] + k); k++) {
                cr_assert_arr_eq(student->soft + (d.begin[a] + k) * VOCAB,
                                 student->soft + (d.begin[b] + k) * VOCAB,
                                 VOCAB * sizeof *student->soft);
                if (k > 0 && token_at(&d, d.begin[a] + k) == END)
                    break;
            }
    cr_assert(steps(student, 3) > 0);
    smol_trainer_destroy(teacher);
    smol_trainer_destroy(student);
    free(bytes);
}
