/* A QR code (ISO/IEC 18004) of bytes, and pictures of it. */
#ifndef QR_H
#define QR_H

#include <smol/status.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define QR_MAX_BYTES 2953u  /* of version 40-L */
#define QR_QUIET_MODULES 4u /* the white margin that a reader needs */

/* How much damage a code survives: some 7, 15, 25 or 30 % of it. */
enum qr_ecc { QR_ECC_L, QR_ECC_M, QR_ECC_Q, QR_ECC_H, QR_N_ECC };
extern const char qr_ecc_letters[QR_N_ECC + 1];

/* Which code it is: version 1 has 21 x 21 modules, each further one 4 more, up to 40. */
struct qr_size {
    unsigned version;
    enum qr_ecc ecc;
};
unsigned qr_modules(unsigned version);

/* The bytes that a code holds, as one segment in byte mode. */
size_t qr_capacity(const struct qr_size *size);
/* The smallest version that holds n bytes at a level; false if none does. From 107 bytes on the
 * smallest code of all has level L: a better one takes a larger version. */
bool qr_choose(struct qr_size *size, size_t n, enum qr_ecc ecc);

/* Whether this program can make codes, which needs libqrencode and libpng. */
extern const bool qr_is_built;

struct qr_symbol {
    unsigned modules; /* a side */
    uint8_t *dark;    /* (modules, modules), 1: dark; owned */
};

/* n bytes as a code of a size that holds them; free(symbol->dark). Errors: MEMORY, IO. */
enum smol_status qr_encode(struct qr_symbol *symbol, const struct qr_size *size,
                           const uint8_t *bytes, size_t n, struct smol_error *error);

/* A picture of scale x scale pixels a module, for free(). Errors: MEMORY, IO. */
#define QR_MAX_SCALE 64u
struct qr_picture {
    uint8_t *bytes;
    size_t n_bytes;
};
enum smol_status qr_png(struct qr_picture *picture, const struct qr_symbol *symbol, unsigned scale,
                        struct smol_error *error);
enum smol_status qr_svg(struct qr_picture *picture, const struct qr_symbol *symbol, unsigned scale,
                        struct smol_error *error);

#endif
