/* What the files share that touch the file system. */
#ifndef SMOL_IO_TARGET_H
#define SMOL_IO_TARGET_H

#include <smol/status.h>

#include <stdbool.h>
#include <sys/stat.h>

/* IO, "cannot WHAT: " and the words for errno. */
enum smol_status smol_io_error(struct smol_error *error, const char *what);

/* What a path leads to. */
struct smol_target {
    char *path;     /* behind all links, owned; NULL: a stream */
    int descriptor; /* that the path names; -1: none */
    bool exists;
    struct stat about; /* if it exists */
};

/* IO if it cannot be written to. Nothing to free on failure. */
enum smol_status smol_find_target(struct smol_target *target, const char *path,
                                  struct smol_error *error);
/* The folder of path, to be freed; NULL if out of memory. */
char *smol_folder_of(const char *path);

#endif
