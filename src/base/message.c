/* See message.h. By the C library. */
#include "base/message.h"

#include <stdio.h>

void smol_message(char *text, size_t size, const char *format, va_list args)
{
    vsnprintf(text, size, format, args);
}
