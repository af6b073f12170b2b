/* A library to preload, that makes a program's n-th request for memory, or its n-th call that
 * touches a file, fail: that one alone, or all from there on; or that kills the program before that
 * call. Only what happens within main counts, for what fails before is not the program's. The calls
 * of the C library within itself cannot be replaced; its functions that make them can, and are.
 *
 * Environment: FAULT_KIND memory or files; FAULT_AT n, from 1; FAULT_FOREVER 1; FAULT_KILL 1;
 * FAULT_MARK a file that gets a byte when the first call fails. All are taken out of the
 * environment, and the preloading too, so that children run undisturbed. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { NOTHING, MEMORY, FILES };

static int kind = NOTHING;
static bool forever, kills;
static long at;
static int mark = -1;
static atomic_long n_calls;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t n, size_t size);
void *__libc_realloc(void *p, size_t size);
void *__libc_memalign(size_t alignment, size_t size);
int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv,
                      int (*init)(int, char **, char **), void (*fini)(void),
                      void (*loader_fini)(void), void *stack_end);

/* Memory that these ask for is never refused: popt takes an option whose value it cannot copy for
 * one that is not there, OpenBLAS and the OpenMP runtime end the program by themselves. */
static bool is_excused(const void *caller)
{
    static const char *const libraries[] = {"libpopt", "libopenblas", "libgomp", "libomp"};
    Dl_info about;

    for (size_t i = 0;
         dladdr(caller, &about) && about.dli_fname && i < sizeof libraries / sizeof libraries[0];
         i++)
        if (strstr(about.dli_fname, libraries[i]))
            return true;
    return false;
}

/* Whether this call fails. */
static bool fails_for(int of_kind, int error, const void *caller)
{
    long n;

    if (of_kind != kind || (kind == MEMORY && is_excused(caller)))
        return false;
    n = atomic_fetch_add(&n_calls, 1) + 1;
    if (n < at || (n > at && !forever))
        return false;
    if (n == at)
        syscall(SYS_write, mark, "!", 1);
    if (kills)
        syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    errno = error;
    return true;
}

#define fails(of_kind, error) fails_for(of_kind, error, __builtin_return_address(0))

static int (*real_main)(int, char **, char **);

static int faulty_main(int argc, char **argv, char **environment)
{
    static const char *const names[] = {"FAULT_KIND", "FAULT_AT",   "FAULT_FOREVER",
                                        "FAULT_KILL", "FAULT_MARK", "LD_PRELOAD"};
    const char *word = getenv("FAULT_KIND"), *number = getenv("FAULT_AT"),
               *path = getenv("FAULT_MARK");
    const int wanted = word && strcmp(word, "memory") == 0  ? MEMORY
                       : word && strcmp(word, "files") == 0 ? FILES
                                                            : NOTHING;

    if (!number || !path ||
        (mark = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0600)) < 0)
        _exit(120);
    at = strtol(number, NULL, 10);
    forever = getenv("FAULT_FOREVER") != NULL;
    kills = getenv("FAULT_KILL") != NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    kind = wanted;
    return real_main(argc, argv, environment);
}

static void *next(const char *name)
{
    void *f = dlsym(RTLD_NEXT, name);

    if (!f)
        _exit(121);
    return f;
}

/* Data pointers are function pointers here, which ISO C does not say. */
#define REAL(type, name)                                                                           \
    static type *real;                                                                             \
    if (!real) {                                                                                   \
        void *found = next(name);                                                                  \
        memcpy(&real, &found, sizeof real);                                                        \
    }

typedef int start_function(int (*)(int, char **, char **), int, char **,
                           int (*)(int, char **, char **), void (*)(void), void (*)(void), void *);

int __libc_start_main(int (*program)(int, char **, char **), int argc, char **argv,
                      int (*init)(int, char **, char **), void (*fini)(void),
                      void (*loader_fini)(void), void *stack_end)
{
    REAL(start_function, "__libc_start_main")
    real_main = program;
    return real(faulty_main, argc, argv, init, fini, loader_fini, stack_end);
}

void *malloc(size_t size) { return fails(MEMORY, ENOMEM) ? NULL : __libc_malloc(size); }

void *calloc(size_t n, size_t size)
{
    return fails(MEMORY, ENOMEM) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *p, size_t size)
{
    return fails(MEMORY, ENOMEM) ? NULL : __libc_realloc(p, size);
}

void *aligned_alloc(size_t alignment, size_t size)
{
    return fails(MEMORY, ENOMEM) ? NULL : __libc_memalign(alignment, size);
}

int posix_memalign(void **p, size_t alignment, size_t size)
{
    void *memory;

    if (fails(MEMORY, ENOMEM) || !(memory = __libc_memalign(alignment, size)))
        return ENOMEM;
    *p = memory;
    return 0;
}

static void *map(void *p, size_t size, int protection, int flags, int fd, off_t offset,
                 const void *caller)
{
    if (fails_for(fd < 0 ? MEMORY : FILES, ENOMEM, caller))
        return MAP_FAILED;
    return (void *)syscall(SYS_mmap, p, size, protection, flags, fd, offset);
}

void *mmap(void *p, size_t size, int protection, int flags, int fd, off_t offset)
{
    return map(p, size, protection, flags, fd, offset, __builtin_return_address(0));
}

#undef mmap64
void *mmap64(void *p, size_t size, int protection, int flags, int fd, off_t offset)
{
    return map(p, size, protection, flags, fd, offset, __builtin_return_address(0));
}

/* The mode that follows flags which create a file. */
#define TAKE_MODE(mode, flags)                                                                     \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | O_TMPFILE)) {                                                         \
        va_list rest;                                                                              \
        va_start(rest, flags);                                                                     \
        mode = va_arg(rest, mode_t);                                                               \
        va_end(rest);                                                                              \
    }

int open(const char *path, int flags, ...)
{
    TAKE_MODE(mode, flags)
    return fails(FILES, EMFILE) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    TAKE_MODE(mode, flags)
    return fails(FILES, EMFILE) ? -1 : (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    TAKE_MODE(mode, flags)
    return fails(FILES, EMFILE) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    TAKE_MODE(mode, flags)
    return fails(FILES, EMFILE) ? -1 : (int)syscall(SYS_openat, folder, path, flags, mode);
}

/* A function of few parameters whose failure is a value. */
#define FAULTY(result, name, parameters, arguments, failed, error)                                 \
    result name parameters                                                                         \
    {                                                                                              \
        typedef result function parameters;                                                        \
        REAL(function, #name)                                                                      \
        return fails(FILES, error) ? failed : real arguments;                                      \
    }

FAULTY(FILE *, fopen, (const char *path, const char *mode), (path, mode), NULL, EMFILE)
FAULTY(FILE *, fopen64, (const char *path, const char *mode), (path, mode), NULL, EMFILE)
FAULTY(FILE *, fdopen, (int fd, const char *mode), (fd, mode), NULL, EMFILE)
FAULTY(int, mkstemp, (char *path), (path), -1, EACCES)
FAULTY(int, mkstemp64, (char *path), (path), -1, EACCES)
FAULTY(ssize_t, read, (int fd, void *bytes, size_t n), (fd, bytes, n), -1, EIO)
FAULTY(ssize_t, pread64, (int fd, void *bytes, size_t n, off_t offset), (fd, bytes, n, offset), -1,
       EIO)
FAULTY(ssize_t, write, (int fd, const void *bytes, size_t n), (fd, bytes, n), -1, ENOSPC)
FAULTY(ssize_t, pwrite64, (int fd, const void *bytes, size_t n, off_t offset),
       (fd, bytes, n, offset), -1, ENOSPC)
FAULTY(int, fsync, (int fd), (fd), -1, EIO)
FAULTY(int, rename, (const char *from, const char *to), (from, to), -1, EACCES)
FAULTY(int, ftruncate64, (int fd, off_t size), (fd, size), -1, EIO)
FAULTY(int, mkdir, (const char *path, mode_t mode), (path, mode), -1, EACCES)
FAULTY(int, fstat, (int fd, struct stat *about), (fd, about), -1, EIO)
FAULTY(int, fstat64, (int fd, struct stat64 *about), (fd, about), -1, EIO)
FAULTY(int, fchmod, (int fd, mode_t mode), (fd, mode), -1, EPERM)
FAULTY(int, pipe, (int fds[2]), (fds), -1, EMFILE)
FAULTY(pid_t, fork, (void), (), -1, EAGAIN)

/* Whose failure nobody can mend: only a place to be killed at. */
int unlink(const char *path)
{
    if (kills && fails(FILES, EACCES))
        return -1;
    return (int)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
}

/* What is buffered is lost. A closed file stays closed. */
int fflush(FILE *stream)
{
    typedef int function(FILE *);
    REAL(function, "fflush")
    const bool failed = fails(FILES, ENOSPC);
    const int result = real(stream);

    return failed ? (errno = ENOSPC, EOF) : result;
}

int fclose(FILE *stream)
{
    typedef int function(FILE *);
    REAL(function, "fclose")
    const bool failed = fails(FILES, ENOSPC);
    const int result = real(stream);

    return failed ? (errno = ENOSPC, EOF) : result;
}
