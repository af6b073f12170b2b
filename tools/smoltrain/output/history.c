/* See history.h. */
#include "smoltrain/output/history.h"
#include "cli/cli.h"
#include "cli/history/history.h"
#include "smoltrain/data/data.h"
#include "smoltrain/signals.h"

#include <stdlib.h>

static enum smol_status fit(float numbers[SMOL_HISTORY_LENGTHS], const struct smol_trainer *trainer,
                            const struct history_text *text, struct smol_error *error)
{
    struct smol_file file;
    uint8_t *bytes;
    double before, after;
    size_t size;
    enum smol_status status = smol_trainer_model(&bytes, &size, trainer, NULL, 0, error);

    if (status != SMOL_OK)
        return status;
    status = smol_file_parse(&file, bytes, size, error);
    if (status == SMOL_OK)
        status = history_fit(numbers, &before, &after, &file, text, error);
    free(bytes);
    return status;
}

enum smol_status train_history_fit(struct smol_trainer *trainer, const struct smol_corpus *corpus,
                                   uint32_t n_threads, struct smol_error *error)
{
    const struct smol_config *c = smol_trainer_config(trainer);
    const size_t all = smol_trainer_train_tokens(trainer),
                 n = all < HISTORY_TEXT_TOKENS ? all : HISTORY_TEXT_TOKENS;
    float numbers[SMOL_HISTORY_LENGTHS];
    enum smol_status status;
    uint32_t *tokens;

    if (!smol_config_has(c, SMOL_FEATURE_HISTORY) || smol_config_is_delta(c) || n < 2)
        return SMOL_OK;
    tokens = malloc(n * sizeof *tokens);
    if (!tokens)
        return cli_error_memory(error);
    for (size_t i = 0; i < n; i++)
        tokens[i] = train_token_at(corpus, all - n + i);
    status = fit(numbers, trainer, &(struct history_text){tokens, n, n_threads, train_stop_asked},
                 error);
    free(tokens);
    return status ? status : smol_trainer_set_history(trainer, numbers, error);
}
