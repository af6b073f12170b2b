/* How large a file options make, before anything trains. */
#include "train/options/options.h"

#include "base/error.h"
#include "base/fpenv.h"

static enum smol_status measure(uint64_t *size_bytes, const struct smol_train_options *options,
                                const struct smol_file *tokenizer, size_t card_bytes,
                                struct smol_error *error)
{
    static const uint8_t any = 0; /* what is there has an address; only its size counts */
    struct smol_train_options o = *options;
    struct smol_parts parts = {.card = {card_bytes > 0 ? &any : NULL, card_bytes}};
    enum smol_status status;

    smol_train_resolve(&o);
    status = smol_train_config(&parts.config, &o, error);
    if (status != SMOL_OK)
        return status;
    if (tokenizer) {
        parts.config.vocab = tokenizer->config.vocab;
        parts.config.tokenizer = tokenizer->config.tokenizer;
        parts.tokenizer = tokenizer->tokenizer;
    }
    if (smol_config_is_delta(&parts.config)) { /* whose models have the tokenizer */
        parts.tokenizer = (struct smol_span){NULL, 0};
        parts.base = (struct smol_span){&any, parts.config.n_models * SMOL_BASE_ENTRY_BYTES};
        parts.config.context = o.model_context;
    }
    parts.params.size_bytes = (size_t)smol_params_bytes(&parts.config);
    parts.embeddings.size_bytes = (size_t)smol_embedding_bytes(&parts.config);
    return smol_file_size(size_bytes, &parts, error);
}

enum smol_status smol_train_file_size(uint64_t *size_bytes,
                                      const struct smol_train_options *options,
                                      const struct smol_file *tokenizer, size_t card_bytes,
                                      struct smol_error *error)
{
    enum smol_status status =
        smol_check_struct(options->struct_bytes, sizeof *options, "smol_train_options", error);
    struct smol_fpenv host;

    if (status != SMOL_OK)
        return status;
    status = smol_fpenv_set(&host, error);
    return smol_fpenv_end(
        &host, status ? status : measure(size_bytes, options, tokenizer, card_bytes, error));
}
