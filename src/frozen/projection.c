/* What all blocks of a projection share. SPEC.md 5.8. */
#include "frozen/projection.h"
#include "base/bytes.h"

#include <math.h>

void smol_order_init(struct smol_order *order, const struct smol_projection *p, uint32_t plane,
                     uint32_t bits)
{
    struct smol_stream stream;
    uint8_t bytes[SMOL_STEP_BYTES];

    smol_stream_init(&stream, p->key, p->tensor, plane, SMOL_PURPOSE_PROJECTION, 0);
    smol_stream_step(&stream, bytes);
    for (unsigned i = 0; i < 3; i++)
        order->odd[i] = smol_le32(bytes + 4 * i) | 1;
    order->add = smol_le32(bytes + 12);
    order->mask = (uint32_t)(((uint64_t)1 << bits) - 1);
    order->shift = bits > 0 ? (bits + 1) / 2 : 1;
}

void smol_fastfood_tables(struct smol_fastfood_tables *tables, const struct smol_projection *p)
{
    const double size = (double)p->size, scale = p->sigma / size, spread = sqrt(2 * size);

    for (unsigned u = 0; u < SMOL_TABLE_ENTRIES; u++) {
        tables->g[u] = smol_gauss_table[u];
        tables->s[u] = scale * (1 + smol_gauss_table[u] / spread);
    }
}
