/* A KV cache that grows: the rows of each head have little more room than they take, and move apart
 * when they are more. So those of all heads fill few pages, large ones if there are, and short
 * texts take little memory. */
#include "model/pass.h"

#define FEWEST_ROWS 64u

void smol_cache_reserve(struct smol_session *s, const uint32_t *texts, size_t n)
{
    const uint32_t old = s->capacity;
    uint64_t needed = 0, rows = old ? old : FEWEST_ROWS;

    for (size_t i = 0; i < n; i++) {
        const struct sequence *text = &s->texts[texts ? texts[i] : 0];
        const uint64_t all = text->held + (uint64_t)text->n_new;
        needed = all > needed ? all : needed;
    }
    if (needed <= old || old == s->most_rows)
        return;
    while (rows < needed)
        rows *= 2;
    s->capacity = rows < s->most_rows ? (uint32_t)rows : s->most_rows;
    for (size_t head = s->n_texts * all_heads(s); head-- > 0;)
        smol_cache_move(s, head * s->capacity, head * old, s->texts[head / all_heads(s)].held);
}
