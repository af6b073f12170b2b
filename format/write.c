/* The writer: parts to the one file that holds them. SPEC.md 2. */
#include "base/bytes.h"
#include "base/error.h"
#include "format/format.h"
#include "format/tokn.h"

#include <xxhash.h>

void smol_parts_of(struct smol_parts *parts, const struct smol_file *file)
{
    *parts = (struct smol_parts){
        .config = file->config,
        .minor_version = file->minor_version,
        .hints = file->hints,
        .base = file->base,
        .params = file->params,
        .tokenizer =
            smol_config_is_delta(&file->config) ? (struct smol_span){NULL, 0} : file->tokenizer,
        .card = file->card,
        .embeddings = file->embeddings,
    };
}

uint64_t smol_section_bytes(const struct smol_parts *p, enum section s)
{
    switch (s) {
    case CONF: return smol_conf_bytes(&p->config);
    case BASE: return p->base.size_bytes;
    case LRND: return p->params.size_bytes;
    case TOKN: return p->tokenizer.size_bytes;
    case CARD: return p->card.size_bytes;
    case EMBD: return p->embeddings.size_bytes;
    case N_SECTIONS: break;
    }
    return 0;
}

enum smol_status smol_parts_check(const struct smol_parts *p, struct smol_error *error)
{
    enum smol_status status = smol_config_check(&p->config, error);

    if (status)
        return status;
    if (p->params.size_bytes != smol_params_bytes(&p->config) ||
        p->base.size_bytes != smol_base_bytes(&p->config) ||
        p->embeddings.size_bytes != smol_embedding_bytes(&p->config) ||
        (p->tokenizer.size_bytes != 0) != smol_tokn_is_there(&p->config))
        return smol_fail(error, SMOL_E_SIZE, SMOL_NO_OFFSET,
                         "a part's size is not what the configuration requires");
    return smol_tokn_check(&p->config, p->tokenizer, error);
}

uint64_t smol_lay_out(uint64_t at[N_SECTIONS], unsigned *n_sections, const struct smol_parts *p)
{
    uint64_t end;

    *n_sections = 0;
    for (int s = 0; s < N_SECTIONS; s++)
        *n_sections += smol_section_bytes(p, (enum section)s) > 0;
    end = HEADER_BYTES + (uint64_t)ENTRY_BYTES * *n_sections;
    for (int s = 0; s < N_SECTIONS; s++) {
        const uint64_t size = smol_section_bytes(p, (enum section)s);
        at[s] = smol_round_up(end, smol_section_alignment[s]);
        if (size > 0)
            end = at[s] + size;
    }
    return end;
}

enum smol_status smol_file_size(uint64_t *size_bytes, const struct smol_parts *parts,
                                struct smol_error *error)
{
    const enum smol_status status = smol_parts_check(parts, error);
    uint64_t at[N_SECTIONS];
    unsigned n;

    if (status)
        return status;
    *size_bytes = smol_lay_out(at, &n, parts) + SMOL_HASH_BYTES;
    return SMOL_OK;
}

static void put_section(uint8_t *dest, const struct smol_parts *p, enum section s)
{
    const struct smol_span *spans[N_SECTIONS] = {NULL,          &p->base, &p->params,
                                                 &p->tokenizer, &p->card, &p->embeddings};

    if (s == CONF)
        smol_conf_encode(dest, &p->config);
    else
        memcpy(dest, spans[s]->data, spans[s]->size_bytes);
}

void smol_put_entry(uint8_t *entry, enum section s, uint64_t size_bytes, uint64_t checksum)
{
    memcpy(entry, smol_section_name[s], 4);
    smol_put32(entry + 4, 0);
    smol_put64(entry + 8, size_bytes);
    smol_put64(entry + 16, checksum);
}

void smol_put_header(uint8_t *dest, const struct smol_parts *p, unsigned n_sections,
                     uint64_t body_bytes)
{
    const uint16_t needed = smol_config_minor_version(&p->config);

    memcpy(dest, smol_magic, sizeof smol_magic);
    smol_put16(dest + 8, 1);
    smol_put16(dest + 10, p->minor_version > needed ? p->minor_version : needed);
    smol_put16(dest + 12, (uint16_t)n_sections);
    smol_put16(dest + 14, p->hints);
    smol_put64(dest + 16, body_bytes);
    smol_put64(dest + 24, smol_directory_checksum(dest, n_sections));
}

/* The parts' contents (values, text) are checked by reading what was written: no file is made that
 * the reader would refuse. */
static enum smol_status read_back(const uint8_t *bytes, uint64_t size_bytes,
                                  struct smol_error *error)
{
    struct smol_file file;

    return smol_file_parse(&file, bytes, size_bytes, error);
}

enum smol_status smol_file_write(uint8_t *dest, uint64_t capacity_bytes,
                                 const struct smol_parts *parts, struct smol_error *error)
{
    const enum smol_status status = smol_parts_check(parts, error);
    uint64_t at[N_SECTIONS], body, end;
    uint8_t *entry = dest + HEADER_BYTES;
    unsigned n;

    if (status)
        return status;
    body = smol_lay_out(at, &n, parts);
    if (capacity_bytes < body + SMOL_HASH_BYTES)
        return smol_fail(error, SMOL_E_ARGUMENT, SMOL_NO_OFFSET,
                         "the file does not fit into the memory given");
    end = HEADER_BYTES + (uint64_t)ENTRY_BYTES * n;
    for (int s = 0; s < N_SECTIONS; s++) {
        const uint64_t size = smol_section_bytes(parts, (enum section)s);
        if (size == 0)
            continue;
        memset(dest + end, 0, at[s] - end);
        put_section(dest + at[s], parts, (enum section)s);
        smol_put_entry(entry, (enum section)s, size, XXH3_64bits(dest + at[s], size));
        entry += ENTRY_BYTES;
        end = at[s] + size;
    }
    smol_put_header(dest, parts, n, body);
    smol_hash_body(dest + body, dest, body);
    return read_back(dest, body + SMOL_HASH_BYTES, error);
}
