/* The options of a session that programs share, as words from the command line. */
#ifndef SESSION_ARGS_H
#define SESSION_ARGS_H

#include "cli/cli.h"

#include <smol/session.h>

/* What a program takes besides the file and the session: its code, its libraries, its stacks. */
#define PROGRAM_BYTES 3700000u

struct session_words {
    char *isa, *kv, *mem, *history; /* NULL if not given */
    int is_fast, is_fixed, batch;
};

/* An entry for popt's table, that reads into w. options has room for SESSION_OPTIONS. */
#define SESSION_OPTIONS 8
void session_args_table(struct poptOption options[SESSION_OPTIONS], struct session_words *w);

/* Fills in struct_bytes, isa, kv_type, is_fast, is_fixed, batch, history and memory_bytes, the
 * last as the whole process's. 0, or CLI_USAGE after a message. */
int session_args_check(struct smol_session_options *options, const struct session_words *w);

/* Checks the options against the file, and leaves of memory_bytes what is the session's, or fails
 * with MEMORY: the file and the program take theirs. */
enum smol_status session_args_budget(struct smol_session_options *options,
                                     const struct smol_file *file, struct smol_error *error);

/* Tokens of the history in use; 0 without. */
uint32_t session_args_history(const struct smol_session_options *options,
                              const struct smol_config *config);

/* What a process takes that runs the session to the end of its context. */
enum smol_status session_args_memory(uint64_t *bytes, size_t *session_bytes,
                                     const struct smol_session_options *options,
                                     const struct smol_file *file, struct smol_error *error);

#endif
