/* The one file of the library that touches the file system: maps files, writes them whole or not at
 * all. */
#include "base/error.h"

#include <smol/io.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* strerror would be shorter, and need not be thread-safe. */
static enum smol_status io_error(struct smol_error *error, const char *what)
{
    const int number = errno;
    char why[128];

    if (strerror_r(number, why, sizeof why) != 0)
        snprintf(why, sizeof why, "error %d", number);
    return smol_fail(error, SMOL_E_IO, SMOL_NO_OFFSET, "cannot %s: %s", what, why);
}

static void keep_identity(struct smol_mapping *m, const struct stat *s)
{
    m->identity[0] = (uint64_t)s->st_size;
    m->identity[1] = (uint64_t)s->st_mtim.tv_sec;
    m->identity[2] = (uint64_t)s->st_mtim.tv_nsec;
    m->identity[3] = (uint64_t)s->st_nlink;
    m->identity[4] = (uint64_t)s->st_ctim.tv_sec;
    m->identity[5] = (uint64_t)s->st_ctim.tv_nsec;
}

enum smol_status smol_mapping_open(struct smol_mapping *mapping, const char *path,
                                   struct smol_error *error)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    enum smol_status status;
    struct stat s;
    void *p;

    if (fd < 0)
        return io_error(error, "open");
    if (fstat(fd, &s) != 0) {
        status = io_error(error, "examine");
        goto fail;
    }
    if (!S_ISREG(s.st_mode) || s.st_size == 0) {
        status = smol_fail(error, SMOL_E_IO, SMOL_NO_OFFSET, "not a regular file with contents");
        goto fail;
    }
    if ((uint64_t)(size_t)s.st_size != (uint64_t)s.st_size) {
        status = smol_fail(error, SMOL_E_IO, SMOL_NO_OFFSET, "too large to map on this machine");
        goto fail;
    }
    p = mmap(NULL, (size_t)s.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED) {
        status = io_error(error, "map");
        goto fail;
    }
    mapping->bytes = (struct smol_span){p, (size_t)s.st_size};
    mapping->fd = fd;
    keep_identity(mapping, &s);
    return SMOL_OK;
fail:
    close(fd);
    return status;
}

void smol_mapping_close(struct smol_mapping *mapping)
{
    if (mapping->fd < 0)
        return;
    munmap((void *)(uintptr_t)mapping->bytes.data, mapping->bytes.size_bytes);
    close(mapping->fd);
    mapping->fd = -1;
    mapping->bytes = (struct smol_span){NULL, 0};
}

/* Renaming another file over this one takes its name, which changes the time of the last change and
 * nothing else. */
static bool same_file(const uint64_t *now, const uint64_t *then)
{
    const size_t n = now[3] == then[3] ? 6 : 3;

    return memcmp(now, then, n * sizeof *now) == 0;
}

enum smol_status smol_mapping_check(const struct smol_mapping *mapping, struct smol_error *error)
{
    struct smol_mapping now = {0};
    struct stat s;

    if (fstat(mapping->fd, &s) != 0)
        return io_error(error, "examine");
    keep_identity(&now, &s);
    if (!same_file(now.identity, mapping->identity))
        return smol_fail(error, SMOL_E_CHANGED, SMOL_NO_OFFSET,
                         "the file changed while it was in use");
    return SMOL_OK;
}

#define TEMPORARY ".tmp-"

struct smol_writer {
    int fd;
    char *path, *temporary;
};

static void writer_free(struct smol_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    free(w->path);
    free(w->temporary);
    free(w);
}

/* path.tmp-XXXXXX beside path, so that the rename stays within one file system. The lock ends with
 * the process, however that ends; where there are no locks, leftover files stay. */
static enum smol_status open_temporary(struct smol_writer *w, const char *path, unsigned mode,
                                       struct smol_error *error)
{
    static const char suffix[] = TEMPORARY "XXXXXX";
    const struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const size_t n = strlen(path);

    w->path = malloc(n + 1);
    w->temporary = malloc(n + sizeof suffix);
    if (!w->path || !w->temporary)
        return smol_fail_memory(error);
    memcpy(w->path, path, n + 1);
    memcpy(w->temporary, path, n);
    memcpy(w->temporary + n, suffix, sizeof suffix);
    w->fd = mkstemp(w->temporary);
    if (w->fd < 0)
        return io_error(error, "create a temporary file beside it");
    fcntl(w->fd, F_SETLK, &lock);
    if (fchmod(w->fd, (mode_t)mode) != 0) {
        const enum smol_status status = io_error(error, "set the mode");
        unlink(w->temporary);
        return status;
    }
    return SMOL_OK;
}

enum smol_status smol_writer_open(struct smol_writer **writer, const char *path, unsigned mode,
                                  struct smol_error *error)
{
    struct smol_writer *w = calloc(1, sizeof *w);
    enum smol_status status;

    if (!w)
        return smol_fail_memory(error);
    w->fd = -1;
    status = open_temporary(w, path, mode, error);
    if (status) {
        writer_free(w);
        return status;
    }
    *writer = w;
    return SMOL_OK;
}

enum smol_status smol_writer_append(struct smol_writer *writer, const void *bytes,
                                    size_t size_bytes, struct smol_error *error)
{
    const uint8_t *p = bytes;

    while (size_bytes > 0) {
        const ssize_t n = write(writer->fd, p, size_bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error(error, "write");
        p += n;
        size_bytes -= (size_t)n;
    }
    return SMOL_OK;
}

enum smol_status smol_writer_rewrite(struct smol_writer *writer, uint64_t offset, const void *bytes,
                                     size_t size_bytes, struct smol_error *error)
{
    const uint8_t *p = bytes;

    while (size_bytes > 0) {
        const ssize_t n = pwrite(writer->fd, p, size_bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return io_error(error, "write");
        p += n;
        offset += (uint64_t)n;
        size_bytes -= (size_t)n;
    }
    return SMOL_OK;
}

/* The folder of path, to be freed; NULL if out of memory. */
static char *folder_of(const char *path)
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

/* The directory stores the rename. Some file systems cannot sync a directory, which is no
 * failure. */
static void sync_directory(const char *path)
{
    char *directory = folder_of(path);
    int fd;

    if (!directory)
        return;
    fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(directory);
    if (fd < 0)
        return;
    fsync(fd);
    close(fd);
}

/* A temporary file whose writer lives is locked. */
static void remove_leftover(int folder, const char *name)
{
    const struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const int fd = openat(folder, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

    if (fd < 0)
        return;
    if (fcntl(fd, F_SETLK, &lock) == 0)
        unlinkat(folder, name, 0);
    close(fd);
}

void smol_remove_leftovers(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const size_t n = strlen(base), n_suffix = sizeof TEMPORARY - 1;
    char *folder = folder_of(path);
    DIR *directory = folder ? opendir(folder) : NULL;
    const struct dirent *entry;

    free(folder);
    if (!directory)
        return;
    while ((entry = readdir(directory)))
        if (strlen(entry->d_name) == n + n_suffix + 6 && memcmp(entry->d_name, base, n) == 0 &&
            memcmp(entry->d_name + n, TEMPORARY, n_suffix) == 0)
            remove_leftover(dirfd(directory), entry->d_name);
    closedir(directory);
}

enum smol_status smol_writer_commit(struct smol_writer *writer, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    const int fd = writer->fd;

    writer->fd = -1;
    if (fsync(fd) != 0)
        status = io_error(error, "sync");
    if (close(fd) != 0 && !status)
        status = io_error(error, "close");
    if (!status && rename(writer->temporary, writer->path) != 0)
        status = io_error(error, "rename the temporary file to it");
    if (status)
        unlink(writer->temporary);
    else
        sync_directory(writer->path);
    writer_free(writer);
    return status;
}

void smol_writer_abort(struct smol_writer *writer)
{
    if (!writer)
        return;
    unlink(writer->temporary);
    writer_free(writer);
}

enum smol_status smol_write_file(const char *path, const void *bytes, size_t size_bytes,
                                 unsigned mode, struct smol_error *error)
{
    struct smol_writer *w;
    enum smol_status status = smol_writer_open(&w, path, mode, error);

    if (status)
        return status;
    status = smol_writer_append(w, bytes, size_bytes, error);
    if (status) {
        smol_writer_abort(w);
        return status;
    }
    return smol_writer_commit(w, error);
}
