/* See guard.h. A lost page of a mapped file raises SIGBUS in the thread that touches it, in the
 * middle of any load; the program cannot continue from there. */
#include "cli/guard.h"
#include "cli/cli.h"

#include <signal.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAX_GUARDS 128u

/* Threads may be using one file while another is mapped: a guard's message is stored last and
 * removed first. */
struct guard {
    const uint8_t *begin;
    size_t size_bytes;
    char *_Atomic message; /* made beforehand, since a handler may not; NULL: free */
};

static struct guard guards[MAX_GUARDS];
static char *_Atomic opening; /* the message for a file whose place is not known yet */
static const char *_Atomic output;
static atomic_flag ending = ATOMIC_FLAG_INIT;

static const char *message_for(const void *address)
{
    for (unsigned i = 0; i < MAX_GUARDS; i++) {
        const struct guard *g = &guards[i];
        const char *message = atomic_load(&g->message);
        if (message && (uintptr_t)address - (uintptr_t)g->begin < g->size_bytes)
            return message;
    }
    return atomic_load(&opening);
}

static void on_bus_error(int number, siginfo_t *info, void *context)
{
    const char *message = info->si_code > 0 ? message_for(info->si_addr) : NULL;
    const char *path = atomic_load(&output);

    (void)context;
    if (!message) { /* not ours: let it end the program as usual */
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    while (atomic_flag_test_and_set(&ending)) /* another thread is telling */
        pause();
    if (write(STDERR_FILENO, message, strlen(message)) < 0)
        _exit(CLI_FAILED);
    /* Not async-signal-safe in general; but what was interrupted is a load from a mapped file,
     * which holds no lock that this could wait for. */
    if (path)
        smol_remove_leftovers(path);
    _exit(CLI_FAILED);
}

static void catch_bus_errors(void)
{
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};

    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}

/* To be freed; NULL if out of memory. */
static char *make_message(const char *path)
{
    static const struct smol_error lost = {
        SMOL_E_CHANGED, SMOL_NO_OFFSET, "the file was cut short or could not be read while in use"};

    return cli_message(path, &lost);
}

static bool guard(const struct smol_mapping *mapping, char *message)
{
    for (unsigned i = 0; i < MAX_GUARDS; i++)
        if (!atomic_load(&guards[i].message)) {
            guards[i].begin = mapping->bytes.data;
            guards[i].size_bytes = mapping->bytes.size_bytes;
            atomic_store(&guards[i].message, message);
            return true;
        }
    return false;
}

enum smol_status cli_open(struct smol_mapping *mapping, struct smol_file *file, const char *path,
                          uint32_t n_threads, struct smol_error *error)
{
    char *message = make_message(path);
    struct smol_mapping m;
    enum smol_status status;

    catch_bus_errors();
    atomic_store(&opening, message);
    if (file && n_threads)
        status = smol_file_open(&m, file, path, n_threads, error);
    else
        status = file ? smol_file_open_unverified(&m, file, path, error)
                      : smol_mapping_open(&m, path, error);
    if (!status && (!message || !guard(&m, message))) {
        smol_mapping_close(&m);
        status = cli_error_memory(error);
    }
    atomic_store(&opening, NULL);
    if (status)
        free(message);
    else
        *mapping = m;
    return status;
}

enum smol_status cli_map(struct smol_mapping *mapping, const char *path, struct smol_error *error)
{
    return cli_open(mapping, NULL, path, 0, error);
}

void cli_unmap(struct smol_mapping *mapping)
{
    for (unsigned i = 0; mapping->fd >= 0 && i < MAX_GUARDS; i++) {
        char *message = atomic_load(&guards[i].message);
        if (message && guards[i].begin == mapping->bytes.data) {
            atomic_store(&guards[i].message, NULL);
            free(message);
        }
    }
    smol_mapping_close(mapping);
}

enum smol_status cli_check_model(struct smol_file *file, struct smol_span bytes, uint32_t n_threads,
                                 struct smol_error *error)
{
    enum smol_status status;

    if (sodium_init() < 0)
        return cli_error(error, SMOL_E_IO, "libsodium cannot start");
    if ((status = smol_file_parse(file, bytes.data, bytes.size_bytes, error)) ||
        (status = smol_file_check_tokens(file, error)) ||
        (status = smol_file_check_hash_threads(file, n_threads, error)))
        return status;
    return file->is_signed ? smol_file_check_signature(file, error) : SMOL_OK;
}

int cli_check_unchanged(const struct smol_mapping *mapping, const char *path)
{
    struct smol_error error;

    return smol_mapping_check(mapping, &error) ? cli_complain(path, &error) : 0;
}

enum smol_status cli_writer_open(struct smol_writer **writer, const char *path,
                                 struct smol_error *error)
{
    const enum smol_status status = smol_writer_open(writer, path, 0666, error);

    atomic_store(&output, status ? NULL : path);
    return status;
}

enum smol_status cli_writer_end(struct smol_writer *writer, enum smol_status status,
                                const struct smol_mapping *source, struct smol_error *error)
{
    struct smol_error changed;

    if (smol_mapping_check(source, &changed)) {
        *error = changed;
        status = changed.code;
    }
    if (status || !writer)
        smol_writer_abort(writer);
    else
        status = smol_writer_commit(writer, error);
    atomic_store(&output, NULL);
    return status;
}
