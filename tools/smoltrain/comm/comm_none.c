/* A process alone: built without MPI. */
#include "cli/cli.h"
#include "smoltrain/comm/comm.h"

#include <stdlib.h>
#include <string.h>

bool train_group_join(void)
{
    const char *size = getenv("OMPI_COMM_WORLD_SIZE");

    if (!size || strcmp(size, "1") == 0)
        return true;
    cli_fail("mpirun", "this smoltrain was built without MPI and cannot train with others");
    return false;
}

void train_group_speak(void) {}

int train_group_leave(int code) { return code; }

const struct smol_train_comm *train_group(void) { return NULL; }

bool train_group_is_first(void) { return true; }

uint32_t train_group_neighbours(void) { return 1; }

bool train_group_any(bool yes) { return yes; }
