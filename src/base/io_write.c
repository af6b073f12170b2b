/* Files that are written whole or not at all, and streams. */
#include "base/error.h"
#include "base/io_target.h"

#include <smol/io.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#define TEMPORARY ".tmp-"

struct smol_writer {
    int fd;
    char *path, *temporary; /* NULL: a stream */
};

static void writer_free(struct smol_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    free(w->path);
    free(w->temporary);
    free(w);
}

/* A new file whose name ends in six random characters; -1 with errno. */
static int create_temporary(char *name, unsigned mode)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
    char *end = name + strlen(name) - 6;
    int fd = -1;

    for (unsigned i = 0; i < 100 && fd < 0; i++) {
        uint8_t random[6];

        if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random)
            return -1;
        for (unsigned k = 0; k < 6; k++)
            end[k] = letters[random[k] % (sizeof letters - 1)];
        fd = open(name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, (mode_t)mode);
        if (fd < 0 && errno != EEXIST)
            return -1;
    }
    return fd;
}

/* Gives it the mode, owner and group of the file that will be replaced, as far as the system
 * allows. If the group cannot be kept, the new one gets no more rights than others have. */
static enum smol_status take_over(int fd, const struct stat *old, unsigned mode,
                                  struct smol_error *error)
{
    mode_t kept = mode & 077 ? old->st_mode & 0777 : (mode_t)mode;
    struct stat now;

    if (fstat(fd, &now) != 0)
        return smol_io_error(error, "examine the temporary file beside it");
    if ((now.st_uid != old->st_uid || now.st_gid != old->st_gid) &&
        fchown(fd, old->st_uid, old->st_gid) != 0 && now.st_gid != old->st_gid &&
        fchown(fd, (uid_t)-1, old->st_gid) != 0)
        kept &= (mode_t)~070 | (kept & 07) << 3;
    if ((now.st_mode & 07777) != kept && fchmod(fd, kept) != 0)
        return smol_io_error(error, "set the mode");
    return SMOL_OK;
}

/* As many bytes of path as the temporary file's name begins with. */
static size_t stem(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const size_t n = strlen(base), most = NAME_MAX - sizeof TEMPORARY + 1 - 6;

    return (size_t)(base - path) + (n < most ? n : most);
}

/* path.tmp-XXXXXX beside path, so that the rename stays within one file system. Nobody else may
 * read what replaces a file before it has that file's mode. The lock ends with the process, however
 * that ends; where there are no locks, leftover files stay. */
static enum smol_status open_temporary(struct smol_writer *w, const struct smol_target *t,
                                       unsigned mode, struct smol_error *error)
{
    static const char suffix[] = TEMPORARY "XXXXXX";
    const struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    const size_t n = stem(w->path);
    enum smol_status status = SMOL_OK;

    w->temporary = malloc(n + sizeof suffix);
    if (!w->temporary)
        return smol_fail_memory(error);
    memcpy(w->temporary, w->path, n);
    memcpy(w->temporary + n, suffix, sizeof suffix);
    w->fd = create_temporary(w->temporary, t->exists ? 0600 : mode);
    if (w->fd < 0)
        return smol_io_error(error, "create a temporary file beside it");
    fcntl(w->fd, F_SETLK, &lock);
    if (t->exists)
        status = take_over(w->fd, &t->about, mode, error);
    if (status)
        unlink(w->temporary);
    return status;
}

static enum smol_status no_file(struct smol_error *error)
{
    return smol_fail(error, SMOL_E_IO, SMOL_NO_OFFSET, "must be a regular file");
}

static enum smol_status open_stream(struct smol_writer *w, const struct smol_target *t,
                                    const char *path, struct smol_error *error)
{
    if (t->descriptor >= 0)
        w->fd = fcntl(t->descriptor, F_DUPFD_CLOEXEC, 3);
    else
        w->fd = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY);
    return w->fd < 0 ? smol_io_error(error, "open") : SMOL_OK;
}

enum smol_status smol_writer_check(const char *path, bool is_file, struct smol_error *error)
{
    struct smol_target t;
    enum smol_status status = smol_find_target(&t, path, error);
    char *folder;

    if (status)
        return status;
    folder = t.path ? smol_folder_of(t.path) : NULL;
    if (!t.path && is_file)
        status = no_file(error);
    else if (t.path && !folder)
        status = smol_fail_memory(error);
    else if (folder && faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) != 0)
        status = smol_io_error(error, "write into its folder");
    free(folder);
    free(t.path);
    return status;
}

enum smol_status smol_writer_open(struct smol_writer **writer, const char *path, unsigned mode,
                                  struct smol_error *error)
{
    struct smol_writer *w;
    struct smol_target t;
    enum smol_status status = smol_find_target(&t, path, error);

    if (status)
        return status;
    w = calloc(1, sizeof *w);
    if (!w) {
        free(t.path);
        return smol_fail_memory(error);
    }
    w->fd = -1;
    w->path = t.path;
    status = t.path ? open_temporary(w, &t, mode, error) : open_stream(w, &t, path, error);
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
            return smol_io_error(error, "write");
        p += n;
        size_bytes -= (size_t)n;
    }
    return SMOL_OK;
}

enum smol_status smol_writer_rewrite(struct smol_writer *writer, uint64_t offset, const void *bytes,
                                     size_t size_bytes, struct smol_error *error)
{
    const uint8_t *p = bytes;

    if (!writer->path)
        return no_file(error);
    while (size_bytes > 0) {
        const ssize_t n = pwrite(writer->fd, p, size_bytes, (off_t)offset);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return smol_io_error(error, "write");
        p += n;
        offset += (uint64_t)n;
        size_bytes -= (size_t)n;
    }
    return SMOL_OK;
}

/* The directory stores the rename. Some file systems cannot sync a directory, which is no
 * failure. */
static void sync_directory(const char *path)
{
    char *directory = smol_folder_of(path);
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

static void remove_leftovers(const char *path)
{
    const char *slash = strrchr(path, '/'), *base = slash ? slash + 1 : path;
    const size_t n = stem(base), n_suffix = sizeof TEMPORARY - 1;
    char *folder = smol_folder_of(path);
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

void smol_remove_leftovers(const char *path)
{
    struct smol_target t;

    if (smol_find_target(&t, path, NULL))
        return;
    if (t.path)
        remove_leftovers(t.path);
    free(t.path);
}

enum smol_status smol_writer_commit(struct smol_writer *writer, struct smol_error *error)
{
    enum smol_status status = SMOL_OK;
    const int fd = writer->fd;

    writer->fd = -1;
    if (writer->path && fsync(fd) != 0)
        status = smol_io_error(error, "sync");
    if (close(fd) != 0 && !status)
        status = smol_io_error(error, "close");
    if (!status && writer->path && rename(writer->temporary, writer->path) != 0)
        status = smol_io_error(error, "rename the temporary file to it");
    if (status && writer->path)
        unlink(writer->temporary);
    else if (writer->path)
        sync_directory(writer->path);
    writer_free(writer);
    return status;
}

void smol_writer_abort(struct smol_writer *writer)
{
    if (!writer)
        return;
    if (writer->path)
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
