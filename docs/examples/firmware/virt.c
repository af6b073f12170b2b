/* QEMU's machine virt for RISC-V, without an operating system: the start of a hart, the NS16550
 * UART, and the counter of instructions. */
#include "board.h"

#include <string.h>

#define UART(n) (*(volatile uint8_t *)(0x10000000 + (n)))
#define UART_DATA UART(0)
#define UART_LINE_STATUS UART(5)
#define UART_RX_FULL 1u
#define UART_TX_EMPTY 0x20u

#define TEST_DEVICE (*(volatile uint32_t *)0x100000)
#define TEST_RESET 0x7777u

/* Control and status registers, also for compilers to which they are an extension. */
#define CSR(instruction)                                                                           \
    ".option push\n\t.option arch, +zicsr\n\t" instruction "\n\t.option pop\n\t"

const char *const board_clock_unit = "instructions";

extern uint8_t data_begin[], data_end[], bss_begin[], bss_end[];
extern const uint8_t data_load[];

void board_start(void) {} /* the UART sends and receives from the start */

uint8_t board_read(void)
{
    while (!(UART_LINE_STATUS & UART_RX_FULL))
        ;
    return UART_DATA;
}

void board_write(const void *bytes, size_t n)
{
    for (const uint8_t *at = bytes; n > 0; n--) {
        while (!(UART_LINE_STATUS & UART_TX_EMPTY))
            ;
        UART_DATA = *at++;
    }
}

uint32_t board_clock(void)
{
    unsigned long count;

    __asm__ volatile(CSR("csrr %0, minstret") : "=r"(count));
    return (uint32_t)count;
}

void board_reset(void)
{
    TEST_DEVICE = TEST_RESET;
    for (;;)
        ;
}

/* A trap: of a stack that is too small, or a fault of the program. */
__attribute__((used, aligned(4))) static void fault(void)
{
    static const char text[] = "\nsmol: a processor fault\n";

    board_write(text, sizeof text - 1);
    for (;;)
        ;
}

/* What lies below the stack that this function itself uses. */
static inline void fill_stack(void)
{
    uint8_t *top;

    __asm__ volatile("mv %0, sp" : "=r"(top));
    for (uint8_t *at = stack_begin; at < top; at++)
        *(volatile uint8_t *)at = STACK_FILL;
}

__attribute__((used)) static void begin(void)
{
    fill_stack();
    memcpy(data_begin, data_load, (size_t)(data_end - data_begin));
    memset(bss_begin, 0, (size_t)(bss_end - bss_begin));
    main();
    board_reset();
}

/* Where the processor begins: pointers, traps, and the floating-point unit, which rounds to nearest
 * unless it is told otherwise. */
_Noreturn void reset(void);
__attribute__((naked, section(".vectors"), used)) void reset(void)
{
    __asm__ volatile(".option push\n\t"
                     ".option norelax\n\t"
                     "la gp, __global_pointer$\n\t"
                     ".option pop\n\t"
                     "la sp, stack_end\n\t"
                     "la t0, fault\n\t" CSR("csrw mtvec, t0")
#ifdef __riscv_flen
                         "li t0, 1 << 13\n\t" CSR("csrs mstatus, t0") CSR("csrw fcsr, zero")
#endif
                             "j begin");
}
