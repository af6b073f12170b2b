/* A process alone: built without MPI. */
#include "cli/cli.h"
#include "smoltrain/comm/comm.h"

#include <stdlib.h>
#include <string.h>

bool train_comm_join(void)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");

    if (!size || strcmp(size, "1") == 0)
        return true;
    cli_fail("mpirun", "this smoltrain was built without MPI and cannot train with others");
    return false;
}

void train_comm_speak(void) {}

int train_comm_leave(int code) { return code; }

const struct smol_train_comm *train_comm(void) { return NULL; }

bool train_comm_is_first(void) { return true; }

uint32_t train_comm_neighbours(void) { return 1; }

bool train_comm_any(bool yes) { return yes; }
