/* A trainer: creation, steps and validation. */
#include "train/trainer.h"

#include "base/error.h"
#include "train/alloc.h"
#include "train/corpus/corpus.h"
#include "train/net/build.h"
#include "train/net/forward.h"
#include "train/net/head.h"
#include "train/net/weights.h"
#include "train/options/on_models.h"
#include "train/options/options.h"
#include "train/options/schemes.h"

#include <inttypes.h>
#include <omp.h>
#include <smol/tokenizer.h>
#include <sodium.h>
#include <time.h>

/* Steps that take longer are not tried with fewer threads: waiting is a small part of them. */
#define SLOW_STEP 0.1 /* seconds */

static bool take_all(struct smol_trainer *t)
{
    const size_t n = t->net->n_values, n_tokens = t->net->n_tokens;

    t->m = smol_train_alloc(n, sizeof *t->m);
    t->v = smol_train_alloc(n, sizeof *t->v);
    t->tokens = smol_train_alloc(n_tokens, sizeof *t->tokens);
    t->targets = smol_train_alloc(n_tokens, sizeof *t->targets);
    t->token_bytes = smol_train_alloc(t->net->config.vocab, sizeof *t->token_bytes);
    if (t->options.documents)
        t->begins = smol_train_alloc(n_tokens, sizeof *t->begins);
    t->net->begins = t->begins;
    if (t->options.keep_best)
        t->best = smol_train_alloc(n, sizeof *t->best);
    if (t->options.teachers != 0)
        t->soft_rows = smol_train_alloc(n_tokens, sizeof *t->soft_rows);
    return t->m && t->v && t->tokens && t->targets && t->token_bytes &&
           (t->best || !t->options.keep_best) && (t->begins || !t->options.documents) &&
           (t->soft_rows || t->options.teachers == 0);
}

/* Both settings are global, and another trainer may have changed them. Work is spread over threads
 * here, so the BLAS must not do so too. */
static void set_threads(const struct smol_trainer *t)
{
    openblas_set_num_threads(1);
    omp_set_num_threads((int)t->pace.threads);
    if (t->net)
        t->net->n_threads = t->net->attention.n_threads = t->pace.threads;
}

/* The caller's by itself: LLVM's OpenMP gives it to all threads where they begin, and undoes what
 * is set among them; GCC's threads keep their own. */
void smol_trainer_enter(const struct smol_trainer *t)
{
    set_threads(t);
    smol_fpenv_set(&t->environments[t->options.n_threads].host, NULL);
#pragma omp parallel num_threads((int)t->pace.threads)
    {
        struct smol_thread_env *e = t->environments + omp_get_thread_num();
        smol_fpenv_set(&e->host, NULL);
        e->is_set = true;
    }
}

enum smol_status smol_trainer_leave(const struct smol_trainer *t, enum smol_status status)
{
#pragma omp parallel num_threads((int)t->pace.threads)
    {
        struct smol_thread_env *e = t->environments + omp_get_thread_num();
        if (e->is_set)
            smol_fpenv_restore(&e->host);
        e->is_set = false;
    }
    smol_fpenv_restore(&t->environments[t->options.n_threads].host);
    return status;
}

/* The windows of documents. What no one set apart is divided between two of them. */
static enum smol_status divide_documents(struct smol_trainer *t, struct smol_error *error)
{
    struct smol_document_text text = {.corpus = &t->corpus, .end = t->corpus.n_tokens};
    const bool is_apart = t->corpus.n_train < t->corpus.n_tokens;
    const uint32_t context = t->options.context;
    enum smol_status status;

    if (!smol_end_token(&text.end_token, &t->tokenizer))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "documents need an end of text among the tokens");
    if (!is_apart)
        t->n_train = smol_document_start(&text, t->n_train);
    if (t->n_train == 0)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "the text has only one document, and none to validate on");
    text.end = t->n_train;
    status = smol_document_windows_create(&t->train, &text, context, t->batch_key, error);
    text.first = t->n_train;
    text.end = t->corpus.n_tokens;
    return status != SMOL_OK
               ? status
               : smol_document_windows_create(&t->val, &text, context, t->batch_key, error);
}

/* What trains and what validates. */
static enum smol_status divide(struct smol_trainer *t, const struct smol_config *config,
                               struct smol_error *error)
{
    const struct smol_corpus *c = &t->corpus;
    const char *unit = config->tokenizer == SMOL_TOKENIZER_BYTES ? "bytes" : "tokens";

    if (c->vocab != config->vocab)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "the text has a vocabulary of %u, the model one of %u", (unsigned)c->vocab,
                         (unsigned)config->vocab);
    if (c->tokenizer_hash != smol_tokenizer_hash(&t->tokenizer))
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "the text was encoded with another tokenizer");
    t->n_train = c->n_train;
    if (t->n_train == c->n_tokens)
        t->n_train = (uint64_t)((double)c->n_tokens * (1 - t->options.val_fraction));
    if (t->options.documents)
        return divide_documents(t, error);
    if (t->n_train <= config->context || c->n_tokens - t->n_train < 2)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "the text has %" PRIu64 " %s to train on and %" PRIu64
                         " to validate on; a context of %u needs more",
                         t->n_train, unit, c->n_tokens - t->n_train, (unsigned)config->context);
    return SMOL_OK;
}

static void measure_tokens(struct smol_trainer *t)
{
    uint8_t text[SMOL_MAX_TOKEN_BYTES];

    for (uint32_t i = 0; i < t->net->config.vocab; i++)
        t->token_bytes[i] = (uint16_t)smol_token_bytes(text, &t->tokenizer, i).size_bytes;
}

/* models: of a delta, with their factors. */
static enum smol_status build(struct smol_trainer *t, const struct smol_file_part *models,
                              struct smol_error *error)
{
    const struct smol_train_options *o = &t->options;
    struct smol_net_options net_options = {.batch = t->share,
                                           .n_threads = o->n_threads,
                                           .isa = o->isa,
                                           .may_round = (o->qat_start < 1),
                                           .unit_rates = (o->matrix_lr > 0),
                                           .dist = o->dist,
                                           .recompute = o->recompute,
                                           .learn_logit_scale = o->learn_logit_scale,
                                           .uniform_alphas = o->uniform_alphas,
                                           .embedding_std = o->embedding_std,
                                           .models = models,
                                           .n_models = o->n_models,
                                           .learn_factors = (o->mix != SMOL_MIX_NONE)};
    struct smol_config config;
    enum smol_status status = smol_train_config(&config, o, error);

    if (status != SMOL_OK)
        return status;
    config.vocab = t->tokenizer.config.vocab;
    config.tokenizer = t->tokenizer.config.tokenizer;
    status = divide(t, &config, error);
    if (status == SMOL_OK)
        status = smol_trainer_choose_rows(t, config.input_rows, error);
    if (status != SMOL_OK)
        return status;
    net_options.rows = t->rows;
    for (unsigned slot = 0; slot < SMOL_N_SLOTS; slot++)
        if (smol_slot_is_matrix(slot))
            net_options.sigma[slot] = smol_train_sigma(o, &config, slot);
    t->environments = smol_train_alloc((uint64_t)o->n_threads + 1, sizeof *t->environments);
    if (!t->environments)
        return smol_fail_memory(error);
    smol_trainer_enter(t);
    status = smol_net_create(&t->net, &config, &net_options, error);
    smol_trainer_leave(t, SMOL_OK);
    if (status == SMOL_OK && !take_all(t))
        status = smol_fail_memory(error);
    if (status == SMOL_OK)
        measure_tokens(t);
    return status;
}

enum smol_status smol_trainer_create(struct smol_trainer **out,
                                     const struct smol_train_options *options, const uint8_t *text,
                                     size_t size_bytes, struct smol_error *error)
{
    struct smol_corpus corpus;

    smol_corpus_of_bytes(&corpus, text, size_bytes);
    return smol_trainer_create_corpus(out, options, &corpus, NULL, error);
}

static enum smol_status create(struct smol_trainer **out, const struct smol_train_options *options,
                               const struct smol_corpus *corpus, const struct smol_file *tokenizer,
                               const struct smol_file_part *models, size_t n_models,
                               struct smol_error *error)
{
    struct smol_file_part mixed[SMOL_MAX_MODELS];
    static const struct smol_file bytes = {.config = {.vocab = 256}};
    struct smol_trainer *t;
    enum smol_status status;

    if (sodium_init() < 0)
        return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET, "libsodium cannot start");
    status = smol_check_struct(options->struct_bytes, sizeof *options, "smol_train_options", error);
    if (status == SMOL_OK)
        status = smol_train_check_models(mixed, options, models, n_models, error);
    if (status != SMOL_OK)
        return status;
    t = smol_train_alloc(1, sizeof *t);
    if (!t)
        return smol_fail_memory(error);
    t->options = *options;
    smol_train_resolve(&t->options);
    t->pace = smol_pace_of(t->options.n_threads, SLOW_STEP);
    t->corpus = *corpus;
    t->comm = options->comm ? *options->comm : (struct smol_train_comm){.size = 1};
    t->share = t->comm.size > 0 ? options->batch / t->comm.size : 0; /* build() refuses 0 */
    t->tokenizer = tokenizer ? *tokenizer : bytes;
    t->best_nats = (double)INFINITY;
    smol_batch_key(t->batch_key, options->order, options->seed);
    smol_dropout_key(t->dropout.key, options->seed);
    t->dropout.process = t->comm.rank;
    t->dropout.share = (uint32_t)lrint(fmin(options->dropout * SMOL_DROPOUT_UNITS, 255));
    for (size_t m = 0; m < n_models; m++) {
        memcpy(t->models[m].hash, mixed[m].file->hash, SMOL_HASH_BYTES);
        t->models[m].factor = mixed[m].factor;
    }
    status = build(t, mixed, error);
    if (status != SMOL_OK) {
        smol_trainer_destroy(t);
        return status;
    }
    *out = t;
    return SMOL_OK;
}

enum smol_status smol_trainer_create_corpus(struct smol_trainer **out,
                                            const struct smol_train_options *options,
                                            const struct smol_corpus *corpus,
                                            const struct smol_file *tokenizer,
                                            struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status
                                        : create(out, options, corpus, tokenizer, NULL, 0, error));
}

enum smol_status smol_trainer_create_on(struct smol_trainer **out,
                                        const struct smol_train_options *options,
                                        const struct smol_corpus *corpus,
                                        const struct smol_file_part *models, size_t n,
                                        struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    if (status == SMOL_OK)
        status = n > 0 ? create(out, options, corpus, models[0].file, models, n, error)
                       : smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "a delta needs a model");
    return smol_fpenv_end(&host, status);
}

void smol_trainer_destroy(struct smol_trainer *t)
{
    if (!t)
        return;
    smol_net_destroy(t->net);
    free(t->m);
    free(t->v);
    free(t->tokens);
    free(t->targets);
    free(t->token_bytes);
    free(t->begins);
    free(t->rows);
    smol_document_windows_destroy(&t->train);
    smol_document_windows_destroy(&t->val);
    free(t->soft);
    free(t->soft_rows);
    free(t->best);
    free(t->params);
    free(t->embeddings);
    free(t->environments);
    free(t);
}

const struct smol_config *smol_trainer_config(const struct smol_trainer *t)
{
    return &t->net->config;
}

uint32_t smol_trainer_steps(const struct smol_trainer *t) { return t->step; }

size_t smol_trainer_train_tokens(const struct smol_trainer *t) { return (size_t)t->n_train; }

size_t smol_trainer_val_tokens(const struct smol_trainer *t)
{
    return (size_t)(t->corpus.n_tokens - t->n_train);
}

uint64_t smol_trainer_rows(const struct smol_trainer *t)
{
    return t->options.documents ? t->n_train + 1 : t->n_train - 1;
}

uint64_t smol_trainer_parameters(const struct smol_trainer *t) { return t->net->n_values; }

uint64_t smol_trainer_memory(const struct smol_trainer *t)
{
    const struct smol_net *net = t->net;
    const uint64_t copies = t->best ? 3 : 2; /* AdamW's moments, and the best parameters */
    const uint64_t soft_rows = t->options.teachers != 0 ? smol_trainer_rows(t) : 0;

    return net->memory_bytes + copies * net->n_values * sizeof(real) +
           net->n_tokens *
               (sizeof *t->tokens + sizeof *t->targets + (t->begins ? sizeof *t->begins : 0)) +
           (t->train.n_pieces + t->val.n_pieces) * sizeof *t->train.pieces +
           (t->train.n_windows + t->val.n_windows) * sizeof *t->train.first +
           soft_rows * net->config.vocab * sizeof *t->soft +
           net->config.vocab * sizeof *t->token_bytes;
}

/* Sums over all processes; nothing to do alone. */
static enum smol_status join(const struct smol_trainer *t, void *numbers, size_t n, bool is_double,
                             struct smol_error *error)
{
    if (!t->comm.sum || t->comm.sum(t->comm.context, numbers, n, is_double))
        return SMOL_OK;
    return smol_fail(error, SMOL_E_IO, SMOL_NO_OFFSET,
                     "step %u: the other processes cannot be reached", (unsigned)(t->step + 1));
}

/* Loss and gradient of the batch: each process has the mean of its share, so that the mean of all
 * is their sum by their number. */
static enum smol_status differentiate(struct smol_trainer *t, double *loss,
                                      struct smol_error *error)
{
    enum smol_status status;

    smol_trainer_load_batch(t);
    t->dropout.step = t->step;
    t->soft_targets = (struct smol_soft_targets){t->soft_rows, (real)t->options.teacher_weight};
    t->net->dropout = t->dropout.share > 0 ? &t->dropout : NULL;
    t->net->soft = t->soft ? &t->soft_targets : NULL;
    smol_net_forward(t->net, t->tokens, true);
    *loss = smol_net_backward(t->net, t->tokens, t->targets);
    t->net->dropout = NULL;
    t->net->soft = NULL;
    status = join(t, loss, 1, true, error);
    if (status == SMOL_OK)
        status = join(t, t->net->grad, t->net->n_values, sizeof(real) == sizeof(double), error);
    for (uint32_t i = 0; t->comm.sum && i < t->net->n_params; i++)
        t->net->params[i].squares = -1; /* those of one process */
    return status;
}

/* The step from which numbers are rounded in the forward pass. */
static double rounding_step(const struct smol_train_options *o)
{
    return o->qat_start < 1 ? floor(o->qat_start * o->n_steps) : (double)INFINITY;
}

/* What was best before rounding need not be the best rounded. */
static void begin_rounding(struct smol_trainer *t)
{
    t->net->rounds = true;
    t->best_nats = (double)INFINITY;
    smol_net_materialise(t->net, false);
}

void smol_trainer_resume_rounding(struct smol_trainer *t)
{
    t->net->rounds = t->step > rounding_step(&t->options);
}

static enum smol_status step(struct smol_trainer *t, struct smol_train_step *out,
                             struct smol_error *error)
{
    const struct smol_train_options *o = &t->options;
    const double n_processes = t->comm.size;
    const double matrix_lr = o->matrix_lr > 0 ? o->matrix_lr : o->lr;
    struct smol_train_step s;
    enum smol_status status;

    if (t->finished)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "training is finished");
    if (o->teachers != 0 && !t->soft)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "the teachers have not taught");
    s.lr = o->lr * smol_schedule(o, t->step);
    s.alpha_lr = o->alpha_lr * smol_alpha_schedule(o, t->step);
    if (t->step == rounding_step(o))
        begin_rounding(t);
    if ((status = differentiate(t, &s.loss, error)) != SMOL_OK)
        return status;
    s.loss /= n_processes;
    s.gradient_norm = smol_gradient_norm(t->net) / n_processes;
    if (!isfinite(s.loss) || !isfinite(s.gradient_norm))
        return smol_fail(error, SMOL_E_NUMERIC, SMOL_NO_OFFSET,
                         "step %u: the loss or its gradient is not finite; a lower learning "
                         "rate may help",
                         (unsigned)(t->step + 1));
    smol_adamw(t,
               (const double[]){[SMOL_GROUP_EMBEDDING] = s.lr,
                                [SMOL_GROUP_ALPHA] = s.alpha_lr,
                                [SMOL_GROUP_FACTOR] = s.lr,
                                [SMOL_GROUP_NORM] = s.lr,
                                [SMOL_GROUP_MATRIX] = matrix_lr * smol_schedule(o, t->step),
                                [SMOL_GROUP_LATENT] = matrix_lr * smol_schedule(o, t->step)},
               (o->clip > 0 && s.gradient_norm > o->clip ? o->clip / s.gradient_norm : 1) /
                   n_processes);
    t->step++;
    smol_net_materialise(t->net, false);
    *out = s;
    return SMOL_OK;
}

static double seconds_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

enum smol_status smol_trainer_step(struct smol_trainer *t, struct smol_train_step *out,
                                   struct smol_error *error)
{
    const double began = seconds_now();
    enum smol_status status;

    smol_trainer_enter(t);
    status = smol_trainer_leave(t, step(t, out, error));
    if (t->comm.size == 1) /* else processes wait for each other */
        smol_pace_took(&t->pace, 1, seconds_now() - began);
    return status;
}

static enum smol_status evaluate(struct smol_trainer *t, struct smol_train_score *out,
                                 struct smol_error *error)
{
    const uint64_t n = smol_trainer_validations(t);
    struct smol_train_score score = {0};
    enum smol_status status;
    uint64_t n_bytes = 0;
    double sum = 0;

    for (uint64_t i = 0; i < n; i++) {
        double total;

        score.n_tokens += smol_trainer_load_validation(t, i, &n_bytes);
        if (i % t->comm.size != t->comm.rank)
            continue;
        smol_net_forward(t->net, t->tokens, false);
        smol_head_loss(t->net, t->targets, &total);
        sum += total;
    }
    if ((status = join(t, &sum, 1, true, error)) != SMOL_OK)
        return status;
    if (!isfinite(sum))
        return smol_fail(error, SMOL_E_NUMERIC, SMOL_NO_OFFSET,
                         "after step %u: the validation loss is not finite; a lower "
                         "learning rate may help",
                         (unsigned)t->step);
    score.nats_per_token = sum / (double)score.n_tokens;
    /* For bytes the quotient is 1, so that nothing is rounded that was not before. */
    score.bits_per_byte =
        score.nats_per_token / 0.69314718055994530942 * ((double)score.n_tokens / (double)n_bytes);
    if (t->best && !t->finished && score.nats_per_token < t->best_nats) {
        t->best_nats = score.nats_per_token;
        memcpy(t->best, t->net->value, t->net->n_values * sizeof *t->best);
    }
    *out = score;
    return SMOL_OK;
}

enum smol_status smol_trainer_evaluate(struct smol_trainer *t, struct smol_train_score *out,
                                       struct smol_error *error)
{
    smol_trainer_enter(t);
    return smol_trainer_leave(t, evaluate(t, out, error));
}
