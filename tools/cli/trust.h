/* Who signed a file: keys that are demanded, and the signature in the file or beside it that shows
 * one of them. SPEC.md 4. */
#ifndef TRUST_H
#define TRUST_H

#include <smol/io.h>
#include <smol/key.h>

/* The keys of which one must have signed. */
struct trust {
    struct smol_public_key *keys; /* owned */
    size_t n_keys;
};

/* One key, from a file or its base64; or all of the trust folder, $XDG_CONFIG_HOME/smol/trusted or
 * ~/.config/smol/trusted: every file called *.pub there. 0, or an exit code after a message. */
int trust_key(struct trust *trust, const char *path_or_base64);
int trust_folder(struct trust *trust);
void trust_free(struct trust *trust);

/* What a file is that is judged. */
struct trust_subject {
    const char *path;
    struct smol_span bytes;        /* all of them, mapped */
    const struct smol_file *model; /* a checked view of them; NULL: no .smol */
    const char *signature_path; /* a detached signature, which alone counts; NULL: the model's own,
                                   or PATH.minisig */
};

struct trust_proof {
    uint8_t key_number[SMOL_KEY_NUMBER_BYTES];
    char *signature_path;  /* owned; NULL: the signature is in the file */
    char *trusted_comment; /* owned; of a detached one */
};

/* Fails with what is wrong, and *blamed, the file that the error is about, for free() (NULL if
 * memory is out); trust_proof_free what comes out on success. */
enum smol_status trust_check(struct trust_proof *proof, char **blamed, const struct trust *trust,
                             const struct trust_subject *subject, struct smol_error *error);
void trust_proof_free(struct trust_proof *proof);

/* PATH.minisig, for free(); NULL if memory is out. */
char *trust_signature_path(const char *path);
/* Whether a signature that nobody named lies there: a regular file, for a pipe that came along with
 * a model must not make anybody wait. */
bool trust_is_there(const char *signature_path);

#endif
