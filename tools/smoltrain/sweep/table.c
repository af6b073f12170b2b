/* See table.h. */
#include "smoltrain/sweep/table.h"
#include "cli/json.h"

#include <math.h>
#include <stdlib.h>

static void markdown_row(FILE *to, const struct sweep *s, const struct run_log *log)
{
    const double share = sweep_share(s, log->nats_per_token);
    const unsigned d = run_log_d(log);

    fprintf(to, "| `%s` | ", run_log_method(log));
    if (d)
        fprintf(to, "%u", d);
    fprintf(to, " | %.0f | %.0f | %.4f | %.4f | ", log->non_embedding_params,
            log->non_embedding_bytes, log->nats_per_token, log->bits_per_byte);
    if (!isnan(share))
        fprintf(to, "%.1f %%", 100 * share);
    fprintf(to, " | %.0f |\n", run_log_tokens_per_second(log));
}

void sweep_table_markdown(FILE *to, const struct sweep *s, const struct run_log *logs, size_t n)
{
    char *options = cli_json_text(json_object_get(logs[0].start, "options"),
                                  JSON_COMPACT | JSON_REAL_PRECISION(9));

    fputs("| method | d | parameters outside the embeddings | bytes outside the embeddings | "
          "validation loss, nats per "
          "token | bits per byte | of the way from `" SWEEP_BASELINE "` to `" SWEEP_FULL
          "` | tokens/s |\n"
          "|---|---|---|---|---|---|---|---|\n",
          to);
    for (size_t i = 0; i < n; i++)
        markdown_row(to, s, logs + i);
    fputc('\n', to);
    sweep_table_conclusion(to, s);
    fprintf(to, "\nOptions of the first run: `%s`\n", options ? options : "");
    free(options);
}

/* Names hold no comma and no quote: run_log.c takes no other. */
void sweep_table_csv(FILE *to, const struct sweep *s, const struct run_log *logs, size_t n)
{
    fputs("method,d,non_embedding_params,non_embedding_bytes,nats_per_token,bits_per_byte,share,"
          "tokens_per_second\n",
          to);
    for (size_t i = 0; i < n; i++) {
        const struct run_log *log = logs + i;
        const double share = sweep_share(s, log->nats_per_token);
        const unsigned d = run_log_d(log);
        fprintf(to, "%s,", run_log_method(log));
        if (d)
            fprintf(to, "%u", d);
        fprintf(to, ",%.0f,%.0f,%.9g,%.9g,", log->non_embedding_params, log->non_embedding_bytes,
                log->nats_per_token, log->bits_per_byte);
        if (!isnan(share))
            fprintf(to, "%.6f", share);
        fprintf(to, ",%.1f\n", run_log_tokens_per_second(log));
    }
}

void sweep_table_conclusion(FILE *to, const struct sweep *s)
{
    for (size_t i = 0; i < s->n; i++) {
        const struct sweep_series *series = s->series + i;
        const struct sweep_point *best = series->points;
        for (size_t k = 1; k < series->n; k++)
            if (series->points[k].loss < best->loss)
                best = series->points + k;
        if (isnan(s->threshold))
            fprintf(to, "%s: no d90, for " SWEEP_FULL " is not better than " SWEEP_BASELINE "\n",
                    series->method);
        else if (series->d90)
            fprintf(to, "%s: d90 = %u, the smallest d whose loss is at most %.4f\n", series->method,
                    series->d90, s->threshold);
        else
            fprintf(to,
                    "%s: no d reaches 90 %% of the way; the best, d = %u, has gone %.1f "
                    "%%\n",
                    series->method, best->d, 100 * sweep_share(s, best->loss));
    }
}
