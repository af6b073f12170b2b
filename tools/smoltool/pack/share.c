/* Lines, shared out to threads. */
#include "smoltool/pack/pack.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* What the threads have in common. */
struct work {
    struct pack_lines *lines;
    const struct pack_sharing *sharing;
    atomic_size_t next; /* line that nobody has taken */
    size_t at_once;     /* lines that are taken */
    atomic_bool failed; /* then no more are taken */
};

struct thread {
    struct work *work;
    pthread_t id;
    size_t line; /* at which it stopped, if status is one; else the first that it took last */
    enum smol_status status;
    struct smol_error error;
};

static void *run_thread(void *context)
{
    struct thread *t = context;
    struct work *w = t->work;
    const struct pack_sharing *s = w->sharing;
    struct pack_worker worker;

    pack_worker_start(&worker, s->models, s->options);
    while (!t->status && !atomic_load(&w->failed)) {
        const size_t first = atomic_fetch_add(&w->next, w->at_once);
        if (first >= w->lines->n)
            break;
        const size_t left = w->lines->n - first;
        size_t failed = 0;
        t->status = s->work(&w->lines->items[first], left < w->at_once ? left : w->at_once, &failed,
                            &worker, s->context, &t->error);
        t->line = first + failed;
    }
    if (t->status)
        atomic_store(&w->failed, true);
    pack_worker_finish(&worker);
    return NULL;
}

/* The lines are taken in order, so the first that failed is among those at which threads stopped.
 */
static int complain(const struct thread *threads, size_t n, const struct work *w)
{
    const struct thread *first = NULL;
    struct smol_error error;

    for (const struct thread *t = threads; t < threads + n; t++)
        if (t->status && (!first || t->line < first->line))
            first = t;
    if (!first)
        return 0;
    cli_error(&error, first->status, "line %zu: %s", w->lines->items[first->line].number,
              first->error.text);
    return cli_complain(w->sharing->name, &error);
}

uint32_t pack_cores(void)
{
    const uint32_t n = cli_cores();

    return n < PACK_MAX_THREADS ? n : PACK_MAX_THREADS;
}

uint32_t pack_lines_threads(const struct pack_lines *lines, uint32_t n_threads)
{
    if (n_threads > lines->n)
        return lines->n ? (uint32_t)lines->n : 1;
    return n_threads;
}

int pack_lines_run(struct pack_lines *lines, const struct pack_sharing *sharing)
{
    const size_t n = pack_lines_threads(lines, sharing->n_threads),
                 each = (lines->n + n - 1) / n; /* so that no thread goes without */
    struct work w = {.lines = lines, .sharing = sharing};
    size_t started = 1;
    struct thread *threads;
    int code;

    w.at_once = sharing->at_once < each ? sharing->at_once : each;
    w.at_once = w.at_once ? w.at_once : 1;
    if (!(threads = calloc(n, sizeof *threads)))
        return cli_no_memory(NULL);
    for (size_t i = 0; i < n; i++)
        threads[i].work = &w;
    while (started < n &&
           pthread_create(&threads[started].id, NULL, run_thread, &threads[started]) == 0)
        started++; /* with fewer it takes longer */
    run_thread(&threads[0]);
    for (size_t i = 1; i < started; i++)
        pthread_join(threads[i].id, NULL);
    code = complain(threads, started, &w);
    free(threads);
    return code;
}
