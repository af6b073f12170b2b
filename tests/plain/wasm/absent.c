/* What tests/unit/make_model.c and the writer of files call, and the minimal library does not have:
 * merged tokens, which no model of these tests has, and the start of a libsodium that chooses among
 * functions. */
#include "format/sodium.h"

#include <smol/tokenizer.h>

#include <stdlib.h>

enum smol_status smol_tokenizer_write(uint8_t **bytes, size_t *size_bytes,
                                      const struct smol_tokenizer_parts *parts,
                                      struct smol_error *error)
{
    (void)bytes, (void)size_bytes, (void)parts, (void)error;
    abort();
}

enum smol_status smol_sodium_start(struct smol_error *error)
{
    (void)error;
    return SMOL_OK;
}
