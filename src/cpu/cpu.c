/* Detection: the instructions must exist and the operating system must save their registers. */
#include "cpu/cpu.h"

#include <stdint.h>

#if defined(__x86_64__)

#include <cpuid.h>

/* Bits of XCR0: which register files the operating system saves. */
#define XCR0_YMM 0x06u
#define XCR0_ZMM 0xe6u

#define LEAF1_ECX_FMA (1u << 12)
#define LEAF1_ECX_OSXSAVE (1u << 27)
#define LEAF1_ECX_AVX (1u << 28)
#define LEAF1_ECX_F16C (1u << 29)
#define LEAF7_EBX_AVX2 (1u << 5)
#define LEAF7_EBX_AVX512 (1u << 16 | 1u << 17 | 1u << 30 | 1u << 31) /* F, DQ, BW, VL */
#define LEAF7_1_EAX_AVXVNNI (1u << 4)
#define LEAF7_ECX_AVX512 (1u << 1 | 1u << 11) /* VBMI, VNNI */

static bool has(uint32_t word, uint32_t bits) { return (word & bits) == bits; }

static uint32_t xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

static struct smol_cpu detect(void)
{
    struct smol_cpu cpu = {0};
    uint32_t eax, ebx, ecx, edx;

    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx))
        return cpu;
    if (!has(ecx, LEAF1_ECX_OSXSAVE | LEAF1_ECX_AVX | LEAF1_ECX_FMA | LEAF1_ECX_F16C))
        return cpu;
    if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx))
        return cpu;
    cpu.avx2 = has(xcr0(), XCR0_YMM) && has(ebx, LEAF7_EBX_AVX2);
    cpu.avx512bw = cpu.avx2 && has(xcr0(), XCR0_ZMM) && has(ebx, LEAF7_EBX_AVX512);
    cpu.avx512 = cpu.avx512bw && has(ecx, LEAF7_ECX_AVX512);
    cpu.avxvnni = cpu.avx2 && eax >= 1 && __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) &&
                  has(eax, LEAF7_1_EAX_AVXVNNI);
    return cpu;
}

#elif defined(__aarch64__)

#include <sys/auxv.h>

#define HWCAP_DOT_PRODUCTS (1ul << 20) /* HWCAP_ASIMDDP of Linux */

/* Advanced SIMD is part of the architecture. */
static struct smol_cpu detect(void)
{
    return (struct smol_cpu){.neon = true,
                             .dotprod = (getauxval(AT_HWCAP) & HWCAP_DOT_PRODUCTS) != 0};
}

#else

static struct smol_cpu detect(void) { return (struct smol_cpu){0}; }

#endif

static struct smol_cpu mask = {true, true, true, true, true, true};

void smol_cpu_mask(struct smol_cpu allowed) { mask = allowed; }

struct smol_cpu smol_cpu_detect(void)
{
    const struct smol_cpu cpu = detect();

    return (struct smol_cpu){cpu.avx2 && mask.avx2,         cpu.avxvnni && mask.avxvnni,
                             cpu.avx512bw && mask.avx512bw, cpu.avx512 && mask.avx512,
                             cpu.neon && mask.neon,         cpu.dotprod && mask.dotprod};
}
