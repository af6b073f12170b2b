/* A QR code as an SVG with one path, a rectangle for each run of dark modules. See qr.h. */
#include "cli/cli.h"
#include "cli/text_stream.h"
#include "smoltool/qr/qr.h"

#include <stdio.h>
#include <stdlib.h>

static void put_runs(FILE *out, const struct qr_symbol *symbol)
{
    const unsigned n = symbol->modules;

    for (unsigned y = 0; y < n; y++) {
        const uint8_t *row = symbol->dark + (size_t)y * n;
        for (unsigned begin = 0, end; begin < n; begin = end) {
            for (end = begin; end < n && row[end] == row[begin]; end++)
                ;
            if (row[begin])
                fprintf(out, "M%u %uh%uv1h-%uz", begin + QR_QUIET_MODULES, y + QR_QUIET_MODULES,
                        end - begin, end - begin);
        }
        fputs(y + 1 < n ? "\n" : "", out);
    }
}

enum smol_status qr_svg(struct qr_picture *picture, const struct qr_symbol *symbol, unsigned scale,
                        struct smol_error *error)
{
    const unsigned side = symbol->modules + 2 * QR_QUIET_MODULES;
    struct text_stream out;

    if (!text_stream_open(&out))
        return cli_error_memory(error);
    fprintf(out.to,
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%u\" height=\"%u\" "
            "viewBox=\"0 0 %u %u\" shape-rendering=\"crispEdges\">\n"
            "<rect width=\"100%%\" height=\"100%%\" fill=\"#fff\"/>\n<path d=\"",
            side * scale, side * scale, side, side);
    put_runs(out.to, symbol);
    fputs("\"/>\n</svg>\n", out.to);
    if (!text_stream_close(&out)) {
        free(out.text);
        return cli_error_memory(error);
    }
    *picture = (struct qr_picture){(uint8_t *)out.text, out.n};
    return SMOL_OK;
}
