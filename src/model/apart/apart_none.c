/* Instead of apart.c where there are no threads. */
#include "model/apart/apart.h"

bool smol_goes_apart(const struct mixture *mixture)
{
    (void)mixture;
    return false;
}

bool smol_feed_apart(bool *overflows, struct smol_session *session, smol_feed *feed,
                     const void *feeding, const uint32_t *texts, size_t first, uint32_t n)
{
    (void)overflows, (void)session, (void)feed, (void)feeding, (void)texts, (void)first, (void)n;
    return false;
}
