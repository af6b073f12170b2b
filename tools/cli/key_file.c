/* See key_file.h. */
#include "cli/key_file.h"
#include "cli/cli.h"
#include "cli/foreign.h"
#include "cli/guard.h"

#include <signal.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/select.h>
#include <termios.h>
#include <unistd.h>

int key_file_public(struct smol_public_key *key, const char *path_or_base64)
{
    struct smol_mapping mapping;
    struct smol_span text;
    struct smol_error error;
    enum smol_status status;

    if (smol_public_key_parse(key, (const uint8_t *)path_or_base64, strlen(path_or_base64),
                              &error) == SMOL_OK)
        return 0;
    if (cli_map(&mapping, path_or_base64, &error))
        return cli_complain(path_or_base64, &error);
    text = mapping.bytes;
    status = foreign_start(&text, &error);
    if (!status)
        status = smol_public_key_parse(key, text.data, text.size_bytes, &error);
    cli_unmap(&mapping);
    return status ? cli_complain(path_or_base64, &error) : 0;
}

/* One line without its end; false if there is none or it is too long. */
static bool read_line(char password[KEY_FILE_MAX_PASSWORD], FILE *stream)
{
    size_t n;

    if (!fgets(password, KEY_FILE_MAX_PASSWORD, stream))
        return false;
    n = strcspn(password, "\r\n");
    if (password[n] == '\0' && n == KEY_FILE_MAX_PASSWORD - 1)
        return false;
    password[n] = '\0';
    return true;
}

static const int ending_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
#define N_ENDING (sizeof ending_signals / sizeof ending_signals[0])

static volatile sig_atomic_t ended_by;

static void note_signal(int number) { ended_by = number; }

/* Signals that end the program are blocked until the terminal echoes again; they are let through
 * only while pselect waits for a line, so that none is missed before that. */
static bool read_hidden(char password[KEY_FILE_MAX_PASSWORD], const struct termios *shown)
{
    const struct sigaction action = {.sa_handler = note_signal};
    struct sigaction before[N_ENDING];
    struct termios hidden = *shown;
    sigset_t ending, mask;
    fd_set in;
    bool got;

    ended_by = 0;
    sigemptyset(&ending);
    for (size_t i = 0; i < N_ENDING; i++) {
        sigaction(ending_signals[i], &action, &before[i]);
        sigaddset(&ending, ending_signals[i]);
    }
    sigprocmask(SIG_BLOCK, &ending, &mask);
    hidden.c_lflag &= (tcflag_t)~ECHO;
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    FD_ZERO(&in);
    FD_SET(STDIN_FILENO, &in);
    got =
        pselect(STDIN_FILENO + 1, &in, NULL, NULL, NULL, &mask) == 1 && read_line(password, stdin);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, shown);
    sigprocmask(SIG_SETMASK, &mask, NULL);
    for (size_t i = 0; i < N_ENDING; i++)
        sigaction(ending_signals[i], &before[i], NULL);
    return got && !ended_by;
}

/* A line from a terminal, not shown. */
static bool ask(char password[KEY_FILE_MAX_PASSWORD], const char *prompt)
{
    struct termios shown;
    bool got;

    if (tcgetattr(STDIN_FILENO, &shown) != 0)
        return read_line(password, stdin);
    cli_put_escaped(stderr, prompt);
    fputs(": ", stderr);
    got = read_hidden(password, &shown);
    fputc('\n', stderr);
    if (ended_by)
        raise(ended_by);
    return got;
}

/* The line of a file, without a byte-order mark. 0, or an exit code after a message. */
static int take_line(char password[KEY_FILE_MAX_PASSWORD], const char *path)
{
    struct smol_span text = {(const uint8_t *)password, strlen(password) + 1};
    struct smol_error error;

    if (foreign_start(&text, &error))
        return cli_complain(path, &error);
    memmove(password, text.data, text.size_bytes);
    return 0;
}

int key_file_password(char password[KEY_FILE_MAX_PASSWORD], const char *prompt,
                      const char *password_file)
{
    FILE *stream;
    bool got;

    if (!password_file)
        return ask(password, prompt) ? 0 : cli_fail(NULL, "no password was given");
    stream = fopen(password_file, "r");
    if (!stream)
        return cli_fail_errno(password_file);
    setvbuf(stream, NULL, _IONBF, 0); /* of a descriptor such as /dev/fd/3 no more than the line is
                                         taken */
    got = read_line(password, stream);
    fclose(stream);
    return got ? take_line(password, password_file) : cli_fail(password_file, "holds no password");
}

static int parse_secret(struct smol_secret_key *key, const char *path, struct smol_span text,
                        const char *password_file)
{
    char password[KEY_FILE_MAX_PASSWORD], prompt[256];
    struct smol_error error;
    bool encrypted;
    int code = 0;

    if (foreign_start(&text, &error))
        return cli_complain(path, &error);
    if (smol_secret_key_is_encrypted(&encrypted, text.data, text.size_bytes, &error))
        return cli_complain(path, &error);
    snprintf(prompt, sizeof prompt, "Password for %.200s", path);
    if (encrypted)
        code = key_file_password(password, prompt, password_file);
    if (code == 0 &&
        smol_secret_key_parse(key, text.data, text.size_bytes, encrypted ? password : NULL, &error))
        code = cli_complain(path, &error);
    sodium_memzero(password, sizeof password);
    return code;
}

int key_file_secret(struct smol_secret_key *key, const char *path, const char *password_file)
{
    struct smol_mapping mapping;
    struct smol_error error;
    int code;

    if (cli_map(&mapping, path, &error))
        return cli_complain(path, &error);
    code = parse_secret(key, path, mapping.bytes, password_file);
    cli_unmap(&mapping);
    return code;
}
