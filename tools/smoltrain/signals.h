/* The signals that end smoltrain in an orderly way. */
#ifndef SMOLTRAIN_SIGNALS_H
#define SMOLTRAIN_SIGNALS_H

#include <stdbool.h>

/* From now on the first SIGINT or SIGTERM asks for an orderly end and a second one ends the program
 * at once; a file that grows beyond what is allowed is an error of the write, not a signal. */
void train_signals_catch(void);
bool train_stop_asked(void);

#endif
