/* What the program asks of a board: a line to talk over, a clock, a reset, and the memory that its
 * linker script leaves. mps2.c and virt.c are two boards; a port is a third file like them. */
#ifndef BOARD_H
#define BOARD_H

#include <stddef.h>
#include <stdint.h>

/* Called once, before anything else here. */
void board_start(void);

/* A byte from the serial line; waits for it. */
uint8_t board_read(void);
void board_write(const void *bytes, size_t n);

/* Counts up, and past its end from 0 again; what one is, as text. */
uint32_t board_clock(void);
extern const char *const board_clock_unit;

/* Starts again from the reset vector. */
_Noreturn void board_reset(void);

/* Of the linker script: the memory that nothing else has, aligned to 64 bytes, and the stack. */
extern uint8_t memory_begin[], memory_end[], stack_begin[], stack_end[];

/* The stack is filled with it before main, so that one sees how much has been used. */
#define STACK_FILL 0xa5

/* Of model.S: the file. */
extern const uint8_t model[], model_end[];

/* The program. */
int main(void);

#endif
