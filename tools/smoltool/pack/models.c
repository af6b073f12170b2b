/* The models that texts are packed with. */
#include "smoltool/pack/pack.h"

#include <string.h>

#define N_TAGS 15u

/* SPEC.md 15. */
static unsigned tag_of(const uint8_t hash[SMOL_HASH_BYTES])
{
    uint64_t h = 0;

    for (int i = 7; i >= 0; i--)
        h = h << 8 | hash[i];
    return 1 + (unsigned)(h % N_TAGS);
}

/* Two models of one tag cannot be told apart. */
static int check_tag(const struct pack_models *models, const struct pack_model *m)
{
    for (const struct pack_model *o = models->items; o < m; o++)
        if (o->tag == m->tag)
            return cli_fail(m->path,
                            "packed texts cannot be told from those of %s: both have the tag %u",
                            o->path, m->tag);
    return 0;
}

static int open_one(struct pack_models *models, const char *path, const struct parts_words *parts)
{
    struct pack_model *m = &models->items[models->n];
    struct smol_error error;
    int code;

    m->path = path;
    if ((code = parts_open(&m->files, path, parts, cli_cores(), false)) != 0)
        return code;
    if (smol_model_open_file(&m->model, &m->files.file, &error)) {
        parts_close(&m->files);
        return cli_complain(path, &error);
    }
    models->n++;
    m->tag = tag_of(m->files.file.hash);
    return check_tag(models, m);
}

int pack_models_open(struct pack_models *models, char *const *paths,
                     const struct parts_words *parts)
{
    int code = 0;

    models->n = 0;
    if (!paths || !*paths)
        return cli_usage_error("--model", "is missing");
    for (; code == 0 && *paths; paths++) {
        if (models->n == PACK_MAX_MODELS)
            return cli_usage_error("--model", "may be there 15 times at most");
        code = open_one(models, *paths, parts);
    }
    return code;
}

void pack_models_close(struct pack_models *models)
{
    for (size_t i = 0; i < models->n; i++) {
        smol_model_close(models->items[i].model);
        parts_close(&models->items[i].files);
    }
}

int pack_models_check(const struct pack_models *models)
{
    int code = 0;

    for (size_t i = 0; code == 0 && i < models->n; i++)
        code = parts_check_unchanged(&models->items[i].files);
    return code;
}
