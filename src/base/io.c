/* Files and streams as bytes. With io_target.c and io_write.c all of the library that touches the
 * file system. */
#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "base/error.h"
#include "base/io_target.h"

#include <smol/io.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* strerror would be shorter, and need not be thread-safe. */
enum smol_status smol_io_error(struct smol_error *error, const char *what)
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

static const uint8_t nothing[1];

/* A regular file, in place. */
static enum smol_status map_file(struct smol_span *bytes, int fd, const struct stat *s,
                                 struct smol_error *error)
{
    void *p;

    if ((uint64_t)(size_t)s->st_size != (uint64_t)s->st_size)
        return smol_fail(error, SMOL_E_IO, SMOL_NO_OFFSET, "too large to map on this machine");
    p = mmap(NULL, (size_t)s->st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return smol_io_error(error, "map");
    *bytes = (struct smol_span){p, (size_t)s->st_size};
    return SMOL_OK;
}

/* New pages that begin with the contents of old, which are freed; NULL if out of memory. */
static uint8_t *larger(uint8_t *old, size_t old_bytes, size_t size_bytes)
{
    void *p = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (p == MAP_FAILED)
        p = NULL;
    if (p && old_bytes)
        memcpy(p, old, old_bytes);
    if (old_bytes)
        munmap(old, old_bytes);
    return p;
}

/* Gives back the pages behind the first n bytes. */
static void trim(uint8_t *pages, size_t n, size_t size_bytes)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), kept = (n + page - 1) / page * page;

    if (kept < size_bytes)
        munmap(pages + kept, size_bytes - kept);
}

/* Reads a pipe or device to its end; and regular files that seem empty, as those in /proc do. */
static enum smol_status read_stream(struct smol_span *bytes, int fd, struct smol_error *error)
{
    size_t n = 0, capacity = (size_t)1 << 16;
    uint8_t *pages = larger(NULL, 0, capacity);
    ssize_t got = 1;

    while (pages && got != 0) {
        if (n == capacity && capacity < SMOL_STREAM_BYTES) {
            pages = larger(pages, capacity, 2 * capacity);
            capacity *= 2;
            continue;
        }
        got = n < capacity ? read(fd, pages + n, capacity - n) : read(fd, &(uint8_t){0}, 1);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0 || (got > 0 && n == capacity)) {
            const enum smol_status status = got < 0
                                                ? smol_io_error(error, "read")
                                                : smol_fail(error, SMOL_E_IO, SMOL_NO_OFFSET,
                                                            "over 1 GiB, and not a regular file");
            munmap(pages, capacity);
            return status;
        }
        n += (size_t)got;
    }
    if (!pages)
        return smol_fail_memory(error);
    trim(pages, n, capacity);
    *bytes = (struct smol_span){n ? pages : nothing, n};
    return SMOL_OK;
}

enum smol_status smol_mapping_open(struct smol_mapping *mapping, const char *path,
                                   struct smol_error *error)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    enum smol_status status;
    struct smol_span bytes;
    struct stat s;

    if (fd < 0)
        return smol_io_error(error, "open");
    if (fstat(fd, &s) != 0)
        status = smol_io_error(error, "examine");
    else if (S_ISREG(s.st_mode) && s.st_size > 0)
        status = map_file(&bytes, fd, &s, error);
    else
        status = read_stream(&bytes, fd, error);
    if (status) {
        close(fd);
        return status;
    }
    mapping->bytes = bytes;
    mapping->fd = fd;
    keep_identity(mapping, &s);
    return SMOL_OK;
}

void smol_mapping_close(struct smol_mapping *mapping)
{
    if (mapping->fd < 0)
        return;
    if (mapping->bytes.size_bytes)
        munmap((void *)(uintptr_t)mapping->bytes.data, mapping->bytes.size_bytes);
    close(mapping->fd);
    mapping->fd = -1;
    mapping->bytes = (struct smol_span){NULL, 0};
}

void smol_mapping_release(const struct smol_mapping *mapping, const uint8_t *data,
                          size_t size_bytes)
{
    const uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), from = (uintptr_t)data,
                    begin = (from + page - 1) / page * page,
                    end = (from + size_bytes) / page * page;
    struct stat s;

    /* Of private pages that no file is behind, madvise would lose the contents. */
    if (begin < end && mapping->identity[0] > 0 && fstat(mapping->fd, &s) == 0 &&
        S_ISREG(s.st_mode))
        madvise((void *)begin, end - begin, MADV_DONTNEED);
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
        return smol_io_error(error, "examine");
    if (!S_ISREG(s.st_mode)) /* a copy of it is used */
        return SMOL_OK;
    keep_identity(&now, &s);
    if (!same_file(now.identity, mapping->identity))
        return smol_fail(error, SMOL_E_CHANGED, SMOL_NO_OFFSET,
                         "the file changed while it was in use");
    return SMOL_OK;
}
