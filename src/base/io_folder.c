/* See folder.h. */
#define _DEFAULT_SOURCE /* dirfd */
#include "base/folder.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct smol_folder_file {
    int fd;
};

bool smol_folder_read(const struct smol_folder_file *file, void *bytes, size_t n, uint64_t offset)
{
    return pread(file->fd, bytes, n, (off_t)offset) == (ssize_t)n;
}

/* Whether a name in a folder is a file that is wanted. Only regular files are opened, and without
 * waiting for them should they have become something else. */
static bool is_wanted(int folder, const char *name, smol_folder_test *test, const void *context)
{
    struct stat s;
    bool found = false;
    int fd;

    if (fstatat(folder, name, &s, 0) != 0 || !S_ISREG(s.st_mode) ||
        (fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) < 0)
        return false;
    if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode))
        found = test(context, &(struct smol_folder_file){fd}, (uint64_t)s.st_size);
    close(fd);
    return found;
}

static bool ends_with(const char *name, const char *suffix)
{
    const size_t n = strlen(name), end = strlen(suffix);

    return n > end && strcmp(name + n - end, suffix) == 0;
}

char *smol_path_join(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);

    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

char *smol_folder_find(const char *folder, const char *suffix, smol_folder_test *test,
                       const void *context)
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    char *best = NULL;

    while (directory && (entry = readdir(directory))) {
        const char *name = entry->d_name;
        char *copy;
        if (!ends_with(name, suffix) || (best && strcmp(name, best) > 0) ||
            !is_wanted(dirfd(directory), name, test, context) || !(copy = strdup(name)))
            continue;
        free(best);
        best = copy;
    }
    if (directory)
        closedir(directory);
    if (best) {
        char *path = smol_path_join(folder, best);
        free(best);
        best = path;
    }
    return best;
}
