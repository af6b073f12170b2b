/* Models in folders, found by the hash that they state. SPEC.md 2 and 16. */
#define _DEFAULT_SOURCE /* dirfd */
#include "base/bytes.h"
#include "base/error.h"

#include <smol/io.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SUFFIX ".smol"
#define HEADER_BYTES 24u /* as far as body_size */
#define BODY_SIZE_AT 16u

static bool read_at(int fd, void *bytes, size_t n, uint64_t offset)
{
    return pread(fd, bytes, n, (off_t)offset) == (ssize_t)n;
}

/* Whether the trailer of an open file is where its header says, and has that hash. */
static bool states_hash(int fd, uint64_t size_bytes, const uint8_t hash[SMOL_HASH_BYTES])
{
    static const uint8_t magic[8] = {0x89, 'S', 'M', 'O', 'L', '\r', '\n', 0x1a};
    uint8_t header[HEADER_BYTES], stated[SMOL_HASH_BYTES];
    uint64_t body;

    if (!read_at(fd, header, sizeof header, 0) || memcmp(header, magic, sizeof magic) != 0)
        return false;
    body = smol_le64(header + BODY_SIZE_AT);
    if (body > size_bytes || (size_bytes - body != SMOL_HASH_BYTES &&
                              size_bytes - body != SMOL_HASH_BYTES + SMOL_SIGNATURE_BLOCK_BYTES))
        return false;
    return read_at(fd, stated, sizeof stated, body) && memcmp(stated, hash, sizeof stated) == 0;
}

/* The same of a name in a folder. Only regular files are opened, and without waiting for them
 * should they have become something else. */
static bool names_hash(int folder, const char *name, const uint8_t hash[SMOL_HASH_BYTES])
{
    struct stat s;
    bool found = false;
    int fd;

    if (fstatat(folder, name, &s, 0) != 0 || !S_ISREG(s.st_mode) ||
        (fd = openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK)) < 0)
        return false;
    if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode))
        found = states_hash(fd, (uint64_t)s.st_size, hash);
    close(fd);
    return found;
}

static bool is_model_name(const char *name)
{
    const size_t n = strlen(name), end = sizeof SUFFIX - 1;

    return n > end && strcmp(name + n - end, SUFFIX) == 0;
}

/* folder/name for free(); NULL if memory is out. */
static char *join(const char *folder, const char *name)
{
    const size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);

    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

/* The first by name, for free(). */
static char *find(const char *folder, const uint8_t hash[SMOL_HASH_BYTES])
{
    DIR *directory = opendir(folder);
    const struct dirent *entry;
    char *best = NULL;

    while (directory && (entry = readdir(directory))) {
        const char *name = entry->d_name;
        char *copy;
        if (!is_model_name(name) || (best && strcmp(name, best) > 0) ||
            !names_hash(dirfd(directory), name, hash) || !(copy = strdup(name)))
            continue;
        free(best);
        best = copy;
    }
    if (directory)
        closedir(directory);
    if (best) {
        char *path = join(folder, best);
        free(best);
        best = path;
    }
    return best;
}

char *smol_bases_folder(void)
{
    const char *named = getenv("SMOL_BASES"), *data = getenv("XDG_DATA_HOME"),
               *home = getenv("HOME");

    if (named)
        return strdup(named);
    if (data && data[0] == '/') /* the XDG specification has others ignored */
        return join(data, "smol/bases");
    return home && home[0] == '/' ? join(home, ".local/share/smol/bases") : NULL;
}

/* The folder that a path lies in, for free(). */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t n = slash ? (size_t)(slash - path) : 0;
    char *folder = malloc(n + 2);

    if (folder) {
        memcpy(folder, path, n);
        strcpy(folder + n, n ? "" : slash ? "/" : ".");
    }
    return folder;
}

char *smol_part_find(const uint8_t hash[SMOL_HASH_BYTES], const char *bases_dir, const char *delta)
{
    char *bases = bases_dir ? strdup(bases_dir) : smol_bases_folder(), *own = folder_of(delta),
         *path = bases ? find(bases, hash) : NULL;

    if (!path && own)
        path = find(own, hash);
    free(bases);
    free(own);
    return path;
}
