/* Corpora: what is written is read, wherever text is cut into pieces; damage is seen. The header's
 * checksums and hash are checked from outside, in cli/smoltrain/test_data.py. */
#include "train/corpus/corpus.h"

#include <criterion/criterion.h>
#include <smol/io.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

static const struct smol_file of_bytes = {.config.vocab = 256};
static const struct smol_corpus_source source = {"/a/name", 12, 34, 56, false};

static struct smol_corpus_writer *begin(const char *path)
{
    struct smol_corpus_writer *w = NULL;
    struct smol_error error;

    cr_assert_eq(smol_corpus_writer_open(&w, &of_bytes, path, &error), SMOL_OK, "%s", error.text);
    return w;
}

static void document(struct smol_corpus_writer *w, const char *text)
{
    cr_assert_eq(smol_corpus_writer_document(w, NULL), SMOL_OK);
    cr_assert_eq(smol_corpus_writer_text(w, (const uint8_t *)text, strlen(text), NULL), SMOL_OK);
}

static uint8_t *finish(size_t *size, struct smol_corpus_writer *w)
{
    uint8_t *bytes = NULL;

    cr_assert_eq(smol_corpus_writer_finish(&bytes, size, w, &source, 1, NULL), SMOL_OK);
    return bytes;
}

static void check_starts(const struct smol_corpus *c, const uint64_t *expected, uint64_t n)
{
    cr_assert_eq(c->n_documents, n);
    for (uint64_t i = 0; i < n; i++)
        cr_assert_eq(smol_le64(c->starts.data + 8 * i), expected[i], "document %u", (unsigned)i);
}

Test(corpus, documents_are_joined_and_split_at_separators)
{
    const char expected[] = "one<|endoftext|>two<|endoftext|>\n<|endoftext|>three<|endoft";
    struct smol_corpus_writer *w = begin(NULL);
    struct smol_corpus c;
    uint8_t *bytes;
    size_t size;

    document(w, "one");
    document(w, "");
    document(w, "two<|endoftext|>\n");
    document(w, "three<|endoft");
    bytes = finish(&size, w);
    cr_assert_eq(smol_corpus_open(&c, bytes, size, NULL), SMOL_OK);
    cr_assert_eq(c.width, 1);
    cr_assert_eq(c.n_tokens, sizeof expected - 1);
    cr_assert_eq(c.n_train, c.n_tokens);
    cr_assert_eq(memcmp(c.tokens.data, expected, sizeof expected - 1), 0);
    check_starts(&c, (const uint64_t[]){0, 16, 32, 46}, 4);
    free(bytes);
}

Test(corpus, one_document_is_its_bytes)
{
    const char text[] = "a<|endoftext|>b\0c<|endoftext|>";
    struct smol_corpus_writer *w = begin(NULL);
    struct smol_corpus c, plain;
    uint8_t *bytes;
    size_t size;

    cr_assert_eq(smol_corpus_writer_document(w, NULL), SMOL_OK);
    cr_assert_eq(smol_corpus_writer_text(w, (const uint8_t *)text, sizeof text - 1, NULL), SMOL_OK);
    bytes = finish(&size, w);
    cr_assert_eq(smol_corpus_open(&c, bytes, size, NULL), SMOL_OK);
    smol_corpus_of_bytes(&plain, (const uint8_t *)text, sizeof text - 1);
    cr_assert_eq(c.n_tokens, sizeof text - 1);
    cr_assert_eq(memcmp(c.tokens.data, text, sizeof text - 1), 0);
    cr_assert_eq(c.checksum, plain.checksum);
    cr_assert_eq(c.tokenizer_hash, plain.tokenizer_hash);
    cr_assert_eq(memcmp(c.text_hash, plain.text_hash, sizeof c.text_hash), 0);
    check_starts(&c, (const uint64_t[]){0, 14}, 2);
    free(bytes);
}

/* A text longer than what is held back, separators across every boundary. */
Test(corpus, pieces_change_nothing)
{
    enum { SIZE = 3000000 };
    uint8_t *text = malloc(SIZE), *bytes;
    uint64_t n_separators = 0;
    struct smol_corpus_writer *w;
    struct smol_corpus c;
    size_t size;

    cr_assert_not_null(text);
    for (size_t i = 0; i < SIZE; i++)
        text[i] = (uint8_t)(i * 2654435761u >> 24);
    for (size_t at = 1048570; at + 20 < SIZE; at += 523, n_separators++)
        memcpy(text + at, SMOL_END_OF_TEXT, sizeof SMOL_END_OF_TEXT - 1);
    for (size_t piece = 7919; piece <= SIZE; piece = piece < SIZE / 2 ? SIZE / 2 : 2 * piece) {
        w = begin(NULL);
        cr_assert_eq(smol_corpus_writer_document(w, NULL), SMOL_OK);
        for (size_t at = 0; at < SIZE; at += piece)
            cr_assert_eq(
                smol_corpus_writer_text(w, text + at, SIZE - at < piece ? SIZE - at : piece, NULL),
                SMOL_OK);
        bytes = finish(&size, w);
        cr_assert_eq(smol_corpus_open(&c, bytes, size, NULL), SMOL_OK);
        cr_assert_eq(c.n_tokens, SIZE);
        cr_assert_eq(memcmp(c.tokens.data, text, SIZE), 0, "piece %zu", piece);
        cr_assert_eq(c.n_documents, n_separators + 1);
        free(bytes);
    }
    free(text);
}

Test(corpus, validation_has_no_separator_before_it)
{
    struct smol_corpus_writer *w = begin(NULL);
    struct smol_corpus c;
    uint8_t *bytes;
    size_t size;

    document(w, "train");
    cr_assert_eq(smol_corpus_writer_validation(w, NULL), SMOL_OK);
    document(w, "val");
    document(w, "more");
    bytes = finish(&size, w);
    cr_assert_eq(smol_corpus_open(&c, bytes, size, NULL), SMOL_OK);
    cr_assert_eq(c.n_train, 5);
    cr_assert_eq(memcmp(c.tokens.data, "trainval<|endoftext|>more", 25), 0);
    check_starts(&c, (const uint64_t[]){0, 5, 21}, 3);
    free(bytes);
}

Test(corpus, sources_tell_when_they_are_stale)
{
    struct smol_corpus_writer *w = begin(NULL);
    struct smol_corpus_source now = source;
    struct smol_corpus c;
    uint8_t *bytes;
    size_t size;

    document(w, "text");
    bytes = finish(&size, w);
    cr_assert_eq(smol_corpus_open(&c, bytes, size, NULL), SMOL_OK);
    cr_assert_eq(smol_corpus_stale_source(&c, &now, 1), 1);
    now.nanoseconds++;
    cr_assert_eq(smol_corpus_stale_source(&c, &now, 1), 0);
    now = source;
    now.name = "/a/Name";
    cr_assert_eq(smol_corpus_stale_source(&c, &now, 1), 0);
    now = source;
    now.validation = true;
    cr_assert_eq(smol_corpus_stale_source(&c, &now, 1), 0);
    cr_assert_eq(
        smol_corpus_stale_source(&c, (const struct smol_corpus_source[]){source, source}, 2), 1);
    free(bytes);
}

/* Wider tokens, made by hand: the header of a corpus of bytes with another vocabulary. */
Test(corpus, wide_tokens_stay_within_the_vocabulary)
{
    struct smol_corpus_writer *w = begin(NULL);
    struct smol_corpus c;
    uint8_t *bytes;
    size_t size;

    document(w, "\x01\x01\xff\x02");
    bytes = finish(&size, w);
    smol_put16(bytes + 10, 2);
    smol_put32(bytes + 12, 0x300);
    smol_put64(bytes + 24, 2);
    smol_put64(bytes + 32, 2);
    smol_put64(bytes + 120, XXH3_64bits(bytes, 120));
    cr_assert_eq(smol_corpus_open(&c, bytes, size, NULL), SMOL_OK);
    cr_assert_eq(smol_corpus_token(&c, 0), 0x101);
    cr_assert_eq(smol_corpus_token(&c, 1), 0x2ff);
    smol_put32(bytes + 12, 0x2ff);
    smol_put64(bytes + 120, XXH3_64bits(bytes, 120));
    cr_assert_eq(smol_corpus_open(&c, bytes, size, NULL), SMOL_E_TOKEN);
    smol_put32(bytes + 12, 256);
    smol_put64(bytes + 120, XXH3_64bits(bytes, 120));
    cr_assert_eq(smol_corpus_open(&c, bytes, size, NULL), SMOL_E_RANGE);
    free(bytes);
}

Test(corpus, every_damaged_byte_and_every_cut_is_seen)
{
    struct smol_corpus_writer *w = begin(NULL);
    struct smol_corpus c;
    uint8_t *bytes, *cut;
    size_t size;

    document(w, "some text<|endoftext|>more");
    bytes = finish(&size, w);
    for (size_t i = 0; i < size; i++) {
        bytes[i] ^= 0x40;
        cr_assert_neq(smol_corpus_open(&c, bytes, size, NULL), SMOL_OK, "byte %zu", i);
        bytes[i] ^= 0x40;
        cut = malloc(i + 1);
        memcpy(cut, bytes, i);
        cr_assert_neq(smol_corpus_open(&c, cut, i, NULL), SMOL_OK, "cut to %zu", i);
        free(cut);
    }
    bytes = realloc(bytes, size + 1);
    bytes[size] = 0;
    cr_assert_eq(smol_corpus_open(&c, bytes, size + 1, NULL), SMOL_E_TRAILING);
    free(bytes);
}

/* Counts that would wrap, under a header that is right otherwise. */
Test(corpus, counts_do_not_wrap)
{
    struct smol_corpus_writer *w = begin(NULL);
    struct smol_corpus c;
    uint8_t *bytes;
    size_t size;

    document(w, "some text");
    bytes = finish(&size, w);
    for (unsigned at = 24; at < 64; at += 8) {
        const uint64_t old = smol_le64(bytes + at);

        if (at == 48)
            continue;
        for (unsigned bit = 3; bit < 64; bit++) {
            smol_put64(bytes + at, old + (UINT64_C(1) << bit));
            smol_put64(bytes + 120, XXH3_64bits(bytes, 120));
            cr_assert_neq(smol_corpus_open(&c, bytes, size, NULL), SMOL_OK, "field %u bit %u", at,
                          bit);
        }
        smol_put64(bytes + at, old);
    }
    free(bytes);
}

Test(corpus, a_file_has_the_same_bytes_as_memory_or_is_not_there)
{
    char folder[] = "/tmp/smol-corpus-XXXXXX", path[64];
    struct smol_corpus_writer *w;
    struct smol_mapping m;
    uint8_t *bytes;
    size_t size, none = 0;

    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/c", folder);
    w = begin(path);
    document(w, "the text");
    smol_corpus_writer_abort(w);
    cr_assert_neq(access(path, F_OK), 0);
    cr_assert_eq(rmdir(folder), 0, "the temporary file is left");
    cr_assert_eq(smol_corpus_writer_open(&w, &of_bytes, path, NULL), SMOL_E_IO);
    cr_assert_not_null(strcpy(folder, "/tmp/smol-corpus-XXXXXX"));
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/c", folder);
    w = begin(path);
    document(w, "the text");
    cr_assert_null(finish(&none, w));
    w = begin(NULL);
    document(w, "the text");
    bytes = finish(&size, w);
    cr_assert_eq(smol_mapping_open(&m, path, NULL), SMOL_OK);
    cr_assert_eq(m.bytes.size_bytes, size);
    cr_assert_eq(memcmp(m.bytes.data, bytes, size), 0);
    smol_mapping_close(&m);
    free(bytes);
    unlink(path);
    rmdir(folder);
}
