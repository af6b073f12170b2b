/* The symbols that a model's texts are made of, and how often each is expected. SPEC.md 15. */
#include "pack/alphabet.h"

#include "format/tokn.h"

#define CHUNK 64u /* of differences and their exponentials */

static void add_bytes(struct smol_alphabet *a)
{
    for (uint32_t b = 0; b < 256; b++)
        a->token_of[b] = b < a->vocab ? b : SMOL_NO_SYMBOL;
    a->is_bytes = true;
}

/* Returns the token of bytes outside the set. */
static uint32_t add_set(struct smol_alphabet *a, const struct smol_file *file)
{
    struct smol_byte_set set;

    smol_byte_set_read(&set, file->tokenizer.data);
    for (uint32_t b = 0; b < 256; b++)
        a->token_of[b] = SMOL_NO_SYMBOL;
    for (uint32_t i = 0; i < set.n; i++)
        a->token_of[set.bytes[i]] = i;
    a->is_bytes = true;
    return set.has_other ? set.n : SMOL_NO_SYMBOL;
}

static bool lacks_bytes(const struct smol_alphabet *a)
{
    for (uint32_t b = 0; b < 256; b++)
        if (a->is_bytes && a->token_of[b] == SMOL_NO_SYMBOL)
            return true;
    return false;
}

void smol_alphabet_init(struct smol_alphabet *a, const struct smol_file *file)
{
    uint32_t other = SMOL_NO_SYMBOL;

    *a = (struct smol_alphabet){.vocab = file->config.vocab, .n_coded = smol_token_count(file)};
    if (file->config.tokenizer == SMOL_TOKENIZER_BYTES)
        add_bytes(a);
    if (file->config.tokenizer == SMOL_TOKENIZER_BYTE_SET) {
        other = add_set(a, file);
        a->n_coded = a->vocab; /* with the end of text */
    }
    if (!smol_end_token(&a->end, file))
        a->end = a->vocab + a->n_more++;
    a->escape = other;
    if (other == SMOL_NO_SYMBOL && lacks_bytes(a))
        a->escape = a->vocab + a->n_more++;
}

uint32_t smol_alphabet_feeds(const struct smol_alphabet *a, uint8_t byte)
{
    if (a->token_of[byte] != SMOL_NO_SYMBOL)
        return a->token_of[byte];
    return a->escape < a->vocab ? a->escape : SMOL_NO_SYMBOL;
}

void smol_counts_take(struct smol_counts *c, const struct smol_kernels *kernels,
                      const float *logits)
{
    const uint32_t n = c->alphabet->n_coded;
    const float max = smol_largest(logits, c->alphabet->vocab);
    float x[CHUNK], e[CHUNK];

    c->tokens = 0;
    for (uint32_t v = 0; v < n; v += CHUNK) {
        const uint32_t n_x = n - v < CHUNK ? n - v : CHUNK;
        for (uint32_t i = 0; i < n_x; i++)
            x[i] = logits[v + i] - max;
        kernels->exp(e, x, n_x);
        for (uint32_t i = 0; i < n_x; i++)
            c->tokens += c->of_token[v + i] = 1 + (uint32_t)(e[i] * 0x1p24f);
    }
    c->more = 1 + c->tokens / 4096;
    c->all = c->tokens + c->more * c->alphabet->n_more;
}

struct smol_share_of smol_counts_of(const struct smol_counts *c, uint32_t symbol)
{
    struct smol_share_of s = {0, c->more, c->all};
    const uint32_t V = c->alphabet->vocab;

    if (symbol >= V) {
        s.before = c->tokens + (symbol - V) * c->more;
        return s;
    }
    for (uint32_t v = 0; v < symbol; v++)
        s.before += c->of_token[v];
    s.own = c->of_token[symbol];
    return s;
}

uint32_t smol_counts_find(struct smol_share_of *s, const struct smol_counts *c, uint64_t place)
{
    uint64_t before = 0;
    uint32_t v = 0;

    if (place >= c->tokens) {
        v = (uint32_t)((place - c->tokens) / c->more);
        *s = (struct smol_share_of){c->tokens + v * c->more, c->more, c->all};
        return c->alphabet->vocab + v;
    }
    while (place - before >= c->of_token[v])
        before += c->of_token[v++];
    *s = (struct smol_share_of){before, c->of_token[v], c->all};
    return v;
}

const uint32_t smol_escape_values[SMOL_N_ESCAPES] = {256, 1920, 63488, 4096};
static const uint32_t first_of_kind[SMOL_N_ESCAPES] = {0, 0x80, 0x800, 0x1f000};

size_t smol_escape_of(struct smol_escape *e, const uint8_t *text, size_t size_bytes)
{
    const size_t n = smol_utf8_character(text, size_bytes);
    uint32_t code = n < 2 ? 0 : text[0] & (0x7fu >> n), kind = n < 2 ? 0 : (uint32_t)n - 1;

    for (size_t i = 1; i < n; i++)
        code = code << 6 | (text[i] & 0x3f);
    if (kind == 0 || code - first_of_kind[kind] >= smol_escape_values[kind]) {
        *e = (struct smol_escape){0, text[0]};
        return 1;
    }
    *e = (struct smol_escape){kind, code - first_of_kind[kind]};
    return n;
}

size_t smol_escape_bytes(uint8_t bytes[4], struct smol_escape e)
{
    const size_t n = e.kind + 1;
    uint32_t code = first_of_kind[e.kind] + e.value;

    if (code >= 0xd800 && code < 0xe000)
        return 0;
    for (size_t i = n - 1; i > 0; i--, code >>= 6)
        bytes[i] = (uint8_t)(0x80 | (code & 0x3f));
    bytes[0] = (uint8_t)(e.kind == 0 ? code : (0xf00u >> n & 0xff) | code);
    return n;
}
