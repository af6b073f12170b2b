/* See shapes.h. */
#include "smoltrain/plan/shapes.h"
#include "smoltrain/options/line.h"
#include "smoltrain/plan/plan.h"

#define MOST_LAYERS 6u
#define MOST_WIDTH 2048u
#define MOST_BYTES_OF_MASKS ((uint64_t)90 << 10) /* beyond, ternary weights are better */
#define MOST_STEPS 36000u                        /* beyond, twice as many bring less than 0.005 */

/* One method's part of the search. */
struct search {
    const struct plan_search *given;
    struct plan_choice *best;
    struct train_args args; /* with the method */
    uint64_t most_bytes;    /* unsigned, without a card */
};

uint32_t plan_steps(const struct smol_train_options *o, const struct plan_search *s)
{
    const double work = plan_step_work(o, s->tokenizer->config.vocab);
    double n = MOST_STEPS;

    if (train_line_gives("steps"))
        return o->n_steps;
    if (s->seconds > 0 && s->seconds * s->work_per_second / work < n)
        n = s->seconds * s->work_per_second / work;
    return n < 1 ? 1 : (uint32_t)n;
}

/* Looks at one network; false if it is too large. */
static bool consider(struct search *s, const struct smol_train_options *options)
{
    struct plan_choice *best = s->best;
    struct smol_train_options o = *options;
    struct plan_text text = {.n_train = (double)s->given->n_train};
    uint64_t bytes;
    double loss;

    if (smol_train_file_size(&bytes, &o, s->given->tokenizer, 0, NULL) != SMOL_OK)
        return true;
    if (best->least_bytes == 0 || bytes < best->least_bytes)
        best->least_bytes = bytes;
    if (s->most_bytes > 0 && bytes > s->most_bytes)
        return false;
    o.n_steps = plan_steps(&o, s->given);
    text.n_seen = (double)o.n_steps * o.batch * o.context;
    loss = plan_estimate(&o, &text);
    if (best->n_fitting++ == 0 || loss < best->loss) {
        best->args = s->args;
        best->args.options = o;
        best->file_bytes = bytes;
        best->loss = loss;
    }
    return true;
}

/* Every width is good where a byte counts; further on, multiples of 8. */
static uint32_t next_width(uint32_t width) { return width < 64 ? width + 2 : width + 8; }

/* All widths, or the line's; none that the heads do not divide. */
static void consider_widths(struct search *s, const struct smol_train_options *options)
{
    const bool any_heads = !train_line_gives("heads");
    struct smol_train_options o = *options;

    if (train_line_gives("width")) {
        consider(s, &o);
        return;
    }
    for (o.width = 8; o.width <= MOST_WIDTH; o.width = next_width(o.width)) {
        if (any_heads)
            o.n_heads = o.width % 4 == 0 ? 4 : 2;
        if (o.width % o.n_heads == 0 && !consider(s, &o))
            return;
    }
}

static void consider_layers(struct search *s, const struct smol_train_options *options)
{
    struct smol_train_options o = *options;

    if (train_line_gives("layers")) {
        consider_widths(s, &o);
        return;
    }
    for (o.n_layers = 1; o.n_layers <= MOST_LAYERS; o.n_layers++)
        consider_widths(s, &o);
}

static void consider_embeddings(struct search *s)
{
    static const char *const names[] = {"q8", "q4", "q4-row"};
    struct smol_train_options o = s->args.options;

    if (train_line_gives("embedding-type")) {
        consider_layers(s, &o);
        return;
    }
    for (unsigned i = 0; i < sizeof names / sizeof names[0]; i++)
        if (smol_dtype_parse(&o.embedding_type, names[i], SMOL_OF_EMBEDDINGS))
            consider_layers(s, &o);
}

static int consider_method(struct plan_choice *best, const struct plan_search *given,
                           const char *method)
{
    const uint64_t size = given->args->size_bytes;
    struct search s = {.given = given, .best = best};
    const int code = train_args_of_method(&s.args, method);

    if (code != 0)
        return code;
    if (size > 0) {
        const uint64_t taken = SMOL_SIGNATURE_BLOCK_BYTES + train_plan_card_room(size);

        s.most_bytes = size > taken ? size - taken : 1;
    }
    if (size > 0)
        consider_embeddings(&s);
    else
        consider(&s, &s.args.options);
    return 0;
}

int plan_choose(struct plan_choice *choice, const struct plan_search *search)
{
    const uint64_t size = search->args->size_bytes;
    const bool is_smol = search->args->options.architecture == SMOL_ARCH_SMOL;
    const char *method = !is_smol ? NULL : size <= MOST_BYTES_OF_MASKS ? "mask" : "ternary";

    *choice = (struct plan_choice){.args = *search->args};
    return consider_method(choice, search, method);
}
