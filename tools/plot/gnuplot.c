/* See gnuplot.h. */
#include "plot/gnuplot.h"
#include "cli/cli.h"

#include <smol/tokenizer.h>

#include <errno.h>
#include <spawn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ; /* POSIX leaves its declaration to the program */

bool gnuplot_is_svg(const char *path) { return cli_ends_with(path, ".svg"); }

static bool is_pdf(const char *path) { return cli_ends_with(path, ".pdf"); }

bool gnuplot_draws(const char *path)
{
    return gnuplot_is_svg(path) || cli_ends_with(path, ".png") || is_pdf(path);
}

FILE *gnuplot_begin(const char *output, unsigned width, unsigned height)
{
    FILE *script = tmpfile();

    if (!script) {
        cli_fail(output, "cannot make a temporary file: %s", strerror(errno));
        return NULL;
    }
    if (gnuplot_is_svg(output))
        fprintf(script, "set terminal svg size %u,%u dynamic font 'sans-serif,14'", width, height);
    else if (is_pdf(output)) /* in inches, of 72 points */
        fprintf(script, "set terminal pdfcairo size %.3f,%.3f font 'sans,14'", width / 72.0,
                height / 72.0);
    else
        fprintf(script,
                "set terminal pngcairo size %u,%u fontscale 2 linewidth 2 pointscale 2 font "
                "'sans,10'",
                2 * width, 2 * height);
    fputs(" noenhanced background rgb 'white'\nset encoding utf8\n", script);
    return script;
}

static bool is_utf8(const char *text)
{
    size_t left = strlen(text), n = 1;

    for (; left && n; text += n, left -= n)
        n = smol_utf8_character((const uint8_t *)text, left);
    return !left;
}

/* Single quotes, in which gnuplot expands nothing; a quote is written twice. */
void gnuplot_text(FILE *script, const char *text)
{
    const unsigned last = is_utf8(text) ? 0xff : 0x7e;

    fputc('\'', script);
    for (; *text; text++) {
        const unsigned char c = (unsigned char)*text;
        if (c == '\'')
            fputc('\'', script);
        fputc(c < 0x20 || c == 0x7f || c > last ? '?' : c, script);
    }
    fputc('\'', script);
}

/* gnuplot with its three streams on files, so that none of them can block. Its status, or -1 with
 * errno. */
static int spawn(FILE *script, FILE *picture, FILE *messages)
{
    static char name[] = "gnuplot", defaults[] = "-d", from_input[] = "-";
    char *const arguments[] = {name, defaults, from_input, NULL};
    posix_spawn_file_actions_t actions;
    int code, status;
    pid_t child;

    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(script), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(picture), STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(messages), STDERR_FILENO);
    code = posix_spawnp(&child, name, &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (code) {
        errno = code;
        return -1;
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return status;
}

/* The first line that has anything in it, for a message. */
static void first_line(char line[160], FILE *messages)
{
    line[0] = '\0';
    rewind(messages);
    while (fgets(line, 160, messages)) {
        line[strcspn(line, "\n")] = '\0';
        if (line[strspn(line, " \t")])
            return;
    }
}

static int write_picture(FILE *picture, const char *output)
{
    uint8_t *bytes;
    size_t size;
    int code;

    if (lseek(fileno(picture), 0, SEEK_SET) != 0 || !cli_read_all(&bytes, &size, fileno(picture)))
        return cli_fail(output, "cannot read gnuplot's picture: %s", strerror(errno));
    code = size ? cli_write_file(output, bytes, size) : cli_fail(output, "gnuplot drew nothing");
    free(bytes);
    return code;
}

static int run(FILE *script, FILE *picture, FILE *messages, const char *output)
{
    char line[160];
    int status;

    if (fflush(script) != 0 || ferror(script) || lseek(fileno(script), 0, SEEK_SET) != 0)
        return cli_fail(output, "cannot write a temporary file: %s", strerror(errno));
    status = spawn(script, picture, messages);
    if (status < 0)
        return cli_fail("gnuplot", "%s",
                        errno == ENOENT ? "not installed; Debian's package is gnuplot-nox"
                                        : strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        first_line(line, messages);
        return cli_fail(output, "gnuplot failed: %s", line);
    }
    return write_picture(picture, output);
}

int gnuplot_end(FILE *script, const char *output)
{
    FILE *picture = tmpfile(), *messages = tmpfile();
    int code;

    if (picture && messages)
        code = run(script, picture, messages, output);
    else
        code = cli_fail(output, "cannot make a temporary file: %s", strerror(errno));
    if (picture)
        fclose(picture);
    if (messages)
        fclose(messages);
    fclose(script);
    return code;
}
