/* A QR code by libqrencode. See qr.h. */
#include "cli/cli.h"
#include "smoltool/qr/qr.h"

#include <errno.h>
#include <qrencode.h>
#include <stdlib.h>

const bool qr_is_built = true;

static const QRecLevel levels[] = {QR_ECLEVEL_L, QR_ECLEVEL_M, QR_ECLEVEL_Q, QR_ECLEVEL_H};

enum smol_status qr_encode(struct qr_symbol *symbol, const struct qr_size *size,
                           const uint8_t *bytes, size_t n, struct smol_error *error)
{
    QRcode *code = QRcode_encodeData((int)n, bytes, (int)size->version, levels[size->ecc]);
    const size_t modules = qr_modules(size->version);
    struct qr_symbol s = {.modules = (unsigned)modules};
    enum smol_status status = SMOL_OK;

    if (!code)
        return errno == ENOMEM ? cli_error_memory(error)
                               : cli_error(error, SMOL_E_IO, "libqrencode refuses it");
    if (code->version != (int)size->version || code->width != (int)modules)
        status = cli_error(error, SMOL_E_IO, "libqrencode made version %d, not %u", code->version,
                           size->version);
    else if ((s.dark = malloc(modules * modules)) == NULL)
        status = cli_error_memory(error);
    for (size_t i = 0; !status && i < modules * modules; i++)
        s.dark[i] = code->data[i] & 1; /* the other bits say what a module is for */
    QRcode_free(code);
    if (!status)
        *symbol = s;
    return status;
}
