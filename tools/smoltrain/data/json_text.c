/* See json_text.h. YAJL reads the line without making anything of it. It lets pass what is not
 * quite UTF-8 and two kinds of white space too many, and makes of half a surrogate pair what is no
 * character, so the line is seen to before. */
#include "smoltrain/data/json_text.h"
#include "cli/cli.h"

#include <smol/tokenizer.h>

#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

/* ---- memory ---- */

/* YAJL does not ask whether it got memory: if there is none, it is left by longjmp, and all that it
 * had is freed. */
struct block {
    _Alignas(max_align_t) struct block *before;
    struct block *after;
};

struct reader {
    struct block blocks; /* a ring */
    jmp_buf no_memory;
    yajl_handle yajl;
    char *line;
    size_t text_bytes;
    size_t end; /* of the object */
    unsigned depth;
    bool is_text; /* the value that comes is that of "text" */
    bool found;
};

static void *resize(void *context, void *memory, size_t size)
{
    struct reader *r = context;
    struct block *old = memory ? (struct block *)memory - 1 : NULL;
    struct block *block =
        size < SIZE_MAX - sizeof *block ? realloc(old, sizeof *block + size) : NULL;

    if (!block)
        longjmp(r->no_memory, 1);
    if (!old) {
        block->before = &r->blocks;
        block->after = r->blocks.after;
    }
    block->before->after = block;
    block->after->before = block;
    return block + 1;
}

static void *allocate(void *context, size_t size) { return resize(context, NULL, size); }

static void release(void *context, void *memory)
{
    struct block *block = memory ? (struct block *)memory - 1 : NULL;

    (void)context;
    if (!block)
        return;
    block->before->after = block->after;
    block->after->before = block->before;
    free(block);
}

static void release_all(struct reader *r)
{
    while (r->blocks.after != &r->blocks)
        release(r, r->blocks.after + 1);
}

/* ---- what the line holds ---- */

static int take_key(void *context, const unsigned char *key, size_t n)
{
    struct reader *r = context;

    r->is_text = r->depth == 1 && n == 4 && memcmp(key, "text", 4) == 0;
    if (r->is_text)
        r->found = false;
    return 1;
}

/* The text is no longer than what stood for it, which has been read. */
static int take_string(void *context, const unsigned char *text, size_t n)
{
    struct reader *r = context;

    if (r->is_text) {
        memmove(r->line, text, n);
        r->text_bytes = n;
        r->found = true;
    }
    r->is_text = false;
    return 1;
}

static int enter(void *context)
{
    struct reader *r = context;

    r->is_text = false;
    r->depth++;
    return 1;
}

static int leave(void *context)
{
    struct reader *r = context;

    if (--r->depth == 0)
        r->end = yajl_get_bytes_consumed(r->yajl);
    return 1;
}

/* ---- before YAJL sees it ---- */

static bool is_utf8(const char *line, size_t n)
{
    const uint64_t high = UINT64_C(0x8080808080808080);
    const uint8_t *text = (const uint8_t *)line;
    uint64_t eight;

    for (size_t i = 0, length; i < n; i += length) {
        length = sizeof eight;
        if (n - i >= sizeof eight && (memcpy(&eight, text + i, sizeof eight), !(eight & high)))
            continue;
        length = smol_utf8_character(text + i, n - i);
        if (length == 0)
            return false;
    }
    return true;
}

/* The number of an escape such as \ud83d, 0 if there is none. */
static unsigned escape_at(const char *at, const char *end)
{
    unsigned code = 0;

    if (end - at < 6 || at[0] != '\\' || at[1] != 'u')
        return 0;
    for (int i = 2; i < 6; i++) {
        const char c = at[i], lower = (char)(c | 0x20);
        const bool digit = c >= '0' && c <= '9';
        if (!digit && (lower < 'a' || lower > 'f'))
            return 0;
        code = code << 4 | (unsigned)(digit ? c - '0' : lower - 'a' + 10);
    }
    return code;
}

static void mend_surrogates(char *line, size_t n)
{
    char *const end = line + n;
    size_t length;

    for (char *at = memchr(line, '\\', n); at && end - at >= 6;
         at = memchr(at + length, '\\', (size_t)(end - at) - length)) {
        const unsigned code = escape_at(at, end);
        length = code ? 6 : 2;
        if (code < 0xd800 || code > 0xdfff)
            continue;
        if (code < 0xdc00 && (escape_at(at + 6, end) & 0xfc00) == 0xdc00)
            length = 12;
        else
            memcpy(at + 2, "fffd", 4);
    }
}

/* ---- all of it ---- */

static enum smol_status read_line(struct reader *r, size_t n, struct smol_error *error)
{
    static const yajl_callbacks callbacks = {.yajl_string = take_string,
                                             .yajl_start_map = enter,
                                             .yajl_map_key = take_key,
                                             .yajl_end_map = leave,
                                             .yajl_start_array = enter,
                                             .yajl_end_array = leave};
    yajl_alloc_funcs memory = {allocate, resize, release, r};
    unsigned char *why;

    if (setjmp(r->no_memory))
        return cli_error_memory(error);
    r->yajl = yajl_alloc(&callbacks, &memory, r);
    yajl_config(r->yajl, yajl_dont_validate_strings, 1);
    if (yajl_parse(r->yajl, (const unsigned char *)r->line, n) != yajl_status_ok ||
        yajl_complete_parse(r->yajl) != yajl_status_ok) {
        why = yajl_get_error(r->yajl, 0, NULL, 0);
        return cli_error(error, SMOL_E_TEXT, "not JSON: %.*s",
                         (int)strcspn((const char *)why, "\n"), (const char *)why);
    }
    if (!r->found)
        return cli_error(error, SMOL_E_TEXT, "has no field \"text\" that is a string");
    if (r->end + strspn(r->line + r->end, " \t\r") != n)
        return cli_error(error, SMOL_E_TEXT, "not JSON: bytes behind the object");
    return SMOL_OK;
}

enum smol_status train_json_text(struct smol_span *text, char *line, size_t n,
                                 struct smol_error *error)
{
    struct reader r = {.line = line};
    enum smol_status status;

    if (!is_utf8(line, n))
        return cli_error(error, SMOL_E_TEXT, "not JSON: not UTF-8");
    if (memchr(line, '\v', n) || memchr(line, '\f', n))
        return cli_error(error, SMOL_E_TEXT, "not JSON: a control character");
    mend_surrogates(line, n);
    r.blocks.before = r.blocks.after = &r.blocks;
    status = read_line(&r, n, error);
    release_all(&r);
    if (status == SMOL_OK)
        *text = (struct smol_span){(const uint8_t *)line, r.text_bytes};
    return status;
}
