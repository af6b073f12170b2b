/* What a fuzz target is made of: libFuzzer and AFL++ know the first two, driver.c all of it. */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t capacity, unsigned seed);

/* The target's name, as in fuzz_NAME. */
extern const char fuzz_name[];

/* Gives take the inputs that a run begins with. */
typedef void fuzz_take(const uint8_t *bytes, size_t size);
void fuzz_seeds(fuzz_take *take);

/* Ends the program by a signal unless a condition holds. */
void fuzz_require(bool condition);

#endif
