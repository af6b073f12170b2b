/* A corpus in memory: encodes each file as a document by the tokenizer of bytes, and prints what
 * came of it.
 *     cc -std=c11 documents.c $(pkg-config --cflags --libs smol_train) -o documents
 * Usage: documents FILE... */
#include <smol/corpus.h>
#include <smol/io.h>

#include <stdio.h>
#include <stdlib.h>

static enum smol_status add(struct smol_corpus_writer *writer, const char *path,
                            struct smol_error *error)
{
    struct smol_mapping m;
    enum smol_status status = smol_mapping_open(&m, path, error);

    if (status)
        return status;
    status = smol_corpus_writer_document(writer, error);
    if (status == SMOL_OK)
        status = smol_corpus_writer_text(writer, m.bytes.data, m.bytes.size_bytes, error);
    smol_mapping_close(&m);
    return status;
}

/* The corpus of all of them, for free(). *path is the one that was at work. */
static enum smol_status make(uint8_t **bytes, size_t *n, char **paths, const char **path,
                             struct smol_error *error)
{
    const struct smol_file tokenizer = {
        .config = {.vocab = 256, .tokenizer = SMOL_TOKENIZER_BYTES}};
    struct smol_corpus_writer *writer;
    enum smol_status status = smol_corpus_writer_open(&writer, &tokenizer, NULL, error);

    if (status)
        return status;
    for (; status == SMOL_OK && *paths; paths++)
        status = add(writer, *path = *paths, error);
    if (status) {
        smol_corpus_writer_abort(writer);
        return status;
    }
    return smol_corpus_writer_finish(bytes, n, writer, NULL, 0, error);
}

int main(int argc, char **argv)
{
    struct smol_error error;
    struct smol_corpus corpus;
    uint8_t *bytes = NULL;
    const char *path = argv[1];
    size_t n;
    int code;

    if (argc < 2) {
        fprintf(stderr, "usage: documents FILE...\n");
        return 2;
    }
    /* A corpus is opened as any that comes from elsewhere: a view of bytes, all of them checked. */
    code = make(&bytes, &n, argv + 1, &path, &error) || smol_corpus_open(&corpus, bytes, n, &error);
    if (code)
        fprintf(stderr, "documents: %s: %s\n", path, error.text);
    else
        printf("%llu documents, %llu tokens of %u bytes, %llu bytes of text\n",
               (unsigned long long)corpus.n_documents, (unsigned long long)corpus.n_tokens,
               (unsigned)corpus.width, (unsigned long long)corpus.text_bytes);
    free(bytes);
    return code;
}
