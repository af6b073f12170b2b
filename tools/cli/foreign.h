/* Text that other programs and editors wrote: what they put before it and at the ends of lines. */
#ifndef CLI_FOREIGN_H
#define CLI_FOREIGN_H

#include <smol/file.h>

/* Leaves out a byte-order mark. TEXT if it is one of UTF-16: the text is no UTF-8 then. */
enum smol_status foreign_start(struct smol_span *text, struct smol_error *error);
/* TEXT if it begins like a gzip file, whatever its name is. */
enum smol_status foreign_check_raw(struct smol_span text, struct smol_error *error);
/* Leaves out white space at the beginning. */
void foreign_skip_space(struct smol_span *text);
/* Takes the next line off text, without its end: a line feed, a carriage return or both. false if
 * there is none. */
bool foreign_line(struct smol_span *line, struct smol_span *text);

#endif
