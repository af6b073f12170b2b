/* Texts packed and unpacked, with models of every kind of token and context: they come back, in as
 * many bits as the logits say, and what is no packed text is refused. SPEC.md 15. */
#include "model/running.h"

#include <math.h>
#include <smol/pack.h>
#include <smol/tokenizer.h>
#include <stdio.h>

#define MAX_TEXT 2000u

static const struct model_recipe recipes[] = {
    {.context = 40},                                /* bytes; an end of its own */
    {.context = 12, .vocab = 122},                  /* bytes without a token */
    {.context = 1, .vocab = 97},                    /* nothing is remembered */
    {.context = 13, .vocab = 300},                  /* tokens for nothing */
    {.context = 200, .vocab = 60, .has_set = true}, /* a set, and an escape */
    {.context = 30, .vocab = 61, .has_set = true, .has_other = true},
    {.context = 16,
     .vocab = 80,
     .has_set = true,
     .has_other = true,
     .features = SMOL_FEATURE_DISTANCES | SMOL_FEATURE_HALF_SHIFT},
    {.context = 100, .vocab = 90, .features = SMOL_FEATURE_DISTANCES},
    {.context = 50, .vocab = 310, .n_merges = 40}, /* an end of text among the tokens */
    {.context = 90, .vocab = 70, .has_set = true, .has_end = true},
    {.context = 60,
     .vocab = 71,
     .has_set = true,
     .has_other = true,
     .has_end = true,
     .features = SMOL_FEATURE_DISTANCES | SMOL_FEATURE_HALF_SHIFT},
};
#define N_RECIPES (sizeof recipes / sizeof *recipes)

struct packing {
    struct smol_file file;
    struct smol_packer *packer;
    void *memory;
};

/* options: struct_bytes is filled in. */
static void start_options(struct packing *p, const struct model_recipe *r,
                          struct smol_pack_options options)
{
    struct model_recipe recipe = *r;
    struct smol_error error = {0};
    size_t size;

    options.struct_bytes = sizeof options;
    recipe.embedding_scale = r->embedding_scale != 0 ? r->embedding_scale : 2; /* sure of itself */
    model_open(&p->file, &recipe);
    cr_assert_eq(smol_packer_size(&size, &p->file, &options, &error), SMOL_OK, "%s", error.text);
    p->memory = aligned_alloc(64, (size + 63) / 64 * 64);
    memset(p->memory, 0xa5, size);
    cr_assert_eq(smol_packer_init(&p->packer, &p->file, &options, p->memory, size, &error), SMOL_OK,
                 "%s", error.text);
}

static void start_packing(struct packing *p, const struct model_recipe *r, bool has_check)
{
    start_options(p, r, (struct smol_pack_options){.has_check = has_check});
}

static void end_packing(struct packing *p)
{
    smol_packer_finish(p->packer);
    free(p->memory);
    free((void *)(uintptr_t)p->file.bytes.data);
}

/* What the model says itself, of which some bytes are others. Bytes (n); tokens (n), of
 * models whose tokens are not bytes. Returns how many bytes there are. */
static size_t say(uint8_t *text, uint32_t *tokens, size_t *n_tokens, const struct smol_file *file,
                  size_t n, uint64_t random)
{
    struct running r = {.file = *file};
    uint32_t token = smol_start_token(file), end = UINT32_MAX;
    const bool is_bytes = file->config.tokenizer != SMOL_TOKENIZER_BPE;
    size_t size = 0;

    smol_end_token(&end, file);
    begin(&r, 1, 0);
    for (*n_tokens = 0; *n_tokens < n; ++*n_tokens) {
        uint8_t memory[SMOL_MAX_TOKEN_BYTES];
        struct smol_span span = {NULL, 0};
        if (!smol_session_slides(r.session) &&
            smol_session_position(r.session) == smol_session_context(r.session))
            smol_session_rewind(r.session, 0);
        cr_assert_eq(smol_session_feed(r.session, &token, 1, NULL), SMOL_OK);
        for (uint32_t v = token = 0; v < smol_token_count(file); v++)
            if (smol_session_logits(r.session)[v] > smol_session_logits(r.session)[token])
                token = v;
        while (test_random(&random) % 16 == 0 || token == end)
            token = test_random(&random) % smol_token_count(file);
        span = smol_token_bytes(memory, file, token);
        if (size + span.size_bytes > n)
            break;
        memcpy(text + size, span.data, span.size_bytes);
        size += span.size_bytes;
        tokens[*n_tokens] = token;
    }
    smol_session_finish(r.session);
    free(r.memory);
    *n_tokens = is_bytes ? 0 : *n_tokens;
    return size;
}

static size_t pack(uint8_t *packed, struct packing *p, const uint8_t *text, size_t n,
                   const uint32_t *tokens, size_t n_tokens)
{
    struct smol_error error = {0};
    size_t size = SIZE_MAX;

    memset(packed, 0xcc, SMOL_PACKED_BOUND(n) + 1);
    cr_assert_eq(smol_packer_pack(&size, packed, p->packer, text, n, tokens, n_tokens, &error),
                 SMOL_OK, "%s", error.text);
    cr_assert_leq(size, n ? SMOL_PACKED_BOUND(n) : 0);
    cr_assert_eq(packed[SMOL_PACKED_BOUND(n)], 0xcc);
    return size;
}

static void expect(struct packing *p, const uint8_t *packed, size_t size, const uint8_t *text,
                   size_t n, const char *what)
{
    uint8_t back[MAX_TEXT + 1];
    struct smol_error error = {0};
    size_t n_back;

    back[n] = 0xcc;
    cr_assert_eq(smol_packer_unpack(&n_back, back, n, p->packer, packed, size, &error), SMOL_OK,
                 "%s: %s", what, error.text);
    cr_assert_eq(n_back, n, "%s: %zu bytes of %zu", what, n_back, n);
    cr_assert(memcmp(back, text, n) == 0, "%s", what);
    cr_assert_eq(back[n], 0xcc);
}

static void refuse(struct packing *p, const uint8_t *packed, size_t size, size_t capacity,
                   enum smol_status status, const char *what)
{
    uint8_t back[MAX_TEXT + 1];
    size_t n = 77;

    back[capacity] = 0xcc;
    cr_assert_eq(smol_packer_unpack(&n, back, capacity, p->packer, packed, size, NULL), status,
                 "%s", what);
    cr_assert_eq(n, 77);
    cr_assert_eq(back[capacity], 0xcc);
}

Test(pack, what_a_model_says_comes_back_in_few_bytes)
{
    for (size_t i = 0; i < N_RECIPES; i++)
        for (int check = 0; check < 2; check++) {
            struct packing p;
            uint8_t text[300], packed[SMOL_PACKED_BOUND(sizeof text) + 1];
            uint32_t tokens[sizeof text];
            char what[40];
            size_t n_tokens, n, size;
            start_packing(&p, &recipes[i], check);
            snprintf(what, sizeof what, "recipe %zu, check %d", i, check);
            n = say(text, tokens, &n_tokens, &p.file, sizeof text, 5);
            size = pack(packed, &p, text, n, tokens, n_tokens);
            cr_assert_lt(size, n * 9 / 10, "%s: %zu of %zu bytes", what, size, n);
            cr_assert_neq(packed[0] >> 4, 0);
            expect(&p, packed, size, text, n, what);
            refuse(&p, packed, size, n - 1, SMOL_E_ARGUMENT, what);
            end_packing(&p);
        }
}

/* max_bytes where the text is so long: each has a context that holds it, and none slides. */
Test(pack, options_do_not_change_the_bytes)
{
    static const struct smol_pack_options options[] = {
        {.batch = 1},      {.batch = 7},
        {.n_threads = 3},  {.isa = SMOL_ISA_SCALAR},
        {.max_bytes = 30}, {.max_bytes = 30, .batch = 1},
    };

    for (size_t i = 0; i < N_RECIPES; i++) {
        struct packing p, q;
        uint8_t text[30], packed[SMOL_PACKED_BOUND(30) + 1], again[SMOL_PACKED_BOUND(30) + 1];
        uint32_t tokens[30];
        size_t n_tokens, n, size;
        start_packing(&p, &recipes[i], false);
        n = say(text, tokens, &n_tokens, &p.file, sizeof text, i + 20);
        size = pack(packed, &p, text, n, tokens, n_tokens);
        for (size_t j = 0; j < sizeof options / sizeof *options; j++) {
            start_options(&q, &recipes[i], options[j]);
            cr_assert_eq(pack(again, &q, text, n, tokens, n_tokens), size);
            cr_assert_arr_eq(again, packed, size, "recipe %zu, options %zu", i, j);
            expect(&q, packed, size, text, n, "other options");
            end_packing(&q);
        }
        end_packing(&p);
    }
}

#define N_SEVERAL 23u

/* Texts of all lengths, the empty one, one that is damaged and one for which there is no room among
 * them; some of them turn, or slide. */
Test(pack, several_texts_come_back_side_by_side)
{
    static const uint64_t n_texts[] = {0, 1, 2, 5, SMOL_PACKER_MAX_TEXTS};

    for (size_t i = 0; i < N_RECIPES; i++) {
        static uint8_t texts[N_SEVERAL][300], packed[N_SEVERAL][SMOL_PACKED_BOUND(300) + 1],
            back[N_SEVERAL][300];
        size_t sizes[N_SEVERAL], packed_sizes[N_SEVERAL];
        struct packing p;
        start_packing(&p, &recipes[i], true);
        for (size_t k = 0; k < N_SEVERAL; k++) {
            uint32_t tokens[300];
            size_t n_tokens;
            sizes[k] = say(texts[k], tokens, &n_tokens, &p.file, k * 13, k);
            packed_sizes[k] = pack(packed[k], &p, texts[k], sizes[k], tokens, n_tokens);
        }
        end_packing(&p);
        for (size_t j = 0; j < sizeof n_texts / sizeof *n_texts; j++) {
            struct smol_packed_text items[N_SEVERAL];
            start_options(&p, &recipes[i],
                          (struct smol_pack_options){.has_check = true, .n_texts = n_texts[j]});
            for (size_t k = 0; k < N_SEVERAL; k++)
                items[k] = (struct smol_packed_text){.packed = packed[k],
                                                     .packed_bytes = packed_sizes[k],
                                                     .text = back[k],
                                                     .capacity_bytes = sizes[k]};
            items[9].packed = "\x02b";
            items[9].packed_bytes = 2;
            items[12].capacity_bytes--;
            for (unsigned again = 0; again < 2; again++) {
                memset(back, 0xcc, sizeof back);
                cr_assert_eq(smol_packer_unpack_texts(p.packer, items, N_SEVERAL, NULL), SMOL_OK);
                for (size_t k = 0; k < N_SEVERAL; k++) {
                    cr_assert_eq(items[k].status,
                                 k == 9    ? SMOL_E_PACKED
                                 : k == 12 ? SMOL_E_ARGUMENT
                                           : SMOL_OK,
                                 "recipe %zu, text %zu of %zu bytes, %zu texts: %s", i, k, sizes[k],
                                 (size_t)n_texts[j], items[k].error.text);
                    if (items[k].status) {
                        cr_assert(items[k].error.text[0]);
                        continue;
                    }
                    cr_assert_eq(items[k].size_bytes, sizes[k]);
                    cr_assert(memcmp(back[k], texts[k], sizes[k]) == 0, "recipe %zu, text %zu", i,
                              k);
                }
            }
            end_packing(&p);
        }
    }
}

Test(pack, more_texts_side_by_side_than_there_may_be_are_refused)
{
    const struct smol_pack_options options = {.struct_bytes = sizeof options,
                                              .n_texts = SMOL_PACKER_MAX_TEXTS + 1};
    struct packing p;
    size_t size;

    start_packing(&p, &recipes[0], false);
    cr_assert_eq(smol_packer_size(&size, &p.file, &options, NULL), SMOL_E_ARGUMENT);
    end_packing(&p);
}

Test(pack, texts_are_as_short_as_the_packer_was_told)
{
    struct packing p, q;
    uint8_t text[30], packed[SMOL_PACKED_BOUND(30) + 1];
    uint32_t tokens[30];
    size_t n_tokens, n, size, less;

    start_packing(&p, &recipes[7], false);
    start_options(&q, &recipes[7], (struct smol_pack_options){.max_bytes = 29});
    n = say(text, tokens, &n_tokens, &p.file, sizeof text, 1);
    cr_assert_eq(n, 30);
    cr_assert_eq(smol_packer_pack(&size, packed, q.packer, text, 30, NULL, 0, NULL),
                 SMOL_E_ARGUMENT);
    refuse(&q, packed, pack(packed, &p, text, 30, NULL, 0), 30, SMOL_E_ARGUMENT, "too long");
    expect(&q, packed, pack(packed, &q, text, 29, NULL, 0), text, 29, "as long as it may be");
    cr_assert_eq(smol_packer_size(&size, &p.file, NULL, NULL), SMOL_OK);
    cr_assert_eq(smol_packer_size(
                     &less, &p.file,
                     &(struct smol_pack_options){.struct_bytes = sizeof(struct smol_pack_options),
                                                 .max_bytes = 29,
                                                 .batch = 1},
                     NULL),
                 SMOL_OK);
    cr_assert_lt(less, size);
    end_packing(&p);
    end_packing(&q);
}

/* By SPEC.md 11: the losses of the tokens; the end has 1 of 4097 parts, as all else has 4096. */
Test(pack, takes_the_bits_that_the_losses_say)
{
    struct model_recipe recipe = recipes[7];
    struct packing p;
    struct running r;
    uint8_t text[300], packed[SMOL_PACKED_BOUND(sizeof text) + 1];
    uint32_t tokens[sizeof text + 1];
    double nats[sizeof text], bits;
    size_t n_tokens, n;

    recipe.embedding_scale = 0.5f; /* so that nothing is as rare as 2^-24 */
    start_packing(&p, &recipe, false);
    n = say(text, tokens, &n_tokens, &p.file, sizeof text, 8);
    bits = 4 + 12 + (double)(n + 1) * log2(4097 / 4096.0);
    r.file = p.file;
    begin(&r, 1, 0);
    tokens[0] = smol_start_token(&p.file);
    for (size_t i = 0; i < n; i++)
        tokens[i + 1] = text[i];
    cr_assert_eq(smol_session_score(r.session, nats, tokens, tokens + 1, n, NULL), SMOL_OK);
    for (size_t i = 0; i < n; i++)
        bits += nats[i] / log(2);
    /* Up to a byte for the end; counts are rounded up by less than one in 2^24 each. */
    cr_assert_float_eq(8 * (double)pack(packed, &p, text, n, NULL, 0), bits + 4, 5);
    smol_session_finish(r.session);
    free(r.memory);
    end_packing(&p);
}

/* Characters that a set of bytes lacks, in the middle of what it has. */
Test(pack, what_has_no_token_comes_back)
{
    static const char *const odd[] = {
        "\xc3\xa4",
        "\xdf\xbf",
        "\xe0\xa0\x80",
        "\xed\x9f\xbf",
        "\xee\x80\x80",
        "\xef\xbf\xbf",
        "\xf0\x9f\x80\x80",
        "\xf0\x9f\xbf\xbf",
        "\xf0\x90\x80\x80",
        "\xf4\x8f\xbf\xbf",
        "\x80",
        "\xff\xfe",
        "\xc3",
        "\xe2\x98",
        "\xed\xa0\x80",
        "\xc0\x80",
        "\xf5\x80\x80\x80",
        "\x7f\x01",
    };

    for (size_t i = 0; i < N_RECIPES; i++) {
        struct packing p;
        uint8_t text[50], packed[SMOL_PACKED_BOUND(sizeof text) + 1];
        uint32_t tokens[sizeof text];
        size_t n_tokens, n;
        start_packing(&p, &recipes[i], false);
        for (size_t j = 0;
             j < sizeof odd / sizeof *odd && recipes[i].vocab && recipes[i].vocab < 256; j++) {
            const size_t n_odd = strlen(odd[j]);
            n = say(text, tokens, &n_tokens, &p.file, sizeof text - n_odd, j + 1);
            const size_t at = j % 2 ? n : n / 2;
            uint8_t longer[sizeof text];
            memcpy(longer, text, at);
            memcpy(longer + at, odd[j], n_odd);
            memcpy(longer + at + n_odd, text + at, n - at);
            const size_t size = pack(packed, &p, longer, n + n_odd, NULL, 0);
            cr_assert(packed[0] >> 4, "recipe %zu, %zu at %zu", i, j, at);
            expect(&p, packed, size, longer, n + n_odd, odd[j]);
        }
        end_packing(&p);
    }
}

Test(pack, what_a_model_does_not_expect_stays_as_it_is)
{
    for (int check = 0; check < 2; check++) {
        struct packing p;
        uint8_t text[MAX_TEXT], packed[SMOL_PACKED_BOUND(MAX_TEXT) + 1];
        uint64_t random = 9;
        start_packing(&p, &recipes[0], check);
        for (size_t i = 0; i < MAX_TEXT; i++)
            text[i] = (uint8_t)test_random(&random);
        for (size_t n = 0; n <= MAX_TEXT; n = 3 * n + 1) {
            const size_t size = pack(packed, &p, text, n, NULL, 0);
            cr_assert_leq(size, n ? n + 1 + (size_t)check : 0);
            expect(&p, packed, size, text, n, "random bytes");
        }
        end_packing(&p);
    }
}

/* XXH3-64 of "a" is e6c632b61e964e1f, says xxhsum. */
Test(pack, a_text_as_it_is_with_and_without_a_check)
{
    static const uint8_t plain[] = {0x00, 'a'}, checked[] = {0x01, 'a', 0x1f},
                         wrong[] = {0x01, 'a', 0x1e}, cut[] = {0x01}, reserved[] = {0x02, 'a'},
                         none[] = {0x01, 0xc2};
    struct packing p, q;

    start_packing(&p, &recipes[0], false);
    start_packing(&q, &recipes[0], true);
    expect(&p, plain, 2, (const uint8_t *)"a", 1, "plain");
    expect(&p, checked, 3, (const uint8_t *)"a", 1, "a check that was not asked for");
    expect(&q, checked, 3, (const uint8_t *)"a", 1, "a check");
    refuse(&q, plain, 2, 9, SMOL_E_PACKED, "no check");
    refuse(&p, wrong, 3, 9, SMOL_E_PACKED, "another check");
    refuse(&p, cut, 1, 9, SMOL_E_PACKED, "cut short");
    refuse(&p, reserved, 2, 9, SMOL_E_PACKED, "other bits");
    refuse(&p, plain, 1, 9, SMOL_E_PACKED, "no text");
    refuse(&p, none, 2, 9, SMOL_E_PACKED, "no text, and its check");
    refuse(&p, plain, 2, 0, SMOL_E_ARGUMENT, "no room");
    end_packing(&p);
    end_packing(&q);
}

Test(pack, damage_is_noticed_by_the_check)
{
    struct packing p, without;
    uint8_t text[40], back[sizeof text], packed[SMOL_PACKED_BOUND(sizeof text) + 1];
    uint32_t tokens[sizeof text];
    size_t n_tokens, n, missed = 0, size, n_back;

    start_packing(&p, &recipes[5], true);
    start_packing(&without, &recipes[5], false);
    n = say(text, tokens, &n_tokens, &p.file, sizeof text, 3);
    size = pack(packed, &p, text, n, NULL, 0);
    cr_assert(packed[0] >> 4);
    expect(&without, packed, size, text, n, "a check that was not asked for");
    for (size_t bit = 4; bit < 8 * size; bit++) {
        packed[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
        missed += smol_packer_unpack(&n_back, back, n, p.packer, packed, size, NULL) == SMOL_OK;
        packed[bit / 8] ^= (uint8_t)(0x80 >> bit % 8);
    }
    for (size_t cut = 1; cut < size; cut++)
        missed += smol_packer_unpack(&n_back, back, n, p.packer, packed, cut, NULL) == SMOL_OK;
    cr_assert_leq(missed, 2, "%zu of %zu bits and cuts", missed, 9 * size);
    packed[0] ^= 0x10;
    refuse(&p, packed, size, n, SMOL_E_PACKED, "another model's");
    end_packing(&p);
    end_packing(&without);
}

Test(pack, tokens_must_stand_for_the_text)
{
    struct packing p;
    const uint8_t *text = (const uint8_t *)"!!";
    uint8_t packed[10];
    uint32_t end, tokens[3] = {0, 0, 0}; /* the first token of GPT-2's bytes is 33, ! */
    size_t size;

    start_packing(&p, &recipes[8], false);
    cr_assert(smol_end_token(&end, &p.file));
    pack(packed, &p, text, 2, tokens, 2);
    cr_assert_eq(smol_packer_pack(&size, packed, p.packer, text, 2, NULL, 0, NULL),
                 SMOL_E_ARGUMENT);
    cr_assert_eq(smol_packer_pack(&size, packed, p.packer, text, 2, tokens, 1, NULL),
                 SMOL_E_ARGUMENT);
    cr_assert_eq(smol_packer_pack(&size, packed, p.packer, text, 2, tokens, 3, NULL),
                 SMOL_E_ARGUMENT);
    tokens[2] = end;
    cr_assert_eq(smol_packer_pack(&size, packed, p.packer, text, 2, tokens, 3, NULL),
                 SMOL_E_ARGUMENT);
    tokens[1] = 1;
    cr_assert_eq(smol_packer_pack(&size, packed, p.packer, text, 2, tokens, 2, NULL),
                 SMOL_E_ARGUMENT);
    tokens[1] = UINT32_MAX;
    cr_assert_eq(smol_packer_pack(&size, packed, p.packer, text, 2, tokens, 2, NULL),
                 SMOL_E_ARGUMENT);
    end_packing(&p);
}

Test(pack, options_and_memory_are_checked)
{
    struct smol_pack_options options = {.struct_bytes = 3};
    struct packing p;
    struct smol_packer *packer = NULL;
    _Alignas(64) uint8_t little[64];
    size_t size;

    start_packing(&p, &recipes[0], false);
    cr_assert_eq(smol_packer_size(&size, &p.file, &options, NULL), SMOL_E_ARGUMENT);
    options = (struct smol_pack_options){.struct_bytes = sizeof options, .n_threads = 257};
    cr_assert_eq(smol_packer_size(&size, &p.file, &options, NULL), SMOL_E_ARGUMENT);
    cr_assert_eq(smol_packer_init(&packer, &p.file, NULL, little, sizeof little, NULL),
                 SMOL_E_ARGUMENT);
    cr_assert_null(packer);
    smol_packer_finish(NULL);
    end_packing(&p);
}
