/* Files of text, plain, compressed or in JSON lines, into a corpus. */
#ifndef SMOLTRAIN_READ_H
#define SMOLTRAIN_READ_H

#include <smol/corpus.h>

/* What a path names, for the corpus's list: *source gets all but the name. IO if it cannot be had.
 */
enum smol_status train_source_examine(struct smol_corpus_source *source, const char *path,
                                      struct smol_error *error);

/* Reads path to its end. By its name: .json and .jsonl hold JSON lines, with .gz behind or not, of
 * which each is a document in its field "text"; all else is text, one document, compressed if the
 * name ends in .gz. If the file is at fault, *at_fault is true, and error->text has the line of a
 * JSON file; if the corpus is, false. CANCELLED after a signal. */
enum smol_status train_source_read(bool *at_fault, struct smol_corpus_writer *writer,
                                   const char *path, struct smol_error *error);

#endif
