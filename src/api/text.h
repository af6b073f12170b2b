/* What is inside a text, for the other files here. */
#ifndef SMOL_API_TEXT_H
#define SMOL_API_TEXT_H

#include <smol/text.h>

/* At position 0 in a text that nothing was appended to. */
struct smol_session *smol_text_session(const struct smol_text *text);

#endif
