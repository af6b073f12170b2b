/* What a file of a folder is, by how it begins. */
#ifndef SMOLTRAIN_SNIFF_H
#define SMOLTRAIN_SNIFF_H

#include <smol/status.h>

enum train_kind { TRAIN_NO_TEXT, TRAIN_TEXT };

/* Text has bytes, and among its first 65,536, decompressed if it is compressed with gzip, none that
 * control anything but lines, tabs and terminals; by its name JSON lines, it begins with one that
 * has a text. IO if it cannot be read. */
enum smol_status train_sniff(enum train_kind *kind, const char *path, struct smol_error *error);

#endif
