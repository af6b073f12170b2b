/* What a model is, as JSON, for smol.js. */
#ifndef WEB_FACTS_H
#define WEB_FACTS_H

#include <smol/file.h>

#define FACTS_BYTES 8192u /* room for any model's */

/* The members that `smoltool inspect --json` has by the same names, and a few more. A seed may be
 * beyond 2^53 and is text; the floats are their bits. Returns the bytes written. */
size_t facts_write(char text[FACTS_BYTES], const struct smol_file *file);

#endif
