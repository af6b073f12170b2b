/* Writing models and checkpoints, and reading the latter. */
#include "smoltrain/output/output.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/key_file.h"
#include "smoltrain/bases.h"
#include "smoltrain/comm/comm.h"
#include "smoltrain/output/card.h"
#include "smoltrain/output/history.h"
#include "smoltrain/output/stream.h"
#include "smoltrain/signals.h"

#include <smol/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What a model is made of. */
struct train_finished {
    const struct train_args *args;
    const struct smol_trainer *trainer;
    const struct smol_corpus *corpus;
    const struct train_result *result;
};

char *train_checkpoint_path(const char *model)
{
    const size_t cut = cli_ends_with(model, ".smol")          ? 5
                       : cli_ends_with(model, ".safetensors") ? 12
                                                              : 0;

    return cli_text("%.*s.ckpt", (int)(strlen(model) - cut), model);
}

int train_output_open(struct train_output *output, const struct train_args *args)
{
    struct train_output o = {.path = args->output,
                             .is_tensors = cli_ends_with(args->output, ".safetensors")};
    struct smol_error error;
    int code;

    if (o.is_tensors && !args->options.full)
        return cli_fail(args->output,
                        "safetensors are for --method full; give the model a name in .smol");
    if (o.is_tensors && smol_train_safetensors_check(&args->options, &error) != SMOL_OK)
        return cli_complain(args->output, &error);
    if (o.is_tensors && args->sign_key)
        return cli_fail(args->output, "safetensors cannot hold a signature");
    if (smol_writer_check(args->output, true, &error) != SMOL_OK)
        return cli_complain(args->output, &error);
    o.checkpoint = train_checkpoint_path(args->output);
    if (!o.checkpoint)
        return cli_no_memory(args->output);
    if (smol_writer_check(o.checkpoint, true, &error) != SMOL_OK) {
        code = cli_complain(o.checkpoint, &error);
        free(o.checkpoint);
        return code;
    }
    if (!args->resume && access(o.checkpoint, F_OK) == 0) {
        code = cli_fail(o.checkpoint,
                        "left by a stopped training; continue with --resume, or delete it");
        free(o.checkpoint);
        return code;
    }
    if (!train_comm_is_first()) { /* which writes nothing */
        *output = o;
        return 0;
    }
    smol_remove_leftovers(o.checkpoint);
    smol_remove_leftovers(args->output);
    if (args->sign_key &&
        (code = key_file_secret(&o.key, args->sign_key, args->password_file)) != 0) {
        free(o.checkpoint);
        return code;
    }
    o.is_signed = args->sign_key;
    *output = o;
    return 0;
}

void train_output_close(struct train_output *o)
{
    if (o->is_signed)
        smol_secret_key_wipe(&o->key);
    free(o->checkpoint);
}

static void note_saved(struct train_output *o, const struct smol_trainer *trainer)
{
    o->is_saved = true;
    o->saved_step = smol_trainer_steps(trainer);
}

/* Commits a writer to which everything was appended, or else aborts it. */
static enum smol_status end(struct smol_writer *writer, enum smol_status status,
                            struct smol_error *error)
{
    if (status == SMOL_OK)
        return smol_writer_commit(writer, error);
    smol_writer_abort(writer);
    return status;
}

enum smol_status train_output_save(struct train_output *o, const struct smol_trainer *trainer,
                                   struct smol_error *error)
{
    struct smol_writer *writer;
    uint64_t size;
    enum smol_status status = smol_writer_open(&writer, o->checkpoint, 0666, error);

    if (status == SMOL_OK)
        status = end(writer, smol_trainer_save_to(&size, writer, trainer, error), error);
    if (status != SMOL_OK)
        o->trouble = o->checkpoint;
    else
        note_saved(o, trainer);
    return status;
}

enum smol_status train_output_load(struct train_output *o, struct smol_trainer *trainer,
                                   struct smol_error *error)
{
    struct smol_mapping mapping;
    enum smol_status status = cli_map(&mapping, o->checkpoint, error);

    if (status == SMOL_OK) {
        status = smol_trainer_load(trainer, mapping.bytes.data, mapping.bytes.size_bytes, error);
        cli_unmap(&mapping);
    }
    if (status != SMOL_OK)
        o->trouble = o->checkpoint;
    else
        note_saved(o, trainer);
    return status;
}

/* Adds the signature behind the hash, for which smol_trainer_model() has left room. */
static void sign(const struct train_output *o, uint8_t *bytes, size_t *size)
{
    struct smol_signature signature;

    smol_sign_hash(&signature, bytes + *size - SMOL_HASH_BYTES, &o->key);
    smol_signature_encode(bytes + *size, &signature);
    *size += SMOL_SIGNATURE_BLOCK_BYTES;
}

/* The cards that there are, from the longest on. */
enum card { LONG_CARD, SHORT_CARD, NO_CARD };

static enum smol_status make_with(uint8_t **bytes, size_t *size, enum card card,
                                  const struct train_finished *f, struct smol_error *error)
{
    char *text = card == LONG_CARD    ? train_card(f->args, f->trainer, f->corpus, f->result)
                 : card == SHORT_CARD ? train_card_short(f->args, f->trainer, f->corpus, f->result)
                                      : NULL;
    enum smol_status status;

    if (!text && card != NO_CARD)
        return cli_error(error, SMOL_E_MEMORY, "no memory for the card");
    status = smol_trainer_model(bytes, size, f->trainer, text, text ? strlen(text) : 0, error);
    free(text);
    return status;
}

/* With the longest card that leaves the file, and a signature behind it, in the size that was asked
 * for. */
static enum smol_status make_model(uint8_t **bytes, size_t *size, const struct train_output *o,
                                   const struct train_finished *f, struct smol_error *error)
{
    const uint64_t most = f->args->size_bytes;
    const enum card longest = f->args->n_bases > 0 ? SHORT_CARD : LONG_CARD;
    enum card card = f->args->no_card ? NO_CARD : longest;

    for (;; card++) {
        const enum smol_status status = make_with(bytes, size, card, f, error);

        if (status != SMOL_OK || most == 0 || *size + SMOL_SIGNATURE_BLOCK_BYTES <= most) {
            if (status == SMOL_OK && card == SHORT_CARD && longest == LONG_CARD)
                cli_tell(o->path, "there is room for a short card only");
            else if (status == SMOL_OK && card == NO_CARD && !f->args->no_card)
                cli_tell(o->path, "there is no room for a card");
            return status;
        }
        free(*bytes);
        if (card == NO_CARD)
            return cli_error(error, SMOL_E_RANGE,
                             "would have %zu bytes with a signature, more than --size allows",
                             *size + SMOL_SIGNATURE_BLOCK_BYTES);
    }
}

/* The sizes are those that smoltool inspect will tell. */
static enum smol_status write_model(struct train_output *o, const struct train_finished *f,
                                    struct smol_error *error)
{
    struct smol_size_report report;
    struct smol_file file;
    uint8_t *bytes;
    size_t size;
    enum smol_status status = make_model(&bytes, &size, o, f, error);

    if (status != SMOL_OK)
        return status;
    if (o->is_signed)
        sign(o, bytes, &size);
    status = smol_write_file(o->path, bytes, size, 0666, error);
    if (status == SMOL_OK)
        status = smol_file_parse(&file, bytes, size, error);
    if (status == SMOL_OK) {
        smol_file_sizes(&report, &file);
        o->size_bytes = size;
        o->non_embedding_bytes = report.non_embedding;
    }
    free(bytes);
    return status;
}

static enum smol_status write_safetensors(struct train_output *o, const struct train_finished *f,
                                          struct smol_error *error)
{
    char *card = f->args->no_card ? NULL : train_card(f->args, f->trainer, f->corpus, f->result);
    struct smol_writer *writer;
    enum smol_status status;

    if (!card && !f->args->no_card)
        return cli_error(error, SMOL_E_MEMORY, "no memory for the card");
    status = smol_writer_open(&writer, o->path, 0666, error);
    if (status == SMOL_OK) {
        o->non_embedding_bytes = sizeof(float) * train_non_embedding_numbers(f->trainer);
        status = end(writer,
                     smol_trainer_safetensors_to(&o->size_bytes, writer, f->trainer, card, error),
                     error);
    }
    free(card);
    return status;
}

uint64_t train_non_embedding_numbers(const struct smol_trainer *trainer)
{
    const struct smol_config *c = smol_trainer_config(trainer);
    const uint64_t of_delta = (uint64_t)c->input_rows + c->output_rows;
    const uint64_t n_rows =
        smol_config_is_delta(c)
            ? of_delta
            : (uint64_t)c->vocab * (smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE) ? 2 : 1) +
                  (smol_config_has(c, SMOL_FEATURE_DISTANCES) ? 0 : c->context);

    return smol_trainer_parameters(trainer) - n_rows * c->width;
}

/* Asked for: on the standard output. */
static void summarise(const struct train_output *o, const struct train_args *args,
                      const struct smol_trainer *trainer, const struct train_result *result)
{
    cli_put_escaped(stdout, o->path);
    printf(": %s, %llu bytes; validation loss as stored %.5f nats per token, %.5f bits per byte",
           smol_train_method(&args->options), (unsigned long long)o->size_bytes,
           result->score.nats_per_token, result->score.bits_per_byte);
    if (result->has_stream)
        printf("; in one stream %.5f nats per token", result->streamed_nats);
    if (result->has_stream_alone)
        printf("; without its history %.5f", result->streamed_alone_nats);
    for (size_t i = 0; i < args->n_bases && result->base_nats[i] > 0; i++) {
        printf(i == 0 ? "; as it is " : ", ");
        cli_put_escaped(stdout, args->bases[i]);
        printf(" %.5f", result->base_nats[i]);
    }
    if (args->options.architecture != SMOL_ARCH_GPT2)
        printf("; %llu numbers besides the embeddings",
               (unsigned long long)train_non_embedding_numbers(trainer));
    putchar('\n');
}

/* The loss in one stream, with a history and without. */
static enum smol_status score_stream(struct train_result *result, const uint8_t *model,
                                     size_t size_bytes, struct train_stream *text, bool has_history,
                                     struct smol_error *error)
{
    enum smol_status status =
        train_stream_score(&result->streamed_nats, model, size_bytes, text, result->bases, error);

    result->has_stream = status == SMOL_OK;
    if (status != SMOL_OK || !has_history)
        return status;
    text->without_history = true;
    status = train_stream_score(&result->streamed_alone_nats, model, size_bytes, text,
                                result->bases, error);
    result->has_stream_alone = status == SMOL_OK;
    return status;
}

/* The same of the model as a runtime reads it. Documents are no stream. */
static enum smol_status stream(struct train_result *result, const struct train_args *args,
                               const struct smol_trainer *t, const struct smol_corpus *corpus,
                               struct smol_error *error)
{
    const struct smol_config *c = smol_trainer_config(t);
    struct train_stream text = {corpus, smol_trainer_train_tokens(t), smol_trainer_val_tokens(t),
                                args->options.n_threads, false};
    uint8_t *bytes;
    size_t size;
    enum smol_status status;

    if (!smol_config_has(c, SMOL_FEATURE_DISTANCES) || args->options.documents ||
        train_stop_asked())
        return SMOL_OK;
    status = smol_trainer_model(&bytes, &size, t, NULL, 0, error);
    if (status != SMOL_OK)
        return status;
    status =
        score_stream(result, bytes, size, &text, smol_config_has(c, SMOL_FEATURE_HISTORY), error);
    free(bytes);
    return status == SMOL_E_CANCELLED ? SMOL_OK : status;
}

enum smol_status train_output_write(struct train_output *o, const struct train_args *args,
                                    struct smol_trainer *trainer, const struct smol_corpus *corpus,
                                    struct train_result *result, struct smol_error *error)
{
    const struct train_finished f = {args, trainer, corpus, result};
    enum smol_status status = SMOL_OK;

    o->trouble = o->path;
    if (!o->is_tensors && !train_stop_asked())
        status = train_history_fit(trainer, corpus, args->options.n_threads, error);
    if (status == SMOL_E_CANCELLED) /* the initial ones will do */
        status = SMOL_OK;
    if (status == SMOL_OK && !o->is_tensors)
        status = stream(result, args, trainer, corpus, error);
    if (status != SMOL_OK)
        return status;
    status = o->is_tensors ? write_safetensors(o, &f, error) : write_model(o, &f, error);
    if (status == SMOL_OK)
        summarise(o, args, trainer, result);
    return status;
}

void train_output_done(const struct train_output *o) { unlink(o->checkpoint); }

void train_output_complain(const struct train_output *o, const struct smol_error *error)
{
    cli_complain(o->trouble, error);
    if (o->is_saved)
        fprintf(stderr, "%s: the checkpoint of step %u is whole; --resume continues from it\n",
                cli_program, (unsigned)o->saved_step);
}
