/* Opening models from files: threads, damage, files that are not files, files that change. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <smol/io.h>
#include <smol/key.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char directory[] = "/tmp/smol-test-XXXXXX";

static void make_directory(void)
{
    cr_assert_not_null(mkdtemp(directory));
    cr_assert_eq(chdir(directory), 0);
}

static void remove_directory(void)
{
    DIR *d = opendir(directory);

    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.' && unlink(e->d_name) != 0)
            rmdir(e->d_name);
    closedir(d);
    cr_assert_eq(rmdir(directory), 0);
}

TestSuite(io, .init = make_directory, .fini = remove_directory);

static int n_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) != -1;
    return n;
}

/* A body of three pieces, signed, in the file "model". */
static uint8_t *write_model(size_t *size)
{
    const struct model_recipe large = {.width = 64, .n_heads = 4, .vocab = 9000};
    struct smol_secret_key key;
    struct smol_signature signature;
    uint8_t *bytes = model_make(size, &large);

    cr_assert_eq(smol_key_generate(&key, NULL), SMOL_OK);
    smol_sign_hash(&signature, bytes + *size - SMOL_HASH_BYTES, &key);
    smol_signature_encode(bytes + *size, &signature);
    *size += SMOL_SIGNATURE_BLOCK_BYTES;
    cr_assert_eq(smol_write_file("model", bytes, *size, 0644, NULL), SMOL_OK);
    return bytes;
}

Test(io, a_model_opens_with_any_number_of_threads)
{
    size_t size;
    uint8_t *bytes = write_model(&size);

    for (uint32_t threads = 0; threads < 40; threads = 2 * threads + 1) {
        const int before = n_descriptors();
        struct smol_mapping m;
        struct smol_file file;
        struct smol_error error;
        cr_assert_eq(smol_file_open(&m, &file, "model", threads, &error), SMOL_OK);
        cr_assert_eq(file.bytes.data, m.bytes.data);
        cr_assert_arr_eq(m.bytes.data, bytes, size);
        cr_assert(file.is_signed);
        smol_mapping_close(&m);
        smol_mapping_close(&m);
        cr_assert_eq(n_descriptors(), before);
    }
    free(bytes);
}

/* Behind a good parse, so that only the hash can tell: a bit in each piece, and the last byte. */
Test(io, the_hash_sees_a_bit_in_each_piece)
{
    size_t size;
    uint8_t *bytes = write_model(&size);
    struct smol_file file;
    struct smol_error error;

    cr_assert_eq(smol_file_parse(&file, bytes, size, &error), SMOL_OK);
    const uint64_t places[] = {0, SMOL_PIECE_BYTES - 1, SMOL_PIECE_BYTES, 2 * SMOL_PIECE_BYTES + 5,
                               file.body_bytes - 1};
    for (uint32_t threads = 1; threads < 6; threads++)
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            bytes[places[i]] ^= 0x10;
            cr_assert_eq(smol_file_check_hash_threads(&file, threads, &error), SMOL_E_HASH);
            cr_assert_eq(error.offset, file.body_bytes);
            bytes[places[i]] ^= 0x10;
            cr_assert_eq(smol_file_check_hash_threads(&file, threads, &error), SMOL_OK);
        }
    free(bytes);
}

Test(io, what_cannot_be_opened_leaves_nothing_behind)
{
    size_t size;
    uint8_t *bytes = write_model(&size);
    const int before = n_descriptors();
    static const char *const names[] = {"missing", "empty", "directory", "/dev/null",
                                        "damaged", "hash",  "signature", "cut"};
    static const enum smol_status expected[] = {SMOL_E_IO,        SMOL_E_TRUNCATED, SMOL_E_IO,
                                                SMOL_E_TRUNCATED, SMOL_E_CHECKSUM,  SMOL_E_HASH,
                                                SMOL_E_SIGNATURE, SMOL_E_TRUNCATED};

    cr_assert_eq(smol_write_file("empty", "", 0, 0644, NULL), SMOL_OK);
    cr_assert_eq(mkdir("directory", 0755), 0);
    bytes[size / 2] ^= 1;
    smol_write_file("damaged", bytes, size, 0644, NULL);
    bytes[size / 2] ^= 1;
    bytes[size - SMOL_SIGNATURE_BLOCK_BYTES - 1] ^= 1;
    smol_write_file("hash", bytes, size, 0644, NULL);
    bytes[size - SMOL_SIGNATURE_BLOCK_BYTES - 1] ^= 1;
    smol_write_file("cut", bytes, size - 1, 0644, NULL);
    bytes[size - 1] ^= 1;
    smol_write_file("signature", bytes, size, 0644, NULL);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct smol_mapping m, untouched;
        struct smol_file file;
        struct smol_error error = {0};
        memset(&m, 0x5a, sizeof m);
        memset(&untouched, 0x5a, sizeof untouched);
        cr_assert_eq(smol_file_open(&m, &file, names[i], 2, &error), expected[i], "%s", names[i]);
        cr_assert_eq(error.code, expected[i]);
        cr_assert_arr_eq(&m, &untouched, sizeof m);
    }
    cr_assert_eq(n_descriptors(), before);
    free(bytes);
}

static void append(const char *path, const char *text)
{
    const int fd = open(path, O_WRONLY | O_APPEND);

    cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

Test(io, a_file_that_changes_is_noticed)
{
    const struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    struct smol_mapping m;
    struct smol_error error;

    smol_write_file("file", "first", 5, 0644, NULL);
    cr_assert_eq(smol_mapping_open(&m, "file", &error), SMOL_OK);
    append("file", "!");
    cr_assert_eq(smol_mapping_check(&m, &error), SMOL_E_CHANGED);
    cr_assert_eq(error.offset, SMOL_NO_OFFSET);
    smol_mapping_close(&m);
    cr_assert_eq(smol_mapping_open(&m, "file", &error), SMOL_OK);
    cr_assert_eq(utimensat(AT_FDCWD, "file", times, 0), 0);
    cr_assert_eq(smol_mapping_check(&m, &error), SMOL_E_CHANGED);
    smol_mapping_close(&m);
}

/* Who writes into the file and then sets its time back is noticed too. The clock of files ticks
 * every few milliseconds. */
Test(io, a_file_that_changes_in_secret_is_noticed)
{
    const struct timespec moment = {.tv_nsec = 50000000};
    struct smol_mapping m;
    struct smol_error error;
    struct timespec times[2];
    struct stat s;
    int fd;

    smol_write_file("file", "first", 5, 0644, NULL);
    cr_assert_eq(smol_mapping_open(&m, "file", &error), SMOL_OK);
    cr_assert_eq(stat("file", &s), 0);
    nanosleep(&moment, NULL);
    fd = open("file", O_WRONLY);
    cr_assert_eq(write(fd, "other", 5), 5);
    close(fd);
    times[0] = s.st_atim;
    times[1] = s.st_mtim;
    cr_assert_eq(utimensat(AT_FDCWD, "file", times, 0), 0);
    cr_assert_eq(smol_mapping_check(&m, &error), SMOL_E_CHANGED);
    smol_mapping_close(&m);
}

/* This is how the writers replace a file: who has it open keeps the old one, whole. */
Test(io, a_file_replaced_by_renaming_stays_what_it_was)
{
    struct smol_mapping m;
    struct smol_error error;

    smol_write_file("file", "first", 5, 0644, NULL);
    cr_assert_eq(smol_mapping_open(&m, "file", &error), SMOL_OK);
    cr_assert_eq(smol_write_file("file", "another", 7, 0644, NULL), SMOL_OK);
    cr_assert_arr_eq(m.bytes.data, "first", 5);
    cr_assert_eq(smol_mapping_check(&m, &error), SMOL_OK);
    smol_mapping_close(&m);
}

static int n_files(void)
{
    DIR *d = opendir(".");
    int n = 0;

    for (struct dirent *e; (e = readdir(d)) != NULL;)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

/* Pages of a mapping that are in memory. */
static size_t n_resident(const struct smol_mapping *m)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t n = 0;
    char line[256];
    FILE *f = fopen("/proc/self/smaps", "r");
    bool is_it = false;

    cr_assert_not_null(f);
    while (fgets(line, sizeof line, f)) {
        unsigned long begin, end, kb;
        if (sscanf(line, "%lx-%lx ", &begin, &end) == 2)
            is_it = begin == (unsigned long)(uintptr_t)m->bytes.data;
        if (is_it && sscanf(line, "Rss: %lu kB", &kb) == 1)
            n = kb * 1024 / page;
    }
    fclose(f);
    return n;
}

/* What was released is out of memory, and there again when it is read; a copy of a pipe stays. */
Test(io, released_bytes_are_read_again)
{
    enum { SIZE = 1 << 20 };
    uint8_t *bytes = malloc(SIZE);
    struct smol_mapping m;
    int ends[2];
    char name[32];

    cr_assert_not_null(bytes);
    for (size_t i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i >> 8 ^ i);
    cr_assert_eq(smol_write_file("file", bytes, SIZE, 0644, NULL), SMOL_OK);
    cr_assert_eq(smol_mapping_open(&m, "file", NULL), SMOL_OK);
    for (int round = 0; round < 2; round++) {
        cr_assert_arr_eq(m.bytes.data, bytes, SIZE);
        cr_assert_gt(n_resident(&m), 0);
        smol_mapping_release(&m, m.bytes.data, SIZE);
        cr_assert_eq(n_resident(&m), 0);
    }
    smol_mapping_release(&m, m.bytes.data + 1, 0);
    smol_mapping_close(&m);
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], bytes, 30000), 30000);
    close(ends[1]);
    snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
    cr_assert_eq(smol_mapping_open(&m, name, NULL), SMOL_OK);
    close(ends[0]);
    smol_mapping_release(&m, m.bytes.data, 30000);
    cr_assert_arr_eq(m.bytes.data, bytes, 30000);
    smol_mapping_close(&m);
    free(bytes);
}

/* A directory stands where the file should go by then: the rename fails at the very end. */
Test(io, a_failed_commit_leaves_no_temporary)
{
    struct smol_error error = {0};
    struct smol_writer *w;

    cr_assert_eq(smol_writer_open(&w, "directory", 0644, &error), SMOL_OK);
    cr_assert_eq(mkdir("directory", 0755), 0);
    cr_assert_eq(smol_writer_commit(w, &error), SMOL_E_IO);
    cr_assert_neq(error.text[0], '\0');
    cr_assert_eq(n_files(), 1);
}

Test(io, a_writer_in_pieces_writes_all_of_them)
{
    struct smol_writer *w;
    struct smol_mapping m;

    cr_assert_eq(smol_writer_open(&w, "pieces", 0600, NULL), SMOL_OK);
    for (char c = 'a'; c <= 'e'; c++)
        cr_assert_eq(smol_writer_append(w, &c, 1, NULL), SMOL_OK);
    cr_assert_eq(access("pieces", F_OK), -1, "not before the commit");
    cr_assert_eq(smol_writer_commit(w, NULL), SMOL_OK);
    cr_assert_eq(n_files(), 1);
    cr_assert_eq(smol_mapping_open(&m, "pieces", NULL), SMOL_OK);
    cr_assert_eq(m.bytes.size_bytes, 5);
    cr_assert_arr_eq(m.bytes.data, "abcde", 5);
    smol_mapping_close(&m);
}

static void touch(const char *name)
{
    const int fd = open(name, O_WRONLY | O_CREAT | O_EXCL, 0600);

    cr_assert_geq(fd, 0);
    close(fd);
}

/* Only what writers of that path left, and nobody is writing. */
Test(io, leftovers_of_killed_writers_go)
{
    static const char *const stay[] = {"x", "x.tmp-abcde", "x.tmp-abcdefg", "y.tmp-abcdef",
                                       "x.tnp-abcdef"};
    int ready[2], done[2], status;
    struct smol_writer *w;
    pid_t child;
    char c = 0;

    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++)
        touch(stay[i]);
    touch("x.tmp-abcdef");
    touch("x.tmp-A1b2C3");
    cr_assert_eq(pipe(ready), 0);
    cr_assert_eq(pipe(done), 0);
    child = fork();
    if (child == 0) {
        const bool open = smol_writer_open(&w, "x", 0600, NULL) == SMOL_OK &&
                          write(ready[1], "r", 1) == 1 && read(done[0], &c, 1) == 1;

        _exit(open && smol_writer_append(w, "new", 3, NULL) == SMOL_OK &&
                      smol_writer_commit(w, NULL) == SMOL_OK
                  ? 0
                  : 1);
    }
    cr_assert_eq(read(ready[0], &c, 1), 1);
    smol_remove_leftovers("x");
    smol_remove_leftovers("./x");
    cr_assert_eq(write(done[1], "d", 1), 1);
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0,
              "the file that was being written is gone");
    for (size_t i = 0; i < sizeof stay / sizeof *stay; i++)
        cr_assert_eq(access(stay[i], F_OK), 0, "%s", stay[i]);
    cr_assert_neq(access("x.tmp-abcdef", F_OK), 0);
    cr_assert_neq(access("x.tmp-A1b2C3", F_OK), 0);
    smol_remove_leftovers("no/such/folder/x");
}

Test(io, what_was_written_can_be_rewritten)
{
    struct smol_mapping m;
    struct smol_writer *w;

    cr_assert_eq(smol_writer_open(&w, "f", 0600, NULL), SMOL_OK);
    cr_assert_eq(smol_writer_append(w, "??cdef", 6, NULL), SMOL_OK);
    cr_assert_eq(smol_writer_rewrite(w, 0, "ab", 2, NULL), SMOL_OK);
    cr_assert_eq(smol_writer_append(w, "gh", 2, NULL), SMOL_OK);
    cr_assert_eq(smol_writer_commit(w, NULL), SMOL_OK);
    cr_assert_eq(smol_mapping_open(&m, "f", NULL), SMOL_OK);
    cr_assert_eq(m.bytes.size_bytes, 8);
    cr_assert_eq(memcmp(m.bytes.data, "abcdefgh", 8), 0);
    smol_mapping_close(&m);
}
