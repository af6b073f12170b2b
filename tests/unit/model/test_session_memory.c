/* What a session costs: it allocates nothing, stays below its budget, and touches no page of the KV
 * cache before it is used. The build redirects the library's calls of malloc and its kin, and of
 * pthread_create, to here (--wrap). */
#define _DEFAULT_SOURCE /* mincore, MAP_ANONYMOUS */
#include "make_model.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <smol/initial.h>
#include <smol/pack.h>
#include <smol/sampler.h>
#include <smol/session.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
int __real_posix_memalign(void **p, size_t alignment, size_t size);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*main)(void *),
                          void *arg);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
int __wrap_posix_memalign(void **p, size_t alignment, size_t size);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*main)(void *),
                          void *arg);

static atomic_uint n_allocations;
static int threads_left = 1000;

void *__wrap_malloc(size_t size)
{
    atomic_fetch_add(&n_allocations, 1);
    return __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
    atomic_fetch_add(&n_allocations, 1);
    return __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
    atomic_fetch_add(&n_allocations, 1);
    return __real_realloc(p, size);
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    atomic_fetch_add(&n_allocations, 1);
    return __real_aligned_alloc(alignment, size);
}

int __wrap_posix_memalign(void **p, size_t alignment, size_t size)
{
    atomic_fetch_add(&n_allocations, 1);
    return __real_posix_memalign(p, alignment, size);
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*main)(void *),
                          void *arg)
{
    return threads_left-- > 0 ? __real_pthread_create(thread, attr, main, arg) : EAGAIN;
}

static void *pages(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    cr_assert_neq(p, MAP_FAILED);
    return p;
}

static struct smol_session *create(const struct smol_file *file,
                                   const struct smol_session_options *o, void **memory,
                                   size_t *size)
{
    struct smol_session *session;

    cr_assert_eq(smol_session_size(size, file, o, NULL), SMOL_OK);
    *memory = pages(*size);
    cr_assert_eq(smol_session_init(&session, file, o, *memory, *size, NULL), SMOL_OK);
    return session;
}

static struct smol_sampler *create_sampler(uint32_t vocab, void **memory, size_t *size)
{
    struct smol_sampler_options o;
    struct smol_sampler *sampler;

    smol_sampler_defaults(&o, sizeof o);
    o.repeat_penalty = 1.1f;
    cr_assert_eq(smol_sampler_size(size, vocab, &o, NULL), SMOL_OK);
    *memory = pages(*size);
    cr_assert_eq(smol_sampler_init(&sampler, vocab, &o, *memory, *size, NULL), SMOL_OK);
    return sampler;
}

Test(memory, nothing_is_allocated_once_there_is_a_session)
{
    static const struct model_recipe recipe = {
        .source = SMOL_MATRIX_OWN, .d = 12, .rank = 3, .norms = SMOL_NORM_OWN, .wte_type = SMOL_Q8};
    uint32_t tokens[5] = {1, 2, 3, 4, 5};
    void *memory, *sampler_memory;
    struct smol_session *session;
    struct smol_sampler *sampler;
    size_t size, sampler_size;
    struct smol_file file;
    double nats[2];
    unsigned before;

    model_open(&file, &recipe);
    cr_assert_gt(n_allocations, 0, "the counters are not in place");
    session =
        create(&file,
               &(struct smol_session_options){
                   .struct_bytes = sizeof(struct smol_session_options), .n_threads = 3, .batch = 2},
               &memory, &size);
    sampler = create_sampler(256, &sampler_memory, &sampler_size);
    before = n_allocations;
    cr_assert_eq(smol_session_feed(session, tokens, 5, NULL), SMOL_OK);
    for (int i = 0; i < 3; i++) {
        cr_assert_eq(smol_sampler_pick(tokens, sampler, smol_session_logits(session), NULL),
                     SMOL_OK);
        cr_assert_eq(smol_session_feed(session, tokens, 1, NULL), SMOL_OK);
    }
    cr_assert_eq(smol_session_score(session, nats, tokens, tokens + 1, 2, NULL), SMOL_OK);
    smol_session_rewind(session, 0);
    cr_assert_eq(smol_session_feed(session, tokens, 5, NULL), SMOL_OK);
    cr_assert_eq(n_allocations, before);
    smol_session_finish(session);
    munmap(memory, size);
    munmap(sampler_memory, sampler_size);
    free((void *)(uintptr_t)file.bytes.data);
}

/* Texts longer than the context, of a model without end and of another one. */
Test(memory, nothing_is_allocated_once_there_is_a_packer)
{
    static const struct model_recipe recipes[] = {
        {.features = SMOL_ALL_FEATURES, .source = SMOL_MATRIX_MASK, .context = 9},
        {.context = 9, .n_merges = 20, .vocab = 280}};

    for (size_t i = 0; i < 2; i++) {
        uint8_t text[40] = {0}, packed[SMOL_PACKED_BOUND(sizeof text)];
        uint32_t tokens[sizeof text];
        struct smol_packer *packer;
        struct smol_file file;
        size_t size, n;
        unsigned before;
        void *memory;
        model_open(&file, &recipes[i]);
        for (size_t j = 0; j < sizeof text; j++) /* the token of byte 0, in GPT-2's order */
            tokens[j] = 188;
        cr_assert_eq(smol_packer_size(&size, &file, NULL, NULL), SMOL_OK);
        memory = pages(size);
        cr_assert_eq(smol_packer_init(&packer, &file, NULL, memory, size, NULL), SMOL_OK);
        before = n_allocations;
        cr_assert_eq(
            smol_packer_pack(&n, packed, packer, text, sizeof text, tokens, sizeof text, NULL),
            SMOL_OK);
        cr_assert_eq(smol_packer_unpack(&n, text, sizeof text, packer, packed, n, NULL), SMOL_OK);
        cr_assert_eq(n, sizeof text);
        cr_assert_eq(n_allocations, before);
        smol_packer_finish(packer);
        munmap(memory, size);
        free((void *)(uintptr_t)file.bytes.data);
    }
}

/* A view of a file with nothing in it but its configuration, enough to ask for a size. */
static void gpt2_shape(struct smol_file *file)
{
    const struct smol_scheme matrix = {.kind = SMOL_MATRIX, .source = SMOL_MATRIX_UNIT, .d = 1};
    const struct smol_scheme norm = {
        .kind = SMOL_NORM, .source = SMOL_NORM_STORED, .value_type = SMOL_F16};

    memset(file, 0, sizeof *file);
    file->config.n_layers = file->config.n_heads = 12;
    file->config.width = 768;
    file->config.n_ff = 3072;
    file->config.context = 1024;
    file->config.vocab = 50257;
    smol_config_fill(&file->config, &matrix, &norm, 1.0);
    cr_assert_eq(smol_config_check(&file->config, NULL), SMOL_OK);
}

Test(memory, a_session_of_gpt2_is_its_cache_and_a_few_megabytes)
{
    const size_t cache = (size_t)2 * 12 * 1024 * 768 * sizeof(float);
    struct smol_session_options o = {.struct_bytes = sizeof o, .n_threads = 2};
    struct smol_file file;
    size_t size;

    gpt2_shape(&file);
    cr_assert_eq(smol_session_size(&size, &file, &o, NULL), SMOL_OK);
    cr_assert_geq(size, cache);
    cr_assert_lt(size, cache + 7000000, "%zu bytes beside the cache", size - cache);
    o.context = 16;
    cr_assert_eq(smol_session_size(&size, &file, &o, NULL), SMOL_OK);
    cr_assert_lt(size, cache / 64 + 6000000);
}

/* Masks and stored rows are read where they are, and a cache that slides has a quarter more. */
Test(memory, a_session_without_end_is_its_cache_and_a_little)
{
    static const struct model_recipe recipe = {.features = SMOL_ALL_FEATURES,
                                               .source = SMOL_MATRIX_STORED,
                                               .alpha_type = SMOL_F16,
                                               .width = 128,
                                               .context = 2048};
    const size_t cache = (size_t)2 * 2 * 2048 * 128 * sizeof(float);
    struct smol_session_options o = {.struct_bytes = sizeof o};
    struct smol_file file;
    size_t size;

    model_open(&file, &recipe);
    cr_assert_eq(smol_session_size(&size, &file, &o, NULL), SMOL_OK);
    cr_assert_geq(size, cache / 4 * 5 - 10000);
    cr_assert_lt(size, cache / 4 * 5 + 1000000, "%zu bytes beside the cache", size - cache);
    free((void *)(uintptr_t)file.bytes.data);
}

/* Ten thousand tokens on, a text without end has neither allocated nor grown. */
Test(memory, a_text_without_end_stays_where_it_is)
{
    static const struct model_recipe recipe = {
        .features = SMOL_ALL_FEATURES, .source = SMOL_MATRIX_MASK, .context = 9};
    struct smol_session *session;
    struct smol_file file;
    unsigned before;
    void *memory;
    size_t size;

    model_open(&file, &recipe);
    session = create(&file,
                     &(struct smol_session_options){
                         .struct_bytes = sizeof(struct smol_session_options), .batch = 4},
                     &memory, &size);
    before = n_allocations;
    for (uint32_t i = 0; i < 5000; i++) {
        const uint32_t tokens[2] = {i % 256, i / 7 % 256};
        cr_assert_eq(smol_session_feed(session, tokens, 2, NULL), SMOL_OK);
    }
    cr_assert_eq(smol_session_position(session), 10000);
    cr_assert_eq(n_allocations, before);
    smol_session_finish(session);
    munmap(memory, size);
    free((void *)(uintptr_t)file.bytes.data);
}

static size_t resident_bytes(void *memory, size_t size)
{
    const size_t page = (size_t)sysconf(_SC_PAGESIZE), n = (size + page - 1) / page;
    unsigned char *present = malloc(n);
    size_t count = 0;

    cr_assert_eq(mincore(memory, size, present), 0);
    for (size_t i = 0; i < n; i++)
        count += present[i] & 1;
    free(present);
    return count * page;
}

/* Bytes that a session has touched after three tokens, whose cache has so many, in such pages. */
static size_t touched_bytes(const struct model_recipe *recipe, uint32_t n_threads,
                            size_t cache_bytes, int advice)
{
    const struct smol_session_options o = {.struct_bytes = sizeof o, .n_threads = n_threads};
    const uint32_t tokens[3] = {1, 2, 3};
    struct smol_session *session;
    struct smol_file file;
    size_t size, touched;
    void *memory;

    model_open(&file, recipe);
    cr_assert_eq(smol_session_size(&size, &file, &o, NULL), SMOL_OK);
    cr_assert_gt(size, cache_bytes);
    memory = pages(size);
    madvise(memory, size, advice);
    cr_assert_eq(smol_session_init(&session, &file, &o, memory, size, NULL), SMOL_OK);
    cr_assert_eq(smol_session_feed(session, tokens, 3, NULL), SMOL_OK);
    touched = resident_bytes(memory, size);
    smol_session_finish(session);
    munmap(memory, size);
    free((void *)(uintptr_t)file.bytes.data);
    return touched;
}

/* 32 MB of cache, of which a few tokens use a page or two for each layer, keys and values. */
Test(memory, unused_pages_of_the_cache_are_not_touched)
{
    static const struct model_recipe recipe = {.context = 32768, .width = 64, .wpe_type = SMOL_Q8};

    cr_assert_lt(touched_bytes(&recipe, 2, (size_t)2 * 2 * 32768 * 64 * 4, MADV_NOHUGEPAGE),
                 1000000);
}

/* Nor are they where pages are large, and the rows of the 256 heads lie far apart in a full cache,
 * which has 134 MB: few tokens take few pages. A system without large pages has nothing to show. */
Test(memory, large_pages_of_the_cache_are_few)
{
    static const struct model_recipe recipe = {
        .context = 1024, .n_layers = 4, .width = 4096, .n_heads = 64, .n_ff = 64};

    cr_assert_lt(touched_bytes(&recipe, 1, (size_t)2 * 4 * 1024 * 4096 * 4, MADV_HUGEPAGE),
                 40000000);
}

/* The threads that were had are stopped again, which the sanitizers and this test's end see. */
Test(memory, a_thread_that_cannot_be_had_is_an_error, .timeout = 60)
{
    const struct smol_session_options o = {.struct_bytes = sizeof o, .n_threads = 6};
    struct smol_session *session = NULL;
    struct smol_error error;
    struct smol_file file;
    void *memory;
    size_t size;

    model_open(&file, &(struct model_recipe){.seed = 1});
    cr_assert_eq(smol_session_size(&size, &file, &o, NULL), SMOL_OK);
    memory = pages(size);
    for (int n = 0; n < 5; n++) {
        threads_left = n;
        cr_assert_eq(smol_session_init(&session, &file, &o, memory, size, &error), SMOL_E_MEMORY);
        cr_assert_null(session);
    }
    threads_left = 5;
    cr_assert_eq(smol_session_init(&session, &file, &o, memory, size, &error), SMOL_OK);
    smol_session_finish(session);
    munmap(memory, size);
    free((void *)(uintptr_t)file.bytes.data);
}
