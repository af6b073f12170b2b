/* Reading minisign's key files. */
#ifndef KEY_FILE_H
#define KEY_FILE_H

#include <smol/key.h>

/* A public key from a file, or from its base64 itself. 0, or an exit code after a message. */
int key_file_public(struct smol_public_key *key, const char *path_or_base64);

/* A secret key. If it is encrypted, its password is the first line of password_file, or without one
 * is asked for on the terminal (or read from standard input if that is none). 0, or an exit code
 * after a message. */
int key_file_secret(struct smol_secret_key *key, const char *path, const char *password_file);

#define KEY_FILE_MAX_PASSWORD 1024
/* A password from such a file or a prompt; wipe it with sodium_memzero. 0, or an exit code after a
 * message. */
int key_file_password(char password[KEY_FILE_MAX_PASSWORD], const char *prompt,
                      const char *password_file);

#endif
