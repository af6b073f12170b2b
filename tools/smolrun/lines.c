/* See lines.h. The editing is libedit's: the like of readline under a licence as free as
 * smol's own. */
#include "smolrun/lines.h"
#include "cli/cli.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAX_HISTORY 1000

struct run_lines {
    EditLine *editor; /* NULL: lines as they come */
    History *history;
    char *history_file; /* NULL: none */
    char *line;         /* of getline */
    size_t capacity;
};

/* ---- the history ---- */

/* $XDG_STATE_HOME/smol/history, or the same under ~/.local/state. NULL if neither is known. */
static char *history_path(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    const bool has_state = state && state[0] == '/';
    const char *base = has_state ? state : home,
               *rest = has_state ? "/smol/history" : "/.local/state/smol/history";
    const size_t size = base && base[0] == '/' ? strlen(base) + strlen(rest) + 1 : 0;
    char *path = size ? malloc(size) : NULL;

    if (path)
        snprintf(path, size, "%s%s", base, rest);
    return path;
}

/* All folders on the way to path, for its owner alone, as the XDG specification has it. */
static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        (void)mkdir(path, 0700); /* that it failed is seen when the file is written */
        *slash = '/';
    }
}

/* What libedit writes, which it does to a file alone. NULL if it could not. */
static uint8_t *history_text(size_t *size, struct run_lines *l)
{
    FILE *to = tmpfile();
    HistEvent event;
    uint8_t *text = NULL;

    if (!to)
        return NULL;
    if (history(l->history, &event, H_SAVE_FP, to) < 0 || fflush(to) != 0 ||
        fseek(to, 0, SEEK_SET) != 0 || !cli_read_all(&text, size, fileno(to)))
        text = NULL;
    fclose(to);
    return text;
}

/* After every line, so that nothing is lost if the terminal goes away. The first failure is told;
 * then there is no history. */
static void save_history(struct run_lines *l)
{
    struct smol_error error = {SMOL_E_IO, SMOL_NO_OFFSET, "the history cannot be written"};
    size_t size;
    uint8_t *text = history_text(&size, l);

    if (!text || smol_write_file(l->history_file, text, size, 0600, &error)) {
        cli_complain(l->history_file, &error);
        free(l->history_file);
        l->history_file = NULL;
    }
    free(text);
}

static bool open_history(struct run_lines *l)
{
    HistEvent event;

    l->history = history_init();
    if (!l->history || history(l->history, &event, H_SETSIZE, MAX_HISTORY) != 0 ||
        history(l->history, &event, H_SETUNIQUE, 1) != 0)
        return false;
    l->history_file = history_path();
    if (l->history_file) {
        make_folders(l->history_file);
        history(l->history, &event, H_LOAD, l->history_file); /* none yet: one begins */
    }
    return true;
}

/* ---- the editor ---- */

static char *prompt(EditLine *editor)
{
    static char plain[] = "> ", green[] = "\1" CLI_GREEN "\1>\1" CLI_PLAIN "\1 ";

    (void)editor;
    return cli_has_colour(STDOUT_FILENO) ? green : plain;
}

/* The user's own .editrc is read last. */
static bool open_editor(struct run_lines *l)
{
    l->editor = el_init(cli_program, stdin, stdout, stderr);
    if (!l->editor)
        return false;
    el_set(l->editor, EL_PROMPT_ESC, prompt, '\1');
    el_set(l->editor, EL_EDITOR, "emacs");
    el_set(l->editor, EL_SIGNAL, 1);
    el_set(l->editor, EL_HIST, history, l->history);
    el_source(l->editor, NULL);
    return true;
}

/* Ctrl-C, or another signal that the program outlives, leaves the line that is being typed for a
 * new one. */
static const char *edited_line(size_t *size_bytes, struct run_lines *l)
{
    HistEvent event;
    const char *line;
    int n;

    do {
        errno = 0;
        line = el_gets(l->editor, &n);
        if (!line)
            putchar('\n');
    } while (!line && n < 0 && errno == EINTR);
    if (!line || n <= 0)
        return NULL;
    if (line[0] != '\n') {
        history(l->history, &event, H_ENTER, line);
        if (l->history_file)
            save_history(l);
    }
    *size_bytes = (size_t)n;
    return line;
}

/* Characters are typed as UTF-8 unless the user's locale says otherwise; nothing but that is the
 * locale's. */
static void choose_characters(void)
{
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "ANSI_X3.4-1968") == 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

/* ---- lines ---- */

struct run_lines *run_lines_open(void)
{
    struct run_lines *l = calloc(1, sizeof *l);
    const struct smol_error error = {SMOL_E_MEMORY, SMOL_NO_OFFSET,
                                     "lines cannot be edited on this terminal"};

    if (!l)
        cli_no_memory(NULL);
    if (!l || isatty(STDIN_FILENO) != 1 || isatty(STDOUT_FILENO) != 1)
        return l;
    choose_characters();
    if (open_history(l) && open_editor(l))
        return l;
    cli_complain(NULL, &error);
    run_lines_close(l);
    return NULL;
}

void run_lines_close(struct run_lines *l)
{
    if (!l)
        return;
    if (l->editor)
        el_end(l->editor);
    if (l->history)
        history_end(l->history);
    free(l->history_file);
    free(l->line);
    free(l);
}

bool run_lines_are_edited(const struct run_lines *l) { return l->editor != NULL; }

const char *run_lines_next(size_t *size_bytes, bool *failed, struct run_lines *l)
{
    struct smol_error error = {.code = SMOL_E_IO, .offset = SMOL_NO_OFFSET};
    ssize_t n;

    *failed = false;
    if (l->editor)
        return edited_line(size_bytes, l);
    errno = 0;
    n = getline(&l->line, &l->capacity, stdin);
    if (n < 0 && !feof(stdin)) {
        snprintf(error.text, sizeof error.text, "%s", strerror(errno));
        cli_complain("standard input", &error);
        *failed = true;
    }
    *size_bytes = n < 0 ? 0 : (size_t)n;
    return n < 0 ? NULL : l->line;
}
