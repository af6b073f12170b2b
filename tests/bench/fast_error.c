/* How far the approximate mode's logits are from the exact ones, over the bytes of a text:
 * fast_error MODEL.smol TEXT [TOKENS]. Each window of the model's context starts anew. */
#include <math.h>
#include <smol/io.h>
#include <smol/session.h>
#include <stdio.h>
#include <stdlib.h>

/* Sums over all logits and all positions. */
struct sums {
    double n, squares, values, errors, largest, positions, agreed, nats_exact, nats_fast;
};

static void fail(const char *what, const struct smol_error *error)
{
    fprintf(stderr, "fast_error: %s: %s\n", what, error->text);
    exit(1);
}

static struct smol_session *open_session(const struct smol_file *file, bool is_fast)
{
    const struct smol_session_options options = {
        .struct_bytes = sizeof options, .n_threads = 1, .batch = 1, .is_fast = is_fast};
    struct smol_session *s = NULL;
    struct smol_error error = {0};
    size_t size;

    if (smol_session_size(&size, file, &options, &error) != SMOL_OK ||
        smol_session_init(&s, file, &options, aligned_alloc(64, (size + 63) / 64 * 64), size,
                          &error) != SMOL_OK)
        fail("session", &error);
    return s;
}

static uint32_t best(const float *logits, uint32_t n)
{
    uint32_t b = 0;

    for (uint32_t i = 1; i < n; i++)
        b = logits[i] > logits[b] ? i : b;
    return b;
}

static double nats(const float *logits, uint32_t n, uint32_t token)
{
    const double most = logits[best(logits, n)];
    double sum = 0;

    for (uint32_t i = 0; i < n; i++)
        sum += exp(logits[i] - most);
    return log(sum) + most - logits[token];
}

static void compare(struct sums *s, const float *a, const float *b, uint32_t n, uint32_t next)
{
    for (uint32_t i = 0; i < n; i++) {
        const double e = fabs((double)b[i] - a[i]);
        s->squares += (double)a[i] * a[i];
        s->values += a[i];
        s->errors += e * e;
        s->largest = e > s->largest ? e : s->largest;
    }
    s->n += n;
    s->positions++;
    s->agreed += best(a, n) == best(b, n);
    s->nats_exact += nats(a, n, next);
    s->nats_fast += nats(b, n, next);
}

int main(int argc, char **argv)
{
    struct smol_mapping mapping;
    struct smol_file file;
    struct smol_session *exact, *fast;
    struct smol_error error = {0};
    struct sums s = {0};
    const double most = argc > 3 ? strtod(argv[3], NULL) : 1000;
    FILE *text = argc > 2 ? fopen(argv[2], "rb") : NULL;
    int byte, next;

    if (text == NULL) {
        fputs("usage: fast_error MODEL.smol TEXT [TOKENS]\n", stderr);
        return 2;
    }
    if (smol_file_open(&mapping, &file, argv[1], 1, &error) != SMOL_OK)
        fail(argv[1], &error);
    exact = open_session(&file, false);
    fast = open_session(&file, true);
    for (byte = getc(text); byte != EOF && (next = getc(text)) != EOF && s.positions < most;
         byte = next) {
        const uint32_t token = (uint32_t)byte;
        if (smol_session_position(exact) == smol_session_context(exact)) {
            smol_session_rewind(exact, 0);
            smol_session_rewind(fast, 0);
        }
        if (smol_session_feed(exact, &token, 1, &error) != SMOL_OK ||
            smol_session_feed(fast, &token, 1, &error) != SMOL_OK)
            fail(argv[1], &error);
        compare(&s, smol_session_logits(exact), smol_session_logits(fast), file.config.vocab,
                (uint32_t)next);
    }
    printf("%s, %.0f positions: logits have deviation %.3f, their error has %.5f (%.2f %%), at "
           "most %.4f; the best token is the "
           "same at %.2f %%; nats a token %.5f exact, %.5f approximate\n",
           argv[1], s.positions, sqrt(s.squares / s.n - s.values / s.n * s.values / s.n),
           sqrt(s.errors / s.n), 100 * sqrt(s.errors / (s.squares - s.values * s.values / s.n)),
           s.largest, 100 * s.agreed / s.positions, s.nats_exact / s.positions,
           s.nats_fast / s.positions);
    return 0;
}
