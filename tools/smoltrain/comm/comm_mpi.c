/* A group of processes by MPI. A process that mpirun has not started never touches MPI. */
#include "cli/cli.h"
#include "smoltrain/comm/comm.h"

#include <fcntl.h>
#include <mpi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE (1 << 22) /* numbers that travel at once */

static struct smol_train_comm group;
static uint32_t neighbours = 1;
static bool is_joined, is_agreed; /* all have agreed to stop */
static void *share;               /* of a piece: what this process sums */
static char name[64];
static int kept_stderr = -1;

/* Each process sums one part of a piece and hands it to all: every sum is made once, so that all
 * have the same bits. */
static bool sum_piece(char *numbers, int n, size_t size, MPI_Datatype type)
{
    const int part = (n + (int)group.size - 1) / (int)group.size;
    static char *padded;
    char *all = numbers;
    bool good;

    if (!padded)
        padded = malloc((PIECE + group.size) * sizeof(double));
    if (!share)
        share = malloc((PIECE / group.size + 1) * sizeof(double));
    if (!padded || !share)
        return false;
    if (part * (int)group.size != n) {
        memcpy(padded, numbers, (size_t)n * size);
        memset(padded + (size_t)n * size, 0, (size_t)(part * (int)group.size - n) * size);
        all = padded;
    }
    good =
        MPI_Reduce_scatter_block(all, share, part, type, MPI_SUM, MPI_COMM_WORLD) == MPI_SUCCESS &&
        MPI_Allgather(share, part, type, all, part, type, MPI_COMM_WORLD) == MPI_SUCCESS;
    if (good && all == padded)
        memcpy(numbers, padded, (size_t)n * size);
    return good;
}

static bool sum(void *context, void *numbers, size_t n, bool is_double)
{
    const size_t size = is_double ? sizeof(double) : sizeof(float);

    (void)context;
    for (size_t i = 0; i < n; i += PIECE)
        if (!sum_piece((char *)numbers + i * size, (int)(n - i < PIECE ? n - i : PIECE), size,
                       is_double ? MPI_DOUBLE : MPI_FLOAT))
            return false;
    return true;
}

/* The variables that mpirun of Open MPI, and of others by PMI, sets. */
static bool is_started_by_mpirun(void)
{
    return getenv("OMPI_COMM_WORLD_SIZE") != NULL || getenv("PMI_SIZE") != NULL ||
           getenv("PMIX_RANK") != NULL;
}

static uint32_t count_neighbours(void)
{
    MPI_Comm machine;
    int n = 1;

    if (MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, 0, MPI_INFO_NULL, &machine) ==
        MPI_SUCCESS) {
        MPI_Comm_size(machine, &n);
        MPI_Comm_free(&machine);
    }
    return (uint32_t)n;
}

static void hush(int rank)
{
    const int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);

    snprintf(name, sizeof name, "%s, process %d", cli_program, rank);
    cli_program = name;
    if (nowhere >= 0) {
        kept_stderr = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);
        if (kept_stderr >= 0)
            dup2(nowhere, STDERR_FILENO);
        close(nowhere);
    }
}

bool train_comm_join(void)
{
    int given, rank, size;

    if (!is_started_by_mpirun())
        return true;
    /* Only the thread that starts MPI calls it. */
    if (MPI_Init_thread(NULL, NULL, MPI_THREAD_FUNNELED, &given) != MPI_SUCCESS ||
        given < MPI_THREAD_FUNNELED || MPI_Comm_rank(MPI_COMM_WORLD, &rank) != MPI_SUCCESS ||
        MPI_Comm_size(MPI_COMM_WORLD, &size) != MPI_SUCCESS) {
        cli_fail("MPI", "does not start");
        return false;
    }
    MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
    group = (struct smol_train_comm){.rank = (uint32_t)rank, .size = (uint32_t)size, .sum = sum};
    neighbours = count_neighbours();
    is_joined = true;
    if (rank > 0)
        hush(rank);
    return true;
}

void train_comm_speak(void)
{
    if (kept_stderr >= 0) {
        dup2(kept_stderr, STDERR_FILENO);
        close(kept_stderr);
        kept_stderr = -1;
    }
}

int train_comm_leave(int code)
{
    if (!is_joined)
        return code;
    train_comm_speak();
    if (code != 0 && code != CLI_USAGE && !is_agreed) {
        fflush(stdout);
        MPI_Abort(MPI_COMM_WORLD, code);
    }
    MPI_Finalize();
    return code;
}

const struct smol_train_comm *train_comm(void)
{
    return is_joined && group.size > 1 ? &group : NULL;
}

bool train_comm_is_first(void) { return group.rank == 0; }

uint32_t train_comm_neighbours(void) { return neighbours; }

bool train_comm_any(bool yes)
{
    int mine = yes, any = yes;

    if (train_comm() == NULL)
        return yes;
    if (MPI_Allreduce(&mine, &any, 1, MPI_INT, MPI_MAX, MPI_COMM_WORLD) != MPI_SUCCESS)
        return true;
    is_agreed = is_agreed || any;
    return any != 0;
}
