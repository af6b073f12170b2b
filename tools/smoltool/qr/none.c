/* In a build without libqrencode and libpng. See qr.h. */
#include "cli/cli.h"
#include "smoltool/qr/qr.h"

const bool qr_is_built = false;

enum smol_status qr_encode(struct qr_symbol *symbol, const struct qr_size *size,
                           const uint8_t *bytes, size_t n, struct smol_error *error)
{
    (void)symbol;
    (void)size;
    (void)bytes;
    (void)n;
    return cli_error(error, SMOL_E_IO, "built without libqrencode");
}

enum smol_status qr_png(struct qr_picture *picture, const struct qr_symbol *symbol, unsigned scale,
                        struct smol_error *error)
{
    (void)picture;
    (void)symbol;
    (void)scale;
    return cli_error(error, SMOL_E_IO, "built without libpng");
}
