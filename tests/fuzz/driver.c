/* Runs a fuzz target without a fuzzer: on its seeds and on files, and for some seconds or
 * executions on what becomes of them.
 *
 * Usage: fuzz_NAME_driver [--seconds N] [--runs N] [--seed S] [--write-seeds FOLDER]
 * [FILE|FOLDER...]
 *
 * Execution i of seed S is always the same, and is named if it ends the program. */
#include "fuzz.h"
#include "mutate.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CAPACITY 65536u

const char *__asan_default_options(void);
const char *__ubsan_default_options(void);

const char *__asan_default_options(void) { return "abort_on_error=1"; }

const char *__ubsan_default_options(void) { return "abort_on_error=1:print_stacktrace=1"; }

static struct input {
    uint8_t *bytes;
    size_t size;
} * inputs;
static size_t n_inputs;
static unsigned long long execution, seed_used;

static void on_abort(int number)
{
    fprintf(stderr, "fuzz_%s_driver: seed %llu, execution %llu\n", fuzz_name, seed_used, execution);
    signal(number, SIG_DFL);
    raise(number);
}

static void *no_null(void *memory)
{
    if (!memory) {
        fprintf(stderr, "fuzz_%s_driver: out of memory\n", fuzz_name);
        exit(2);
    }
    return memory;
}

/* A copy of its very size, so that a sanitizer sees a step too far. */
static void look_at(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = no_null(malloc(size ? size : 1));

    memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    execution++;
}

static void take(const uint8_t *bytes, size_t size)
{
    inputs = no_null(realloc(inputs, (n_inputs + 1) * sizeof *inputs));
    inputs[n_inputs] = (struct input){no_null(malloc(size ? size : 1)), size};
    memcpy(inputs[n_inputs++].bytes, bytes, size);
}

static int take_file(const char *path)
{
    static uint8_t bytes[1 << 24];
    FILE *f = fopen(path, "rb");

    if (!f) {
        perror(path);
        return 1;
    }
    take(bytes, fread(bytes, 1, sizeof bytes, f));
    fclose(f);
    return 0;
}

/* A file, or all files of a folder. */
static int take_path(const char *path)
{
    const struct dirent *entry;
    char name[4096];
    struct stat about;
    DIR *folder;
    int failed = 0;

    if (stat(path, &about) != 0 || !S_ISDIR(about.st_mode))
        return take_file(path);
    folder = opendir(path);
    while (folder && (entry = readdir(folder)))
        if (entry->d_name[0] != '.') {
            snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
            failed += take_file(name);
        }
    if (!folder || closedir(folder) != 0)
        failed++;
    return failed;
}

static int write_seeds(const char *folder)
{
    int failed = 0;

    for (size_t i = 0; i < n_inputs; i++) {
        char name[4096];
        FILE *f;
        snprintf(name, sizeof name, "%s/seed-%02zu", folder, i);
        f = fopen(name, "wb");
        if (!f || fwrite(inputs[i].bytes, 1, inputs[i].size, f) != inputs[i].size ||
            fclose(f) != 0) {
            perror(name);
            failed++;
        }
    }
    return failed;
}

/* Damage on damage for up to eight rounds, each round looked at. */
static void run_chain(const struct input *input, uint64_t *random)
{
    static uint8_t bytes[CAPACITY];
    const unsigned rounds = 1 + mutate_random(random) % 8;
    size_t size = input->size < CAPACITY / 2 ? input->size : CAPACITY / 2;

    memcpy(bytes, input->bytes, size);
    for (unsigned i = 0; i < rounds && size > 0; i++) {
        size = LLVMFuzzerCustomMutator(bytes, size, CAPACITY, mutate_random(random));
        look_at(bytes, size);
    }
}

/* Until both the seconds and the executions are used up. */
static void run_for(double seconds, unsigned long long runs, unsigned long long seed)
{
    const time_t end = time(NULL) + (time_t)seconds;
    const unsigned long long last = execution + runs;

    for (uint64_t chain = 0; time(NULL) < end || execution < last; chain++) {
        uint64_t random = seed * 0x100000001b3u + chain;
        run_chain(&inputs[chain % n_inputs], &random);
    }
}

int main(int argc, char **argv)
{
    unsigned long long runs = 0;
    const char *folder = NULL;
    double seconds = 0;
    int failed = 0;

    seed_used = (unsigned long long)time(NULL);
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(word, "--seconds") == 0)
            seconds = strtod(value, NULL);
        else if (strcmp(word, "--runs") == 0)
            runs = strtoull(value, NULL, 10);
        else if (strcmp(word, "--seed") == 0)
            seed_used = strtoull(value, NULL, 10);
        else if (strcmp(word, "--write-seeds") == 0)
            folder = value;
        else {
            failed += take_path(word);
            continue;
        }
        i++;
    }
    fuzz_seeds(take);
    if (folder)
        return write_seeds(folder);
    signal(SIGABRT, on_abort);
    for (size_t i = 0; i < n_inputs; i++)
        look_at(inputs[i].bytes, inputs[i].size);
    run_for(seconds, runs, seed_used);
    printf("fuzz_%s_driver: seed %llu, %zu seeds, %.1f s of the processor, %llu executions\n",
           fuzz_name, seed_used, n_inputs, (double)clock() / CLOCKS_PER_SEC, execution);
    for (size_t i = 0; i < n_inputs; i++)
        free(inputs[i].bytes);
    free(inputs);
    return failed != 0;
}
