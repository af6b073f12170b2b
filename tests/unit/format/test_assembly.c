/* A file made piece by piece: that of another program which made it from SPEC.md (tests/golden),
 * and for files of several pieces of the hash that of smol_file_write. */
#include "golden.h"
#include "make_model.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

struct sink {
    uint8_t *bytes;
    size_t n, capacity;
};

static enum smol_status put(void *context, const void *bytes, size_t n, struct smol_error *error)
{
    struct sink *s = context;

    (void)error;
    cr_assert_leq(n, s->capacity - s->n);
    memcpy(s->bytes + s->n, bytes, n);
    s->n += n;
    return SMOL_OK;
}

static void append(struct smol_assembly *a, struct smol_span bytes, size_t piece)
{
    for (size_t i = 0; i < bytes.size_bytes; i += piece) {
        const size_t left = bytes.size_bytes - i;
        cr_assert_eq(smol_assembly_append(a, bytes.data + i, left < piece ? left : piece, NULL),
                     SMOL_OK);
    }
}

/* All of a file once more, into s. */
static void assemble(struct sink *s, const struct smol_file *file, size_t piece,
                     struct smol_span head, uint8_t made_head[SMOL_HEAD_MAX_BYTES], size_t *n_head)
{
    struct smol_parts parts;
    struct smol_assembly *a;
    uint8_t hash[SMOL_HASH_BYTES];

    smol_parts_of(&parts, file);
    cr_assert_eq(smol_assembly_create(&a, &parts, head, put, s, NULL), SMOL_OK);
    append(a, file->params, piece);
    append(a, file->embeddings, piece);
    cr_assert_eq(smol_assembly_append(a, "x", 1, NULL), SMOL_E_SIZE);
    cr_assert_eq(smol_assembly_finish(a, hash, NULL), SMOL_OK);
    cr_assert_arr_eq(hash, file->hash, SMOL_HASH_BYTES);
    *n_head = smol_assembly_head(a).size_bytes;
    memcpy(made_head, smol_assembly_head(a).data, *n_head);
    smol_assembly_destroy(a);
}

/* The head is put in its place at the end; and then all of it again with the head known. */
static void check(const struct smol_file *file, size_t piece)
{
    const size_t size = (size_t)file->body_bytes + SMOL_HASH_BYTES;
    struct sink s = {malloc(size), 0, size};
    uint8_t head[SMOL_HEAD_MAX_BYTES], again[SMOL_HEAD_MAX_BYTES];
    size_t n_head, n_again;

    cr_assert_not_null(s.bytes);
    assemble(&s, file, piece, (struct smol_span){NULL, 0}, head, &n_head);
    cr_assert_eq(s.n, size);
    for (size_t i = 0; i < n_head; i++)
        cr_assert_eq(s.bytes[i], 0);
    memcpy(s.bytes, head, n_head);
    cr_assert_arr_eq(s.bytes, file->bytes.data, size);
    s.n = 0;
    assemble(&s, file, piece, (struct smol_span){head, n_head}, again, &n_again);
    cr_assert(s.n == size && n_again == n_head);
    cr_assert_arr_eq(s.bytes, file->bytes.data, size);
    free(s.bytes);
}

Test(assembly, makes_golden_files)
{
    static const char *const paths[] = {
        "good/alpha-q4.smol", "good/byte-set-end.smol",    "good/bpe.smol",
        "good/limits.smol",   "good/minor-and-hints.smol", "good/mixed-runs-signed.smol",
        "good/smol.smol",     "deltas/every-kind.smol",    "deltas/lora.smol",
        "deltas/nothing.smol"};
    static uint8_t bytes[GOLDEN_MAX_BYTES];
    struct smol_file file;

    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        golden_open_path(&file, bytes, paths[i]);
        check(&file, 1);
        check(&file, 1000);
    }
}

Test(assembly, makes_files_of_several_pieces)
{
    static const struct model_recipe recipes[] = {
        {.width = 256, .vocab = 2100, .wte_type = SMOL_F32, .card = "{\"a\": 1}"},
        {.source = SMOL_MATRIX_STORED, .width = 256, .n_layers = 3, .norms = SMOL_NORM_STORED},
        {.source = SMOL_MATRIX_UNIT, .width = 64},
    };
    static const size_t pieces[] = {4097, SMOL_PIECE_BYTES, (size_t)1 << 30};
    struct smol_file file;

    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        model_open(&file, &recipes[i]);
        for (size_t k = 0; k < sizeof pieces / sizeof pieces[0]; k++)
            check(&file, pieces[k]);
        free((void *)(uintptr_t)file.bytes.data);
    }
}

Test(assembly, refuses_what_the_writer_would)
{
    static const struct model_recipe recipe = {.card = "{}"};
    struct smol_assembly *a;
    struct smol_parts parts;
    struct smol_file file;
    struct sink s = {NULL, 0, 0};
    uint8_t hash[SMOL_HASH_BYTES], room[4096];

    model_open(&file, &recipe);
    smol_parts_of(&parts, &file);
    parts.card = (struct smol_span){(const uint8_t *)"[1]", 3};
    cr_assert_eq(smol_assembly_create(&a, &parts, parts.base, put, &s, NULL), SMOL_E_TEXT);
    parts.card.size_bytes = 0;
    parts.config.n_heads = 0;
    cr_assert_neq(smol_assembly_create(&a, &parts, parts.base, put, &s, NULL), SMOL_OK);
    parts.config = file.config;
    s = (struct sink){room, 0, sizeof room};
    cr_assert_eq(smol_assembly_create(&a, &parts, parts.base, put, &s, NULL), SMOL_OK);
    cr_assert_eq(smol_assembly_finish(a, hash, NULL), SMOL_E_SIZE);
    smol_assembly_destroy(a);
    smol_assembly_destroy(NULL);
    free((void *)(uintptr_t)file.bytes.data);
}
