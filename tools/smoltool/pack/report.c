/* What packing has saved, in figures. */
#include "cli/json.h"
#include "smoltool/pack/pack.h"

#include <smol/tokenizer.h>

size_t pack_characters(struct smol_span text)
{
    size_t n = 0;

    for (size_t i = 0, length; i < text.size_bytes; i += length ? length : 1, n++)
        length = smol_utf8_character(text.data + i, text.size_bytes - i);
    return n;
}

struct sums {
    size_t text_bytes, characters, packed_bytes, digits;
    size_t by_model[PACK_MAX_MODELS + 1]; /* lines; the last: as they are */
};

static struct sums add(const struct pack_lines *lines)
{
    struct sums sums = {0};

    for (size_t i = 0; i < lines->n; i++) {
        const struct pack_line *l = &lines->items[i];

        sums.text_bytes += l->from.size_bytes;
        sums.characters += pack_characters(l->from);
        sums.packed_bytes += l->n;
        sums.digits += base91_digits(l->n);
        sums.by_model[l->model]++;
    }
    return sums;
}

/* 0 of nothing. */
static double ratio(double a, double b) { return b > 0 ? a / b : 0; }

static double saved(size_t packed, size_t bytes)
{
    return bytes ? 100 * (1 - (double)packed / (double)bytes) : 0;
}

static void put_models(FILE *to, const struct pack_report *r, const struct sums *sums)
{
    const size_t n = r->models->n;

    for (size_t i = 0; i < n; i++) {
        fprintf(to, "%s%zu with ", i ? ", " : "models         ", sums->by_model[i]);
        cli_put_escaped(to, cli_base_name(r->models->items[i].path));
    }
    fprintf(to, ", %zu as they are\n", sums->by_model[PACK_AS_IT_IS]);
}

void pack_report_print(FILE *to, const struct pack_report *r)
{
    const struct sums sums = add(r->lines);
    const double n = (double)r->lines->n, seconds = r->seconds;

    fprintf(to, "lines          %zu\n", r->lines->n);
    fprintf(to, "text           %zu bytes, %zu characters\n", sums.text_bytes, sums.characters);
    fprintf(to, "packed         %zu bytes", sums.packed_bytes);
    if (r->is_text)
        fprintf(to, ", as text %zu characters", sums.digits);
    fprintf(to, "\nbits/character %.3f\n",
            ratio(8 * (double)sums.packed_bytes, (double)sums.characters));
    fprintf(to, "saved          %.2f %%\n", saved(sums.packed_bytes, sums.text_bytes));
    put_models(to, r, &sums);
    fprintf(to, "speed          %.0f lines/s, %.0f characters/s: %.3f s on %u thread%s\n",
            ratio(n, seconds), ratio((double)sums.characters, seconds), seconds, r->n_threads,
            r->n_threads == 1 ? "" : "s");
}

/* NULL if memory is out. */
static json_t *models_json(const struct pack_report *r, const struct sums *sums)
{
    json_t *array = json_array();

    for (size_t i = 0; i < r->models->n; i++)
        json_array_append_new(array, json_pack("{s:o, s:I, s:I}", "model",
                                               cli_json_name(r->models->items[i].path), "tag",
                                               (json_int_t)r->models->items[i].tag, "lines",
                                               (json_int_t)sums->by_model[i]));
    return array;
}

int pack_report_json(FILE *to, const struct pack_report *r)
{
    const struct sums sums = add(r->lines);
    return cli_put_json(
        to,
        json_pack("{s:I, s:I, s:I, s:I, s:I, s:f, s:f, s:I, s:o, s:f, s:I}", "lines",
                  (json_int_t)r->lines->n, "text_bytes", (json_int_t)sums.text_bytes, "characters",
                  (json_int_t)sums.characters, "packed_bytes", (json_int_t)sums.packed_bytes,
                  "packed_characters", (json_int_t)sums.digits, "bits_per_character",
                  ratio(8 * (double)sums.packed_bytes, (double)sums.characters), "saved_percent",
                  saved(sums.packed_bytes, sums.text_bytes), "lines_as_they_are",
                  (json_int_t)sums.by_model[PACK_AS_IT_IS], "models", models_json(r, &sums),
                  "elapsed_seconds", r->seconds, "threads", (json_int_t)r->n_threads),
        JSON_INDENT(2));
}
