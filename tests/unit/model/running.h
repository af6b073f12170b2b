/* A session over a model of a test's, in memory of its own. */
#ifndef TEST_RUNNING_H
#define TEST_RUNNING_H

#include "make_model.h"

#include <criterion/criterion.h>
#include <smol/session.h>
#include <stdlib.h>
#include <string.h>

struct running {
    struct smol_file file;
    struct smol_session *session;
    void *memory;
};

/* A session for the model in r->file. */
static inline void begin_options(struct running *r, const struct smol_session_options *options)
{
    struct smol_error error = {0};
    size_t size;

    cr_assert_eq(smol_session_size(&size, &r->file, options, &error), SMOL_OK, "%s", error.text);
    r->memory = aligned_alloc(64, (size + 63) / 64 * 64);
    /* Nothing may rest on what the memory held before. */
    memset(r->memory, 0xa5, size);
    cr_assert_eq(smol_session_init(&r->session, &r->file, options, r->memory, size, &error),
                 SMOL_OK, "%s", error.text);
}

static inline void begin(struct running *r, uint32_t n_threads, uint32_t batch)
{
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .n_threads = n_threads, .batch = batch};

    begin_options(r, &options);
}

static inline void start(struct running *r, const struct model_recipe *recipe, uint32_t n_threads,
                         uint32_t batch)
{
    model_open(&r->file, recipe);
    begin(r, n_threads, batch);
}

static inline void finish(struct running *r)
{
    smol_session_finish(r->session);
    free(r->memory);
    free((void *)(uintptr_t)r->file.bytes.data);
}

#endif
