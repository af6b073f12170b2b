"""Golden files of versions 1.1 and 1.3: architecture 1 and its features, sets of bytes, masks, stored rows, ternary numbers. See make_golden.py."""
import struct

import container
from container import (BIASES, DISTANCES, GAINS, HALF_SHIFT, KEPT, LAYER_GAIN, MASKED, MATRIX, NORM, OUTPUT_TABLE, OWN, RELU2, SLOPE_FACTORS, SPARSE, STORED,
                       TEMPERATURES, UNIT, Scheme)
from golden_parts import FROZEN_NORM, HUGE, INFINITE, QUIET, Bad, model
from tokens import ByteSet

HISTORY = 64
ALL = DISTANCES | SLOPE_FACTORS | TEMPERATURES | HALF_SHIFT | RELU2 | OUTPUT_TABLE
UNIT_MATRIX = Scheme(MATRIX, UNIT, 0, 1, 0, 0, 0, 0.25)


def mask(sigma=0.5, rank=0, factor=0, terms=0, n=0):
    return Scheme(MATRIX, MASKED, 0, 1, rank, 0, factor, sigma, n, terms)


def rows(kind, rank=0, factor=0, terms=0, n=0):
    return Scheme(MATRIX, KEPT, 0, 0, rank, kind, factor, 0.0, n, terms)


ALIKE = (0, 1, 1, 0, 1, 1)
SET = dict(tokens=ByteSet.pack(b'\n abc', 1), tokenizer=2)     # 6 tokens


def good_files():
    plain = [FROZEN_NORM, UNIT_MATRIX]
    return {
        'smol': model((2, 2, 8, 12, 6, 6), [FROZEN_NORM, mask(0.5, terms=GAINS, factor=1), rows(5), rows(3)], [(1, (0, 1, 1, 0, 1, 2)), (1, (0, 1, 2, 0, 3, 1))], 0, 5, 0,
                      b'{}', ALL, 1, 3, **SET),
        'distances': model((1, 1, 4, 5, 3, 256), plain, [(1, ALIKE)], 0, 2, 0, None, DISTANCES),
        'slope-factors': model((2, 5, 10, 7, 4, 256), plain, [(2, ALIKE)], 0, 1, 0, None, DISTANCES | SLOPE_FACTORS, 4),
        'temperatures': model((2, 3, 6, 7, 4, 256), plain, [(2, ALIKE)], 0, 1, 5, None, TEMPERATURES, 0),
        'half-shift': model((1, 1, 21, 7, 4, 256), plain, [(1, ALIKE)], 0, 2, 1, None, HALF_SHIFT),
        'relu2': model((1, 2, 6, 9, 4, 256), plain, [(1, ALIKE)], 0, 2, 2, None, RELU2),
        'output-table': model((1, 2, 6, 9, 4, 256), plain, [(1, ALIKE)], 0, 0, 0, None, OUTPUT_TABLE, 0, 5),
        'stream': model((2, 2, 6, 9, 5, 256), [Scheme(NORM, OWN, 1, 3, 0, 1, 0, 0.5), Scheme(MATRIX, OWN, 0, 5, 1, 0, 1, 0.25)], [(2, ALIKE)], 0, 3, 0, None,
                        DISTANCES | TEMPERATURES | HALF_SHIFT, 1),
        'byte-set': model((1, 1, 2, 3, 2, 67), plain, [(1, ALIKE)], 0, 2, 2, tokens=ByteSet.pack([10, 32, *range(192, 256), 0], 0), tokenizer=2),
        'byte-set-whole': model((1, 1, 2, 3, 2, 256), plain, [(1, ALIKE)], 0, 2, 2, tokens=ByteSet.pack(range(256), 0), tokenizer=2),
        'byte-set-of-one': model((1, 1, 2, 3, 2, 2), plain, [(1, ALIKE)], 0, 2, 2, tokens=ByteSet.pack(b'x', 1), tokenizer=2),
        'byte-set-end': model((1, 1, 2, 3, 2, 5), plain, [(1, ALIKE)], 0, 2, 2, tokens=ByteSet.pack(b'\nxyz', 0, 1), tokenizer=2),
        'byte-set-other-end': model((1, 1, 2, 3, 2, 3), plain, [(1, ALIKE)], 0, 2, 2, tokens=ByteSet.pack(b'x', 1, 1), tokenizer=2),
        'byte-set-whole-end': model((1, 1, 2, 3, 2, 257), plain, [(1, ALIKE)], 0, 2, 2, tokens=ByteSet.pack(range(256), 0, 1), tokenizer=2),
        'masks': model((2, 1, 22, 65, 3, 256), [FROZEN_NORM, mask(), mask(0.25, 2, 1, GAINS | BIASES | SPARSE, 3), mask(0.25, 0, 4, BIASES)],
                       [(2, (0, 1, 2, 0, 1, 3))], 0, 1, 1),
        'stored': model((2, 1, 33, 9, 3, 256), [FROZEN_NORM, rows(0), rows(1, 1, 1), rows(2, 0, 0, GAINS), rows(3, 0, 4, SPARSE, 2), rows(5), rows(5, 2, 1, BIASES)],
                        [(1, (0, 1, 2, 0, 3, 4)), (1, (0, 5, 6, 0, 3, 5))], 0, 2, 2),
        'ternary': model((1, 1, 11, 9, 3, 256), plain, [(1, ALIKE)], 0, 5, 5),
        'q4-row': model((1, 1, 11, 9, 3, 256), plain, [(1, ALIKE)], 0, 6, 6),
        'q4-row-output': model((1, 2, 130, 9, 3, 6), plain, [(1, ALIKE)], 0, 2, 0, None, ALL, 1, 6, **SET),
    }


def small():
    """A file to be spoilt: every feature, and a mask, ternary rows and rows of q4; LRND and EMBD are as said below."""
    return Bad(model((1, 2, 6, 3, 4, 6), [FROZEN_NORM, mask(0.5, terms=GAINS, factor=1), rows(5), rows(3)], [(1, (0, 1, 2, 0, 3, 2))], 0, 5, 0, None, ALL, 0, 3, **SET))


# Two heads have 8 bytes each. c_attn's mask 18 bytes and its gains 36; attn.c_proj 6 x 2 bytes and 24 of scales; c_fc 3 x 32 bytes, 6 of multipliers and 12 of
# scales; mlp.c_proj 6 x 1 and 24. In EMBD 6 x 2 bytes of wte at 0 and its scales at 64; 6 x 32 bytes of the output table at 128, multipliers at 320, scales at 384.
SLOPES, MASK_AT, TERNARY, TERNARY_SCALES, Q4, Q4_MULTIPLIERS, Q4_SCALES, LAST = 8, 16, 70, 82, 106, 202, 208, 220
WTE_SCALES, OUTPUT, OUTPUT_MULTIPLIERS, OUTPUT_SCALES = 64, 128, 320, 384
SCHEMES = 56
ILLEGAL = sorted(set(range(256)) - {-(-256 * v // 243) for v in range(243)})   # bytes that stand for no five ternary numbers


def in_conf(status, offset, fmt, value, what, at=None):
    b = small().patch('CONF', offset, fmt, value)
    return status, b.begin('CONF') + (offset if at is None else at), what, b.bytes()


def feature_cases():
    def without(feature, **change):
        """The small file without a feature and all that is there for it alone; then with a byte of the configuration set."""
        b = small().patch('CONF', 2, 'H', ALL & ~feature)
        for name, value in change.items():
            b.patch('CONF', {'wpe': 41, 'heads': 47, 'output': 52}[name], 'B', value)
        return b

    yield in_conf('ENUM', 0, 'H', 3, 'smol_architecture_3')
    yield in_conf('CANONICAL', 2, 'H', 0, 'smol_without_features')
    for bit in (7, 8, 15):
        yield in_conf('RESERVED', 2, 'H', ALL | 1 << bit, 'smol_feature_bit_%d' % bit)
    yield in_conf('RESERVED', 0, 'H', 0, 'gpt2_with_features', 2)
    yield in_conf('RANGE', 2, 'H', ALL & ~DISTANCES, 'slope_factors_without_distances')
    yield in_conf('RANGE', 2, 'H', SLOPE_FACTORS, 'slope_factors_alone')
    for offset in (53, 54, 55):
        yield in_conf('RESERVED', offset, 'B', 0x80, 'smol_CONF_%d' % offset)
    for what, offset, values in (('wte', 40, (4, 7)), ('wpe', 41, (4, 7)), ('heads', 47, (2, 3, 5, 6)), ('output', 52, (4, 7, 255))):
        for value in values:
            yield in_conf('ENUM', offset, 'B', value, 'smol_type_of_%s_%d' % (what, value))
    for value in (1, 5):
        yield in_conf('CANONICAL', 41, 'B', value, 'type_%d_of_no_wpe' % value)
    b = without(TEMPERATURES | SLOPE_FACTORS, heads=1)
    yield 'CANONICAL', b.begin('CONF') + 47, 'type_of_no_factors_of_heads', b.bytes()
    b = without(OUTPUT_TABLE)
    yield 'CANONICAL', b.begin('CONF') + 52, 'type_of_no_output_table', b.bytes()
    for what, b in (('temperatures', without(TEMPERATURES)), ('slope_factors', without(SLOPE_FACTORS)), ('f16', small().patch('CONF', 47, 'B', 1))):
        yield 'SIZE', b.begin('LRND'), 'factors_of_heads_without_%s' % what, b.bytes()
    b = without(DISTANCES | SLOPE_FACTORS)
    del b['LRND'][:8]
    yield 'SIZE', b.begin('EMBD'), 'no_wpe', b.bytes()
    b = without(OUTPUT_TABLE, output=0)
    yield 'SIZE', b.begin('EMBD'), 'output_table_too_many', b.bytes()
    yield 'SIZE', small().begin('EMBD'), 'output_table_of_another_type', small().patch('CONF', 52, 'B', 2).bytes()


def version_cases():
    plain, at = [FROZEN_NORM, UNIT_MATRIX], 10
    for what, m in (
            ('features', model((1, 1, 2, 3, 2, 3), plain, [(1, ALIKE)], 0, features=RELU2)),
            ('byte_set', model((1, 1, 2, 3, 2, 6), plain, [(1, ALIKE)], 0, **SET)),
            ('ternary_wte', model((1, 1, 2, 3, 2, 3), plain, [(1, ALIKE)], 0, 5)),
            ('ternary_wpe', model((1, 1, 2, 3, 2, 3), plain, [(1, ALIKE)], 0, 0, 5)),
            ('q4_row_wte', model((1, 1, 2, 3, 2, 3), plain, [(1, ALIKE)], 0, 6)),
            ('q4_row_wpe', model((1, 1, 2, 3, 2, 3), plain, [(1, ALIKE)], 0, 0, 6)),
            ('mask', model((1, 1, 2, 3, 2, 3), [FROZEN_NORM, mask()], [(1, ALIKE)], 0)),
            ('stored', model((1, 1, 2, 3, 2, 3), [FROZEN_NORM, UNIT_MATRIX, rows(0)], [(1, (0, 1, 1, 0, 1, 2))], 0))):
        yield 'VERSION', at, 'minor_0_with_%s' % what, Bad(m, minor=0).bytes()


def history_cases():
    """The numbers of a history, the last of LRND, are a matter of version 1.3."""
    def with_history(numbers=(5.5, 3.25, 2.25, 2.25, 1.75), features=ALL | HISTORY):
        b = small().patch('CONF', 2, 'H', features)
        b.minor = 3
        b['LRND'].extend(struct.pack('<%df' % len(numbers), *numbers))
        return b

    for minor in (0, 1, 2):
        b = with_history()
        b.minor = minor
        yield 'VERSION', 10, 'minor_%d_with_history' % minor, b.bytes()
    b = with_history(features=(ALL | HISTORY) & ~(DISTANCES | SLOPE_FACTORS))
    yield 'RANGE', b.begin('CONF') + 2, 'history_without_distances', b.bytes()
    b = with_history().patch('CONF', 24, 'I', 65537)
    yield 'RANGE', b.begin('CONF') + 24, 'history_of_a_vocabulary_of_65537', b.bytes()
    b = with_history().patch('CONF', 47, 'B', 3)
    yield 'ENUM', b.begin('CONF') + 47, 'type_of_history_3', b.bytes()
    for n in (0, 4, 6):
        b = with_history([1.0] * n)
        yield 'SIZE', b.begin('LRND'), 'history_of_%d_numbers' % n, b.bytes()
    for status, bits in (('NONFINITE', INFINITE), ('NONFINITE', QUIET), ('RANGE', HUGE), ('RANGE', HUGE | 1 << 31), ('RANGE', 0x477fe001)):
        b = with_history().patch('LRND', LAST + 30 + 16, 'I', bits)
        yield status, b.begin('LRND') + LAST + 30 + 16, 'history_%08x' % bits, b.bytes()


def byte_set_cases():
    def case(status, offset, what, section, vocab=6):
        b = small().patch('CONF', 24, 'I', vocab)
        b['TOKN'][:] = section
        b['EMBD'][:] = model((1, 2, 6, 3, 4, vocab), [FROZEN_NORM, UNIT_MATRIX], [(1, ALIKE)], 0, 5, features=DISTANCES).wte.pack() + container.Table(
            3, *[a[:1].repeat(vocab, axis=0) for a in (lambda t: (t.numbers, t.scales, t.multipliers))(model(
                (1, 1, 6, 3, 1, 1), [FROZEN_NORM, UNIT_MATRIX], [(1, ALIKE)], 0, 3).wte)]).pack()
        return status, b.begin('TOKN') + offset, 'set_%s' % what, b.bytes()

    good = SET['tokens']
    yield case('SIZE', 0, 'of_32_bytes', good[:32])
    yield case('SIZE', 0, 'of_34_bytes', good + b'\0')
    yield case('SIZE', 0, 'of_1_byte', good[:1])
    for flags in (4, 6, 0x80, 255):
        yield case('RESERVED', 32, 'flags_%d' % flags, good[:32] + bytes([flags]))
    yield case('RANGE', 0, 'with_an_end_too_many', good[:32] + b'\3')
    yield case('RANGE', 0, 'without_its_end', good[:32] + b'\1', 7)
    yield case('RANGE', 0, 'empty', ByteSet.pack([], 1), 1)
    yield case('RANGE', 0, 'without_its_other', good[:32] + b'\0')
    for vocab in (5, 7):
        yield case('RANGE', 0, 'for_a_vocabulary_of_%d' % vocab, good, vocab)
    yield case('RANGE', 32, 'whole_with_other', ByteSet.pack(range(256), 1), 257)
    yield case('RANGE', 32, 'whole_with_other_and_end', ByteSet.pack(range(256), 1, 1), 258)
    yield in_conf('ENUM', 42, 'B', 3, 'smol_tokenizer_3')
    b = small()
    b.sections = [s for s in b.sections if s[0] != b'TOKN']
    yield 'SECTION', 32, 'no_set', b.bytes()
    b = small().patch('CONF', 42, 'B', 0)
    yield 'SECTION', b.begin('TOKN'), 'set_for_byte_tokens', b.bytes()
    b = small().patch('CONF', 42, 'B', 1).patch('TOKN', 0, '12s', bytes(12))
    yield 'RANGE', b.begin('TOKN') + 8, 'set_as_merges', b.bytes()


def scheme_cases():
    masked, kept = SCHEMES + 16, SCHEMES + 32
    for what, place, offset, fmt, value, status in (
            ('mask_dist', masked, 2, 'B', 1, 'CANONICAL'), ('mask_dist_2', masked, 2, 'B', 2, 'ENUM'), ('mask_d_0', masked, 3, 'B', 0, 'RANGE'), ('mask_d_2', masked, 3, 'B', 2, 'RANGE'),
            ('mask_alpha_type', masked, 6, 'B', 1, 'CANONICAL'), ('mask_alpha_type_2', masked, 6, 'B', 2, 'ENUM'), ('mask_gains_as_ternary', masked, 7, 'B', 5, 'ENUM'),
            ('mask_sigma_0', masked, 8, 'I', 0, 'RANGE'), ('mask_sigma_infinite', masked, 8, 'I', INFINITE, 'RANGE'), ('mask_dimensions', masked, 12, 'I', 1, 'CANONICAL'),
            ('mask_layer_gain', masked, 0, 'B', MATRIX | GAINS | LAYER_GAIN, 'RANGE'), ('mask_rank', masked, 4, 'H', 4097, 'RANGE'),
            ('stored_dist', kept, 2, 'B', 1, 'CANONICAL'), ('stored_d', kept, 3, 'B', 1, 'CANONICAL'), ('stored_type_4', kept, 6, 'B', 4, 'ENUM'), ('stored_type_6', kept, 6, 'B', 6, 'ENUM'),
            ('stored_factor_type', kept, 7, 'B', 1, 'CANONICAL'), ('stored_sigma', kept, 8, 'I', 0x3f800000, 'CANONICAL'), ('stored_sigma_minus_0', kept, 8, 'I', 0x80000000, 'CANONICAL'),
            ('stored_dimensions', kept, 12, 'I', 1, 'CANONICAL'), ('stored_layer_gain', kept, 0, 'B', MATRIX | LAYER_GAIN, 'RANGE'), ('stored_source_11', kept, 1, 'B', 11, 'ENUM')):
        b = small().patch('CONF', place + offset, fmt, value)
        yield status, b.begin('CONF') + place + offset, what, b.bytes()
    for what, sparse in (('mask', MATRIX | GAINS | SPARSE), ('stored', MATRIX | SPARSE)):
        place = masked if what == 'mask' else kept
        b = small().patch('CONF', place, 'B', sparse)
        yield 'RANGE', b.begin('CONF') + place + 12, '%s_sparse_row_of_0' % what, b.bytes()
    b = small().patch('CONF', masked, 'B', MATRIX)
    yield 'CANONICAL', b.begin('CONF') + masked + 7, 'mask_type_of_no_gains', b.bytes()


def learned_cases():
    def case(status, offset, fmt, value, what, at=None):
        b = small().patch('LRND', offset, fmt, value)
        return status, b.begin('LRND') + (offset if at is None else at), what, b.bytes()

    b = small()
    assert len(b['LRND']) == LAST + 30
    for what, at in (('temperature', 4), ('slope_factor', SLOPES)):
        for bits in (INFINITE, QUIET, INFINITE | 1 << 31):
            yield case('NONFINITE', at, 'I', bits, '%s_%08x' % (what, bits))
        for bits in (HUGE, HUGE | 1 << 31, 0x477fe001):
            yield case('RANGE', at, 'I', bits, '%s_%08x' % (what, bits))
    for row, bit in ((0, 6), (9, 7), (17, 6)):
        yield case('PADDING', MASK_AT + row, 'B', b['LRND'][MASK_AT + row] | 1 << bit, 'mask_bit_%d_of_row_%d' % (bit, row))
    yield case('NONFINITE', MASK_AT + 18 + 34, 'H', 0x7c00, 'gain_of_mask_7c00')
    for i, byte in enumerate(ILLEGAL):
        yield case('RANGE', TERNARY + i % 12, 'B', byte, 'ternary_byte_%d' % byte)
    # Byte 0 of a row has columns 0, 2, 4, byte 1 columns 1, 3, 5; the fourth and fifth trits of each are past the last column.
    for at, trit, value in ((0, 3, -1), (1, 3, 1), (10, 4, -1), (11, 4, 1)):
        v = 13 * 9 + 3 * 1 + 1 + value * 3 ** (4 - trit)
        yield case('PADDING', TERNARY + at, 'B', -(-256 * v // 243), 'trit_%d_of_byte_%d' % (trit, at))
    for at, value, what in ((Q4 + 6, 1, 'nibble_6_of_row_0'), (Q4, 0x10, 'nibble_32_of_row_0'), (Q4 + 95, 0x80, 'nibble_63_of_row_2')):
        yield case('PADDING', at, 'B', b['LRND'][at] | value, 'stored_%s' % what)
    for row in (0, 2):
        yield case('PADDING', Q4_MULTIPLIERS + 2 * row + 1, 'B', 1, 'stored_multiplier_1_of_row_%d' % row)
    for what, at in (('ternary', TERNARY_SCALES + 20), ('q4', Q4_SCALES + 8), ('last', LAST + 6)):
        yield case('NONFINITE', at, 'I', INFINITE, 'scale_of_%s_infinite' % what)
        for bits in (0x80000000, 0xbf800000, 0x5d800001):
            yield case('RANGE', at, 'I', bits, 'scale_of_%s_%08x' % (what, bits))
    for kind, fmt, bits in ((0, 'I', QUIET), (0, 'I', INFINITE), (1, 'H', 0xfc00), (1, 'H', 0x7e00)):
        b = Bad(model((1, 1, 2, 3, 2, 3), [FROZEN_NORM, UNIT_MATRIX, rows(kind)], [(1, (0, 1, 1, 0, 1, 2))], 0))
        at = 4 * (2 if kind == 0 else 1)
        yield 'NONFINITE', b.begin('LRND') + at, 'stored_as_type_%d_%x' % (kind, bits), b.patch('LRND', at, fmt, bits).bytes()
    for n, what in ((-1, 'less'), (1, 'more')):
        b = small()
        b['LRND'][:] = (b['LRND'] + bytes(1))[:len(b['LRND']) + n]
        yield 'SIZE', b.begin('LRND'), 'smol_LRND_a_byte_%s' % what, b.bytes()


def table_cases():
    def case(status, offset, fmt, value, what):
        b = small().patch('EMBD', offset, fmt, value)
        return status, b.begin('EMBD') + offset, what, b.bytes()

    yield case('RANGE', 3, 'B', ILLEGAL[3], 'wte_ternary_byte_%d' % ILLEGAL[3])
    yield case('PADDING', 11, 'B', -(-256 * (13 * 9 + 3 * 2 + 1) // 243), 'wte_trit_past_the_row')
    for at in (12, 63, 88, 127, 383, 408, 447):
        yield case('PADDING', at, 'B', 1, 'smol_EMBD_%d' % at)
    yield case('RANGE', WTE_SCALES + 4, 'I', 0xbf800000, 'wte_ternary_scale_negative')
    yield case('PADDING', OUTPUT + 6, 'B', 1, 'output_nibble_past_the_row')
    yield case('PADDING', OUTPUT_MULTIPLIERS + 1, 'B', 1, 'output_multiplier_past_the_row')
    yield case('NONFINITE', OUTPUT_SCALES + 20, 'I', QUIET, 'output_scale_not_a_number')
    yield case('RANGE', OUTPUT_SCALES, 'I', 0x5d800001, 'output_scale_5d800001')


def q4_row_cases():
    """wte of 3 x 5: the scale, multipliers at 4, rows of 3 bytes at 7, zeros from 16 on; wpe of 2 x 5 at 64: rows at 70, zeros from 76 on."""
    def case(status, offset, fmt, value, what, at=None):
        b = Bad(model((1, 1, 5, 3, 2, 3), [FROZEN_NORM, UNIT_MATRIX], [(1, ALIKE)], 0, 6, 6)).patch('EMBD', offset, fmt, value)
        return status, b.begin('EMBD') + (offset if at is None else at), 'q4_row_%s' % what, b.bytes()

    for at, what in ((16, 'after_wte'), (63, 'before_wpe'), (76, 'after_wpe'), (127, 'at_the_end')):
        yield case('PADDING', at, 'B', 1, what)
    for at, what in ((9, 'row_0_of_wte'), (15, 'row_2_of_wte'), (75, 'row_1_of_wpe')):
        yield case('PADDING', at, 'B', 0x10, 'past_%s' % what)
    for bits in (INFINITE, QUIET):
        yield case('NONFINITE', 0, 'I', bits, 'scale_%08x' % bits)
    for bits in (0x80000000, 0xbf800000, 0x5d800001):
        yield case('RANGE', 64, 'I', bits, 'scale_%08x' % bits)


BAD = (feature_cases, version_cases, history_cases, byte_set_cases, scheme_cases, learned_cases, table_cases, q4_row_cases)
