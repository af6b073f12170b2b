/* The nth allocation of a tokenizer fails, for every n, once and from then on: MEMORY is what comes
 * of it, and under the sanitizers nothing is lost. */
#include <criterion/criterion.h>
#include <smol/tokenizer.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);

static long left = -1; /* allocations before one fails; below 0: none does */
static bool for_ever;

static bool fails(void)
{
    if (left < 0)
        return false;
    if (left > 0) {
        left--;
        return false;
    }
    left = for_ever ? 0 : -1;
    return true;
}

void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }

void *__wrap_calloc(size_t n, size_t size) { return fails() ? NULL : __real_calloc(n, size); }

void *__wrap_realloc(void *p, size_t size) { return fails() ? NULL : __real_realloc(p, size); }

static const uint8_t text[] =
    "the theme of the thesis <|endoftext|> is the theme that they thematise, then, thereafter";

static enum smol_status train(uint8_t **bytes, size_t *size, struct smol_error *error)
{
    struct smol_bpe_trainer *trainer;
    enum smol_status status = smol_bpe_create(&trainer, error);

    if (status)
        return status;
    status = smol_bpe_add(trainer, text, sizeof text - 1, error);
    if (!status)
        status = smol_bpe_finish(bytes, size, trainer, 270, NULL, NULL, error);
    smol_bpe_destroy(trainer);
    return status;
}

static enum smol_status encode(const uint8_t *bytes, size_t size, struct smol_error *error)
{
    struct smol_file tokenizer;
    struct smol_encoder *encoder;
    uint32_t tokens[sizeof text];
    size_t n;
    enum smol_status status = smol_tokenizer_parse(&tokenizer, bytes, size, error);

    if (status || (status = smol_encoder_create(&encoder, &tokenizer, error)))
        return status;
    status = smol_encode(&n, tokens, encoder, text, sizeof text - 1, error);
    smol_encoder_destroy(encoder);
    return status;
}

/* Both from n = 0 on until nothing fails; at least so many allocations there are. */
static void fail_each(bool again_and_again, const uint8_t *good, size_t good_size)
{
    for (int what = 0; what < 2; what++) {
        enum smol_status status = SMOL_E_MEMORY;
        long n;
        for (n = 0; status != SMOL_OK; n++) {
            struct smol_error error = {0};
            uint8_t *bytes = NULL;
            size_t size = 0;
            for_ever = again_and_again;
            left = n;
            status = what == 0 ? train(&bytes, &size, &error) : encode(good, good_size, &error);
            left = -1;
            cr_assert(status == SMOL_OK || (status == SMOL_E_MEMORY && error.text[0] != '\0'),
                      "allocation %ld", n);
            free(bytes);
        }
        cr_assert_gt(n, what == 0 ? 12 : 8, "%ld allocations", n);
    }
}

Test(tokenizer_memory, every_allocation_may_fail)
{
    struct smol_error error = {0};
    uint8_t *good;
    size_t size;

    cr_assert_eq(train(&good, &size, &error), SMOL_OK, "%s", error.text);
    fail_each(false, good, size);
    fail_each(true, good, size);
    free(good);
}
