/* Ten thousand damaged files, always the same: bits, cuts, splices and changes that know the
 * format, with and without repaired checksums, opened from disk as any model. No crash, no leak, no
 * memory above twice the file's size and a constant, and none is taken for the file that it was:
 * without a repaired hash only the very bytes of a model are accepted, and with one only what the
 * writer would write. The build redirects the library's calls of malloc and its kin, and of mmap,
 * which is mmap64 with offsets of 64 bits, to here (--wrap). */
#define _GNU_SOURCE /* malloc_usable_size */
#include "../../fuzz/mutate.h"
#include "../../fuzz/recipes.h"

#include <criterion/criterion.h>
#include <malloc.h>
#include <smol/io.h>
#include <smol/key.h>
#include <sodium.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define N_DAMAGES 10000u
#define CAPACITY 65536u
#define EXTRA_BYTES 65536 /* the constant */

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void __real_free(void *p);
void *__real_mmap64(void *p, size_t size, int protection, int flags, int fd, off_t offset);
int __real_munmap(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void __wrap_free(void *p);
void *__wrap_mmap64(void *p, size_t size, int protection, int flags, int fd, off_t offset);
int __wrap_munmap(void *p, size_t size);

/* What the library holds, while it is watched. */
static atomic_bool watched;
static atomic_long held, most_held;

static void count(long change)
{
    const long now = atomic_fetch_add(&held, change) + change;
    long most = atomic_load(&most_held);

    while (now > most && !atomic_compare_exchange_weak(&most_held, &most, now))
        ;
}

static void *counted(void *p)
{
    if (p && atomic_load(&watched))
        count((long)malloc_usable_size(p));
    return p;
}

static void uncount(void *p)
{
    if (p && atomic_load(&watched))
        count(-(long)malloc_usable_size(p));
}

void *__wrap_malloc(size_t size) { return counted(__real_malloc(size)); }

void *__wrap_calloc(size_t n, size_t size) { return counted(__real_calloc(n, size)); }

void *__wrap_realloc(void *p, size_t size)
{
    uncount(p);
    return counted(__real_realloc(p, size));
}

void __wrap_free(void *p)
{
    uncount(p);
    __real_free(p);
}

void *__wrap_mmap64(void *p, size_t size, int protection, int flags, int fd, off_t offset)
{
    p = __real_mmap64(p, size, protection, flags, fd, offset);
    if (p != MAP_FAILED && atomic_load(&watched))
        count((long)size);
    return p;
}

int __wrap_munmap(void *p, size_t size)
{
    if (atomic_load(&watched))
        count(-(long)size);
    return __real_munmap(p, size);
}

/* A model, unsigned and signed. */
static struct model {
    uint8_t *bytes;
    size_t size, signed_size;
} models[N_RECIPES];

static void make_models(void)
{
    struct smol_secret_key key = {{1, 2, 3, 4, 5, 6, 7, 8}, {0}};
    const uint8_t seed[32] = {9};
    uint8_t public_key[32];

    cr_assert(sodium_init() >= 0);
    crypto_sign_seed_keypair(public_key, key.key, seed);
    for (unsigned i = 0; i < N_RECIPES; i++) {
        struct smol_signature signature;
        models[i].bytes = model_make(&models[i].size, &fuzz_recipes[i]);
        smol_sign_hash(&signature, models[i].bytes + models[i].size - SMOL_HASH_BYTES, &key);
        smol_signature_encode(models[i].bytes + models[i].size, &signature);
        models[i].signed_size = models[i].size + SMOL_SIGNATURE_BLOCK_BYTES;
        cr_assert(models[i].signed_size < CAPACITY / 2);
    }
}

static bool is_a_model(const uint8_t *bytes, size_t size)
{
    for (unsigned i = 0; i < N_RECIPES; i++)
        if ((size == models[i].size || size == models[i].signed_size) &&
            memcmp(bytes, models[i].bytes, size) == 0)
            return true;
    return false;
}

/* The one content of an accepted file. */
static void check_written(const struct smol_file *file)
{
    const size_t size = file->body_bytes + SMOL_HASH_BYTES;
    uint8_t *again = malloc(size);
    struct smol_parts parts;
    struct smol_error error;

    smol_parts_of(&parts, file);
    cr_assert_eq(smol_file_write(again, size, &parts, &error), SMOL_OK, "%s", error.text);
    cr_assert(memcmp(again, file->bytes.data, size) == 0);
    free(again);
}

static unsigned n_seen[64]; /* by status */

/* Opens what lies in a file, watched. */
static void open_watched(const char *path, const uint8_t *bytes, size_t size, bool hash_is_repaired,
                         unsigned number)
{
    struct smol_mapping mapping = {.fd = -1};
    struct smol_error error = {0};
    struct smol_file file;
    enum smol_status status;

    atomic_store(&held, 0);
    atomic_store(&most_held, 0);
    atomic_store(&watched, true);
    status = smol_file_open(&mapping, &file, path, 1 + number % 2, &error);
    if (status == SMOL_OK) {
        atomic_store(&watched, false);
        cr_assert(hash_is_repaired || is_a_model(bytes, size),
                  "damage %u: accepted with the hash of another", number);
        check_written(&file);
        atomic_store(&watched, true);
    }
    smol_mapping_close(&mapping);
    atomic_store(&watched, false);
    cr_assert(status == error.code && (status == SMOL_OK) == (error.text[0] == '\0'), "damage %u",
              number);
    cr_assert(status == SMOL_OK || error.offset == SMOL_NO_OFFSET || error.offset <= size,
              "damage %u", number);
    cr_assert_eq(atomic_load(&held), 0, "damage %u: %ld bytes leak", number, atomic_load(&held));
    cr_assert(atomic_load(&most_held) <= 2 * (long)size + EXTRA_BYTES,
              "damage %u: %ld bytes for a file of %zu", number, atomic_load(&most_held), size);
    n_seen[status]++;
}

static size_t flip_bits(uint8_t *bytes, size_t size, uint64_t *random)
{
    for (unsigned n = 1 + mutate_random(random) % 8; n > 0; n--)
        bytes[mutate_random(random) % size] ^= (uint8_t)(1u << mutate_random(random) % 8);
    return size;
}

/* The beginning of a file, and then the rest of another from any place. */
static size_t splice(uint8_t *bytes, size_t size, uint64_t *random)
{
    const struct model *other = &models[mutate_random(random) % N_RECIPES];
    const size_t head = mutate_random(random) % size,
                 from = mutate_random(random) % other->signed_size;

    memcpy(bytes + head, other->bytes + from, other->signed_size - from);
    return head + other->signed_size - from;
}

/* Bytes taken out of the middle. */
static size_t cut_out(uint8_t *bytes, size_t size, uint64_t *random)
{
    const size_t at = mutate_random(random) % size, n = 1 + mutate_random(random) % (size - at);

    memmove(bytes + at, bytes + at + n, size - at - n);
    return size - n;
}

static size_t damage(uint8_t *bytes, size_t size, uint64_t *random)
{
    switch (mutate_random(random) % 6) {
    case 0: return flip_bits(bytes, size, random);
    case 1: return 1 + mutate_random(random) % size;
    case 2: return splice(bytes, size, random);
    case 3: return cut_out(bytes, size, random);
    default: return mutate(bytes, size, CAPACITY, random);
    }
}

/* Each rule of the reader that a change of bytes is likely to break has been met, and files have
 * been accepted: those whose damage was undone by the next, and those whose hash was repaired. */
static void check_variety(void)
{
    static const enum smol_status expected[] = {
        SMOL_OK,         SMOL_E_MAGIC,     SMOL_E_VERSION,   SMOL_E_TRUNCATED, SMOL_E_TRAILING,
        SMOL_E_RESERVED, SMOL_E_SECTION,   SMOL_E_SIZE,      SMOL_E_PADDING,   SMOL_E_RANGE,
        SMOL_E_ENUM,     SMOL_E_NONFINITE, SMOL_E_CANONICAL, SMOL_E_TEXT,      SMOL_E_CHECKSUM,
        SMOL_E_HASH,     SMOL_E_SIGNATURE};

    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        cr_assert(n_seen[expected[i]] > 0, "%s never came", smol_status_name(expected[i]));
}

Test(damage, of_ten_thousand_kinds_is_refused, .timeout = 240)
{
    static uint8_t bytes[CAPACITY];
    char path[] = "/tmp/smol-damage-XXXXXX";
    const int fd = mkstemp(path);
    uint64_t random = 20261124;

    cr_assert(fd >= 0);
    make_models();
    for (unsigned i = 0; i < N_DAMAGES; i++) {
        const struct model *model = &models[i % N_RECIPES];
        /* Repaired is nothing, all but the sections, or all. */
        const unsigned repaired = mutate_random(&random) % 3;
        size_t size = mutate_random(&random) % 2 ? model->size : model->signed_size;
        memcpy(bytes, model->bytes, size);
        size = damage(bytes, size, &random);
        if (repaired && size > 0)
            repair(bytes, size, repaired == 2);
        cr_assert(ftruncate(fd, 0) == 0 && pwrite(fd, bytes, size, 0) == (ssize_t)size);
        open_watched(path, bytes, size, repaired > 0, i);
    }
    check_variety();
    close(fd);
    unlink(path);
    for (unsigned i = 0; i < N_RECIPES; i++)
        free(models[i].bytes);
}

/* What the counting rests on. */
Test(damage, is_counted)
{
    void *volatile p; /* or a compiler does without the memory */

    atomic_store(&watched, true);
    p = malloc(1000);
    cr_assert(atomic_load(&held) >= 1000);
    p = realloc(p, 5000);
    cr_assert(atomic_load(&held) >= 5000 && atomic_load(&most_held) >= 5000);
    free(p);
    cr_assert_eq(atomic_load(&held), 0);
    p = mmap(NULL, 70000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    cr_assert_eq(atomic_load(&held), 70000);
    munmap(p, 70000);
    cr_assert_eq(atomic_load(&held), 0);
    atomic_store(&watched, false);
}
