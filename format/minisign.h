/* What minisign's key files and signature files share: lines. */
#ifndef SMOL_MINISIGN_H
#define SMOL_MINISIGN_H

#include <smol/status.h>

#include <stdbool.h>
#include <stddef.h>

/* One line at *at: its first byte and its length without the line's end; *at moves past it. A CR
 * right before the line feed belongs to the end. False at the end of the text. */
bool smol_minisign_line(const char **line, size_t *length, const uint8_t *text, size_t size_bytes,
                        size_t *at);

#endif
