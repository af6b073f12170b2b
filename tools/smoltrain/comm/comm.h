/* The processes of one training, when mpirun has started several. */
#ifndef SMOLTRAIN_COMM_H
#define SMOLTRAIN_COMM_H

#include <smol/train.h>

/* Finds out whether there are others, and how many of them are on this machine. False after a
 * message: they cannot be joined. */
bool train_comm_join(void);
/* From here on all may complain. Before, where all read one command line, only the first does. */
void train_comm_speak(void);
/* The last thing: waits for the others; if this one failed by itself, ends them too: not with
 * CLI_USAGE, which all find. Returns code. */
int train_comm_leave(int code);

/* What a trainer needs; NULL if this process is alone. */
const struct smol_train_comm *train_comm(void);
/* Whether this is the one that writes files and reports. */
bool train_comm_is_first(void);
/* Processes on this machine. */
uint32_t train_comm_neighbours(void);
/* Whether any process says yes; all must ask. */
bool train_comm_any(bool yes);

#endif
