/* The architecture that is trained: what it starts from, and its words on the command line. */
#ifndef SMOLTRAIN_ARCHITECTURE_H
#define SMOLTRAIN_ARCHITECTURE_H

#include "smoltrain/options/line.h"

/* The architecture of the line, or smol. 0, or an exit code after a message. */
int train_architecture(enum smol_architecture *architecture, const struct train_line *line);

/* The method that it has if the line names none. */
const char *train_architecture_method(enum smol_architecture architecture);

/* Goes on from a method's defaults to those of the architecture. */
void train_architecture_use(struct smol_train_options *options,
                            enum smol_architecture architecture);

/* Whether a d means something; GPT-2's full takes one that does not. */
bool train_architecture_has_d(const struct smol_train_options *options);

/* The line's words about the architecture and about stored matrices, over the options of args. 0,
 * or an exit code after a message. */
int train_architecture_apply(struct train_args *args, const struct train_line *line);

#endif
