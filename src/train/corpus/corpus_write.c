/* Writing a corpus: text in pieces is split at separators, encoded and appended. SPEC.md appendix
 * C. */
#include "base/error.h"
#include "base/grow.h"
#include "train/alloc.h"
#include "train/corpus/corpus.h"

#include <smol/io.h>
#include <smol/tokenizer.h>

#include <sodium.h>
#include <xxhash.h>

#define SEPARATOR_BYTES (sizeof SMOL_END_OF_TEXT - 1)

/* Text that is held back until a document ends; a longer document is encoded in pieces. It is small
 * in fuzzers, so that they see pieces. */
#ifdef SMOL_FUZZ_PENDING_BYTES
#define PENDING_BYTES ((size_t)SMOL_FUZZ_PENDING_BYTES)
#else
#define PENDING_BYTES ((size_t)1 << 20)
#endif

struct smol_corpus_writer {
    const struct smol_file *tokenizer;
    struct smol_encoder *encoder;
    struct smol_writer *file; /* NULL: into memory */
    uint8_t *memory;
    size_t size, capacity; /* of memory */
    uint8_t *pending;      /* (PENDING_BYTES) */
    size_t n_pending;
    uint32_t *tokens; /* what pending can become */
    uint64_t *starts; /* (n_starts) */
    size_t n_starts, starts_capacity;
    uint64_t n_tokens, n_train, text_bytes;
    uint32_t width;
    bool validation;
    XXH3_state_t *checksum;
    crypto_generichash_state text_hash;
};

void smol_corpus_writer_abort(struct smol_corpus_writer *w)
{
    if (!w)
        return;
    smol_writer_abort(w->file);
    free(w->memory);
    free(w->pending);
    free(w->tokens);
    smol_encoder_destroy(w->encoder);
    free(w->starts);
    XXH3_freeState(w->checksum);
    free(w);
}

static enum smol_status append(struct smol_corpus_writer *w, const void *bytes, size_t n,
                               struct smol_error *error)
{
    uint8_t *memory;

    if (w->file)
        return smol_writer_append(w->file, bytes, n, error);
    memory = smol_grown(w->memory, &w->capacity, w->size + n, 1);
    if (!memory)
        return smol_fail_memory(error);
    w->memory = memory;
    memcpy(w->memory + w->size, bytes, n);
    w->size += n;
    return SMOL_OK;
}

enum smol_status smol_corpus_writer_open(struct smol_corpus_writer **writer,
                                         const struct smol_file *tokenizer, const char *path,
                                         struct smol_error *error)
{
    static const uint8_t header[SMOL_CORPUS_HEADER_BYTES];
    /* Its state wants an alignment of 64, beyond what calloc promises. */
    struct smol_corpus_writer *w = smol_train_alloc(1, sizeof *w);
    enum smol_status status = SMOL_OK;

    if (!w)
        return smol_fail_memory(error);
    w->tokenizer = tokenizer;
    w->width = smol_corpus_width(tokenizer->config.vocab);
    w->pending = malloc(PENDING_BYTES);
    w->tokens = calloc(PENDING_BYTES, sizeof *w->tokens);
    w->checksum = XXH3_createState();
    if (!w->pending || !w->tokens || !w->checksum)
        status = smol_fail_memory(error);
    else
        status = smol_encoder_create(&w->encoder, tokenizer, error);
    if (status == SMOL_OK && path)
        status = smol_writer_open(&w->file, path, 0666, error);
    if (status == SMOL_OK) {
        XXH3_64bits_reset(w->checksum);
        crypto_generichash_init(&w->text_hash, NULL, 0, SMOL_TEXT_HASH_BYTES);
        status = append(w, header, sizeof header, error);
    }
    if (status != SMOL_OK) {
        smol_corpus_writer_abort(w);
        return status;
    }
    *writer = w;
    return SMOL_OK;
}

/* Tokens from now on belong to a new document. */
static enum smol_status mark_start(struct smol_corpus_writer *w, struct smol_error *error)
{
    uint64_t *starts;

    if (w->n_starts > 0 && w->starts[w->n_starts - 1] == w->n_tokens)
        return SMOL_OK;
    starts = smol_grown(w->starts, &w->starts_capacity, w->n_starts + 1, sizeof *starts);
    if (!starts)
        return smol_fail_memory(error);
    w->starts = starts;
    w->starts[w->n_starts++] = w->n_tokens;
    return SMOL_OK;
}

/* In place: each token is written where it or an earlier one stood. */
static void narrow(uint32_t *tokens, size_t n, uint32_t width)
{
    uint8_t *out = (uint8_t *)tokens;

    for (size_t i = 0; i < n; i++) {
        const uint32_t token = tokens[i];

        if (width == 1)
            out[i] = (uint8_t)token;
        else if (width == 2)
            smol_put16(out + 2 * i, (uint16_t)token);
        else
            smol_put32(out + 4 * i, token);
    }
}

/* Appends the n tokens that stand for a text. */
static enum smol_status take(struct smol_corpus_writer *w, size_t n, const uint8_t *text,
                             size_t size, struct smol_error *error)
{
    narrow(w->tokens, n, w->width);
    crypto_generichash_update(&w->text_hash, text, size);
    XXH3_64bits_update(w->checksum, w->tokens, n * w->width);
    w->n_tokens += n;
    w->text_bytes += size;
    return append(w, w->tokens, n * w->width, error);
}

/* text: at most PENDING_BYTES. */
static enum smol_status encode(struct smol_corpus_writer *w, const uint8_t *text, size_t size,
                               struct smol_error *error)
{
    size_t n;
    enum smol_status status;

    if (size == 0)
        return SMOL_OK;
    status = smol_encode(&n, w->tokens, w->encoder, text, size, error);
    return status == SMOL_OK ? take(w, n, text, size, error) : status;
}

/* An end of text is encoded as it if its text is, which that of a set of bytes has not. */
static enum smol_status separate(struct smol_corpus_writer *w, struct smol_error *error)
{
    const uint8_t *const text = (const uint8_t *)SMOL_END_OF_TEXT;
    const enum smol_status status = smol_end_token(w->tokens, w->tokenizer)
                                        ? take(w, 1, text, SEPARATOR_BYTES, error)
                                        : encode(w, text, SEPARATOR_BYTES, error);

    if (status == SMOL_E_TOKEN)
        return smol_fail(error, SMOL_E_TOKEN, SMOL_NO_OFFSET,
                         "the tokenizer has no tokens for %s, which separates documents",
                         SMOL_END_OF_TEXT);
    return status == SMOL_OK ? mark_start(w, error) : status;
}

/* The first separator in text, or NULL. */
static const uint8_t *find_separator(const uint8_t *text, size_t n)
{
    const uint8_t *p = text, *end = text + n;

    while (p < end && (p = memchr(p, SMOL_END_OF_TEXT[0], (size_t)(end - p))) != NULL) {
        if ((size_t)(end - p) < SEPARATOR_BYTES)
            return NULL;
        if (memcmp(p, SMOL_END_OF_TEXT, SEPARATOR_BYTES) == 0)
            return p;
        p++;
    }
    return NULL;
}

/* Where to cut a document that is too long to be encoded whole: after a line, across which
 * tokenizers seldom merge, and not within what may become a separator. */
static size_t cut(const uint8_t *text, size_t n)
{
    const size_t most = n - SEPARATOR_BYTES;

    for (size_t i = most; i > most / 2; i--)
        if (text[i - 1] == '\n')
            return i;
    return most - smol_utf8_incomplete(text, most);
}

/* Encodes what is pending: all of it at the end of a document, else enough to make room. */
static enum smol_status drain(struct smol_corpus_writer *w, bool all, struct smol_error *error)
{
    const uint8_t *at = w->pending, *const end = at + w->n_pending, *separator;
    enum smol_status status = SMOL_OK;

    while (status == SMOL_OK && (separator = find_separator(at, (size_t)(end - at))) != NULL) {
        status = encode(w, at, (size_t)(separator - at), error);
        if (status == SMOL_OK)
            status = separate(w, error);
        at = separator + SEPARATOR_BYTES;
    }
    if (status == SMOL_OK && (all || at == w->pending)) {
        const size_t n = all ? (size_t)(end - at) : cut(at, (size_t)(end - at));

        status = encode(w, at, n, error);
        at += n;
    }
    w->n_pending = (size_t)(end - at);
    memmove(w->pending, at, w->n_pending);
    return status;
}

enum smol_status smol_corpus_writer_document(struct smol_corpus_writer *w, struct smol_error *error)
{
    enum smol_status status = drain(w, true, error);

    if (status != SMOL_OK)
        return status;
    if (w->n_starts > 0 && w->starts[w->n_starts - 1] < w->n_tokens &&
        !(w->validation && w->n_tokens == w->n_train))
        return separate(w, error);
    return mark_start(w, error);
}

enum smol_status smol_corpus_writer_text(struct smol_corpus_writer *w, const uint8_t *text,
                                         size_t size, struct smol_error *error)
{
    while (size > 0) {
        const size_t room = PENDING_BYTES - w->n_pending, n = size < room ? size : room;

        memcpy(w->pending + w->n_pending, text, n);
        w->n_pending += n;
        text += n;
        size -= n;
        if (w->n_pending == PENDING_BYTES) {
            const enum smol_status status = drain(w, false, error);

            if (status != SMOL_OK)
                return status;
        }
    }
    return SMOL_OK;
}

enum smol_status smol_corpus_writer_validation(struct smol_corpus_writer *w,
                                               struct smol_error *error)
{
    const enum smol_status status = drain(w, true, error);

    w->validation = true;
    w->n_train = w->n_tokens;
    return status;
}

static enum smol_status append_table(struct smol_corpus_writer *w, const void *bytes, size_t n,
                                     struct smol_error *error)
{
    XXH3_64bits_update(w->checksum, bytes, n);
    return append(w, bytes, n, error);
}

/* Padding, starts and sources, and their checksum. */
static enum smol_status write_tables(uint64_t *source_bytes, struct smol_corpus_writer *w,
                                     const struct smol_corpus_source *sources, size_t n_sources,
                                     struct smol_error *error)
{
    const uint64_t size = w->n_tokens * w->width;
    uint8_t bytes[SMOL_CORPUS_SOURCE_BYTES] = {0};
    enum smol_status status;

    XXH3_64bits_reset(w->checksum);
    status = append_table(w, bytes, (size_t)(smol_round_up(size, 8) - size), error);
    for (size_t i = 0; i < w->n_starts && status == SMOL_OK; i++) {
        smol_put64(bytes, w->starts[i]);
        status = append_table(w, bytes, 8, error);
    }
    *source_bytes = 0;
    for (size_t i = 0; i < n_sources && status == SMOL_OK; i++) {
        const size_t n = strlen(sources[i].name);

        if (n > SMOL_CORPUS_NAME_BYTES)
            return smol_fail(error, SMOL_E_RANGE, SMOL_NO_OFFSET, "a source's name is too long");
        smol_corpus_put_source(bytes, sources + i, n);
        status = append_table(w, bytes, sizeof bytes, error);
        if (status == SMOL_OK)
            status = append_table(w, sources[i].name, n, error);
        *source_bytes += sizeof bytes + n;
    }
    return status;
}

static void put_header(uint8_t h[SMOL_CORPUS_HEADER_BYTES], struct smol_corpus_writer *w,
                       uint64_t checksum, uint64_t source_bytes)
{
    memset(h, 0, SMOL_CORPUS_HEADER_BYTES);
    memcpy(h, SMOL_CORPUS_MAGIC, 8);
    smol_put16(h + SMOL_CORPUS_AT_VERSION, SMOL_CORPUS_VERSION);
    smol_put16(h + SMOL_CORPUS_AT_WIDTH, (uint16_t)w->width);
    smol_put32(h + SMOL_CORPUS_AT_VOCAB, w->tokenizer->config.vocab);
    smol_put64(h + SMOL_CORPUS_AT_TOKENIZER, smol_tokenizer_hash(w->tokenizer));
    smol_put64(h + SMOL_CORPUS_AT_TOKENS, w->n_tokens);
    smol_put64(h + SMOL_CORPUS_AT_TRAIN, w->validation ? w->n_train : w->n_tokens);
    smol_put64(h + SMOL_CORPUS_AT_DOCUMENTS, w->n_starts);
    smol_put64(h + SMOL_CORPUS_AT_TEXT_BYTES, w->text_bytes);
    smol_put64(h + SMOL_CORPUS_AT_SOURCE_BYTES, source_bytes);
    crypto_generichash_final(&w->text_hash, h + SMOL_CORPUS_AT_TEXT_HASH, SMOL_TEXT_HASH_BYTES);
    smol_put64(h + SMOL_CORPUS_AT_CHECKSUM, checksum);
    smol_put64(h + SMOL_CORPUS_AT_TABLES_CHECKSUM, XXH3_64bits_digest(w->checksum));
    smol_put64(h + SMOL_CORPUS_AT_HEADER_CHECKSUM, XXH3_64bits(h, SMOL_CORPUS_AT_HEADER_CHECKSUM));
}

/* The header goes in last, so that a file that was never finished has none. */
static enum smol_status close_file(struct smol_corpus_writer *w,
                                   const uint8_t header[SMOL_CORPUS_HEADER_BYTES],
                                   struct smol_error *error)
{
    enum smol_status status;
    struct smol_writer *file = w->file;

    if (!file) {
        memcpy(w->memory, header, SMOL_CORPUS_HEADER_BYTES);
        return SMOL_OK;
    }
    status = smol_writer_rewrite(file, 0, header, SMOL_CORPUS_HEADER_BYTES, error);
    if (status != SMOL_OK)
        return status;
    w->file = NULL;
    return smol_writer_commit(file, error);
}

enum smol_status smol_corpus_writer_finish(uint8_t **bytes, size_t *size_bytes,
                                           struct smol_corpus_writer *w,
                                           const struct smol_corpus_source *sources,
                                           size_t n_sources, struct smol_error *error)
{
    uint8_t header[SMOL_CORPUS_HEADER_BYTES];
    uint64_t checksum, source_bytes;
    enum smol_status status = drain(w, true, error);

    if (status == SMOL_OK) {
        while (w->n_starts > 0 && w->starts[w->n_starts - 1] == w->n_tokens)
            w->n_starts--;
        checksum = XXH3_64bits_digest(w->checksum);
        status = write_tables(&source_bytes, w, sources, n_sources, error);
    }
    if (status == SMOL_OK) {
        put_header(header, w, checksum, source_bytes);
        status = close_file(w, header, error);
    }
    if (status == SMOL_OK) {
        *bytes = w->memory;
        *size_bytes = w->size;
        w->memory = NULL;
    }
    smol_corpus_writer_abort(w);
    return status;
}
