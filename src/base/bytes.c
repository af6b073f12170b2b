/* binary32 to binary16. */
#include "base/bytes.h"

uint16_t smol_f32_to_f16(float f)
{
    const uint32_t bits = smol_f32_bits(f);
    const uint32_t sign = bits >> 16 & 0x8000u;
    const uint32_t rest = bits & 0x7fffffffu;

    if (rest > 0x7f800000u) /* NaN: quiet */
        return (uint16_t)(sign | 0x7e00u);
    if (rest >= 0x477ff000u) /* 65520 and over round to infinity */
        return (uint16_t)(sign | 0x7c00u);
    if (rest < 0x38800000u) {
        /* Below 2^-14 the spacing is 2^-24: adding 0.5, whose own spacing that is, rounds. */
        const float sum = smol_bits_f32(rest) + 0.5f;
        return (uint16_t)(sign | (smol_f32_bits(sum) - 0x3f000000u));
    }
    /* Half to even at bit 13, then move the exponent's bias from 127 to 15. */
    const uint32_t rounded = rest + 0xfffu + (rest >> 13 & 1u);
    return (uint16_t)(sign | ((rounded - 0x38000000u) >> 13));
}
