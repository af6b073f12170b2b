/* See paths.h. */
#define _XOPEN_SOURCE 700 /* scandir */
#include "smoltrain/data/paths.h"
#include "cli/cli.h"
#include "smoltrain/comm/comm.h"
#include "smoltrain/data/sniff.h"

#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A folder that is walked through, with all below it. */
struct walk {
    struct train_paths *paths;
    struct seen {
        dev_t device;
        ino_t number;
    } * seen; /* (n_seen) files and folders */
    size_t n_seen, capacity, n_texts, n_skipped;
};

static int add(struct train_paths *p, const char *path)
{
    if (p->n_files + 1 >= p->capacity) { /* the end is marked */
        const size_t capacity = 2 * p->capacity + 8;
        char **larger = realloc(p->files, capacity * sizeof *larger);

        if (!larger)
            return cli_no_memory(path);
        p->files = larger;
        p->capacity = capacity;
    }
    p->files[p->n_files] = cli_text("%s", path);
    if (!p->files[p->n_files])
        return cli_no_memory(path);
    p->files[++p->n_files] = NULL;
    return 0;
}

/* ---- folders ---- */

static int by_name(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_shown(const struct dirent *entry) { return entry->d_name[0] != '.'; }

/* Notes a file or folder; *again: it was noted before, under another name. */
static int note(bool *again, struct walk *w, const struct stat *s, const char *path)
{
    *again = false;
    for (size_t i = 0; i < w->n_seen && !*again; i++)
        *again = w->seen[i].device == s->st_dev && w->seen[i].number == s->st_ino;
    if (*again)
        return 0;
    if (w->n_seen == w->capacity) {
        const size_t capacity = 2 * w->capacity + 8;
        struct seen *larger = realloc(w->seen, capacity * sizeof *larger);

        if (!larger)
            return cli_no_memory(path);
        w->seen = larger;
        w->capacity = capacity;
    }
    w->seen[w->n_seen++] = (struct seen){s->st_dev, s->st_ino};
    return 0;
}

static int walk(struct walk *w, const char *folder);

static int take(struct walk *w, const char *path)
{
    enum train_kind kind = TRAIN_NO_TEXT;
    struct smol_error error;
    struct stat s;
    bool again;
    int code;

    if (stat(path, &s) != 0) { /* a link to nothing, or gone meanwhile */
        w->n_skipped++;
        return 0;
    }
    if ((code = note(&again, w, &s, path)) != 0 || again)
        return code;
    if (S_ISDIR(s.st_mode))
        return walk(w, path);
    if (S_ISREG(s.st_mode) && train_sniff(&kind, path, &error) != SMOL_OK)
        return cli_complain(path, &error);
    if (kind == TRAIN_NO_TEXT) {
        w->n_skipped++;
        return 0;
    }
    w->n_texts++;
    return add(w->paths, path);
}

static int walk(struct walk *w, const char *folder)
{
    const size_t n = strlen(folder);
    struct dirent **entries;
    const int n_entries = scandir(folder, &entries, is_shown, by_name);
    int code = 0;

    if (n_entries < 0)
        return cli_fail_errno(folder);
    for (int i = 0; i < n_entries; i++) {
        char *path = code == 0
                         ? cli_text("%s%s%s", folder, n > 0 && folder[n - 1] == '/' ? "" : "/",
                                    entries[i]->d_name)
                         : NULL;

        if (code == 0)
            code = path ? take(w, path) : cli_no_memory(folder);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return code;
}

static int add_folder(struct train_paths *paths, const char *folder, const struct stat *s)
{
    struct walk w = {.paths = paths};
    bool again;
    int code = note(&again, &w, s, folder);

    if (code == 0)
        code = walk(&w, folder);
    free(w.seen);
    if (code != 0)
        return code;
    if (w.n_texts == 0)
        return cli_fail(folder, "there is no text in this folder (%zu other %s)", w.n_skipped,
                        w.n_skipped == 1 ? "file" : "files");
    if (train_comm_is_first() && w.n_skipped > 0)
        cli_tell(folder, "%zu %s of text; %zu that %s no text passed over", w.n_texts,
                 w.n_texts == 1 ? "file" : "files", w.n_skipped, w.n_skipped == 1 ? "is" : "are");
    return 0;
}

/* ---- names ---- */

static int add_name(struct train_paths *paths, const char *name)
{
    struct stat s;

    return stat(name, &s) == 0 && S_ISDIR(s.st_mode) ? add_folder(paths, name, &s)
                                                     : add(paths, name);
}

static int add_pattern(struct train_paths *paths, const char *pattern)
{
    glob_t found = {0};
    int code = 0;

    switch (glob(pattern, 0, NULL, &found)) {
    case 0:
        for (size_t i = 0; i < found.gl_pathc && code == 0; i++)
            code = add_name(paths, found.gl_pathv[i]);
        break;
    case GLOB_NOSPACE: code = cli_no_memory(pattern); break;
    default: code = cli_fail(pattern, "no file has a name of this pattern");
    }
    globfree(&found);
    return code;
}

int train_paths_add(struct train_paths *paths, char *const *names)
{
    int code = 0;

    for (; names && *names && code == 0; names++) {
        struct stat s;
        const bool is_there = lstat(*names, &s) == 0;

        code = !is_there && strpbrk(*names, "*?[") ? add_pattern(paths, *names)
                                                   : add_name(paths, *names);
    }
    return code;
}

void train_paths_free(struct train_paths *paths)
{
    for (size_t i = 0; i < paths->n_files; i++)
        free(paths->files[i]);
    free(paths->files);
}
