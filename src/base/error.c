/* Statuses and errors. */
#include "base/error.h"
#include "base/message.h"

const char *smol_status_name(enum smol_status status)
{
#define NAME(status)                                                                               \
    case status: return #status
    switch (status) {
        NAME(SMOL_OK);
        NAME(SMOL_E_ARGUMENT);
        NAME(SMOL_E_MEMORY);
        NAME(SMOL_E_IO);
        NAME(SMOL_E_CHANGED);
        NAME(SMOL_E_CONTEXT);
        NAME(SMOL_E_NUMERIC);
        NAME(SMOL_E_CANCELLED);
        NAME(SMOL_E_MAGIC);
        NAME(SMOL_E_VERSION);
        NAME(SMOL_E_TRUNCATED);
        NAME(SMOL_E_TRAILING);
        NAME(SMOL_E_RESERVED);
        NAME(SMOL_E_SECTION);
        NAME(SMOL_E_SIZE);
        NAME(SMOL_E_PADDING);
        NAME(SMOL_E_RANGE);
        NAME(SMOL_E_ENUM);
        NAME(SMOL_E_NONFINITE);
        NAME(SMOL_E_TEXT);
        NAME(SMOL_E_CANONICAL);
        NAME(SMOL_E_CHECKSUM);
        NAME(SMOL_E_HASH);
        NAME(SMOL_E_SIGNATURE);
        NAME(SMOL_E_UNTRUSTED);
        NAME(SMOL_E_KEY);
        NAME(SMOL_E_PASSWORD);
        NAME(SMOL_E_TOKEN);
        NAME(SMOL_E_TENSOR);
        NAME(SMOL_E_PACKED);
        NAME(SMOL_E_BASE);
    }
#undef NAME
    return "unknown status";
}

enum smol_status smol_fail(struct smol_error *error, enum smol_status code, uint64_t offset,
                           const char *format, ...)
{
    va_list args;

    if (!error)
        return code;
    error->code = code;
    error->offset = offset;
    va_start(args, format);
    smol_message(error->text, sizeof error->text, format, args);
    va_end(args);
    return code;
}
