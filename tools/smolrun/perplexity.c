/* smolrun --perplexity: how well a model predicts a file. SPEC.md 11. */
#include "cli/cli.h"
#include "cli/countdown.h"
#include "cli/foreign.h"
#include "cli/guard.h"
#include "cli/json.h"
#include "smolrun/smolrun.h"

#include <stdio.h>

static int print_score(const struct run *run, const struct smol_score *s)
{
    const bool slides = run_slides(run);
    const uint32_t stride = run->args->stride;
    const uint32_t history = run_history(run);
    json_t *object;

    if (run->args->json) {
        object = json_pack("{s:o, s:I, s:f, s:f, s:f, s:I, s:I, s:b}", "model", run_model_json(run),
                           "tokens", (json_int_t)s->n_tokens, "nats_per_token", s->nats_per_token,
                           "bits_per_byte", s->bits_per_byte, "perplexity", s->perplexity,
                           "context", (json_int_t)run_context(run), "history", (json_int_t)history,
                           "windows", !slides);
        if (stride)
            json_object_set_new(object, "stride", json_integer(stride));
        return cli_print_json(object);
    }
    printf("%.6f nats a token, %.6f bits per byte, perplexity %.4f, over %llu tokens in %s of %u",
           s->nats_per_token, s->bits_per_byte, s->perplexity, (unsigned long long)s->n_tokens,
           slides ? "one text, with a sliding context" : "windows", run_context(run));
    if (history && slides)
        printf(" and a history of %u", history);
    if (history && !slides)
        fputs(", each with a history of its own", stdout);
    if (stride)
        printf(", each %u after the one before", stride);
    puts("");
    return 0;
}

static bool show(void *countdown, uint64_t n_done, uint64_t n_tokens)
{
    countdown_show(countdown, (double)n_done, (double)n_tokens);
    return true;
}

int run_perplexity(const struct run *run)
{
    const char *path = run->args->perplexity_file;
    struct countdown countdown;
    struct smol_mapping text;
    struct smol_score score;
    struct smol_error error;
    enum smol_status status = cli_map(&text, path, &error);

    if (status)
        return cli_complain(path, &error);
    status = foreign_check_raw(text.bytes, &error);
    if (!status) {
        countdown_begin(&countdown, "perplexity");
        status = smol_model_score_stride(&score, run->model, &run->session, run->args->stride,
                                         text.bytes.data, text.bytes.size_bytes, show, &countdown,
                                         &error);
        countdown_end(&countdown);
    }
    cli_unmap(&text);
    if (status)
        return cli_complain(status == SMOL_E_NUMERIC ? run->args->model : path, &error);
    return print_score(run, &score);
}
