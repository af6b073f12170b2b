/* The .smol container: bytes in, a checked view out; parts in, bytes out. SPEC.md sections 2 to 4.
 * Nothing here opens a file, and only smol_file_check_tokens and smol_assembly_create allocate. All
 * functions are thread-safe; a view is constant once parsed and must not outlive its bytes.
 *
 * Advanced: may change between minor versions until 1.0. */
#ifndef SMOL_FILE_H
#define SMOL_FILE_H

#include <smol/params.h>
#include <stdbool.h>

SMOL_BEGIN_DECLS

#define SMOL_HASH_BYTES 64u
#define SMOL_PIECE_BYTES 1048576u /* of the body, each hashed by itself */
#define SMOL_PUBLIC_KEY_BYTES 32u
#define SMOL_KEY_NUMBER_BYTES 8u
#define SMOL_SIGNATURE_BYTES 64u

/* A span of the file. A section that is absent has data NULL and size 0. */
struct smol_span {
    const uint8_t *data;
    size_t size_bytes;
};

/* One embedding table: rows x C elements, rows packed. */
struct smol_table_view {
    enum smol_dtype type;
    uint32_t rows;
    uint32_t cols;
    const uint8_t *data;        /* rows of smol_row_bytes(type, cols) */
    const uint8_t *multipliers; /* (rows, smol_row_multipliers(cols)) of q4, (rows) of q4-row; else
                                   NULL */
    const uint8_t *scales;      /* (rows) f32, little-endian, of q8, q4 or ternary, (1) of q4-row;
                                   else NULL */
};

struct smol_signature {
    uint8_t key_number[SMOL_KEY_NUMBER_BYTES];
    uint8_t public_key[SMOL_PUBLIC_KEY_BYTES];
    uint8_t signature[SMOL_SIGNATURE_BYTES];
};

/* A file that a delta names, and with what factor it takes it (SPEC.md 16). */
struct smol_part_link {
    uint8_t hash[SMOL_HASH_BYTES];
    float factor;
    const struct smol_file *file; /* NULL until the delta is joined */
};
#define SMOL_MAX_PARTS (SMOL_MAX_MODELS + SMOL_MAX_DELTAS)

/* A table that has some of the rows of another one. */
struct smol_rows_view {
    uint32_t n;                   /* 0: none */
    const uint8_t *tokens;        /* (n) u32, little-endian, ascending: which rows */
    struct smol_table_view table; /* (n, C) */
};

struct smol_file {
    struct smol_span bytes; /* the whole file */
    uint64_t body_bytes;
    uint16_t minor_version;
    uint16_t hints; /* ignorable bits, kept when rewriting */
    struct smol_config config;
    struct smol_span base;         /* BASE */
    struct smol_span params;       /* LRND, packed as in SPEC.md 3.2 */
    struct smol_span tokenizer;    /* TOKN */
    uint64_t tokenizer_at;         /* where TOKN begins */
    struct smol_span card;         /* CARD, valid UTF-8 */
    struct smol_span embeddings;   /* EMBD */
    struct smol_table_view wte;    /* (V, C) */
    struct smol_table_view wpe;    /* (T, C); data NULL without it */
    struct smol_table_view output; /* (V, C): the output table, or wte again */
    /* Of a delta; of others 0. Its wte, wpe, output and tokenizer are those of its first model once
     * it is joined, and NULL before. */
    uint32_t n_models, n_deltas;
    struct smol_part_link parts[SMOL_MAX_PARTS]; /* models first */
    float factor;                                /* of its own differences; 1 unless joined so */
    struct smol_rows_view input_rows, output_rows;
    uint8_t hash[SMOL_HASH_BYTES]; /* as stated; see smol_file_check_hash */
    bool is_signed;
    struct smol_signature signature;
};

/* Parses a file and checks everything but the hash and the signature: structure, limits, checksums,
 * finite numbers, text. bytes must outlive the view, unchanged. */
enum smol_status smol_file_parse(struct smol_file *file, const uint8_t *bytes, size_t size_bytes,
                                 struct smol_error *error);

#ifndef SMOL_MINIMAL
/* The two rules of TOKN that smol_file_parse leaves out because they take memory: no token is
 * longer than 1024 bytes, and no two are equal. smol_file_open checks them too. */
enum smol_status smol_file_check_tokens(const struct smol_file *file, struct smol_error *error);
#endif /* SMOL_MINIMAL */

/* ---- Deltas (SPEC.md 16) ---- */

/* A file to run a delta with, and its factor; NaN: the one that the delta states, or 1. */
struct smol_file_part {
    const struct smol_file *file;
    float factor;
};

/* Joins a delta with its parts, so that it can be run as any model: sessions, texts, scores and
 * weights by name take a joined file like another. The n parts stand in any order and may be more
 * than it names: those that are no delta must be its models; a delta that it does not name is added
 * too, before its own differences. factor: of the latter, NaN for 1. *joined may be *delta; the
 * parts, which are not joined themselves, and their bytes must outlive it. The hashes are those
 * that the files state: check them first. Errors: BASE if a part is missing (with its hash), is
 * another file (with both hashes) or does not fit; ARGUMENT if delta is none, or a factor is
 * infinite or beyond 2^60. */
enum smol_status smol_file_join(struct smol_file *joined, const struct smol_file *delta,
                                const struct smol_file_part *parts, size_t n, float factor,
                                struct smol_error *error);
/* Whether a file can be run: it is no delta, or joined. */
bool smol_file_is_whole(const struct smol_file *file);

/* The hash in steps that threads can share out: leaf i of n, then the root. */
uint64_t smol_hash_pieces(uint64_t body_bytes);
void smol_hash_leaf(uint8_t leaf[SMOL_HASH_BYTES], const uint8_t *body, uint64_t body_bytes,
                    uint64_t piece);
/* leaves: (n_pieces, 64) bytes. */
void smol_hash_root(uint8_t hash[SMOL_HASH_BYTES], const uint8_t *leaves, uint64_t body_bytes);

/* Computes the hash and compares it: SMOL_E_HASH if it differs. Uses one thread. */
enum smol_status smol_file_check_hash(const struct smol_file *file, struct smol_error *error);

/* Verifies the signature in the file under the key beside it. SMOL_OK if it
 * verifies, SMOL_E_SIGNATURE if not, SMOL_E_UNTRUSTED if the file is unsigned.
 * Call after smol_file_check_hash. */
enum smol_status smol_file_check_signature(const struct smol_file *file, struct smol_error *error);

/* The bytes a signature covers (SPEC.md 4). */
#define SMOL_SIGNED_MESSAGE_BYTES 120u
void smol_signed_message(uint8_t message[SMOL_SIGNED_MESSAGE_BYTES],
                         const uint8_t hash[SMOL_HASH_BYTES],
                         const uint8_t key_number[SMOL_KEY_NUMBER_BYTES],
                         const uint8_t public_key[SMOL_PUBLIC_KEY_BYTES]);

#ifndef SMOL_MINIMAL
/* What a new file is made of. Spans are encoded as in the file. */
struct smol_parts {
    struct smol_config config; /* canonical */
    struct smol_span base;     /* BASE, of a delta */
    uint16_t minor_version;    /* 0 for a new file, which gets the one that it needs */
    uint16_t hints;            /* 0 for a new file */
    struct smol_span params;
    struct smol_span tokenizer;
    struct smol_span card;
    struct smol_span embeddings;
};
#endif /* SMOL_MINIMAL */

/* The section sizes that a configuration implies. */
uint64_t smol_params_bytes(const struct smol_config *config);
uint64_t smol_embedding_bytes(const struct smol_config *config);
/* An entry of BASE, SMOL_BASE_ENTRY_BYTES. */
#define SMOL_BASE_ENTRY_BYTES 68u
void smol_base_entry_encode(uint8_t *dest, const uint8_t hash[SMOL_HASH_BYTES], float factor);
/* Where in EMBD the tables are; all 0 for one that there is not. Of a delta wte and output are the
 * rows that it has, and the tokens (u32) of all of them begin EMBD. */
struct smol_embedding_layout {
    struct smol_table_layout wte, wpe, output;
    uint64_t size_bytes;
};
void smol_embedding_layout(struct smol_embedding_layout *layout, const struct smol_config *config);

/* The rows of a stored matrix at its place in LRND, whose bytes are params. scheme: of source
 * SMOL_MATRIX_STORED. */
struct smol_table_view smol_stored_view(const struct smol_scheme *scheme,
                                        const struct smol_params_place *place, uint32_t rows,
                                        uint32_t cols, const uint8_t *params);

#ifndef SMOL_MINIMAL
/* The parts of a parsed file: writing them gives the same bytes. */
void smol_parts_of(struct smol_parts *parts, const struct smol_file *file);

/* Size of the unsigned file made of parts, and the file itself with its hash. dest holds at least
 * that many bytes (and 104 more if it is to be signed). Parts that a reader would refuse fail with
 * the reader's error. */
enum smol_status smol_file_size(uint64_t *size_bytes, const struct smol_parts *parts,
                                struct smol_error *error);
enum smol_status smol_file_write(uint8_t *dest, uint64_t capacity_bytes,
                                 const struct smol_parts *parts, struct smol_error *error);

/* A file larger than memory, made piece by piece in the order of its bytes: of parts, all but
 * params and embeddings is used, whose bytes are appended. put gets all of the file, in pieces of
 * any size; its head, header and directory, which depends on what follows, comes as zeros at first:
 * when everything is there, smol_assembly_head says what belongs there instead, for
 * smol_writer_rewrite. Where nothing can be rewritten, all of it is done twice, the second time
 * with the head of the first. It needs memory for one piece of the hash and 64 bytes for each.
 *
 * The numbers are not looked at: whoever appends them keeps the rules of SPEC.md 3. What parts
 * points to must live as long. */
typedef enum smol_status smol_put_bytes(void *context, const void *bytes, size_t size_bytes,
                                        struct smol_error *error);
struct smol_assembly;
#define SMOL_HEAD_MAX_BYTES 176u /* of a head */
/* head: of a file made before of the same, or an empty span. Errors: those of smol_file_size, TEXT
 * of a card, MEMORY, and put's own. */
enum smol_status smol_assembly_create(struct smol_assembly **assembly,
                                      const struct smol_parts *parts, struct smol_span head,
                                      smol_put_bytes *put, void *context, struct smol_error *error);
/* The next bytes of LRND, and after its last of EMBD. Errors: SIZE if there are more than the
 * configuration requires, and put's own. */
enum smol_status smol_assembly_append(struct smol_assembly *assembly, const void *bytes,
                                      size_t size_bytes, struct smol_error *error);
/* Puts the hash, which ends an unsigned file, and returns it. SIZE if bytes are missing. */
enum smol_status smol_assembly_finish(struct smol_assembly *assembly, uint8_t hash[SMOL_HASH_BYTES],
                                      struct smol_error *error);
/* What a finished file begins with. */
struct smol_span smol_assembly_head(const struct smol_assembly *assembly);
void smol_assembly_destroy(struct smol_assembly *assembly);
#endif /* SMOL_MINIMAL */

/* The trailer of a signed file: appended after the hash. */
#define SMOL_SIGNATURE_BLOCK_BYTES 104u
void smol_signature_encode(uint8_t dest[SMOL_SIGNATURE_BLOCK_BYTES],
                           const struct smol_signature *sig);

/* Bytes by purpose: embeddings, tokenizer, card, non_embedding and padding add up to the size of
 * the file. non_embedding is header, directory, configuration, BASE, parameters, hash and
 * signature. padding is the gaps, zeros before sections so that each begins at a multiple of its
 * alignment: contents that grow may shrink them. */
struct smol_size_report {
    uint64_t file, embeddings, tokenizer, card, non_embedding;
    uint64_t header, directory, config, base, params, padding, hash, signature;
};
void smol_file_sizes(struct smol_size_report *report, const struct smol_file *file);

SMOL_END_DECLS
#endif
