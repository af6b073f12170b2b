/* Texts packed over a model's handle, whose tokens are its own; and memory that is refused, of
 * which nothing is lost under the sanitizers. The build redirects malloc and its kin to here. */
#include "make_model.h"

#include <criterion/criterion.h>
#include <smol/model.h>
#include <smol/pack.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);

static long left = -1; /* allocations before one fails; below 0: none does */

static bool fails(void) { return left >= 0 && left-- == 0; }

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }

void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
    return fails() ? NULL : __real_aligned_alloc(alignment, size);
}

static const struct model_recipe recipes[] = {
    {.context = 20},
    {.context = 20, .vocab = 320, .n_merges = 50},
    {.context = 20, .vocab = 40, .has_set = true, .has_other = true, .has_end = true},
};
#define N_RECIPES (sizeof recipes / sizeof *recipes)

/* The bytes are for free(), after the model is closed. */
static struct smol_model *open_model(uint8_t **bytes, const struct model_recipe *recipe)
{
    struct smol_model *model = NULL;
    struct smol_error error = {0};
    size_t size;

    *bytes = model_make(&size, recipe);
    cr_assert_eq(smol_model_open_memory(&model, *bytes, size, 1, &error), SMOL_OK, "%s",
                 error.text);
    return model;
}

/* What the end of text is written as is text here, and stands for itself. */
Test(pack_handle, texts_come_back)
{
    static const char *const texts[] = {
        "",
        "a",
        "<|endoftext|>",
        "<|endoftext|><|endoftext|>",
        "so <|endof <|endoftext|> text|>",
        "na\xc3\xafve \xe2\x98\x85",
    };

    for (size_t i = 0; i < N_RECIPES; i++) {
        uint8_t *bytes;
        struct smol_model *model = open_model(&bytes, &recipes[i]);
        for (size_t j = 0; j < sizeof texts / sizeof *texts; j++) {
            uint8_t packed[SMOL_PACKED_BOUND(64)];
            char back[64];
            const size_t n = strlen(texts[j]);
            size_t n_packed, n_back;
            struct smol_error error = {0};
            cr_assert_eq(smol_pack(&n_packed, packed, model, NULL, texts[j], n, &error), SMOL_OK,
                         "%s", error.text);
            cr_assert_eq(
                smol_unpack(&n_back, back, sizeof back, model, NULL, packed, n_packed, &error),
                SMOL_OK, "%s", error.text);
            cr_assert_eq(n_back, n);
            cr_assert_arr_eq(back, texts[j], n);
        }
        smol_model_close(model);
        free(bytes);
    }
}

Test(pack_handle, every_allocation_may_fail)
{
    for (size_t i = 0; i < N_RECIPES; i++) {
        uint8_t *bytes, packed[SMOL_PACKED_BOUND(64)];
        struct smol_model *model = open_model(&bytes, &recipes[i]);
        enum smol_status status = SMOL_E_MEMORY;
        struct smol_error error = {0};
        char text[64];
        size_t n_packed = 0, n = 0, n_failed = 0;
        for (; status; n_failed++) {
            left = (long)n_failed;
            status = smol_pack(&n_packed, packed, model, NULL, "abc", 3, &error);
            cr_assert(status == SMOL_OK || status == SMOL_E_MEMORY, "%s", error.text);
        }
        cr_assert_geq(n_failed, 2, "nothing was refused");
        left = 0;
        cr_assert_eq(smol_unpack(&n, text, 64, model, NULL, packed, n_packed, &error),
                     SMOL_E_MEMORY);
        left = -1;
        cr_assert_eq(smol_unpack(&n, text, 64, model, NULL, packed, n_packed, &error), SMOL_OK);
        cr_assert_eq(n, 3);
        smol_model_close(model);
        free(bytes);
    }
}
