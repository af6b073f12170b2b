/* A trainer: its making, its steps and its validation. */
#include "train/trainer.h"

#include "base/error.h"

#include <omp.h>
#include <sodium.h>
#include <stdlib.h>

static bool take_all(struct smol_trainer *t)
{
	const size_t n = t->net->n_values, n_tokens = t->net->n_tokens;

	t->m = smol_train_alloc(n, sizeof *t->m);
	t->v = smol_train_alloc(n, sizeof *t->v);
	t->tokens = smol_train_alloc(n_tokens, sizeof *t->tokens);
	t->targets = smol_train_alloc(n_tokens, sizeof *t->targets);
	if (t->options.keep_best)
		t->best = smol_train_alloc(n, sizeof *t->best);
	return t->m != NULL && t->v != NULL && t->tokens != NULL && t->targets != NULL &&
	       (t->best != NULL || !t->options.keep_best);
}

/* Both settings are the process's, and another trainer may have changed them. Work is spread over
 * the threads here, so the BLAS must not do it again inside. */
static void set_threads(const struct smol_trainer *t)
{
	openblas_set_num_threads(1);
	omp_set_num_threads((int)t->options.n_threads);
}

static enum smol_status build(struct smol_trainer *t, struct smol_error *error)
{
	const struct smol_train_options *o = &t->options;
	const struct smol_net_options net_options = {.batch = o->batch,
	                                             .n_threads = o->n_threads,
	                                             .full = o->full,
	                                             .uniform_alphas = o->uniform_alphas,
	                                             .embedding_std = o->embedding_std};
	struct smol_config config;
	enum smol_status status = smol_train_config(&config, o, error);

	if (status != SMOL_OK)
		return status;
	t->train_bytes = (size_t)((double)t->text_bytes * (1 - o->val_fraction));
	if (t->train_bytes <= o->context || t->text_bytes - t->train_bytes < 2)
		return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
		                 "the text has %zu bytes to train on and %zu to validate with; a "
		                 "context of %u needs more",
		                 t->train_bytes, t->text_bytes - t->train_bytes, (unsigned)o->context);
	set_threads(t);
	status = smol_net_create(&t->net, &config, &net_options, error);
	if (status == SMOL_OK && !take_all(t))
		status = smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET, "no memory for the optimiser");
	return status;
}

enum smol_status smol_trainer_create(struct smol_trainer **out,
                                     const struct smol_train_options *options, const uint8_t *text,
                                     size_t size_bytes, struct smol_error *error)
{
	struct smol_trainer *t;
	enum smol_status status;

	if (sodium_init() < 0)
		return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET, "libsodium does not start");
	t = smol_train_alloc(1, sizeof *t);
	if (t == NULL)
		return smol_fail(error, SMOL_E_MEMORY, SMOL_NO_OFFSET, "no memory for a trainer");
	t->options = *options;
	smol_train_resolve(&t->options);
	t->text = text;
	t->text_bytes = size_bytes;
	t->best_nats = (double)INFINITY;
	smol_batch_key(t->batch_key, options->seed);
	status = build(t, error);
	if (status != SMOL_OK) {
		smol_trainer_destroy(t);
		return status;
	}
	*out = t;
	return SMOL_OK;
}

void smol_trainer_destroy(struct smol_trainer *t)
{
	if (t == NULL)
		return;
	smol_net_destroy(t->net);
	free(t->m);
	free(t->v);
	free(t->tokens);
	free(t->targets);
	free(t->best);
	free(t->learned);
	free(t->embeddings);
	free(t);
}

const struct smol_config *smol_trainer_config(const struct smol_trainer *t)
{
	return &t->net->config;
}

uint32_t smol_trainer_steps(const struct smol_trainer *t)
{
	return t->step;
}

size_t smol_trainer_train_bytes(const struct smol_trainer *t)
{
	return t->train_bytes;
}

size_t smol_trainer_val_bytes(const struct smol_trainer *t)
{
	return t->text_bytes - t->train_bytes;
}

uint64_t smol_trainer_learned_numbers(const struct smol_trainer *t)
{
	return t->net->n_values;
}

static void load_batch(struct smol_trainer *t)
{
	const size_t T = t->options.context;

	for (uint32_t b = 0; b < t->options.batch; b++) {
		const uint64_t start = smol_batch_start(t->batch_key, t->step, b, t->train_bytes - T);

		for (size_t i = 0; i < T; i++) {
			t->tokens[b * T + i] = t->text[start + i];
			t->targets[b * T + i] = t->text[start + i + 1];
		}
	}
}

enum smol_status smol_trainer_step(struct smol_trainer *t, struct smol_train_step *out,
                                   struct smol_error *error)
{
	const struct smol_train_options *o = &t->options;
	struct smol_train_step s;

	if (t->finished)
		return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET, "training is finished");
	set_threads(t);
	load_batch(t);
	s.lr = o->lr * smol_schedule(o, t->step);
	s.alpha_lr = o->alpha_lr * smol_alpha_schedule(o, t->step);
	s.loss = smol_net_forward(t->net, t->tokens, t->targets, true, NULL);
	smol_net_backward(t->net, t->tokens);
	s.gradient_norm = smol_gradient_norm(t->net);
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
	                            [SMOL_GROUP_MATRIX] = s.lr},
	           o->clip > 0 && s.gradient_norm > o->clip ? o->clip / s.gradient_norm : 1);
	t->step++;
	smol_net_materialise(t->net, false);
	*out = s;
	return SMOL_OK;
}

/* Fills the batch with windows from *window on, until n bytes are used up; returns how many tokens
 * it predicts. */
static size_t load_windows(struct smol_trainer *t, const uint8_t *text, size_t n, size_t *at)
{
	const size_t T = t->options.context, n_tokens = t->net->n_tokens;
	size_t n_targets = 0;

	for (size_t i = 0; i < n_tokens; i++) {
		const size_t position = *at + i;
		const bool inside = position + 1 < n;

		t->tokens[i] = inside ? text[position] : 0;
		t->targets[i] = inside ? text[position + 1] : -1;
		n_targets += inside;
	}
	*at += t->options.batch * T;
	return n_targets;
}

enum smol_status smol_trainer_evaluate(struct smol_trainer *t, struct smol_train_score *out,
                                       struct smol_error *error)
{
	const uint8_t *text = t->text + t->train_bytes;
	const size_t n = t->text_bytes - t->train_bytes;
	struct smol_train_score score = {0};
	double sum = 0;

	set_threads(t);
	for (size_t at = 0; at + 1 < n;) {
		double total;

		score.n_tokens += load_windows(t, text, n, &at);
		smol_net_forward(t->net, t->tokens, t->targets, false, &total);
		sum += total;
	}
	if (!isfinite(sum))
		return smol_fail(error, SMOL_E_NUMERIC, SMOL_NO_OFFSET,
		                 "the validation loss is not finite");
	score.nats_per_token = sum / (double)score.n_tokens;
	score.bits_per_byte = score.nats_per_token / 0.69314718055994530942;
	if (t->best != NULL && !t->finished && score.nats_per_token < t->best_nats) {
		t->best_nats = score.nats_per_token;
		memcpy(t->best, t->net->value, t->net->n_values * sizeof *t->best);
	}
	*out = score;
	return SMOL_OK;
}
