/* The files that --data and --valid name: files, folders of them, and patterns of both. */
#ifndef SMOLTRAIN_PATHS_H
#define SMOLTRAIN_PATHS_H

#include <stddef.h>

struct train_paths {
    char **files; /* (n_files), NULL at the end */
    size_t n_files, capacity;
};

/* Adds what names (NULL at the end, or NULL itself) stand for. A name that is there is that file,
 * or all files of text in that folder and those in it, in the order of their names; of folders what
 * begins with a dot is passed over, and what is no text is counted on stderr. Links are followed,
 * but nothing is taken twice. A name that is not there is a pattern of glob(3). 0, or an exit code
 * after a message. For train_paths_free, in any case. */
int train_paths_add(struct train_paths *paths, char *const *names);
void train_paths_free(struct train_paths *paths);

#endif
