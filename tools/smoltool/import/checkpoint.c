/* See checkpoint.h. */
#include "smoltool/import/checkpoint.h"
#include "cli/cli.h"
#include "cli/guard.h"
#include "cli/tokenizer_file.h"
#include "smoltool/gguf_names.h"
#include "smoltool/import/json_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define WEIGHTS "model.safetensors"
#define INDEX WEIGHTS ".index.json"
#define PICKLED "pytorch_model.bin"
#define MAX_FILES 64u /* that are mapped at a time */

/* ---- tensors under their names ---- */

/* A message that names a tensor of a file. */
static int refuse(const struct checkpoint_file *file, const char *name, const char *why)
{
    return cli_fail(file->path, "tensor %.64s: %s", name, why);
}

static const struct smol_array *array_at(const struct checkpoint_file *f, size_t i)
{
    return f->gguf ? smol_gguf_at(f->gguf, i) : smol_safetensors_at(f->tensors, i);
}

/* GPT-2's name; false if it has none. */
static bool own_name(char name[SMOL_MAX_TENSOR_NAME], const struct checkpoint_file *file,
                     const char *theirs)
{
    static const char prefix[] = "transformer.";
    const bool is_prefixed = strncmp(theirs, prefix, sizeof prefix - 1) == 0;
    const char *rest = theirs + (is_prefixed ? sizeof prefix - 1 : 0);

    if (file->gguf)
        return gguf_to_gpt2(name, theirs);
    if (strlen(rest) >= SMOL_MAX_TENSOR_NAME)
        return false;
    strcpy(name, rest);
    return true;
}

static int add_tensor(struct checkpoint *c, const struct checkpoint_file *file,
                      const struct smol_array *array)
{
    struct checkpoint_tensor *t = c->tensors + c->n_tensors++;

    t->array = array;
    t->file = file;
    return own_name(t->name, file, array->name)
               ? 0
               : refuse(file, array->name, "GPT-2 has none of that name");
}

static size_t count(const struct checkpoint_file *file)
{
    size_t n = 0;

    while (array_at(file, n))
        n++;
    return n;
}

static int by_name(const void *a, const void *b)
{
    const struct checkpoint_tensor *x = a, *y = b;

    return strcmp(x->name, y->name);
}

static int list_tensors(struct checkpoint *c)
{
    size_t n = 0;
    int code = 0;

    for (size_t i = 0; i < c->n_files; i++)
        n += count(&c->files[i]);
    c->tensors = calloc(n + 1, sizeof *c->tensors);
    if (!c->tensors)
        return cli_no_memory(NULL);
    for (size_t i = 0; i < c->n_files; i++) {
        const struct smol_array *array;
        for (size_t k = 0; !code && (array = array_at(&c->files[i], k)); k++)
            code = add_tensor(c, &c->files[i], array);
    }
    qsort(c->tensors, c->n_tensors, sizeof *c->tensors, by_name);
    for (size_t i = 1; !code && i < c->n_tensors; i++)
        if (strcmp(c->tensors[i - 1].name, c->tensors[i].name) == 0)
            code = refuse(c->tensors[i].file, c->tensors[i].name, "is there twice");
    return code;
}

const struct checkpoint_tensor *checkpoint_find(const struct checkpoint *c, const char *name)
{
    struct checkpoint_tensor key;

    if (strlen(name) >= sizeof key.name)
        return NULL;
    strcpy(key.name, name);
    return c->n_tensors ? bsearch(&key, c->tensors, c->n_tensors, sizeof key, by_name) : NULL;
}

bool checkpoint_is_matrix(const struct smol_tensor *t)
{
    return t->part == SMOL_PART_WEIGHT && smol_slot_is_matrix(t->slot);
}

bool checkpoint_is_table(const struct smol_tensor *t)
{
    return t->part == SMOL_PART_WTE || t->part == SMOL_PART_WPE || t->part == SMOL_PART_OUTPUT;
}

bool checkpoint_says(const struct checkpoint_file *f, const char *key, const char *text)
{
    struct smol_span found;

    return smol_gguf_text(&found, f->gguf, key) && found.size_bytes == strlen(text) &&
           memcmp(found.data, text, found.size_bytes) == 0;
}

/* ---- files ---- */

static int parse(struct checkpoint_file *f)
{
    const struct smol_span bytes = f->mapping.bytes;
    const bool is_gguf = bytes.size_bytes >= 4 && memcmp(bytes.data, "GGUF", 4) == 0;
    struct smol_error error;
    enum smol_status status;

    if (bytes.size_bytes >= 2 && memcmp(bytes.data, "PK", 2) == 0)
        return cli_fail(f->path, "is a zip archive, as PyTorch's checkpoints are; save the model "
                                 "as safetensors");
    if (bytes.size_bytes >= 1 && bytes.data[0] == '{')
        return cli_fail(f->path, "is JSON and no weights; name its folder");
    if (tokenizer_is_model(bytes))
        return cli_fail(f->path, "is a model of smol already");
    status = is_gguf ? smol_gguf_create(&f->gguf, bytes.data, bytes.size_bytes, &error)
                     : smol_safetensors_create(&f->tensors, bytes.data, bytes.size_bytes, &error);
    return status ? cli_complain(f->path, &error) : 0;
}

/* Takes path over. The files have their places before the first is opened. */
static int add_file(struct checkpoint *c, char *path)
{
    struct checkpoint_file *f = c->files + c->n_files;
    struct smol_error error;

    if (!path)
        return cli_no_memory(NULL);
    *f = (struct checkpoint_file){.path = path, .mapping.fd = -1};
    c->n_files++;
    return cli_map(&f->mapping, path, &error) ? cli_complain(path, &error) : parse(f);
}

static int make_room(struct checkpoint *c, size_t n)
{
    c->files = calloc(n, sizeof *c->files);
    return c->files ? 0 : cli_no_memory(NULL);
}

static int open_one(struct checkpoint *c, const char *path)
{
    const int code = make_room(c, 1);

    return code ? code : add_file(c, cli_text("%s", path));
}

int checkpoint_look(char **path, const struct checkpoint *c, const char *name)
{
    struct stat about;

    *path = c->folder ? cli_text("%s/%s", c->folder, name) : NULL;
    if (c->folder && !*path)
        return cli_no_memory(NULL);
    if (*path && stat(*path, &about) == 0 && S_ISREG(about.st_mode))
        return 0;
    free(*path);
    *path = NULL;
    return 0;
}

/* ---- shards ---- */

static bool is_open(const struct checkpoint *c, const char *path)
{
    for (size_t i = 0; i < c->n_files; i++)
        if (strcmp(c->files[i].path, path) == 0)
            return true;
    return false;
}

/* The files that the index names, each once. */
static int open_shards(struct checkpoint *c, const char *index_path, const json_t *index)
{
    json_t *map = json_object_get(index, "weight_map"), *value;
    int code =
        json_object_size(map) ? make_room(c, MAX_FILES) : cli_fail(index_path, "has no weight_map");
    const char *name;

    json_object_foreach(map, name, value)
    {
        const char *base = json_string_value(value);
        char *path;

        if (code)
            break;
        if (!base || *base == '\0' || strchr(base, '/'))
            return cli_fail(index_path, "tensor %.64s: its file is not one of this folder", name);
        path = cli_text("%s/%s", c->folder, base);
        if (path && is_open(c, path)) {
            free(path);
        } else if (c->n_files == MAX_FILES) {
            free(path);
            code = cli_fail(index_path, "names over %u files", MAX_FILES);
        } else {
            code = add_file(c, path);
        }
    }
    return code;
}

/* A shard is safetensors. */
static bool has_tensor(const struct checkpoint_file *f, const char *name)
{
    return f->tensors && smol_safetensors_find(f->tensors, name);
}

/* A shard that lacks a tensor would otherwise be a tensor that is missing, and one that has more is
 * another model's. */
static int check_index(const struct checkpoint *c, const char *index_path, const json_t *index)
{
    json_t *map = json_object_get(index, "weight_map"), *value;
    const char *name;

    json_object_foreach(map, name, value)
    {
        bool is_there = false;
        for (size_t i = 0; i < c->n_files; i++)
            is_there = is_there ||
                       (strcmp(cli_base_name(c->files[i].path), json_string_value(value)) == 0 &&
                        has_tensor(&c->files[i], name));
        if (!is_there)
            return cli_fail(index_path, "tensor %.64s is not in %.100s", name,
                            json_string_value(value));
    }
    return 0;
}

static int open_index(struct checkpoint *c, const char *path)
{
    json_t *index = NULL;
    int code = json_file_load(&index, path);

    if (!code)
        code = open_shards(c, path, index);
    if (!code)
        code = check_index(c, path, index);
    json_decref(index);
    return code;
}

static int no_weights(const struct checkpoint *c)
{
    char *pickled = NULL;
    const int code = checkpoint_look(&pickled, c, PICKLED);

    if (!code && pickled)
        cli_fail(pickled, "is a checkpoint of PyTorch; save the model as safetensors");
    else if (!code)
        cli_fail(c->folder, "has neither " WEIGHTS " nor " INDEX);
    free(pickled);
    return CLI_FAILED;
}

static int open_folder(struct checkpoint *c)
{
    char *whole = NULL, *index = NULL;
    int code = checkpoint_look(&whole, c, WEIGHTS);

    if (!code && whole)
        code = open_one(c, whole);
    else if (!code && (code = checkpoint_look(&index, c, INDEX)) == 0)
        code = index ? open_index(c, index) : no_weights(c);
    free(whole);
    free(index);
    return code;
}

/* ---- all of it ---- */

static char *folder_of(const char *path)
{
    const char *base = cli_base_name(path);

    return base == path ? cli_text(".") : cli_text("%.*s", (int)(base - path - 1), path);
}

int checkpoint_open(struct checkpoint *c, const char *path)
{
    struct stat about;
    bool is_folder, is_file;
    int code;

    *c = (struct checkpoint){0};
    if (stat(path, &about) != 0)
        return cli_fail_errno(path);
    is_folder = S_ISDIR(about.st_mode);
    is_file = S_ISREG(about.st_mode);
    c->folder = is_folder ? cli_text("%s", path) : is_file ? folder_of(path) : NULL;
    if ((is_folder || is_file) && !c->folder)
        return cli_no_memory(NULL);
    code = is_folder ? open_folder(c) : open_one(c, path);
    c->is_transposed = !code && !c->files[0].gguf;
    return code ? code : list_tensors(c);
}

void checkpoint_close(struct checkpoint *c)
{
    for (size_t i = 0; i < c->n_files; i++) {
        smol_safetensors_destroy(c->files[i].tensors);
        smol_gguf_destroy(c->files[i].gguf);
        cli_unmap(&c->files[i].mapping);
        free(c->files[i].path);
    }
    free(c->files);
    free(c->tensors);
    free(c->folder);
}
