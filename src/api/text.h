/* A text that owns its session and sampler. */
#ifndef SMOL_API_TEXT_H
#define SMOL_API_TEXT_H

#include <smol/text.h>

/* Gives the text a session to destroy and memory to free. */
void smol_text_own(struct smol_text *text, void *memory);

#endif
