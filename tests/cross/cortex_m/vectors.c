/* The vector table of a Cortex-M3 without an operating system: where its stack and its program
 * begin. newlib's semihosting does the rest. */
extern void _start(void);

static void fault(void)
{
    for (;;)
        ;
}

__attribute__((section(".isr_vector"), used)) static void (*const vectors[16])(void) = {
    (void (*)(void))0x20400000, _start, fault, fault, fault, fault, fault};
