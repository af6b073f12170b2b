/* See apart.h. */
#include "model/apart/apart.h"

#define FEW_WEIGHTS 1048576u /* of a layer */

bool smol_goes_apart(const struct mixture *mixture)
{
    const struct smol_config *c = &mixture->files[0]->config;
    const uint64_t C = c->width, weights = C * (4 * C + 2 * (uint64_t)c->n_ff);

    for (uint32_t i = 0; i < mixture->n_parts; i++) {
        const struct smol_config *part = &mixture->files[i]->config;
        for (uint32_t k = 0; k < part->n_schemes; k++)
            if (smol_scheme_projects(&part->schemes[k])) /* whose rows are not made fast */
                return false;
    }
    return mixture->n_parts * weights <= FEW_WEIGHTS;
}

/* The session as a worker has it whose positions of a batch begin at `from`. */
static struct smol_session part_of(const struct smol_session *session, uint32_t worker, size_t from)
{
    const struct smol_config *c = session->config;
    struct smol_session s = *session;

    s.workers += worker;
    s.n_workers = 1;
    s.rows += from;
    s.heads += from;
    s.x += from * c->width;
    s.h += from * c->width;
    s.shifted += from * c->width;
    s.wide += from * (3 * c->width > c->n_ff ? 3 * c->width : c->n_ff);
    s.z += from * s.z_stride;
    s.X += from * s.x_stride;
    s.t += from;
    return s;
}

/* Tokens of as many texts. */
struct batch {
    struct smol_session *session;
    smol_feed *feed;
    const void *feeding;
    size_t first;
    uint32_t n;
};

static void feed_share(void *arg, uint32_t worker, uint32_t n_workers)
{
    const struct batch *g = arg;
    const size_t from = smol_share(g->n, worker, n_workers),
                 end = smol_share(g->n, worker + 1, n_workers);
    struct smol_session s = part_of(g->session, worker, from);

    s.workers->overflow = g->feed(&s, g->feeding, g->first + from, (uint32_t)(end - from));
}

/* A share of one position would be multiplied in runs, which are laid out for all workers. */
bool smol_feed_apart(bool *overflows, struct smol_session *session, smol_feed *feed,
                     const void *feeding, const uint32_t *texts, size_t first, uint32_t n)
{
    struct batch batch = {session, feed, feeding, first, n};

    if (!session->goes_apart || session->n_workers == 1 || n < 2 * session->n_workers || !texts)
        return false;
    for (size_t i = first; i < first + n; i++)
        if (session->texts[texts[i]].n_new != 1)
            return false;
    smol_pool_run(session->pool, feed_share, &batch);
    *overflows = smol_overflowed(session);
    return true;
}
