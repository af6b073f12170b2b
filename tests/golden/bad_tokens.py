"""Sections TOKN that each break one rule of SPEC.md 3.4: what make_golden.py puts into files."""
import struct

import tokens

MERGES, SPECIALS = [(83, 68), (256, 68), (256, 256)], [b'<|endoftext|>', b'[x]']
GOOD = tokens.pack(MERGES, SPECIALS)
END = 12 + 7  # of the merges: 6 numbers of 9 bits


def cases():
    """(status, offset in the section, what, section, V)"""
    def case(status, offset, what, section, vocab=270):
        return status, offset, what, section, vocab

    def patched(offset, fmt, value):
        section = bytearray(GOOD)
        struct.pack_into('<' + fmt, section, offset, value)
        return section

    for value in (1, 255):
        yield case('ENUM', 0, 'pattern_%d' % value, patched(0, 'B', value))
    yield case('RESERVED', 1, 'reserved_1', patched(1, 'B', 0x80))
    for value in (1, 0x8000):
        yield case('RESERVED', 6, 'reserved_6_%x' % value, patched(6, 'H', value))
    for value in (257, 65535):
        yield case('RANGE', 2, '%d_specials' % value, patched(2, 'H', value))
    for value in (3, 65535):
        yield case('RANGE', 4, '%d_specials_before' % value, patched(4, 'H', value))
    for value in (1048577, 2**31, 2**32 - 256, 2**32 - 1):
        yield case('RANGE', 8, '%d_merges' % value, patched(8, 'I', value))
    yield case('RANGE', 8, 'past_the_vocabulary', GOOD, 260)
    yield case('SIZE', 12, 'too_few_bytes_for_the_merges', patched(8, 'I', 12))
    for n in (1, 11):
        yield case('SIZE', 0, 'cut_at_%d' % n, GOOD[:n])
    for n in (12, END - 1):
        yield case('SIZE', 12, 'cut_at_%d' % n, GOOD[:n])
    for n in (END, END + 1, END + 13):
        yield case('SIZE', END, 'cut_at_%d' % n, GOOD[:n])
    for n in (len(GOOD) - 4, len(GOOD) - 1):
        yield case('SIZE', END + 14, 'cut_at_%d' % n, GOOD[:n])
    yield case('SIZE', len(GOOD), 'a_byte_after', GOOD + b'\0')
    yield case('SIZE', len(GOOD), 'another_special_after', GOOD + b'\1a')
    yield case('PADDING', END - 1, 'bit_54', patched(END - 1, 'B', GOOD[END - 1] | 0x40))
    yield case('PADDING', END - 1, 'bit_55', patched(END - 1, 'B', GOOD[END - 1] | 0x80))
    for what, pair, k in (('itself', (257, 68), 2), ('itself_right', (68, 257), 3), ('a_later_one', (258, 68), 2), ('none', (68, 511), 3)):
        yield case('RANGE', 12 + k * 9 // 8, 'merge_of_%s' % what, tokens.pack([MERGES[0], pair, MERGES[2]], SPECIALS))
    yield case('RANGE', END, 'empty_special', tokens.pack(MERGES, [b'', b'[x]']))
    for what, text, at in (('stray_byte', b'a\x80', 1), ('nul', b'a\0', 1), ('escape', b'\x1b[2J', 0), ('delete', b'ab\x7f', 2), ('cut_character', b'\xe2\x82', 0)):
        yield case('TEXT', END + 1 + at, 'special_%s' % what, tokens.pack(MERGES, [text]))
    # The two rules that take memory.
    doubling = [(64, 64)] + [(256 + i, 256 + i) for i in range(10)]
    yield case('RANGE', 12 + 20 * 9 // 8, 'of_2048_bytes', tokens.pack(doubling), 267)
    yield case('RANGE', 12 + 20 * 9 // 8, 'of_1025_bytes', tokens.pack(doubling[:10] + [(64, 265)]), 267)
    yield case('RANGE', 12 + 20 * 9 // 8, 'of_2_41_bytes', tokens.pack([(64, 64)] + [(256 + i, 256 + i) for i in range(40)]), 300)
    yield case('CANONICAL', 12 + 2 * 9 // 8, 'merge_twice', tokens.pack([(83, 68), (83, 68)]))
    yield case('CANONICAL', 12 + 6 * 9 // 8, 'alike_by_other_parts', tokens.pack([(1, 2), (2, 3), (256, 3), (1, 257)]))
    yield case('CANONICAL', END + 14, 'special_twice', tokens.pack(MERGES, [b'<|endoftext|>', b'<|endoftext|>']))
    yield case('CANONICAL', END, 'special_like_a_byte', tokens.pack(MERGES, [b'a']))
    yield case('CANONICAL', END, 'special_like_a_merge', tokens.pack(MERGES, [b'te']))
