/* The texts of errors in the minimal library, which has no printf. */
#include "base/message.h"

#include <criterion/criterion.h>
#include <inttypes.h>
#include <limits.h>
#include <string.h>

static char text[64];

static const char *message(size_t size, const char *format, ...)
{
    va_list args;

    memset(text, '?', sizeof text);
    va_start(args, format);
    smol_message(text, size, format, args);
    va_end(args);
    return text;
}

Test(message, has_strings)
{
    cr_assert_str_eq(message(64, "nothing to fill in"), "nothing to fill in");
    cr_assert_str_eq(message(64, "%s of %s, 100 %%, %c", "a", "", 'b'), "a of , 100 %, b");
    cr_assert_str_eq(message(64, "%4s|", "ab"), "  ab|");
    cr_assert_str_eq(message(64, ""), "");
}

Test(message, has_numbers_of_every_size)
{
    cr_assert_str_eq(message(64, "%u %d %d", 0u, -1, INT_MIN), "0 -1 -2147483648");
    cr_assert_str_eq(message(64, "%llu %lld", ULLONG_MAX, LLONG_MIN),
                     "18446744073709551615 -9223372036854775808");
    cr_assert_str_eq(message(64, "%" PRIu32 "%" PRIu64 "%zu", UINT32_C(4294967295),
                             UINT64_C(10000000000), (size_t)7),
                     "4294967295100000000007");
    cr_assert_str_eq(message(64, "%lu %ld", 12345678ul, -12345678l), "12345678 -12345678");
}

Test(message, has_widths_and_hexadecimal)
{
    cr_assert_str_eq(message(64, "%016llX", 0x1234abcdull), "000000001234ABCD");
    cr_assert_str_eq(message(64, "%02x%02x %04X %x", 5u, 255u, 0xbeu, 0u), "05ff 00BE 0");
    cr_assert_str_eq(message(64, "%5d|%05d|%2d", -42, -42, 12345), "  -42|-0042|12345");
}

Test(message, is_cut_where_its_room_ends)
{
    cr_assert_str_eq(message(6, "%s", "abcdefgh"), "abcde");
    cr_assert_eq(text[6], '?');
    cr_assert_str_eq(message(4, "%u", 123456u), "123");
    cr_assert_eq(text[4], '?');
    cr_assert_str_eq(message(1, "a"), "");
    cr_assert_str_eq(message(4, "abc"), "abc");
}
