/* Where a writer writes: behind links, or into a stream. */
#include "base/io_target.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_LINKS 40 /* as Linux */

/* /dev/fd/N and what /dev/stdout is a link to: N, else -1. */
static int descriptor_of(const char *path)
{
    static const char *const folders[] = {"/dev/fd/", "/proc/self/fd/"};

    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        const size_t n = strlen(folders[i]);
        size_t digits;

        if (strncmp(path, folders[i], n) != 0)
            continue;
        digits = strspn(path + n, "0123456789");
        if (digits > 0 && digits < 7 && !path[n + digits])
            return atoi(path + n);
    }
    return -1;
}

char *smol_folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t n = !slash || slash == path ? 1 : (size_t)(slash - path);
    char *folder = malloc(n + 1);

    if (!folder)
        return NULL;
    memcpy(folder, slash ? path : ".", n);
    folder[n] = '\0';
    return folder;
}

/* What the link at path points to, to be freed; NULL if out of memory. */
static char *join(const char *path, const char *link)
{
    const char *slash = link[0] == '/' ? NULL : strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash + 1 - path) : 0, n_link = strlen(link);
    char *joined = malloc(n + n_link + 1);

    if (joined) {
        memcpy(joined, path, n);
        memcpy(joined + n, link, n_link + 1);
    }
    return joined;
}

/* Follows links to their end, which need not exist, or to a descriptor's name. *path is owned. */
static enum smol_status follow(char **path, int *descriptor, struct smol_error *error)
{
    char link[PATH_MAX];

    for (unsigned i = 0; i < MAX_LINKS; i++) {
        ssize_t n;
        char *next;

        if ((*descriptor = descriptor_of(*path)) >= 0)
            return SMOL_OK;
        n = readlink(*path, link, sizeof link);
        if (n < 0) /* no link, or what examine() will tell */
            return SMOL_OK;
        if (n == (ssize_t)sizeof link) {
            errno = ENAMETOOLONG;
            return smol_io_error(error, "follow the link");
        }
        link[n] = '\0';
        next = join(*path, link);
        if (!next)
            return smol_fail_memory(error);
        free(*path);
        *path = next;
    }
    errno = ELOOP;
    return smol_io_error(error, "follow the link");
}

/* The system has the last word: it refuses links that must not be followed, and knows of files that
 * no longer have a name. */
static enum smol_status examine(struct smol_target *t, const char *path, struct smol_error *error)
{
    struct stat named;

    t->exists = stat(path, &t->about) == 0;
    if (!t->exists && errno != ENOENT)
        return smol_io_error(error, "examine");
    if (!t->exists)
        return SMOL_OK;
    if (S_ISDIR(t->about.st_mode) || S_ISBLK(t->about.st_mode) || S_ISSOCK(t->about.st_mode))
        return smol_fail(error, SMOL_E_IO, SMOL_NO_OFFSET, "cannot write: it is a %s",
                         S_ISDIR(t->about.st_mode)   ? "directory"
                         : S_ISBLK(t->about.st_mode) ? "block device"
                                                     : "socket");
    if (faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
        return smol_io_error(error, "write");
    if (!S_ISREG(t->about.st_mode)) {
        free(t->path);
        t->path = NULL;
    } else if (lstat(t->path, &named) != 0 || named.st_ino != t->about.st_ino ||
               named.st_dev != t->about.st_dev) {
        return smol_fail(error, SMOL_E_IO, SMOL_NO_OFFSET, "cannot write: it no longer has a name");
    }
    return SMOL_OK;
}

enum smol_status smol_find_target(struct smol_target *target, const char *path,
                                  struct smol_error *error)
{
    struct smol_target t = {.path = join("", path), .descriptor = -1};
    enum smol_status status;

    if (!t.path)
        return smol_fail_memory(error);
    if (!*path) {
        errno = ENOENT;
        status = smol_io_error(error, "write");
    } else {
        status = follow(&t.path, &t.descriptor, error);
    }
    if (!status && t.descriptor < 0)
        status = examine(&t, path, error);
    if (status) {
        free(t.path);
        return status;
    }
    if (t.descriptor >= 0) {
        free(t.path);
        t.path = NULL;
    }
    *target = t;
    return SMOL_OK;
}
