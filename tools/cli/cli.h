/* What the programs share: messages, whole files, memory, time. */
#ifndef CLI_H
#define CLI_H

#include <smol/config.h>
#include <smol/io.h>
#include <smol/isa.h>

#include <popt.h>
#include <stdio.h>

#define CLI_FAILED 1
#define CLI_USAGE 2

/* The program's name, in front of every message. */
extern const char *cli_program;
/* First thing in main: the program's name, and what a program may expect. Standard descriptors that
 * are closed are opened on /dev/null, so that no file gets their numbers: standard input is then
 * empty, messages go nowhere, and printing fails, as it would have. The floating-point environment
 * is as programs begin with it, which a library compiled with -Ofast changes when it is loaded. */
void cli_start(const char *program);

/* "program: path: byte 132: text", one line on stderr, control characters escaped; path may be
 * NULL. Returns CLI_FAILED. */
int cli_complain(const char *path, const struct smol_error *error);
/* The same line for later, to be freed; NULL if out of memory. */
char *cli_message(const char *path, const struct smol_error *error);
/* The same for a text without a place in the file; for errno; for lack of memory. */
int cli_fail(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
int cli_fail_errno(const char *path);
int cli_no_memory(const char *path);
/* Such a line that is no complaint: what was done to a file. */
void cli_tell(const char *path, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* "program: what: why" and a hint at --help. Returns CLI_USAGE. */
int cli_usage_error(const char *what, const char *why);
/* For functions that return an error instead: fills it in, without a place, and returns its
 * code. */
enum smol_status cli_error(struct smol_error *error, enum smol_status code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
enum smol_status cli_error_memory(struct smol_error *error);

/* Length of the control character that text, of n > 0 bytes, begins with: 1; 2 for U+0080 to
 * U+009F; 0 if there is none. */
size_t cli_control_bytes(const void *text, size_t n);
/* A name, or text from a file, with nothing that would control a terminal: control characters as
 * \x1b, those beyond ASCII as \u009b. */
void cli_put_escaped(FILE *stream, const char *text);
/* The same as one line of UTF-8: other bytes are escaped too, as \xff. To be freed; NULL if out of
 * memory. */
char *cli_escaped(const char *text);

/* Whether the terminal, if there is one, knows escape sequences: TERM is set, and not to dumb. */
bool cli_obeys_escapes(void);
/* Whether a stream is a terminal whose user wants colour: NO_COLOR and TERM=dumb say no. */
bool cli_has_colour(int fd);
#define CLI_BOLD "\x1b[1m"
#define CLI_RED "\x1b[1;31m"
#define CLI_GREEN "\x1b[1;32m"
#define CLI_PLAIN "\x1b[0m"

/* Entries of a table of options. What is a word is popt's copy, which cli_command frees. */
#define CLI_ENTRY(kind, name, letter, place, text, value)                                          \
    {                                                                                              \
        name, letter, kind, place, 0, text, value                                                  \
    }
#define CLI_WORD(...) CLI_ENTRY(POPT_ARG_STRING, __VA_ARGS__)
#define CLI_COUNT(...) CLI_ENTRY(POPT_ARG_INT, __VA_ARGS__)  /* 0..2^31 - 1, into 32 bits */
#define CLI_WHOLE(...) CLI_ENTRY(POPT_ARG_LONG, __VA_ARGS__) /* may be below 0; into a long */
#define CLI_REAL(...) CLI_ENTRY(POPT_ARG_DOUBLE, __VA_ARGS__)
#define CLI_FLAG(...) CLI_ENTRY(POPT_ARG_NONE, __VA_ARGS__, NULL)
/* At the end of every table of options; the second is for whole programs. */
#define CLI_HELP_OPTION                                                                            \
    {                                                                                              \
        "help", 'h', POPT_ARG_NONE, NULL, CLI_ASKED_HELP, "print this", NULL                       \
    }
#define CLI_VERSION_OPTION                                                                         \
    {                                                                                              \
        "version", 0, POPT_ARG_NONE, NULL, CLI_ASKED_VERSION, "print the version", NULL            \
    }
enum { CLI_ASKED_HELP = 1, CLI_ASKED_VERSION };

/* A command of a program: what its help says behind the name, NULL: options alone; and the
 * arguments that it takes: "A B" both must be there, "[C]" may be, "D..." may be several. */
struct cli_usage {
    const char *line, *arguments;
};
typedef int cli_run(void *context, const char *const *arguments); /* NULL at the end */

/* Reads the line: options to where the table points, which context has too; the words among them
 * live until run has returned. What run returns, or CLI_USAGE after a message. */
int cli_command(int argc, const char **argv, const struct poptOption *options,
                const struct cli_usage *usage, cli_run *run, void *context);

/* After popt has read the line: its numbers again, strictly. 0, or CLI_USAGE after a message. */
int cli_numbers(int argc, const char **argv, const struct poptOption *options);

/* What poptGetNextOpt has returned, for a program that reads its own line. 0, or CLI_USAGE after a
 * message. A request for help or the version is answered, and ends the program. */
int cli_parsed(poptContext context, int code);
/* Ends the program after such a request. */
void cli_answered(poptContext context);
/* A whole number of 0..2^64 - 1, decimal or 0x...; false if it is anything else. */
bool cli_parse_u64(uint64_t *value, const char *text);
/* "64M": such a number over 0 of bytes, or with K, M or G behind it of 1,024, 1,024^2 or 1,024^3 of
 * them; false if it is anything else. */
bool cli_parse_size(uint64_t *bytes, const char *text);

/* best, scalar, avx2, avx512 or neon; 0, or CLI_USAGE after a message. A word of NULL leaves *isa
 * as it is. */
int cli_parse_isa(enum smol_isa *isa, const char *word);

/* smol or gpt2. Of its features, those that are named, and of these not those of the second list;
 * NULL, as in the other word: no change. 0, or CLI_USAGE after a message. */
struct cli_feature_words {
    char *features, *without; /* "distances,relu2" */
    int history;              /* and that one */
};
int cli_architecture(enum smol_architecture *architecture, const char *word);
int cli_features(uint16_t *features, enum smol_architecture architecture,
                 const struct cli_feature_words *words);

/* A whole file of these bytes. 0, or CLI_FAILED after a message. */
int cli_write_file(const char *path, const void *bytes, size_t size_bytes);
/* All of a stream, to the end, with a zero behind it that does not count. false with errno if it
 * cannot be read, memory is out, or what is no regular file has over SMOL_STREAM_BYTES. Free
 * *bytes. */
bool cli_read_all(uint8_t **bytes, size_t *size_bytes, int fd);
/* The same of a file. 0, or CLI_FAILED after a message. */
int cli_read_file(uint8_t **bytes, size_t *size_bytes, const char *path);

/* Page-aligned memory, of which only touched pages exist; NULL if out of memory. */
void *cli_memory(size_t size_bytes);
void cli_memory_free(void *memory, size_t size_bytes);

/* Seconds of a monotonic clock; the peak resident size so far in bytes. */
double cli_seconds(void);
uint64_t cli_peak_bytes(void);

/* Processors that this process may use. */
uint32_t cli_cores(void);

/* What printf makes, for free(); NULL if memory is out. */
char *cli_text(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Whether there is something before such an end; the last part of a path. */
bool cli_ends_with(const char *text, const char *end);
const char *cli_base_name(const char *path);
/* "39.4 MB"; the buffer is the caller's. */
const char *cli_size(char text[32], uint64_t bytes);
/* A number that may not fit JSON's integers; the buffer is the caller's. */
const char *cli_decimal(char text[24], uint64_t value);
/* A key number as minisign writes it. */
void cli_key_number(char text[17], const uint8_t number[SMOL_KEY_NUMBER_BYTES]);
void cli_hex(char *text, const uint8_t *bytes, size_t n);

/* Ends the standard output. The program's exit code: code, or CLI_FAILED if that is 0 and something
 * could not be written, after a message. */
int cli_close_output(int code);

#endif
