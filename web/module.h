/* What smol.wasm exports to smol.js: the library over one model in its memory, for numbers and
 * bytes as JavaScript passes them. Each function that can fail returns an enum smol_status and
 * leaves what it found, or the error, in web_result().
 *
 * scripts/web exports every function that is declared here. */
#ifndef WEB_MODULE_H
#define WEB_MODULE_H

#include <smol/status.h>
#include <stddef.h>

struct smol_model;
struct web_text;

/* Read by smol.js at these offsets, as are the options below. */
struct web_result {
    uint64_t offset;     /*   0: of an error, or SMOL_NO_OFFSET */
    double nats;         /*   8: of a score */
    uint32_t data;       /*  16: address of bytes that live until the next call, */
    uint32_t size_bytes; /*  20: and their number */
    uint32_t n_tokens;   /*  24: of a score, of a prompt, of a step */
    uint32_t n_bytes;    /*  28: of a score */
    uint32_t finish;     /*  32: enum web_finish */
    char text[200];      /*  36: of an error */
};
const struct web_result *web_result(void);

/* Memory for the caller's bytes, aligned for anything; NULL if there is none. */
void *web_alloc(size_t size_bytes);
void web_free(void *memory);

/* Opens a file and checks all of it: structure, checksums, hash and, if there is one, the
 * signature. The bytes come from web_alloc and stay as they are for as long as the model is used,
 * which is as long as the module is. A delta opens, but only its facts can be asked for. */
enum smol_status web_open(const uint8_t *bytes, size_t size_bytes);

/* Of the open model: facts as JSON, and the card, which may be empty. */
enum smol_status web_facts(void);
enum smol_status web_card(void);

/* How a text is made: smolrun's options, with its defaults where its manual says so. */
struct web_options {
    uint64_t seed;         /*  0 */
    double temperature;    /*  8: <= 0: greedy */
    double top_p;          /* 16 */
    double min_p;          /* 24 */
    double repeat_penalty; /* 32 */
    uint32_t top_k;        /* 40 */
    int32_t repeat_last_n; /* 44 */
    int32_t n_predict;     /* 48: -1: until the context is full, or of a model that slides, as many
                              tokens as that has */
    uint32_t context;      /* 52: 0: the model's */
    uint32_t kv_type;      /* 56: enum smol_dtype */
    uint32_t is_fast;      /* 60: 0 or 1, like these */
    uint32_t ignores_end;  /* 64: go on after the end of text */
};

enum web_finish { WEB_MORE = 0, WEB_LENGTH = 1, WEB_END = 2, WEB_CONTEXT = 3 };

/* A text that begins with a prompt, any bytes: result.n_tokens of them, fed by the first calls of
 * web_text_next. *text is in result.data, and for web_text_close. */
enum smol_status web_text_open(const struct web_options *options, const uint8_t *prompt,
                               size_t size_bytes);
/* The bytes of the next token, and result.n_tokens 1; or, until the prompt has been fed, none, and
 * 0. If result.finish says that the text has ended, there are none either. */
enum smol_status web_text_next(struct web_text *text);
void web_text_close(struct web_text *text);

/* Texts in few bytes (SPEC.md 15); unpacking takes the most bytes that a text may have. */
enum smol_status web_pack(const uint8_t *text, size_t size_bytes, uint32_t has_check);
enum smol_status web_unpack(const uint8_t *packed, size_t size_bytes, size_t most_bytes,
                            uint32_t has_check);

/* How well the model predicts a text (SPEC.md 11). */
enum smol_status web_score(const uint8_t *text, size_t size_bytes, uint32_t context);

#endif
