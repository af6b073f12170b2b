/* smolrun -i: a line, the model goes on, a line... */
#include "cli/cli.h"
#include "smolrun/lines.h"
#include "smolrun/smolrun.h"
#include "smolrun/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct conversation {
    struct run_text *text;
    struct run_lines *lines;
    struct run_result total; /* of all turns */
    bool stopped;            /* by Ctrl-C, where it does not come from somebody at the keys */
};

/* One or more lines of input that make a turn. */
struct entry {
    char *bytes; /* owned */
    size_t n;
    bool failed;
};

static bool append(struct entry *e, const char *bytes, size_t n)
{
    char *larger = realloc(e->bytes, e->n + n + 1);

    if (!larger)
        return false;
    memcpy(larger + e->n, bytes, n);
    e->bytes = larger;
    e->n += n;
    return true;
}

/* A line without the sign at its end, which is 0 if there is none. A line feed after it stays only
 * with '\\', which asks for another line. */
static bool append_line(char *sign, struct entry *e, const char *line, size_t n)
{
    const size_t end = n > 0 && line[n - 1] == '\n' ? n - 1 : n;
    const char last = end > 0 ? line[end - 1] : '\0';

    *sign = last == '\\' || last == '/' ? last : '\0';
    return append(e, line, *sign ? end - 1 : n) && append(e, "\n", *sign == '\\' && end < n);
}

/* The lines of the next turn: llama.cpp's signs at their ends. An empty line alone stands for
 * nothing. false at the end. */
static bool read_entry(struct entry *e, struct run_lines *lines)
{
    char sign = '\\';

    e->n = 0;
    for (bool first = true; sign == '\\'; first = false) {
        size_t n;
        const char *line = run_lines_next(&n, &e->failed, lines);
        if (!line)
            return !first && !e->failed;
        if (first && n == 1 && line[0] == '\n')
            return true;
        if (!append_line(&sign, e, line, n)) {
            e->failed = true;
            cli_no_memory(NULL);
            return false;
        }
    }
    return true;
}

static void add_up(struct run_result *total, const struct run_result *r)
{
    total->n_prompt += r->n_prompt;
    total->n_tokens += r->n_tokens;
    total->prompt_seconds += r->prompt_seconds;
    total->generate_seconds += r->generate_seconds;
    if (!total->finish || strcmp(r->finish, "context") == 0)
        total->finish = r->finish;
}

/* Whether somebody can type another line after this error. */
static bool is_forgiven(const struct conversation *c, enum smol_status status)
{
    return run_lines_are_edited(c->lines) && (status == SMOL_E_TOKEN || status == SMOL_E_CONTEXT);
}

static int turn(struct conversation *c, struct smol_span bytes, bool is_shown)
{
    const struct run_args *args = c->text->run->args;
    struct run_result r;
    struct smol_error error;
    const enum smol_status status = run_text_turn(&r, c->text, bytes, is_shown, &error);

    if (status) {
        cli_complain(status == SMOL_E_NUMERIC ? args->model : "line", &error);
        return is_forgiven(c, status) ? 0 : CLI_FAILED;
    }
    add_up(&c->total, &r);
    if (args->json && run_print_json(c->text->run, &r))
        return CLI_FAILED;
    if (c->text->stream.in_line)
        putchar('\n');
    c->text->stream.in_line = false;
    fflush(stdout);
    c->stopped = !run_lines_are_edited(c->lines) && strcmp(r.finish, "interrupted") == 0;
    return 0;
}

static int converse(struct conversation *c, struct smol_span prompt)
{
    struct entry entry = {0};
    int code = prompt.size_bytes ? turn(c, prompt, !c->text->run->args->no_display_prompt) : 0;

    while (code == 0 && !c->stopped && read_entry(&entry, c->lines))
        code = turn(c, (struct smol_span){(const uint8_t *)entry.bytes, entry.n}, false);
    free(entry.bytes);
    return entry.failed ? CLI_FAILED : code;
}

int run_interactive(struct run_text *text, struct smol_span prompt)
{
    struct conversation c = {.text = text, .lines = run_lines_open()};
    int code;

    if (!c.lines)
        return CLI_FAILED;
    if (run_lines_are_edited(c.lines))
        fputs("Each line is continued. Ctrl-C stops the text, Ctrl-D ends.\n", stderr);
    run_catch_interrupts(run_lines_are_edited(c.lines));
    code = converse(&c, prompt);
    if (code == 0 && !text->run->args->json)
        run_print_statistics(text->run, &c.total);
    run_lines_close(c.lines);
    return code;
}
