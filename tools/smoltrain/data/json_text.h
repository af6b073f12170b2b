/* A line of JSON, of which only the text is wanted. */
#ifndef SMOLTRAIN_JSON_TEXT_H
#define SMOLTRAIN_JSON_TEXT_H

#include <smol/file.h>

/* The string that the object in line has in its field "text": *text lies at the front of line,
 * which is lost; behind its n bytes is a zero. Of several such fields the last counts; what other
 * fields hold matters only in so far as it must be JSON, of any depth and numbers of any size. Half
 * a surrogate pair is U+FFFD. TEXT if the line is not JSON or has no such string; MEMORY. error's
 * text says why. */
enum smol_status train_json_text(struct smol_span *text, char *line, size_t n,
                                 struct smol_error *error);

#endif
