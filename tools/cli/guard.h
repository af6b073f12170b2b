/* Mapped files under guard: if one is cut short while in use, or can no longer be read, the program
 * ends with CLI_FAILED and a message instead of a signal. The programs map files only this way. */
#ifndef CLI_GUARD_H
#define CLI_GUARD_H

#include <smol/io.h>

/* As smol_mapping_open, smol_file_open and smol_mapping_close. n_threads 0: as
 * smol_file_open_unverified. Not while another thread does so. */
enum smol_status cli_map(struct smol_mapping *mapping, const char *path, struct smol_error *error);
enum smol_status cli_open(struct smol_mapping *mapping, struct smol_file *file, const char *path,
                          uint32_t n_threads, struct smol_error *error);
void cli_unmap(struct smol_mapping *mapping);

/* The checks of cli_open, for bytes that are mapped already: a pipe can be read only once. */
enum smol_status cli_check_model(struct smol_file *file, struct smol_span bytes, uint32_t n_threads,
                                 struct smol_error *error);

/* Checks that nobody has written into the file since it was mapped, so that what was verified is
 * what was used. 0, or CLI_FAILED after a message. */
int cli_check_unchanged(const struct smol_mapping *mapping, const char *path);

/* A file that is being written, one at a time; if the program ends so, its temporary sibling is
 * removed. */
enum smol_status cli_writer_open(struct smol_writer **writer, const char *path,
                                 struct smol_error *error);
/* Commits, unless status says that something failed or the source has changed meanwhile, which is
 * told first. A writer of NULL is the standard output. */
enum smol_status cli_writer_end(struct smol_writer *writer, enum smol_status status,
                                const struct smol_mapping *source, struct smol_error *error);

#endif
