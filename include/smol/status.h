/* How a call ended. Every function that can fail returns a status, fills its
 * results through its first parameters only on success, and describes a
 * failure in *error when error is not NULL. Thread-safe. */
#ifndef SMOL_STATUS_H
#define SMOL_STATUS_H

#include <stdint.h>

/* Around the declarations of every header here, for C++. */
#ifdef __cplusplus
#define SMOL_BEGIN_DECLS extern "C" {
#define SMOL_END_DECLS }
#else
#define SMOL_BEGIN_DECLS
#define SMOL_END_DECLS
#endif

SMOL_BEGIN_DECLS

/* The values never change; new ones are added at the end of a group. */
enum smol_status {
    SMOL_OK = 0,

    /* The caller or the machine. */
    SMOL_E_ARGUMENT = 1,  /* an argument outside its stated range */
    SMOL_E_MEMORY = 2,    /* out of memory */
    SMOL_E_IO = 3,        /* a file could not be opened, read, mapped or written */
    SMOL_E_CHANGED = 4,   /* a file changed or shrank while it was in use */
    SMOL_E_CONTEXT = 5,   /* more tokens than the session's context holds */
    SMOL_E_NUMERIC = 6,   /* a computed value is not finite */
    SMOL_E_CANCELLED = 7, /* the caller asked to stop */

    /* The bytes of a file (SPEC.md sections 2 and 3). */
    SMOL_E_MAGIC = 10,     /* not a .smol file */
    SMOL_E_VERSION = 11,   /* a major version this reader does not know */
    SMOL_E_TRUNCATED = 12, /* ends before its stated size */
    SMOL_E_TRAILING = 13,  /* bytes after its end */
    SMOL_E_RESERVED = 14,  /* a reserved bit is set */
    SMOL_E_SECTION = 15,   /* a section unknown, missing, repeated or out of order */
    SMOL_E_SIZE = 16,      /* a section's size contradicts the configuration */
    SMOL_E_PADDING = 17,   /* gap bytes that are not zero */
    SMOL_E_RANGE = 18,     /* a field outside its limits */
    SMOL_E_ENUM = 19,      /* an unknown enumerator */
    SMOL_E_NONFINITE = 20, /* a stored number that is infinite or not a number */
    SMOL_E_TEXT = 21,      /* text that is not UTF-8 or holds control characters */
    SMOL_E_CANONICAL = 22, /* not the one canonical encoding of its meaning */

    /* Integrity and origin (SPEC.md section 4). */
    SMOL_E_CHECKSUM = 30,  /* XXH3: damaged */
    SMOL_E_HASH = 31,      /* BLAKE2b: not this exact file */
    SMOL_E_SIGNATURE = 32, /* Ed25519: the signature does not verify */
    SMOL_E_UNTRUSTED = 33, /* not signed, or by a key other than the one demanded */
    SMOL_E_KEY = 34,       /* a malformed key or signature file */
    SMOL_E_PASSWORD = 35,  /* a wrong or missing password */

    /* Text and tensors. */
    SMOL_E_TOKEN = 40,  /* a byte without a token, or a token beyond the vocabulary */
    SMOL_E_TENSOR = 41, /* no tensor of that name */
    SMOL_E_PACKED = 42, /* a packed text of another model, or damaged */
    SMOL_E_BASE = 43,   /* a delta without a file that it changes, or with another one */
};

/* No offset: the error concerns no place in a file. */
#define SMOL_NO_OFFSET UINT64_MAX

struct smol_error {
    enum smol_status code;
    uint64_t offset; /* byte in the file, or SMOL_NO_OFFSET */
    char text[200];  /* one line without a newline: the rule that was broken */
};

/* The name of a status, e.g. "SMOL_E_HASH"; "unknown status" for other values. */
const char *smol_status_name(enum smol_status status);

SMOL_END_DECLS
#endif
