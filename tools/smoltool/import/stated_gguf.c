/* What GGUF's keys say. */
#include "cli/cli.h"
#include "smoltool/import/config.h"

static int check_architecture(const struct checkpoint_file *f)
{
    static const char key[] = "general.architecture";
    struct smol_span text = {NULL, 0};

    if (checkpoint_says(f, key, "gpt2"))
        return 0;
    if (!smol_gguf_text(&text, f->gguf, key))
        return cli_fail(f->path, "has no %s", key);
    return cli_fail(f->path, "%s is '%.*s', not gpt2", key,
                    (int)(text.size_bytes < 64 ? text.size_bytes : 64), (const char *)text.data);
}

/* Left alone if there is no such key. */
static int take_size(uint32_t *size, const struct checkpoint_file *f, const char *key)
{
    double value = 0;

    if (!smol_gguf_has(f->gguf, key))
        return 0;
    if (!smol_gguf_number(&value, f->gguf, key) || !(value >= 1 && value <= SMOL_MAX_VOCAB) ||
        value > (double)(uint32_t)value)
        return cli_fail(f->path, "%s is not a whole number of 1 to %u", key, SMOL_MAX_VOCAB);
    *size = (uint32_t)value;
    return 0;
}

int import_stated_gguf(struct import_stated *s, const struct checkpoint_file *f)
{
    static const char epsilon[] = "gpt2.attention.layer_norm_epsilon";
    const struct {
        const char *key;
        uint32_t *size;
    } sizes[] = {
        {"gpt2.block_count", &s->n_layers},     {"gpt2.attention.head_count", &s->n_heads},
        {"gpt2.embedding_length", &s->width},   {"gpt2.context_length", &s->context},
        {"gpt2.feed_forward_length", &s->n_ff}, {"gpt2.vocab_size", &s->vocab},
    };

    s->where = f->path;
    if (check_architecture(f))
        return CLI_FAILED;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        if (take_size(sizes[i].size, f, sizes[i].key))
            return CLI_FAILED;
    if (smol_gguf_has(f->gguf, epsilon) &&
        (!smol_gguf_number(&s->epsilon, f->gguf, epsilon) || !(s->epsilon > 0)))
        return cli_fail(f->path, "%s is not a number over 0", epsilon);
    return 0;
}
