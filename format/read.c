/* The reader: bytes to a checked view, outside in: header, directory, gaps, checksums, contents.
 * SPEC.md 2 and 3. Every size is compared with the bytes that are there before anything after it is
 * looked at. */
#include "base/bytes.h"
#include "base/error.h"
#include "base/fpenv.h"
#include "format/format.h"
#include "format/tokn.h"

#include <xxhash.h>

/* Where each section is; size 0 if it is absent. */
struct places {
    uint64_t at[N_SECTIONS], size[N_SECTIONS], checksum[N_SECTIONS];
};

static enum smol_status check_header(const uint8_t *b, size_t size, struct smol_error *error)
{
    const size_t known = size < sizeof smol_magic ? size : sizeof smol_magic;

    if (known > 0 && memcmp(b, smol_magic, known) != 0)
        return smol_fail(error, SMOL_E_MAGIC, 0, "not a .smol file");
    if (size < HEADER_BYTES)
        return smol_fail(error, SMOL_E_TRUNCATED, size, "truncated header");
    if (smol_le16(b + 8) != 1)
        return smol_fail(error, SMOL_E_VERSION, 8, "version %u.%u, this program reads version 1",
                         smol_le16(b + 8), smol_le16(b + 10));
    if (smol_le16(b + 12) < 2 || smol_le16(b + 12) > N_SECTIONS)
        return smol_fail(error, SMOL_E_RANGE, 12, "%u sections, allowed are 2..6",
                         smol_le16(b + 12));
    if (smol_le64(b + 16) > MAX_BODY_BYTES)
        return smol_fail(error, SMOL_E_RANGE, 16, "the stated size of the body is over 2^48 bytes");
    return SMOL_OK;
}

uint64_t smol_stated_body_bytes(const uint8_t *bytes, size_t size_bytes)
{
    const uint64_t body = size_bytes < HEADER_BYTES ? 0 : smol_le64(bytes + 16);

    return body <= size_bytes ? body : 0;
}

/* The file ends exactly after the hash or after the signature. */
static enum smol_status check_end(uint64_t body, uint64_t size, struct smol_error *error)
{
    const uint64_t plain = body + SMOL_HASH_BYTES, signed_size = plain + SMOL_SIGNATURE_BLOCK_BYTES;

    if (size < plain)
        return smol_fail(error, SMOL_E_TRUNCATED, size,
                         "truncated: the file takes at least %llu bytes",
                         (unsigned long long)plain);
    if (size > signed_size)
        return smol_fail(error, SMOL_E_TRAILING, signed_size, "bytes after the end of the file");
    if (size != plain && size != signed_size)
        return smol_fail(error, SMOL_E_TRUNCATED, size,
                         "truncated signature, or bytes after the hash");
    return SMOL_OK;
}

static enum smol_status read_entry(struct places *p, const uint8_t *b, uint64_t entry_at, int *next,
                                   struct smol_error *error)
{
    const uint8_t *e = b + entry_at;
    int s = *next;

    while (s < N_SECTIONS && memcmp(e, smol_section_name[s], 4) != 0)
        s++;
    if (s == N_SECTIONS)
        return smol_fail(error, SMOL_E_SECTION, entry_at,
                         "a section is unknown, repeated or out of order");
    if (smol_le32(e + 4) != 0)
        return smol_fail(error, SMOL_E_RESERVED, entry_at + 4,
                         "reserved flags of section %s are set", smol_section_name[s]);
    p->size[s] = smol_le64(e + 8);
    p->checksum[s] = smol_le64(e + 16);
    if (p->size[s] == 0)
        return smol_fail(error, SMOL_E_SIZE, entry_at + 8, "section %s is empty",
                         smol_section_name[s]);
    *next = s + 1;
    return SMOL_OK;
}

/* Places follow from the sizes. at never passes body (at most 2^48), so that no sum wraps. */
static enum smol_status place_sections(struct places *p, const uint8_t *b, uint64_t body,
                                       uint64_t at, struct smol_error *error)
{
    enum smol_status status;

    for (int s = 0; s < N_SECTIONS; s++) {
        if (p->size[s] == 0)
            continue;
        const uint64_t begin = smol_round_up(at, smol_section_alignment[s]);
        if (begin > body || p->size[s] > body - begin)
            return smol_fail(error, SMOL_E_SIZE, begin,
                             "section %s extends past the end of the body", smol_section_name[s]);
        if ((status = smol_zeros_check(b, at, begin, error)))
            return status;
        p->at[s] = begin;
        at = begin + p->size[s];
    }
    if (at != body)
        return smol_fail(error, SMOL_E_SIZE, 16, "the sections end at byte %llu, the body at %llu",
                         (unsigned long long)at, (unsigned long long)body);
    return SMOL_OK;
}

static enum smol_status read_directory(struct places *p, const uint8_t *b, uint64_t body,
                                       struct smol_error *error)
{
    const unsigned n = smol_le16(b + 12);
    const uint64_t end = HEADER_BYTES + (uint64_t)ENTRY_BYTES * n;
    enum smol_status status;
    int next = 0;

    if (end > body)
        return smol_fail(error, SMOL_E_SIZE, 16,
                         "the body is too small for a directory of %u sections", n);
    if (smol_directory_checksum(b, n) != smol_le64(b + 24))
        return smol_fail(error, SMOL_E_CHECKSUM, 24,
                         "the checksum of header and directory does not match: damaged");
    for (unsigned i = 0; i < n; i++)
        if ((status = read_entry(p, b, HEADER_BYTES + (uint64_t)ENTRY_BYTES * i, &next, error)))
            return status;
    if (p->size[CONF] == 0 || (p->size[EMBD] == 0 && p->size[BASE] == 0))
        return smol_fail(error, SMOL_E_SECTION, HEADER_BYTES, "section %s is missing",
                         p->size[CONF] == 0 ? "CONF" : "EMBD");
    return place_sections(p, b, body, end, error);
}

static enum smol_status check_checksums(const struct places *p, const uint8_t *b,
                                        struct smol_error *error)
{
    for (int s = 0; s < N_SECTIONS; s++)
        if (p->size[s] && XXH3_64bits(b + p->at[s], (size_t)p->size[s]) != p->checksum[s])
            return smol_fail(error, SMOL_E_CHECKSUM, p->at[s],
                             "the checksum of section %s does not match: damaged",
                             smol_section_name[s]);
    return SMOL_OK;
}

static struct smol_span span(const struct places *p, const uint8_t *b, enum section s)
{
    if (p->size[s] == 0)
        return (struct smol_span){NULL, 0};
    return (struct smol_span){b + p->at[s], (size_t)p->size[s]};
}

/* Whether BASE has the size that the configuration demands. */
static enum smol_status check_base_size(const struct smol_config *c, const struct places *p,
                                        struct smol_error *error)
{
    const uint64_t base = smol_base_bytes(c);

    if (p->size[BASE] == base)
        return SMOL_OK;
    if (p->size[BASE] == 0)
        return smol_fail(error, SMOL_E_SECTION, HEADER_BYTES, "section BASE is missing");
    if (base == 0)
        return smol_fail(error, SMOL_E_SECTION, p->at[BASE],
                         "a model that is no delta cannot have section BASE");
    return smol_fail(error, SMOL_E_SIZE, p->at[BASE],
                     "section BASE has %llu bytes, the configuration requires %llu",
                     (unsigned long long)p->size[BASE], (unsigned long long)base);
}

/* Whether LRND, EMBD and TOKN have the sizes that the configuration demands. */
static enum smol_status check_sizes(const struct smol_config *c, const struct places *p,
                                    struct smol_error *error)
{
    const uint64_t params = smol_params_bytes(c), embeddings = smol_embedding_bytes(c);
    const enum smol_status status = check_base_size(c, p, error);

    if (status)
        return status;
    if (p->size[LRND] != params)
        return smol_fail(error, SMOL_E_SIZE, p->size[LRND] ? p->at[LRND] : HEADER_BYTES,
                         "section LRND has %llu bytes, the configuration requires %llu",
                         (unsigned long long)p->size[LRND], (unsigned long long)params);
    if (p->size[EMBD] != embeddings)
        return smol_fail(error, SMOL_E_SIZE, p->at[EMBD],
                         "section EMBD has %llu bytes, the configuration requires %llu",
                         (unsigned long long)p->size[EMBD], (unsigned long long)embeddings);
    if (p->size[TOKN] != 0 && !smol_tokn_is_there(c))
        return smol_fail(error, SMOL_E_SECTION, p->at[TOKN], "a %s cannot have section TOKN",
                         smol_config_is_delta(c) ? "delta" : "model of byte tokens");
    if (p->size[TOKN] == 0 && smol_tokn_is_there(c))
        return smol_fail(error, SMOL_E_SECTION, HEADER_BYTES, "section TOKN is missing");
    return SMOL_OK;
}

static enum smol_status check_base(struct smol_file *f, uint64_t at, struct smol_error *error)
{
    if (!smol_config_is_delta(&f->config))
        return SMOL_OK;
    return smol_fail_within(at, smol_base_decode(f, f->base.data, error), error);
}

static enum smol_status check_tokenizer(const struct smol_config *config,
                                        const struct smol_span *section, uint64_t at,
                                        struct smol_error *error)
{
    return smol_fail_within(at, smol_tokn_check(config, *section, error), error);
}

enum smol_status smol_card_check(const struct smol_span *card, uint64_t at,
                                 struct smol_error *error)
{
    if (card->size_bytes == 0)
        return SMOL_OK;
    if (card->size_bytes < 2 || card->size_bytes > SMOL_MAX_CARD_BYTES)
        return smol_fail(error, SMOL_E_RANGE, at, "the card has %zu bytes, allowed are 2..65536",
                         card->size_bytes);
    if (card->data[0] != '{' || card->data[card->size_bytes - 1] != '}')
        return smol_fail(error, SMOL_E_TEXT, at, "the card is not a JSON object");
    return smol_fail_within(at, smol_text_check(card->data, card->size_bytes, error), error);
}

static struct smol_table_view view_table(const uint8_t *b, const struct smol_table_layout *at,
                                         enum smol_dtype type, uint32_t rows, uint32_t cols)
{
    return (struct smol_table_view){type,
                                    rows,
                                    cols,
                                    b + at->data,
                                    at->multipliers ? b + at->multipliers : NULL,
                                    smol_dtype_is_scaled(type) ? b + at->scales : NULL};
}

struct smol_table_view smol_stored_view(const struct smol_scheme *scheme,
                                        const struct smol_params_place *place, uint32_t rows,
                                        uint32_t cols, const uint8_t *params)
{
    return view_table(params, &place->rows, scheme->alpha_type, rows, cols);
}

/* The rows that a delta has, the tokens of all of them before. */
static void view_rows(struct smol_file *f, const struct smol_embedding_layout *at)
{
    const struct smol_config *c = &f->config;
    const uint8_t *b = f->embeddings.data;

    if (c->input_rows)
        f->input_rows = (struct smol_rows_view){
            c->input_rows, b, view_table(b, &at->wte, c->wte_type, c->input_rows, c->width)};
    if (c->output_rows)
        f->output_rows = (struct smol_rows_view){
            c->output_rows, b + 4 * (size_t)c->input_rows,
            view_table(b, &at->output, c->output_type, c->output_rows, c->width)};
}

static void view_tables(struct smol_file *f)
{
    const struct smol_config *c = &f->config;
    const uint8_t *b = f->embeddings.data;
    struct smol_embedding_layout at;

    smol_embedding_layout(&at, c);
    if (smol_config_is_delta(c)) {
        view_rows(f, &at);
        return;
    }
    f->wte = view_table(b, &at.wte, c->wte_type, c->vocab, c->width);
    f->output = f->wte;
    if (!smol_config_has(c, SMOL_FEATURE_DISTANCES))
        f->wpe = view_table(b, &at.wpe, c->wpe_type, c->context, c->width);
    if (smol_config_has(c, SMOL_FEATURE_OUTPUT_TABLE))
        f->output = view_table(b, &at.output, c->output_type, c->vocab, c->width);
}

static void view_trailer(struct smol_file *f)
{
    const uint8_t *t = f->bytes.data + f->body_bytes;

    memcpy(f->hash, t, SMOL_HASH_BYTES);
    f->is_signed = f->bytes.size_bytes > f->body_bytes + SMOL_HASH_BYTES;
    if (!f->is_signed)
        return;
    t += SMOL_HASH_BYTES;
    memcpy(f->signature.key_number, t, SMOL_KEY_NUMBER_BYTES);
    memcpy(f->signature.public_key, t + 8, SMOL_PUBLIC_KEY_BYTES);
    memcpy(f->signature.signature, t + 40, SMOL_SIGNATURE_BYTES);
}

/* The contents of sections whose places and checksums are right. */
static enum smol_status check_contents(struct smol_file *f, const struct places *p,
                                       const uint8_t *b, struct smol_error *error)
{
    enum smol_status status;

    status = smol_conf_decode(&f->config, b + p->at[CONF], (size_t)p->size[CONF], error);
    if (!status)
        status = smol_config_check(&f->config, error);
    if (status)
        return smol_fail_within(p->at[CONF], status, error);
    if (f->minor_version < smol_config_minor_version(&f->config))
        return smol_fail(error, SMOL_E_VERSION, 10,
                         "version 1.%u does not have what the configuration uses",
                         f->minor_version);
    if ((status = check_sizes(&f->config, p, error)))
        return status;
    f->base = span(p, b, BASE);
    f->params = span(p, b, LRND);
    f->tokenizer = span(p, b, TOKN);
    f->tokenizer_at = p->at[TOKN];
    f->card = span(p, b, CARD);
    f->embeddings = span(p, b, EMBD);
    view_tables(f);
    if ((status = check_base(f, p->at[BASE], error)) ||
        (status = smol_params_check(&f->config, &f->params, p->at[LRND], error)) ||
        (status = check_tokenizer(&f->config, &f->tokenizer, p->at[TOKN], error)) ||
        (status = smol_card_check(&f->card, p->at[CARD], error)))
        return status;
    return smol_embeddings_check(f, p->at[EMBD], error);
}

/* A number that is none raises no trap of the host's. */
static enum smol_status read_contents(struct smol_file *f, const struct places *p, const uint8_t *b,
                                      struct smol_error *error)
{
    struct smol_fpenv host;
    enum smol_status status = smol_fpenv_set(&host, error);

    return smol_fpenv_end(&host, status ? status : check_contents(f, p, b, error));
}

enum smol_status smol_file_parse(struct smol_file *file, const uint8_t *bytes, size_t size_bytes,
                                 struct smol_error *error)
{
    struct smol_file f = {0};
    struct places p = {0};
    enum smol_status status;

    if ((status = check_header(bytes, size_bytes, error)))
        return status;
    f.bytes = (struct smol_span){bytes, size_bytes};
    f.body_bytes = smol_le64(bytes + 16);
    f.minor_version = smol_le16(bytes + 10);
    f.hints = smol_le16(bytes + 14);
    if ((status = check_end(f.body_bytes, size_bytes, error)) ||
        (status = read_directory(&p, bytes, f.body_bytes, error)) ||
        (status = check_checksums(&p, bytes, error)) ||
        (status = read_contents(&f, &p, bytes, error)))
        return status;
    view_trailer(&f);
    *file = f;
    return SMOL_OK;
}

void smol_file_sizes(struct smol_size_report *r, const struct smol_file *f)
{
    const uint64_t n = smol_le16(f->bytes.data + 12);

    *r = (struct smol_size_report){
        .file = f->bytes.size_bytes,
        .embeddings = f->embeddings.size_bytes,
        .tokenizer = smol_config_is_delta(&f->config) ? 0 : f->tokenizer.size_bytes,
        .card = f->card.size_bytes,
        .header = HEADER_BYTES,
        .directory = ENTRY_BYTES * n,
        .config = smol_conf_bytes(&f->config),
        .base = f->base.size_bytes,
        .params = f->params.size_bytes,
        .hash = SMOL_HASH_BYTES,
        .signature = f->is_signed ? SMOL_SIGNATURE_BLOCK_BYTES : 0,
    };
    r->padding = f->body_bytes - r->header - r->directory - r->config - r->base - r->params -
                 r->tokenizer - r->card - r->embeddings;
    r->non_embedding =
        r->header + r->directory + r->config + r->base + r->params + r->hash + r->signature;
}
