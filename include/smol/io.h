/* The only part of the library that touches the file system. Thread-safe: threads may share a
 * mapping, which is constant until it is unmapped; a writer belongs to one thread at a time.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_IO_H
#define SMOL_IO_H

#include <smol/file.h>

#include <stdbool.h>

SMOL_BEGIN_DECLS

/* A file's bytes, read-only. A regular file is mapped; a pipe or a device is read to its end, once,
 * into memory, of at most SMOL_STREAM_BYTES. If another program writes into a mapped file
 * meanwhile, its bytes may show through; smol_mapping_check detects that. If the file is truncated
 * while it is mapped, touching the lost bytes ends the process with a signal: replace files by
 * renaming, as the writers below do. */
struct smol_mapping {
    struct smol_span bytes;
    int fd;               /* -1: nothing mapped */
    uint64_t identity[6]; /* when mapped: size, last write and change, number of names */
};

#define SMOL_STREAM_BYTES ((size_t)1 << 30)

/* An empty file is no error; data is not NULL then. Opening a named pipe waits for its writer.
 * Errors: IO, MEMORY. */
enum smol_status smol_mapping_open(struct smol_mapping *mapping, const char *path,
                                   struct smol_error *error);
/* Does nothing if nothing is mapped: fd -1. */
void smol_mapping_close(struct smol_mapping *mapping);

/* CHANGED if the regular file behind a mapping is no longer as it was when mapped: if its size or
 * the time of its last write differs, or the time of its last change of any kind, which nobody can
 * set back. The latter does not count if the file gained or lost a name meanwhile, as when another
 * file replaces it. */
enum smol_status smol_mapping_check(const struct smol_mapping *mapping, struct smol_error *error);

/* Gives back the memory of bytes that were read and will not be soon, size_bytes from data on, as
 * far as they fill pages; they are still there, and come from the file again. What is no mapped
 * file stays in memory. */
void smol_mapping_release(const struct smol_mapping *mapping, const uint8_t *data,
                          size_t size_bytes);

/* Opens a model: maps it, parses it, and checks the hash with at most n_threads threads, and the
 * signature if there is one. file->bytes points into the mapping. On failure nothing stays mapped.
 */
enum smol_status smol_file_open(struct smol_mapping *mapping, struct smol_file *file,
                                const char *path, uint32_t n_threads, struct smol_error *error);

/* The same without hash and signature: the file is undamaged, but may be any model. */
enum smol_status smol_file_open_unverified(struct smol_mapping *mapping, struct smol_file *file,
                                           const char *path, struct smol_error *error);

/* smol_file_check_hash, shared by at most n_threads threads that live for this call, and several
 * times as fast for one thread too if the processor has wide registers. */
enum smol_status smol_file_check_hash_threads(const struct smol_file *file, uint32_t n_threads,
                                              struct smol_error *error);

/* Where the models of deltas are looked for, if nobody says otherwise, for free(): $SMOL_BASES,
 * else $XDG_DATA_HOME/smol/bases, else ~/.local/share/smol/bases; NULL if none of these variables
 * is set, or memory is out. The folder need not exist. */
char *smol_bases_folder(void);

/* A part of the delta at a path, found by its hash: the path, for free(), of the first file by name
 * that is called *.smol and states that hash, in a folder, NULL for the default one, or else beside
 * the delta; NULL if there is none, what is there cannot be read, or memory is out. What a file
 * states need not be true: smol_file_open checks it. Nothing but regular files is opened. */
char *smol_part_find(const uint8_t hash[SMOL_HASH_BYTES], const char *bases_dir, const char *delta);

/* Writes a file that appears whole or not at all: a temporary file beside it, NAME.tmp-XXXXXX, is
 * written, synced and renamed.
 *
 * Symbolic links are followed first: the file they lead to is replaced, or created if it does not
 * exist. A new file gets the bits of mode that the umask leaves; pass 0666, or 0600 for secrets. A
 * file that is replaced keeps its mode, and its owner and group as far as the process may set them;
 * set-id bits go, and if the group cannot be kept, the new one gets no more rights than others
 * have. A mode with no bits for group and others is set whatever was there. Other hard links keep
 * the old contents; access control lists and extended attributes are lost. A file that the process
 * may not write to is not replaced, even where its folder would allow that.
 *
 * Pipes, character devices, and what /dev/stdout and /dev/fd/N stand for are written to as bytes
 * are appended, and cannot be rewritten. Block devices, sockets and directories are refused.
 *
 * Errors: IO, MEMORY; a file at path is then as it was. */
struct smol_writer;
enum smol_status smol_write_file(const char *path, const void *bytes, size_t size_bytes,
                                 unsigned mode, struct smol_error *error);
/* The same in pieces, for output larger than memory. Every writer ends in commit or abort. */
enum smol_status smol_writer_open(struct smol_writer **writer, const char *path, unsigned mode,
                                  struct smol_error *error);
enum smol_status smol_writer_append(struct smol_writer *writer, const void *bytes,
                                    size_t size_bytes, struct smol_error *error);
/* Replaces bytes already appended, from offset on; in files only. */
enum smol_status smol_writer_rewrite(struct smol_writer *writer, uint64_t offset, const void *bytes,
                                     size_t size_bytes, struct smol_error *error);
enum smol_status smol_writer_commit(struct smol_writer *writer, struct smol_error *error);
/* Accepts NULL. */
void smol_writer_abort(struct smol_writer *writer);
/* Whether smol_writer_open would succeed, as far as can be told beforehand; if is_file, also
 * whether path is, or would be, a regular file. Writes nothing. */
enum smol_status smol_writer_check(const char *path, bool is_file, struct smol_error *error);

/* Removes the temporary files that writers of path left behind when they were killed; those that
 * another process is still writing are locked, and stay. Not to be called while this process writes
 * path. */
void smol_remove_leftovers(const char *path);

SMOL_END_DECLS
#endif
