/* The texts of errors. */
#ifndef SMOL_MESSAGE_H
#define SMOL_MESSAGE_H

#include <stdarg.h>
#include <stddef.h>

/* vsnprintf to text (size > 0), or what stands in for it in the minimal library, which knows %s,
 * %c and %%, and of whole numbers %d, %u, %x and %X, with l, ll or z, a width and a 0 before it. */
void smol_message(char *text, size_t size, const char *format, va_list args);

#endif
