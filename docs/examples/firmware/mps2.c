/* Arm's MPS2 boards, as QEMU has them: the start of a Cortex-M, the CMSDK UART and a timer of
 * 25 MHz. Application notes AN385, AN386 and AN500. */
#include "board.h"

#include <string.h>

#define REGISTER(address) (*(volatile uint32_t *)(address))

#define UART_DATA REGISTER(0x40004000)
#define UART_STATE REGISTER(0x40004004)
#define UART_CONTROL REGISTER(0x40004008)
#define UART_DIVIDER REGISTER(0x40004010)
#define UART_TX_FULL 1u
#define UART_RX_FULL 2u

#define TIMER_CONTROL REGISTER(0x40000000)
#define TIMER_VALUE REGISTER(0x40000004)
#define TIMER_RELOAD REGISTER(0x40000008)

#define AIRCR REGISTER(0xe000ed0c)
#define CPACR REGISTER(0xe000ed88)

const char *const board_clock_unit = "ticks of 40 ns";

extern uint8_t data_begin[], data_end[], bss_begin[], bss_end[];
extern const uint8_t data_load[];

void board_start(void)
{
    UART_DIVIDER = 25000000 / 115200;
    UART_CONTROL = 3; /* send, receive */
    if (!(UART_STATE & UART_RX_FULL))
        (void)UART_DATA; /* nothing; QEMU then asks whether there is something to receive */
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CONTROL = 1;
}

uint8_t board_read(void)
{
    while (!(UART_STATE & UART_RX_FULL))
        ;
    return (uint8_t)UART_DATA;
}

void board_write(const void *bytes, size_t n)
{
    for (const uint8_t *at = bytes; n > 0; n--) {
        while (UART_STATE & UART_TX_FULL)
            ;
        UART_DATA = *at++;
    }
}

uint32_t board_clock(void) { return UINT32_MAX - TIMER_VALUE; }

void board_reset(void)
{
    __asm__ volatile("dsb" ::: "memory");
    AIRCR = 0x05fa0004;
    for (;;)
        ;
}

/* A fault: of a stack that is too small, or a fault of the program. */
static void fault(void)
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

    __asm__ volatile("mov %0, sp" : "=r"(top));
    for (uint8_t *at = stack_begin; at < top; at++)
        *(volatile uint8_t *)at = STACK_FILL;
}

/* Where the processor begins. */
_Noreturn void reset(void);
void reset(void)
{
#ifdef __ARM_FP
    CPACR |= 0xfu << 20; /* the floating-point unit; FPSCR is 0: to nearest, subnormals kept */
    __asm__ volatile("dsb\n\tisb" ::: "memory");
#endif
    fill_stack();
    memcpy(data_begin, data_load, (size_t)(data_end - data_begin));
    memset(bss_begin, 0, (size_t)(bss_end - bss_begin));
    main();
    board_reset();
}

__attribute__((section(".vectors"), used)) static const struct {
    void *stack;
    void (*handlers[15])(void);
} vectors = {stack_end, {reset, fault, fault, fault, fault, fault}};
