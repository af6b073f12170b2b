/* Counting bits. */
#ifndef QUALITY_BITS_H
#define QUALITY_BITS_H

#include <stdint.h>

static inline unsigned ones(uint64_t x)
{
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (unsigned)(x * 0x0101010101010101u >> 56);
}

#define BIT_OF_EACH_BYTE 0x0101010101010101u

#endif
