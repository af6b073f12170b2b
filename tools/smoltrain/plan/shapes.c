/* See shapes.h. */
#include "smoltrain/plan/shapes.h"
#include "smoltrain/options/line.h"
#include "smoltrain/plan/plan.h"

#define MOST_LAYERS 6u
#define MOST_WIDTH 2048u
#define MOST_STEPS 36000u /* beyond, twice as many bring less than 0.005 */
#define LEAST_STEPS 20.0  /* in the time */
/* Over the text: more bring little; with dropout, which short texts get, the best comes later. */
#define MOST_PASSES 20.0
#define MOST_PASSES_DROPPING 40.0

/* The model as stored is validated in windows and as a stream, which takes as long as so many steps
 * over that text. */
#define LAST_SCORES 1.8

/* What to choose among; matrix_type is for full. */
static const struct candidate {
    const char *method;
    enum smol_dtype matrix_type;
} candidates[] = {{"mask", SMOL_F32}, {"ternary", SMOL_F32}, {"full", SMOL_Q4}};

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
    const double tokens = (double)o->batch * o->context;
    const double most = plan_is_short(o, &(struct plan_text){.n_train = (double)s->n_train})
                            ? MOST_PASSES_DROPPING
                            : MOST_PASSES;
    const double passes = most * (double)s->n_train / tokens;
    const double time =
        s->seconds * s->work_per_second / work - LAST_SCORES * (double)s->n_validation / tokens;
    double n = passes < MOST_STEPS ? passes : MOST_STEPS;

    if (train_line_gives("steps"))
        return o->n_steps;
    if (time < LEAST_STEPS)
        return 0;
    n = time < n ? time : n;
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
    if (o.n_steps == 0 && !train_line_gives("steps")) {
        best->n_slow++;
        return true;
    }
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

/* candidate NULL: the line's method, or the architecture's. */
static int consider_method(struct plan_choice *best, const struct plan_search *given,
                           const struct candidate *candidate)
{
    const uint64_t size = given->args->size_bytes;
    struct search s = {.given = given, .best = best};
    const int code = train_args_of_method(&s.args, candidate ? candidate->method : NULL);

    if (code != 0)
        return code;
    if (s.args.options.full && !train_line_gives("matrix-type"))
        s.args.options.matrix_type = candidate ? candidate->matrix_type : SMOL_Q4;
    if (size > 0) {
        const uint64_t taken = SMOL_SIGNATURE_BLOCK_BYTES + train_plan_card_room(size);

        s.most_bytes = size > taken ? size - taken : 1;
        consider_embeddings(&s);
    } else {
        consider(&s, &s.args.options);
    }
    return 0;
}

int plan_choose(struct plan_choice *choice, const struct plan_search *search)
{
    const bool any = search->args->size_bytes > 0 && !train_line_gives("method") &&
                     search->args->options.architecture == SMOL_ARCH_SMOL;
    int code = 0;

    *choice = (struct plan_choice){.args = *search->args};
    if (!any)
        return consider_method(choice, search, NULL);
    for (unsigned i = 0; i < sizeof candidates / sizeof candidates[0] && code == 0; i++)
        code = consider_method(choice, search, candidates + i);
    return code;
}
