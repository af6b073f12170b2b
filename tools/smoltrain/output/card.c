/* Writing a model's card. */
#include "smoltrain/output/card.h"
#include "cli/cli.h"
#include "cli/json.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static json_t *data_json(const struct train_args *args, const struct smol_trainer *t,
                         const struct smol_corpus *corpus)
{
    char hex[2 * SMOL_TEXT_HASH_BYTES + 1];
    const bool bytes = smol_trainer_config(t)->tokenizer != SMOL_TOKENIZER_BPE;
    json_int_t n_files = 0;

    while (args->data[n_files])
        n_files++;
    cli_hex(hex, corpus->text_hash, SMOL_TEXT_HASH_BYTES);
    return json_pack(
        "{s:o*, s:o*, s:I, s:s, s:I, s:I}", "name", cli_json_name(cli_base_name(args->data[0])),
        "files", n_files > 1 ? json_integer(n_files) : NULL, "bytes",
        (json_int_t)corpus->text_bytes, "blake2b_256", hex, bytes ? "train_bytes" : "train_tokens",
        (json_int_t)smol_trainer_train_tokens(t), bytes ? "validation_bytes" : "validation_tokens",
        (json_int_t)smol_trainer_val_tokens(t));
}

static json_t *options_json(const struct train_args *args)
{
    char *text = smol_train_options_json(&args->options);
    json_t *json = text ? json_loads(text, 0, NULL) : NULL;

    free(text);
    return json;
}

/* SOURCE_DATE_EPOCH as an ISO date, or NULL. */
static const char *date(char dest[32])
{
    const char *text = getenv("SOURCE_DATE_EPOCH");
    char *end;
    long long seconds;
    time_t when;
    struct tm utc;

    if (!text || *text == '\0')
        return NULL;
    seconds = strtoll(text, &end, 10);
    when = (time_t)seconds;
    if (*end != '\0' || seconds < 0 || gmtime_r(&when, &utc) == NULL ||
        strftime(dest, 32, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return NULL;
    return dest;
}

static json_t *note(const struct train_args *args)
{
    return args->note ? cli_json_name(args->note) : NULL;
}

static json_t *card_json(const struct train_args *args, const struct smol_trainer *t,
                         const struct smol_corpus *corpus, const struct train_result *result)
{
    const struct smol_train_score *score = &result->score;
    char when[32];
    json_t *validation = json_pack(
        "{s:f, s:f, s:I, s:o*, s:o*}", "nats_per_token", score->nats_per_token, "bits_per_byte",
        score->bits_per_byte, "tokens", (json_int_t)score->n_tokens, "streamed_nats_per_token",
        result->has_stream ? json_real(result->streamed_nats) : NULL,
        "streamed_nats_per_token_without_history",
        result->has_stream_alone ? json_real(result->streamed_alone_nats) : NULL);

    return json_pack("{s:s, s:s, s:o, s:o, s:I, s:o, s:s*, s:o*}", "made_by", "smoltrain", "method",
                     smol_train_method(&args->options), "data", data_json(args, t, corpus),
                     "recipe", options_json(args), "steps", (json_int_t)smol_trainer_steps(t),
                     "validation", validation, "date", date(when), "note", note(args));
}

char *train_card_short(const struct train_args *args, const struct smol_trainer *t,
                       const struct smol_corpus *corpus, const struct train_result *result)
{
    json_t *card;
    char *text;

    cli_json_start();
    card = json_pack("{s:s, s:s, s:o*, s:I, s:I, s:f, s:o*}", "made_by", "smoltrain", "method",
                     smol_train_method(&args->options), "data",
                     cli_json_name(cli_base_name(args->data[0])), "bytes",
                     (json_int_t)corpus->text_bytes, "steps", (json_int_t)smol_trainer_steps(t),
                     "nats_per_token", result->score.nats_per_token, "note", note(args));
    text = cli_json_text(card, JSON_COMPACT | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(5));
    json_decref(card);
    return text;
}

/* Memory that was out before is no matter now. */
char *train_card(const struct train_args *args, const struct smol_trainer *t,
                 const struct smol_corpus *corpus, const struct train_result *result)
{
    json_t *card;
    char *text;

    cli_json_start();
    card = card_json(args, t, corpus, result);
    text = cli_json_text(card, JSON_INDENT(1) | JSON_ENSURE_ASCII | JSON_REAL_PRECISION(9));
    json_decref(card);
    return text;
}
