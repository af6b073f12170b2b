/* What a mix names: the files of the line, and those that mixes among them name. */
#include "cli/cli.h"
#include "cli/guard.h"
#include "smoltool/inspect/inspect.h"
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

/* One more model or delta; from: the file on whose behalf. */
static int add(struct merge *m, bool is_delta, const char *from, const uint8_t *hash, double factor)
{
    struct merge_link *links = is_delta ? m->deltas : m->models;
    uint32_t *n = is_delta ? &m->n_deltas : &m->n_models;
    struct merge_link *link = find(links, *n, hash);

    if (!link) {
        if (*n == (is_delta ? SMOL_MAX_DELTAS : SMOL_MAX_MODELS))
            return cli_fail(from, "one %s too many: a mix has at most %u",
                            is_delta ? "delta" : "model", *n);
        link = &links[(*n)++];
        *link = (struct merge_link){.factor = 0.0, .from = from};
        memcpy(link->hash, hash, SMOL_HASH_BYTES);
    }
    link->factor += factor;
    return fabs(link->factor) <= 0x1p60 ? 0 : cli_fail(from, "factors beyond 2^60");
}

static int add_parts(struct merge *m, const struct merge_source *s)
{
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < s->file.n_models + s->file.n_deltas; i++)
        code = add(m, i >= s->file.n_models, s->path, s->file.parts[i].hash,
                   s->factor * (double)s->file.parts[i].factor);
    return code;
}

static int add_source(struct merge *m, const struct merge_source *s)
{
    if (!smol_config_is_delta(&s->file.config))
        return add(m, false, s->path, s->file.hash, s->factor);
    if (inspect_is_mix(&s->file))
        return add_parts(m, s);
    if (s->file.n_deltas)
        return cli_fail(s->path, "adds numbers of its own to other deltas, so that it can be no "
                                 "part; merge its parts");
    return add(m, true, s->path, s->file.hash, s->factor);
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

/* Opens what a link means, found by its hash. */
static int find_file(struct merge *m, const struct merge_link *link, bool is_delta)
{
    struct merge_source *s = &m->sources[m->n_sources];
    struct smol_error error;
    char hash[17];

    cli_hex(hash, link->hash, 8);
    *s = (struct merge_source){.path = smol_part_find(link->hash, m->bases_dir, link->from),
                               .mapping.fd = -1};
    if (!s->path)
        return cli_fail(link->from,
                        "names the %s %s..., which is not among the files to merge, "
                        "nor where parts are looked for",
                        is_delta ? "delta" : "model", hash);
    m->n_sources++;
    if (cli_open(&s->mapping, &s->file, s->path, cli_cores(), &error))
        return cli_complain(s->path, &error);
    return memcmp(s->file.hash, link->hash, SMOL_HASH_BYTES) == 0
               ? 0
               : cli_fail(s->path, "is not the %s %s... that it said it is",
                          is_delta ? "delta" : "model", hash);
}

static int find_files(struct merge *m, const struct merge_link *links, uint32_t n, bool is_delta)
{
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < n; i++)
        if (!links[i].file)
            code = find_file(m, &links[i], is_delta);
    return code;
}

/* Deltas alone are of what they change. */
static int add_models(struct merge *m)
{
    const struct merge_link *l = &m->deltas[0];
    int code = 0;

    for (uint32_t i = 0; code == 0 && i < l->file->n_models; i++)
        code = add(m, false, l->from, l->file->parts[i].hash, (double)l->file->parts[i].factor);
    return code;
}

int merge_links(struct merge *merge)
{
    const size_t n = merge->n_sources;
    int code = check_twice(merge);

    for (size_t i = 0; code == 0 && i < n; i++)
        code = add_source(merge, &merge->sources[i]);
    open_links(merge->deltas, merge->n_deltas, merge);
    code = code ? code : find_files(merge, merge->deltas, merge->n_deltas, true);
    open_links(merge->deltas, merge->n_deltas, merge);
    if (code == 0 && merge->n_models == 0)
        code = add_models(merge);
    open_links(merge->models, merge->n_models, merge);
    code = code ? code : find_files(merge, merge->models, merge->n_models, false);
    open_links(merge->models, merge->n_models, merge);
    return code;
}
