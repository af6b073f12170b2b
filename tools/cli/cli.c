/* See cli.h. */
#define _GNU_SOURCE /* CPU_SET and sched_getaffinity */
#include "cli/cli.h"

#include <smol/tokenizer.h>

#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *cli_program = "smol";

/* The standard output is opened for reading: printing to it is an error, as it should be, but
 * printing nothing is not. */
void cli_start(const char *program)
{
    static const int ways[] = {O_RDONLY, O_RDONLY, O_WRONLY};

    cli_program = program;
    fesetenv(FE_DFL_ENV);
    for (int fd = 0; fd < 3; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", ways[fd]) != fd)
            _exit(CLI_FAILED);
}

size_t cli_control_bytes(const void *text, size_t n)
{
    const unsigned char *c = text;

    if (c[0] < 0x20 || c[0] == 0x7f)
        return 1;
    return n > 1 && c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0 ? 2 : 0;
}

void cli_put_escaped(FILE *stream, const char *text)
{
    for (size_t left = strlen(text), n; left > 0; left -= n, text += n) {
        const size_t control = cli_control_bytes(text, left);

        n = control ? control : 1;
        if (control)
            fprintf(stream, control == 1 ? "\\x%02x" : "\\u%04x", (unsigned char)text[n - 1]);
        else
            fputc(*text, stream);
    }
}

char *cli_escaped(const char *text)
{
    size_t left = strlen(text);
    char *escaped = malloc(4 * left + 1), *end = escaped;

    for (size_t n; escaped && left > 0; left -= n, text += n) {
        const size_t control = cli_control_bytes(text, left);

        n = smol_utf8_character((const uint8_t *)text, left);
        if (n && !control) {
            memcpy(end, text, n);
            end += n;
        } else {
            n = 1;
            end += sprintf(end, "\\x%02x", (unsigned char)*text);
        }
    }
    if (escaped)
        *end = '\0';
    return escaped;
}

bool cli_obeys_escapes(void)
{
    const char *terminal = getenv("TERM");

    return terminal && *terminal && strcmp(terminal, "dumb") != 0;
}

bool cli_has_colour(int fd)
{
    const char *refused = getenv("NO_COLOR");

    return isatty(fd) == 1 && (!refused || !*refused) && cli_obeys_escapes();
}

static void put_program(FILE *stream)
{
    const bool colour = cli_has_colour(STDERR_FILENO);

    fprintf(stream, "%s%s:%s ", colour ? CLI_RED : "", cli_program, colour ? CLI_PLAIN : "");
}

static void put_message(FILE *stream, const char *path, const struct smol_error *error)
{
    put_program(stream);
    if (path) {
        cli_put_escaped(stream, path);
        fputs(": ", stream);
    }
    if (error->offset != SMOL_NO_OFFSET)
        fprintf(stream, "byte %llu: ", (unsigned long long)error->offset);
    cli_put_escaped(stream, error->text);
    fputc('\n', stream);
}

char *cli_message(const char *path, const struct smol_error *error)
{
    char *text = NULL;
    size_t size;
    FILE *stream = open_memstream(&text, &size);

    if (!stream)
        return NULL;
    put_message(stream, path, error);
    if (fclose(stream) == 0)
        return text;
    free(text);
    return NULL;
}

int cli_complain(const char *path, const struct smol_error *error)
{
    put_message(stderr, path, error);
    return CLI_FAILED;
}

static void fill(struct smol_error *error, enum smol_status code, const char *format,
                 va_list arguments) __attribute__((format(printf, 3, 0)));
static void fill(struct smol_error *error, enum smol_status code, const char *format,
                 va_list arguments)
{
    *error = (struct smol_error){.code = code, .offset = SMOL_NO_OFFSET};
    vsnprintf(error->text, sizeof error->text, format, arguments);
}

int cli_fail(const char *path, const char *format, ...)
{
    struct smol_error error;
    va_list arguments;

    va_start(arguments, format);
    fill(&error, SMOL_E_IO, format, arguments);
    va_end(arguments);
    return cli_complain(path, &error);
}

void cli_tell(const char *path, const char *format, ...)
{
    va_list arguments;

    fprintf(stderr, "%s: ", cli_program);
    cli_put_escaped(stderr, path);
    fputs(": ", stderr);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fputc('\n', stderr);
}

int cli_fail_errno(const char *path) { return cli_fail(path, "%s", strerror(errno)); }

int cli_no_memory(const char *path) { return cli_fail(path, "out of memory"); }

enum smol_status cli_error(struct smol_error *error, enum smol_status code, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    fill(error, code, format, arguments);
    va_end(arguments);
    return code;
}

enum smol_status cli_error_memory(struct smol_error *error)
{
    return cli_error(error, SMOL_E_MEMORY, "out of memory");
}

int cli_usage_error(const char *what, const char *why)
{
    put_program(stderr);
    cli_put_escaped(stderr, what);
    fprintf(stderr, ": %s\nTry '%s --help'.\n", why, cli_program);
    return CLI_USAGE;
}

bool cli_parse_u64(uint64_t *value, const char *text)
{
    const int base = text[0] == '0' && (text[1] == 'x' || text[1] == 'X') ? 16 : 10;
    char *end;
    unsigned long long v;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    v = strtoull(text, &end, base);
    if (errno != 0 || *end != '\0')
        return false;
    *value = v;
    return true;
}

bool cli_parse_size(uint64_t *bytes, const char *text)
{
    static const char units[] = "KMG";
    const size_t n = strlen(text);
    const char *unit = n ? strchr(units, text[n - 1]) : NULL;
    const unsigned shift = unit && *unit ? 10 * (unsigned)(unit - units + 1) : 0;
    char number[32];
    uint64_t value;

    if (n >= sizeof number)
        return false;
    snprintf(number, sizeof number, "%.*s", (int)(shift ? n - 1 : n), text);
    if (!cli_parse_u64(&value, number) || value == 0 || value > UINT64_MAX >> shift)
        return false;
    *bytes = value << shift;
    return true;
}

int cli_parse_isa(enum smol_isa *isa, const char *word)
{
    static const char *const names[] = {"best",   "scalar", "avx2",
                                        "avx512", "neon",   NULL}; /* as enum smol_isa */

    if (!word)
        return 0;
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], word) == 0) {
            *isa = (enum smol_isa)i;
            return 0;
        }
    return cli_usage_error("--isa", "takes best, scalar, avx2, avx512 or neon");
}

int cli_write_file(const char *path, const void *bytes, size_t size_bytes)
{
    struct smol_error error;

    return smol_write_file(path, bytes, size_bytes, 0666, &error) ? cli_complain(path, &error) : 0;
}

bool cli_read_all(uint8_t **bytes, size_t *size_bytes, int fd)
{
    size_t n = 0, capacity = 4096, most = SMOL_STREAM_BYTES;
    uint8_t *buffer = malloc(capacity);
    struct stat s;

    if (fstat(fd, &s) == 0 && S_ISREG(s.st_mode))
        most = SIZE_MAX;
    while (buffer) {
        const ssize_t got = read(fd, buffer + n, capacity - n);
        if (got == 0) {
            buffer[n] = 0;
            *bytes = buffer;
            *size_bytes = n;
            return true;
        }
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            break;
        n += (size_t)got;
        if (n < capacity)
            continue;
        if (n > most) {
            errno = EFBIG;
            break;
        }
        uint8_t *larger = capacity > SIZE_MAX / 2 ? NULL : realloc(buffer, capacity *= 2);
        if (!larger)
            break;
        buffer = larger;
    }
    free(buffer);
    return false;
}

int cli_read_file(uint8_t **bytes, size_t *size_bytes, const char *path)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    const int code = fd >= 0 && cli_read_all(bytes, size_bytes, fd)
                         ? 0
                         : cli_fail(path, "cannot read: %s", strerror(errno));

    if (fd >= 0)
        close(fd);
    return code;
}

void *cli_memory(size_t size_bytes)
{
    void *p = mmap(NULL, size_bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

void cli_memory_free(void *memory, size_t size_bytes)
{
    if (memory)
        munmap(memory, size_bytes);
}

double cli_seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* What getrusage says counts the process, too, that became this one. */
uint64_t cli_peak_bytes(void)
{
    FILE *status = fopen("/proc/self/status", "r");
    unsigned long long kilobytes = 0;
    struct rusage usage;
    char line[256];

    while (status && kilobytes == 0 && fgets(line, sizeof line, status))
        sscanf(line, "VmHWM: %llu kB", &kilobytes);
    if (status)
        fclose(status);
    if (kilobytes == 0 && getrusage(RUSAGE_SELF, &usage) == 0)
        kilobytes = (unsigned long long)usage.ru_maxrss;
    return kilobytes * 1024;
}

uint32_t cli_cores(void)
{
    cpu_set_t set;
    int n;

    CPU_ZERO(&set);
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    n = CPU_COUNT(&set);
    return n < 1 ? 1 : (uint32_t)n;
}

char *cli_text(const char *format, ...)
{
    va_list arguments, again;
    char *text = NULL;
    int n;

    va_start(arguments, format);
    va_copy(again, arguments);
    n = vsnprintf(NULL, 0, format, arguments);
    if (n >= 0 && (text = malloc((size_t)n + 1)) != NULL)
        vsnprintf(text, (size_t)n + 1, format, again);
    va_end(again);
    va_end(arguments);
    return text;
}

bool cli_ends_with(const char *text, const char *end)
{
    const size_t n = strlen(text), m = strlen(end);

    return n > m && strcmp(text + n - m, end) == 0;
}

const char *cli_base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

const char *cli_size(char text[32], uint64_t bytes)
{
    static const char *const units[] = {"kB", "MB", "GB", "TB"};
    double value = (double)bytes;
    int unit = -1;

    if (bytes < 1000) {
        snprintf(text, 32, "%u bytes", (unsigned)bytes);
        return text;
    }
    while (value >= 999.95 && unit < 3) {
        value /= 1000;
        unit++;
    }
    snprintf(text, 32, "%.1f %s", value, units[unit]);
    return text;
}

const char *cli_decimal(char text[24], uint64_t value)
{
    snprintf(text, 24, "%llu", (unsigned long long)value);
    return text;
}

void cli_hex(char *text, const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        snprintf(text + 2 * i, 3, "%02x", bytes[i]);
}

void cli_key_number(char text[17], const uint8_t number[SMOL_KEY_NUMBER_BYTES])
{
    for (unsigned i = 0; i < SMOL_KEY_NUMBER_BYTES; i++)
        snprintf(text + 2 * i, 3, "%02X", number[SMOL_KEY_NUMBER_BYTES - 1 - i]);
}

int cli_close_output(int code)
{
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout) && fclose(stdout) == 0)
        return code;
    if (code == 0)
        fprintf(stderr, "%s: standard output: %s\n", cli_program,
                errno ? strerror(errno) : "cannot be written");
    return code ? code : CLI_FAILED;
}
