/* What a mix names: the files of the line, and those that mixes among them name. */
#include "cli/cli.h"
#include "smoltool/inspect.h"
#include "smoltool/merge/merge.h"

#include <math.h>
#include <string.h>

static struct merge_link *find(struct merge_link *links, uint32_t n, const uint8_t *hash)
{
    for (uint32_t i = 0; i < n; i++)
        if (memcmp(links[i].hash, hash, SMOL_HASH_BYTES) == 0)
            return &links[i];
    return NULL;
}

/* One more model or delta; source: on whose behalf. */
static int add(struct merge *m, bool is_delta, const struct merge_source *source,
               const uint8_t *hash, double factor)
{
    struct merge_link *links = is_delta ? m->deltas : m->models;
    uint32_t *n = is_delta ? &m->n_deltas : &m->n_models;
    struct merge_link *link = find(links, *n, hash);

    if (!link) {
        if (*n == (is_delta ? SMOL_MAX_DELTAS : SMOL_MAX_MODELS))
            return cli_fail(source->path, "one %s too many: a mix has at most %u",
                            is_delta ? "delta" : "model", *n);
        link = &links[(*n)++];
        *link = (struct merge_link){.factor = 0.0};
        memcpy(link->hash, hash, SMOL_HASH_BYTES);
    }
    link->factor += factor;
    return fabs(link->factor) <= 0x1p60 ? 0 : cli_fail(source->path, "factors beyond 2^60");
}

static int add_parts(struct merge *m, const struct merge_source *s)
{
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < s->file.n_models + s->file.n_deltas; i++)
        code = add(m, i >= s->file.n_models, s, s->file.parts[i].hash,
                   s->factor * (double)s->file.parts[i].factor);
    return code;
}

static int add_source(struct merge *m, const struct merge_source *s)
{
    if (!smol_config_is_delta(&s->file.config))
        return add(m, false, s, s->file.hash, s->factor);
    if (inspect_is_mix(&s->file))
        return add_parts(m, s);
    if (s->file.n_deltas)
        return cli_fail(s->path, "adds numbers of its own to other deltas, so that it can be no "
                                 "part; merge its parts");
    return add(m, true, s, s->file.hash, s->factor);
}

/* The files that are open, to the links that mean them. */
static void open_links(struct merge_link *links, uint32_t n, const struct merge *m)
{
    for (size_t i = 0; i < m->n_sources; i++) {
        struct merge_link *link = find(links, n, m->sources[i].file.hash);

        if (link) {
            link->path = m->sources[i].path;
            link->file = &m->sources[i].file;
        }
    }
}

/* One file under two names is one file. */
static int check_twice(const struct merge *m)
{
    for (size_t i = 1; i < m->n_sources; i++)
        for (size_t k = 0; k < i; k++)
            if (memcmp(m->sources[i].file.hash, m->sources[k].file.hash, SMOL_HASH_BYTES) == 0)
                return cli_fail(m->sources[i].path, "is the same model as %s", m->sources[k].path);
    return 0;
}

int merge_links(struct merge *merge)
{
    int code = check_twice(merge);

    for (size_t i = 0; code == 0 && i < merge->n_sources; i++)
        code = add_source(merge, &merge->sources[i]);
    open_links(merge->models, merge->n_models, merge);
    open_links(merge->deltas, merge->n_deltas, merge);
    return code;
}
