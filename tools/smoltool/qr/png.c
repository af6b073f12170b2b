/* A QR code as a PNG of one bit a pixel, by libpng. See qr.h. */
#include "cli/cli.h"
#include "smoltool/qr/qr.h"

#include <png.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

/* What libpng's jump must not lose: it lies outside the function that is jumped back to. */
struct png_job {
    const struct qr_symbol *symbol;
    unsigned scale;
    struct qr_picture picture;
    size_t capacity;
    uint8_t *row; /* a row of pixels, 1: white */
    bool no_memory;
    char message[128];
};

static void fail(png_structp png, png_const_charp message)
{
    struct png_job *job = png_get_error_ptr(png);

    snprintf(job->message, sizeof job->message, "libpng: %s", message);
    png_longjmp(png, 1);
}

static void ignore(png_structp png, png_const_charp message)
{
    (void)png;
    (void)message;
}

static void append(png_structp png, png_bytep bytes, png_size_t n)
{
    struct png_job *job = png_get_io_ptr(png);
    struct qr_picture *p = &job->picture;

    if (job->capacity - p->n_bytes < n) {
        const size_t larger = 2 * (job->capacity + n);
        uint8_t *moved = realloc(p->bytes, larger);
        if (!moved) {
            job->no_memory = true;
            png_error(png, "out of memory");
        }
        p->bytes = moved;
        job->capacity = larger;
    }
    memcpy(p->bytes + p->n_bytes, bytes, n);
    p->n_bytes += n;
}

static void flush(png_structp png) { (void)png; }

/* Modules of one row, white around them. */
static void draw_row(const struct png_job *job, const uint8_t *dark)
{
    const size_t scale = job->scale, n = job->symbol->modules;

    memset(job->row, 0xff, ((n + 2 * QR_QUIET_MODULES) * scale + 7) / 8);
    for (size_t x = QR_QUIET_MODULES * scale; dark && x < (n + QR_QUIET_MODULES) * scale; x++)
        if (dark[x / scale - QR_QUIET_MODULES])
            job->row[x / 8] &= (uint8_t) ~(0x80u >> x % 8);
}

static void put_rows(png_structp png, const struct png_job *job)
{
    const size_t n = job->symbol->modules;

    for (size_t y = 0; y < n + 2 * QR_QUIET_MODULES; y++) {
        const bool outside = y < QR_QUIET_MODULES || y >= n + QR_QUIET_MODULES;
        draw_row(job, outside ? NULL : job->symbol->dark + (y - QR_QUIET_MODULES) * n);
        for (unsigned i = 0; i < job->scale; i++)
            png_write_row(png, job->row);
    }
}

/* false if libpng has jumped out of it. */
static bool put_picture(png_structp png, png_infop info, struct png_job *job)
{
    const png_uint_32 side =
        (png_uint_32)((job->symbol->modules + 2 * QR_QUIET_MODULES) * job->scale);

    if (setjmp(png_jmpbuf(png)))
        return false;
    png_set_write_fn(png, job, append, flush);
    png_set_IHDR(png, info, side, side, 1, PNG_COLOR_TYPE_GRAY, PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    png_set_filter(png, PNG_FILTER_TYPE_BASE, PNG_FILTER_NONE); /* the best for two colours */
    png_write_info(png, info);
    put_rows(png, job);
    png_write_end(png, info);
    return true;
}

enum smol_status qr_png(struct qr_picture *picture, const struct qr_symbol *symbol, unsigned scale,
                        struct smol_error *error)
{
    struct png_job job = {.symbol = symbol, .scale = scale};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, &job, fail, ignore);
    png_infop info = png ? png_create_info_struct(png) : NULL;
    bool made;

    job.row = malloc(((size_t)symbol->modules + 2 * QR_QUIET_MODULES) * scale / 8 + 1);
    made = info && job.row && put_picture(png, info, &job);
    png_destroy_write_struct(&png, &info);
    free(job.row);
    if (made) {
        *picture = job.picture;
        return SMOL_OK;
    }
    free(job.picture.bytes);
    return job.message[0] && !job.no_memory ? cli_error(error, SMOL_E_IO, "%s", job.message)
                                            : cli_error_memory(error);
}
