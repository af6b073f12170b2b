/* Lines of golden/vectors/frozen.txt: a kind, then name=value, values separated by commas. A value
 * that is not there, or not what it should be, fails the test. Arrays have exactly their size on
 * the heap, so that a sanitizer sees each read beyond; they live as long as the line. */
#ifndef TEST_VECTORS_H
#define TEST_VECTORS_H

#include <stddef.h>
#include <stdint.h>

struct vector {
    const char *text; /* the line after its kind */
    unsigned number;  /* of the line, from 1 */
    void *owned[16];
    unsigned n_owned;
};

/* Calls check for every line of a kind; that there are none fails the test. */
void vectors_each(const char *kind, void (*check)(struct vector *v));

uint64_t vector_u64(const struct vector *v, const char *name);
uint32_t vector_u32(const struct vector *v, const char *name);
double vector_f64(const struct vector *v, const char *name);
float vector_f32(const struct vector *v, const char *name);

/* Arrays; *n may be NULL. */
double *vector_f64s(struct vector *v, const char *name, size_t *n);
float *vector_f32s(struct vector *v, const char *name, size_t *n);
int64_t *vector_i64s(struct vector *v, const char *name, size_t *n);
int16_t *vector_i16s(struct vector *v, const char *name, size_t *n);
uint32_t *vector_u32s(struct vector *v, const char *name, size_t *n);
uint8_t *vector_bytes(struct vector *v, const char *name, size_t *n); /* from hex */

/* Fails unless both have the same bits: -0 is not 0. */
void vector_same_f32(const struct vector *v, const float *got, const float *want, size_t n);
void vector_same_f64(const struct vector *v, const double *got, const double *want, size_t n);
void vector_same_i16(const struct vector *v, const int16_t *got, const int16_t *want, size_t n);
void vector_same_i64(const struct vector *v, const int64_t *got, const int64_t *want, size_t n);

#endif
