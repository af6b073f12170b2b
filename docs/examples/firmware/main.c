/* A language model on a microcontroller: reads a line over the UART and goes on with it, byte for
 * byte as `smolrun MODEL -p LINE -n TOKENS -s SEED` does on a desktop. The model is a constant of
 * the program; the session lies in what memory the linker script leaves. No malloc, no files.
 *
 *     LINE            continues LINE
 *     /tokens N       how many tokens an answer has
 *     /seed N         the seed of the sampler
 *     /pack TEXT      TEXT in few bytes, as hexadecimal digits
 *     /unpack DIGITS  the text again
 *     /cost           what the last answer took
 *     /reset          starts again
 *
 * What goes wrong is one line that begins with "smol: ". */
#include "board.h"

#include <smol/pack.h>
#include <smol/sampler.h>
#include <smol/session.h>
#include <smol/tokenizer.h>

#include <stdbool.h>
#include <string.h>

/* Chosen when it is compiled; see docs/firmware.md. */
#ifndef CONTEXT
#define CONTEXT 0 /* tokens that the session holds; 0: the model's own context */
#endif
#ifndef KV
#define KV SMOL_F32 /* numbers of the KV cache: SMOL_F32, SMOL_F16 or SMOL_Q8 */
#endif
#ifndef HISTORY
#define HISTORY 4096 /* tokens that a model with a history looks back over; 0: all that it can */
#endif
#ifndef LINE
#define LINE 200 /* bytes of the longest line */
#endif
#ifndef TOKENS
#define TOKENS 100
#endif
#ifndef SEED
#define SEED 1
#endif

static struct smol_file file;
static enum smol_status opened;
static struct smol_error error;
static char line[LINE];
static uint64_t n_tokens = TOKENS, seed = SEED;

/* What the last answer took, in units of the board's clock. */
static struct {
    uint32_t n_prompt, n_answer, setting_up, prompt, answer;
} cost;

/* ---- the line ---- */

static void put(const char *text) { board_write(text, strlen(text)); }

static void put_number(uint64_t n)
{
    char digits[20];
    size_t at = sizeof digits;

    do
        digits[--at] = (char)('0' + n % 10);
    while (n /= 10);
    board_write(digits + at, sizeof digits - at);
}

static void put_counted(const char *before, uint64_t n)
{
    put(before);
    put_number(n);
}

static void fail(const char *what)
{
    put("smol: ");
    put(what);
    put("\n");
}

static void fail_with(const char *what)
{
    put("smol: ");
    put(what);
    if (error.offset != SMOL_NO_OFFSET) {
        put(": byte ");
        put_number(error.offset);
    }
    put(": ");
    put(error.text);
    put("\n");
}

/* Takes back the last character on the terminal, a whole one of UTF-8. */
static size_t erase(size_t n)
{
    if (n == 0)
        return 0;
    do
        n--;
    while (n > 0 && ((uint8_t)line[n] & 0xc0) == 0x80);
    put("\b \b");
    return n;
}

/* Reads a line, which a carriage return or a line feed ends, and shows it as it comes. Returns its
 * bytes; more than LINE if they do not fit. */
static size_t read_line(void)
{
    static uint8_t last; /* of CR LF the second ends no line */
    size_t n = 0;

    for (;;) {
        const uint8_t c = board_read(), before = last;
        last = c;
        if (c == '\n' && before == '\r' && n == 0)
            continue;
        if (c == '\n' || c == '\r')
            return n;
        if ((c == '\b' || c == 0x7f) && n <= LINE)
            n = erase(n);
        if ((c < ' ' && c != '\t') || c == 0x7f)
            continue;
        if (n < LINE) {
            line[n] = (char)c;
            board_write(&c, 1);
        }
        n += n <= LINE;
    }
}

/* ---- an answer ---- */

/* Sampler and session, one behind the other in the memory that is left. What the session does not
 * need keeps signs and weights that it would otherwise regenerate for each token. */
static enum smol_status begin(struct smol_session **session, struct smol_sampler **sampler)
{
    const size_t there = (size_t)(memory_end - memory_begin);
    struct smol_session_options options = {.struct_bytes = sizeof options,
                                           .context = CONTEXT,
                                           .kv_type = KV,
                                           .batch = 1,
                                           .history = HISTORY};
    struct smol_sampler_options sampling;
    size_t before, size;
    enum smol_status status;

    smol_sampler_defaults(&sampling, sizeof sampling);
    sampling.seed = seed;
    if ((status = smol_sampler_size(&before, file.config.vocab, &sampling, &error)))
        return status;
    before = (before + 63) / 64 * 64;
    options.memory_bytes = before < there ? there - before : 1;
    if ((status = smol_session_size(&size, &file, &options, &error)) ||
        (status = smol_sampler_init(sampler, file.config.vocab, &sampling, memory_begin, before,
                                    &error)))
        return status;
    return smol_session_init(session, &file, &options, memory_begin + before, size, &error);
}

/* Feeds the line byte by byte, which takes no memory for its tokens. */
static enum smol_status feed(struct smol_session *session, struct smol_sampler *sampler, size_t n)
{
    uint32_t token = smol_start_token(&file);
    enum smol_status status;
    size_t one = 1;

    cost.n_prompt = cost.n_answer = 0;
    for (size_t i = 0; i < n || i == 0; i++) { /* an empty line is the start token */
        if (n &&
            (status = smol_encode_bytes(&one, &token, &file, (const uint8_t *)line + i, 1, &error)))
            return status;
        if ((status = smol_session_feed(session, &token, 1, &error)))
            return status;
        smol_sampler_accept(sampler, token);
        cost.n_prompt++;
    }
    return SMOL_OK;
}

/* Tokens one by one, until there are enough or one ends the text. */
static enum smol_status go_on(struct smol_session *session, struct smol_sampler *sampler)
{
    uint8_t memory[SMOL_MAX_TOKEN_BYTES];
    uint32_t token, chosen, end = UINT32_MAX;
    enum smol_status status;

    smol_end_token(&end, &file);
    for (cost.n_answer = 0; cost.n_answer < n_tokens;) {
        if (cost.n_answer && (status = smol_session_feed(session, &chosen, 1, &error)))
            return status;
        if ((status = smol_sampler_pick(&token, sampler, smol_session_logits(session), &error)))
            return status;
        chosen = token | SMOL_WRITTEN;
        cost.n_answer++;
        if (token == end)
            break;
        const struct smol_span bytes = smol_token_bytes(memory, &file, token);
        board_write(bytes.data, bytes.size_bytes);
    }
    return SMOL_OK;
}

/* The line is there already, as it was typed; what the model adds follows it. */
static void answer(size_t n)
{
    const uint32_t start = board_clock();
    struct smol_session *session = NULL;
    struct smol_sampler *sampler;
    enum smol_status status = begin(&session, &sampler);

    cost.setting_up = board_clock() - start;
    if (status == SMOL_OK && !smol_session_slides(session) && n > smol_session_context(session)) {
        put_counted("\nsmol: answer: the prompt has ", n);
        put_counted(" tokens, the context ", smol_session_context(session));
        put("\n");
        smol_session_finish(session);
        return;
    }
    if (status == SMOL_OK)
        status = feed(session, sampler, n);
    cost.prompt = board_clock() - start - cost.setting_up;
    if (status == SMOL_OK)
        status = go_on(session, sampler);
    cost.answer = board_clock() - start - cost.setting_up - cost.prompt;
    smol_session_finish(session);
    put("\n");
    if (status)
        fail_with("answer");
}

/* ---- commands ---- */

/* The digits of the rest of a line as a number. */
static void set_number(uint64_t *number, const char *digits, size_t n)
{
    uint64_t value = 0;
    size_t i = 0;

    for (; i < n && digits[i] >= '0' && digits[i] <= '9'; i++) {
        if (value > (UINT64_MAX - 9) / 10)
            break;
        value = 10 * value + (uint64_t)(digits[i] - '0');
    }
    if (n == 0 || i < n)
        fail("not a number");
    else
        *number = value;
}

/* A packer in the same memory, or NULL. No text is longer than a line. */
static struct smol_packer *packer(void)
{
    const struct smol_pack_options options = {
        .struct_bytes = sizeof options, .batch = 1, .max_bytes = LINE};
    struct smol_packer *made;

    if (opened)
        return NULL;
    if (smol_packer_init(&made, &file, &options, memory_begin, (size_t)(memory_end - memory_begin),
                         &error)) {
        fail_with("packing");
        return NULL;
    }
    return made;
}

static void pack(const char *text, size_t n)
{
    static uint8_t packed[SMOL_PACKED_BOUND(LINE)];
    struct smol_packer *p = packer();

    if (!p)
        return;
    if (smol_packer_pack(&n, packed, p, text, n, NULL, 0, &error)) {
        fail_with("packing");
        return;
    }
    for (size_t i = 0; i < n; i++) {
        const char digits[2] = {"0123456789abcdef"[packed[i] >> 4],
                                "0123456789abcdef"[packed[i] & 15]};
        board_write(digits, 2);
    }
    put("\n");
}

/* The value of a hexadecimal digit, or 16. */
static uint8_t digit(char c)
{
    const char *const digits = "0123456789abcdef", *at = c ? strchr(digits, c | 32) : NULL;

    return at && c >= '0' ? (uint8_t)(at - digits) : 16;
}

static void unpack(const char *digits, size_t n)
{
    static uint8_t packed[LINE / 2 + 1];
    struct smol_packer *p;
    size_t size;

    for (size_t i = 0; i < n; i++)
        if (n % 2 || digit(digits[i]) > 15) {
            fail("not pairs of hexadecimal digits");
            return;
        }
    for (size_t i = 0; i < n / 2; i++)
        packed[i] = (uint8_t)(digit(digits[2 * i]) << 4 | digit(digits[2 * i + 1]));
    if (!(p = packer()))
        return;
    if (smol_packer_unpack(&size, line, sizeof line, p, packed, n / 2, &error)) {
        fail_with("unpacking");
        return;
    }
    board_write(line, size);
    put("\n");
}

/* How much of the stack has ever been used: its other bytes are STACK_FILL still. */
static size_t stack_used(void)
{
    const uint8_t *at = stack_begin;

    while (at < stack_end && *at == STACK_FILL)
        at++;
    return (size_t)(stack_end - at);
}

static void put_cost(void)
{
    put_counted("setting up ", cost.setting_up);
    put_counted(", prompt of ", cost.n_prompt);
    put_counted(" tokens ", cost.prompt);
    put_counted(", answer of ", cost.n_answer);
    put_counted(" tokens ", cost.answer);
    put(" ");
    put(board_clock_unit);
    put_counted("; stack ", stack_used());
    put_counted(" of ", (uint64_t)(stack_end - stack_begin));
    put_counted(" bytes, free ", (uint64_t)(memory_end - memory_begin));
    put(" bytes\n");
}

/* Whether the line of n bytes is a command, and then how many bytes of it. */
static size_t is_command(const char *name, size_t n)
{
    const size_t length = strlen(name);

    if (n < length || memcmp(line, name, length) != 0 || (n > length && line[length] != ' '))
        return 0;
    return n > length ? length + 1 : length;
}

static void obey(size_t n)
{
    size_t at;

    put("\n");
    if ((at = is_command("/tokens", n)))
        set_number(&n_tokens, line + at, n - at);
    else if ((at = is_command("/seed", n)))
        set_number(&seed, line + at, n - at);
    else if ((at = is_command("/pack", n)))
        pack(line + at, n - at);
    else if ((at = is_command("/unpack", n)))
        unpack(line + at, n - at);
    else if (is_command("/cost", n))
        put_cost();
    else if (is_command("/reset", n))
        board_reset();
    else
        fail("commands are /tokens N, /seed N, /pack TEXT, /unpack DIGITS, /cost and /reset");
}

/* ---- the program ---- */

static enum smol_status open_model(void)
{
    const enum smol_status status =
        smol_file_parse(&file, model, (size_t)(model_end - model), &error);

    return status ? status : smol_file_check_hash(&file, &error);
}

int main(void)
{
    board_start();
    opened = open_model();
    for (;;) {
        size_t n;
        if (opened)
            fail_with("model");
        put("> ");
        n = read_line();
        if (n > LINE) {
            put("\n");
            fail("the line is too long");
        } else if (n > 0 && line[0] == '/') {
            obey(n);
        } else if (!opened) {
            answer(n);
        } else {
            put("\n");
        }
    }
}
