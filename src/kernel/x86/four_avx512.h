/* Rows of four row blocks times one vector, with AVX-512 and tables of six bits, in one
 * piece of assembly: how fast these instructions are depends on their order, and here two row
 * blocks take turns instruction by instruction, then the other two (docs/kernels.md).
 *
 * Registers 4 b..4 b + 3 have the stream of block b, 16 + 3 b..18 + 3 b its sums s0, s1 and s3, and
 * 28..31 what lasts for a moment. A step takes no other register since each word goes where the one
 * before it was: a' to b, b' to c, c' to d, and d' to a. So steps have four phases, and a row may
 * end with any. */
#ifndef SMOL_FOUR_AVX512_H
#define SMOL_FOUR_AVX512_H

#include "kernel/x86/registers_avx512.h"

/* Macros of the assembler: 64 columns of two row blocks, whose words are in registers a, b, c, d
 * and i, j, k, l; of four; a register of sums to its place, and zero; the end of a row, if no
 * columns are left. */
#define ASM_TWO                                                                                    \
    ".macro two a, b, c, d, s0, s1, s3, i, j, k, l, t0, t1, t3\n"                                  \
    "vprold $27, %%zmm\\b, %%zmm28\n"                                                              \
    "vprold $27, %%zmm\\j, %%zmm29\n"                                                              \
    "vpermb %[low], %%zmm\\d, %%zmm30\n"                                                           \
    "vpermb %[low], %%zmm\\l, %%zmm31\n"                                                           \
    "vpsubd %%zmm28, %%zmm\\a, %%zmm\\a\n" /* e */                                                 \
    "vpsubd %%zmm29, %%zmm\\i, %%zmm\\i\n"                                                         \
    "vprold $17, %%zmm\\c, %%zmm28\n"                                                              \
    "vprold $17, %%zmm\\k, %%zmm29\n"                                                              \
    "vpdpbusd (%[hs], %[at]), %%zmm30, %%zmm\\s1\n"                                                \
    "vpdpbusd (%[hs], %[at]), %%zmm31, %%zmm\\t1\n"                                                \
    "vpdpbusd (%[ls], %[at]), %%zmm30, %%zmm\\s0\n"                                                \
    "vpdpbusd (%[ls], %[at]), %%zmm31, %%zmm\\t0\n"                                                \
    "vpermb %[high], %%zmm\\d, %%zmm30\n"                                                          \
    "vpermb %[high], %%zmm\\l, %%zmm31\n"                                                          \
    "vpaddd %%zmm\\d, %%zmm\\c, %%zmm\\c\n" /* b' */                                               \
    "vpaddd %%zmm\\l, %%zmm\\k, %%zmm\\k\n"                                                        \
    "vpxord %%zmm28, %%zmm\\b, %%zmm\\b\n" /* a' */                                                \
    "vpxord %%zmm29, %%zmm\\j, %%zmm\\j\n"                                                         \
    "vpdpbusd (%[hs], %[at]), %%zmm30, %%zmm\\s3\n"                                                \
    "vpdpbusd (%[hs], %[at]), %%zmm31, %%zmm\\t3\n"                                                \
    "vpdpbusd (%[ls], %[at]), %%zmm30, %%zmm\\s1\n"                                                \
    "vpdpbusd (%[ls], %[at]), %%zmm31, %%zmm\\t1\n"                                                \
    "vpaddd %%zmm\\a, %%zmm\\d, %%zmm\\d\n" /* c' */                                               \
    "vpaddd %%zmm\\i, %%zmm\\l, %%zmm\\l\n"                                                        \
    "vpaddd %%zmm\\b, %%zmm\\a, %%zmm\\a\n" /* d' */                                               \
    "vpaddd %%zmm\\j, %%zmm\\i, %%zmm\\i\n"                                                        \
    ".endm\n"
#define ASM_FOUR                                                                                   \
    ".macro four a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p\n"                                 \
    "two \\a, \\b, \\c, \\d, 16, 17, 18, \\e, \\f, \\g, \\h, 19, 20, 21\n"                         \
    "two \\i, \\j, \\k, \\l, 22, 23, 24, \\m, \\n, \\o, \\p, 25, 26, 27\n"                         \
    ".endm\n"
#define ASM_KEEP                                                                                   \
    ".macro keep sums, place\n"                                                                    \
    "vmovdqa64 %%zmm\\sums, 1024 * \\place(%[kept])\n"                                             \
    "vpxord %%zmm\\sums, %%zmm\\sums, %%zmm\\sums\n"                                               \
    ".endm\n"
#define ASM_ROW                                                                                    \
    ".macro row\n"                                                                                 \
    "addq $64, %[at]\n"                                                                            \
    "jnz 2f\n"                                                                                     \
    "keep 16, 0\nkeep 17, 1\nkeep 18, 2\nkeep 19, 3\nkeep 20, 4\nkeep 21, 5\n"                     \
    "keep 22, 6\nkeep 23, 7\nkeep 24, 8\nkeep 25, 9\nkeep 26, 10\nkeep 27, 11\n"                   \
    "addq $64, %[kept]\n"                                                                          \
    "movq %[begin], %[at]\n"                                                                       \
    "decl %[rows]\n"                                                                               \
    "2:\n"                                                                                         \
    ".endm\n"

/* kept (4, 3, 16): the sums of each block's next rows, in lanes: of 16 rows or 8, which take whole
 * rounds of the four phases. s (4): their streams, of which the next step is made. h, l: the bytes
 * of n columns, whole steps. */
static inline void four_blocks(__m512i *kept, struct generator *s, const struct table *table,
                               const uint8_t *h, const uint8_t *l, size_t n, uint32_t rows)
{
    const int64_t begin = -(int64_t)n;
    int64_t at = begin;

    __asm__ volatile(ASM_TWO ASM_FOUR ASM_KEEP ASM_ROW
                     ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
                     "vmovdqa64 64 * \\n(%[s]), %%zmm\\n\n"
                     ".endr\n"
                     ".irp n, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27\n"
                     "vpxord %%zmm\\n, %%zmm\\n, %%zmm\\n\n"
                     ".endr\n"
                     ".p2align 6\n"
                     "1:\n"
                     "four 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
                     "row\n"
                     "four 1, 2, 3, 0, 5, 6, 7, 4, 9, 10, 11, 8, 13, 14, 15, 12\n"
                     "row\n"
                     "four 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13\n"
                     "row\n"
                     "four 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14\n"
                     "row\n"
                     "testl %[rows], %[rows]\n"
                     "jnz 1b\n"
                     ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15\n"
                     "vmovdqa64 %%zmm\\n, 64 * \\n(%[s])\n"
                     ".endr\n"
                     ".purgem two\n.purgem four\n.purgem keep\n.purgem row\n"
                     : [kept] "+&r"(kept), [at] "+&r"(at), [rows] "+&r"(rows)
                     : [s] "r"(s), [hs] "r"(h + n), [ls] "r"(l + n), [begin] "r"(begin),
                       [low] "m"(table->low[0]), [high] "m"(table->high[0])
                     : "memory", "cc", "zmm0", "zmm1", "zmm2", "zmm3", "zmm4", "zmm5", "zmm6",
                       "zmm7", "zmm8", "zmm9", "zmm10", "zmm11", "zmm12", "zmm13", "zmm14", "zmm15",
                       "zmm16", "zmm17", "zmm18", "zmm19", "zmm20", "zmm21", "zmm22", "zmm23",
                       "zmm24", "zmm25", "zmm26", "zmm27", "zmm28", "zmm29", "zmm30", "zmm31");
}

#endif
