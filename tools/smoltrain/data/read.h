/* Files of text, plain, compressed or in JSON lines, into a corpus. */
#ifndef SMOLTRAIN_READ_H
#define SMOLTRAIN_READ_H

#include "smoltrain/options/args.h"

#include <smol/corpus.h>

/* What a path names, for the corpus's list: *source gets all but the name. IO if it fails. */
enum smol_status train_source_examine(struct smol_corpus_source *source, const char *path,
                                      struct smol_error *error);

/* Whether a file is one of JSON lines by its name. */
bool train_source_is_json(const char *path);

/* Reads path to its end. By its name, in letters of either case, or by format if that says so:
 * .json, .jsonl and .ndjson hold JSON lines, with .gz behind or not, of which each is a document in
 * its field "text"; all else is text, one document. What begins like a gzip file is decompressed
 * whatever its name, and a name that ends in .gz must be of one. If the file is at fault, *at_fault
 * is true, and error->text has the line of a JSON file; if the corpus is, false. CANCELLED after a
 * signal. */
enum smol_status train_source_read(bool *at_fault, struct smol_corpus_writer *writer,
                                   const char *path, enum train_format format,
                                   const struct smol_file *tokenizer, struct smol_error *error);

#endif
