#!/usr/bin/python3
"""Writes tests/golden: good files, and bad ones that each break one rule of SPEC.md and no other. They come from
SPEC.md alone (through tests/reference/container.py), never from the C code, with every checksum and the hash
repaired, so that it is the rule itself that is met.

A bad file is called STATUS.OFFSET.WHAT.smol: the status and the byte that the reader must name.

Usage: make_golden.py [FOLDER]    (otherwise this one)
"""
import itertools
import pathlib
import struct
import sys

here = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(here.parent / 'reference'))
sys.path.insert(0, str(here))
import bad_tokens
import container
import delta_cases
import golden_joined
import golden_logits
import golden_packed
import method_cases
import nacl.signing
import smol_cases
import tokens
from container import MATRIX, NORM, OWN, SHARED, STORED, UNIT, Scheme
from golden_parts import (ALPHAS, CONF_AT, EMBD_BYTES, FACTORS, FROZEN_NORM, GROUP_ORDER, HUGE, INFINITE, LN_1, LRND_BYTES, QUIET, RUN_0, SCALES, SCALES_END,
                          SCHEME_0, SCHEME_1, SECRET, WPE, WPE_END, WTE_END, Bad, model, table, with_conf)

def good_files():
    def matrix(source, d=1, rank=0, dist=0, alpha=0, factor=0, sigma=0.25):
        return Scheme(MATRIX, source, dist, d, rank, alpha, factor, sigma)

    alike = [(2, (0, 1, 1, 0, 1, 1))]
    own_norm = Scheme(NORM, OWN, 1, 3, 0, 1, 0, 1.0)
    return {
        'embed-f32': model((2, 2, 6, 24, 5, 9), [FROZEN_NORM, matrix(UNIT)], alike, 0),
        'alpha-f16-q8': model((2, 2, 8, 12, 4, 10), [FROZEN_NORM, matrix(OWN, 5, alpha=1)], alike, 0, 2, 2, b'{"a": "\xc3\xa9\n\t"}'),
        'alpha-global-gauss-f16': model((2, 1, 5, 7, 3, 11), [FROZEN_NORM, matrix(SHARED, 9, dist=1)], alike, 0, 1, 1),
        'lora-f16-stored': model((2, 3, 3, 4, 2, 13), [Scheme(NORM, STORED, 0, 0, 0, 0, 1, 0.0), matrix(UNIT, rank=2, factor=1)], alike, 0, 2, 1, b'{}'),
        'own-norms-d64': model((1, 1, 1, 1, 1, 1), [own_norm, matrix(OWN, 64)], [(1, (0, 1, 1, 0, 1, 1))], 0, 0, 2),
        'mixed-runs': model((4, 2, 4, 6, 2, 8),
                            [FROZEN_NORM, matrix(SHARED, 3, alpha=1), matrix(UNIT, rank=1), own_norm, matrix(SHARED, 3, rank=2, alpha=1, factor=1),
                             Scheme(NORM, STORED, 0, 0, 0, 0, 0, 0.0)],
                            [(1, (0, 1, 2, 0, 1, 1)), (2, (3, 4, 2, 0, 1, 4)), (1, (0, 1, 2, 0, 1, 1))], 5, 0, 2, b'{"mixed": true}'),
        'minor-and-hints': model((1, 1, 2, 2, 1, 2), [FROZEN_NORM, matrix(UNIT)], [(1, (0, 1, 1, 0, 1, 1))], 0, minor=65535, hints=65535),
        'alpha-q4': model((1, 3, 99, 10, 3, 7), [FROZEN_NORM, matrix(OWN, 5, alpha=1)], [(1, (0, 1, 1, 0, 1, 1))], 0, 3, 3),
        'fastfood': model((1, 2, 10, 30, 3, 7), [FROZEN_NORM, Scheme(MATRIX, container.FASTFOOD, 0, 1, 2, 1, 1, 0.25, 70)], [(1, (0, 1, 1, 0, 1, 1))], 0, 1, 1),
        'fastfood-shared': model((2, 2, 10, 30, 3, 7), [FROZEN_NORM, Scheme(MATRIX, container.FASTFOOD_SHARED, 1, 1, 0, 0, 0, 0.25, 1000),
                                                        matrix(OWN, 3)], [(2, (0, 1, 2, 0, 1, 1))], 0, 2, 2),
        'fourier': model((1, 2, 10, 30, 3, 7), [FROZEN_NORM, Scheme(MATRIX, container.FOURIER, 0, 1, 0, 1, 0, 0.25, 70)], [(1, (0, 1, 1, 0, 1, 1))], 0, 1, 1),
        'bpe': model((1, 1, 2, 3, 2, 264), [FROZEN_NORM, matrix(UNIT)], [(1, (0, 1, 1, 0, 1, 1))], 0, 2, 2, b'{}',
                     tokens=tokens.pack([(83, 68), (256, 68), (256, 256), (220, 71)], [b'<|endoftext|>', b'[\xc3\xa9\n]'], 1)),
        'bpe-bytes': model((1, 1, 2, 3, 2, 256), [FROZEN_NORM, matrix(UNIT)], [(1, (0, 1, 1, 0, 1, 1))], 0, 2, 2, tokens=tokens.pack([])),
        'limits': model((1, 1, 2, 3, 1, 2), [FROZEN_NORM, matrix(UNIT, sigma=2.0 ** 60), matrix(UNIT, sigma=2.0 ** -60)],
                        [(1, (0, 1, 2, 0, 1, 2))], 0, 2, 2),
    }


def header_cases():
    size = len(Bad().bytes())
    body = size - 64
    yield 'MAGIC', 0, 'lower_case', Bad(magic=b'\x89smol\r\n\x1a').bytes()
    yield 'MAGIC', 0, 'through_a_text_mode', Bad(magic=b'\x89SMOL\n\x1a\0').bytes()
    yield 'MAGIC', 0, 'gguf', b'GGUF' + Bad().bytes()[4:]
    for major in (0, 2, 65535):
        yield 'VERSION', 8, 'major_%d' % major, Bad(major=major).bytes()
    for count in (0, 1, 7, 65535):
        yield 'RANGE', 12, '%d_sections' % count, Bad(count=count).bytes()
    for stated in (2**48 + 1, 2**63, 2**64 - 64, 2**64 - 1):
        yield 'RANGE', 16, 'body_%x' % stated, Bad(body=stated).bytes()
    yield 'TRUNCATED', size, 'body_2_48', Bad(body=2**48).bytes()
    for n in (0, 1, 7, 8, 31, 32, 100, body - 1, body, body + 63):
        yield 'TRUNCATED', n, 'cut_at_%d' % n, Bad().bytes()[:n]
    whole = Bad(signer=SECRET).bytes()
    yield 'TRUNCATED', size + 1, 'one_byte_of_signature', whole[:size + 1]
    yield 'TRUNCATED', size + 103, 'signature_short_by_one', whole[:-1]
    yield 'TRAILING', size + 104, 'a_byte_after', whole + b'\0'
    yield 'TRAILING', size + 104, 'another_file_after', whole + whole
    short = bytearray(Bad(body=40).bytes()[:40])
    yield 'SIZE', 16, 'body_within_directory', bytes(short) + bytes(64)


def directory_cases():
    for name in ('CONF', 'LRND', 'CARD', 'EMBD'):
        good = Bad()
        yield 'RESERVED', good.entry(name) + 4, 'flags_of_%s' % name, Bad(flags={name.encode(): 1}).bytes()
        yield 'RESERVED', good.entry(name) + 4, 'high_flag_of_%s' % name, Bad(flags={name.encode(): 1 << 31}).bytes()
        yield 'SIZE', good.entry(name) + 8, 'empty_%s' % name, Bad(sizes={name.encode(): 0}).bytes()
        for what, size in (('2_32_more', 2**32 + len(good[name])), ('2_63', 2**63), ('minus_1', -1), ('minus_8', -8),
                           ('minus_64', -64), ('wraps_to_the_start', -good.begin(name)), ('2_48', 2**48)):
            yield 'SIZE', good.begin(name), '%s_of_%s' % (what, name), Bad(sizes={name.encode(): size}).bytes()
    # A hole: EMBD is stated to be shorter than what is there.
    yield 'SIZE', 16, 'bytes_after_EMBD', Bad(sizes={b'EMBD': EMBD_BYTES - 64}).bytes()

    b = Bad()
    b.sections[1][0] = b'CONF'
    yield 'SECTION', 56, 'CONF_twice', b.bytes()
    b = Bad()
    b.sections[2][0] = b'LRND'
    yield 'SECTION', 80, 'LRND_twice', b.bytes()
    b = Bad()
    b.sections[3][0] = b'CARD'
    yield 'SECTION', 104, 'CARD_twice', b.bytes()
    for kind in (b'card', b'XXXX', bytes(4), b'CAR\0'):
        b = Bad()
        b.sections[2][0] = kind
        yield 'SECTION', 80, 'unknown_%s' % kind.hex(), b.bytes()
    b = Bad()
    b.sections[0], b.sections[1] = b.sections[1], b.sections[0]
    yield 'SECTION', 56, 'out_of_order', b.bytes()
    b = Bad()
    b.sections[2][0] = b'TOKN'
    yield 'SECTION', b.begin('TOKN'), 'TOKN_for_byte_tokens', b.bytes()
    for name in ('CONF', 'EMBD'):
        b = Bad()
        b.sections = [s for s in b.sections if s[0] != name.encode()]
        yield 'SECTION', 32, 'no_%s' % name, b.bytes()


def size_cases():
    """Sections of other sizes than the configuration demands."""
    b = Bad()
    b.sections.pop(1)
    yield 'SIZE', 32, 'no_LRND', b.bytes()
    for name, change in itertools.product(('CONF', 'LRND', 'EMBD'), (-64, -1, 1, 64)):
        b = Bad()
        data = b[name]
        if change < 0:
            del data[change:]
        else:
            data += bytes(change)
        if name == 'EMBD' or len(data) >= 56:
            yield 'SIZE', b.begin(name), '%s_%+d' % (name, change), b.bytes()
    b = Bad()
    del b['CONF'][55:]
    yield 'SIZE', b.begin('CONF'), 'CONF_of_55', b.bytes()
    b = Bad()
    b.sections[1][1] += bytes(8)
    b.patch('CONF', SCHEME_1 + 1, 'B', 0).patch('CONF', SCHEME_1 + 3, 'B', 1)
    yield 'SIZE', b.begin('LRND'), 'LRND_for_other_schemes', b.bytes()
    # Shapes within their limits, far beyond the file.
    for what, offset, value in (('width', 12, 65536), ('ff', 16, 262144), ('rank', SCHEME_1 + 4, 4096)):
        b = Bad().patch('CONF', offset, 'H' if what == 'rank' else 'I', value)
        yield 'SIZE', b.begin('LRND'), '%s_%d' % (what, value), b.bytes()
    for what, offset, value in (('context', 20, 1048576), ('vocab', 24, 16777216)):
        yield 'SIZE', Bad().begin('EMBD'), '%s_%d' % (what, value), Bad().patch('CONF', offset, 'I', value).bytes()
    b = Bad().patch('CONF', 4, 'I', 256).patch('CONF', RUN_0, 'H', 256)
    yield 'SIZE', b.begin('LRND'), 'layers_256', b.bytes()
    for kind in (0, 1, 3):
        yield 'SIZE', Bad().begin('EMBD'), 'wte_type_%d' % kind, Bad().patch('CONF', 40, 'B', kind).bytes()


def padding_cases():
    b = Bad()
    end = b.begin('LRND') + len(b['LRND'])
    assert len(b['LRND']) == LRND_BYTES and end < b.begin('CARD')
    for at in (end, b.begin('CARD') - 1, b.begin('CARD') + len(b['CARD']), b.begin('EMBD') - 1):
        yield 'PADDING', at, 'gap', Bad(gap={at: 1}).bytes()
    for at in (WTE_END, SCALES - 1, SCALES_END, WPE - 1, WPE_END, EMBD_BYTES - 1):
        yield 'PADDING', b.begin('EMBD') + at, 'EMBD_%d' % at, Bad().patch('EMBD', at, 'B', 0x80).bytes()


def q4_cases():
    """wte as q4, 3 rows of 32 bytes, 2 multipliers and a scale: rows at 0, multipliers at 128, scales at 192, wpe at 256."""
    def q4(at, value):
        b = Bad().patch('CONF', 40, 'B', 3)
        b['EMBD'][:] = table(3, 3, 2).pack() + table(0, 1, 2).pack()
        b['EMBD'][at] |= value
        return b.begin('EMBD'), b.bytes()

    for at, value, what in ((2, 1, 'column_2_of_row_0'), (0, 0x10, 'column_32_of_row_0'), (95, 0x80, 'column_63_of_row_2'), (129, 1, 'multiplier_1_of_row_0'),
                            (133, 255, 'multiplier_1_of_row_2'), (96, 1, 'after_rows'), (127, 1, 'before_multipliers'), (134, 1, 'after_multipliers'),
                            (191, 1, 'before_scales'), (204, 1, 'after_scales')):
        begin, data = q4(at, value)
        yield 'PADDING', begin + at, 'q4_' + what, data
    begin, data = q4(195, 0x80)
    yield 'RANGE', begin + 192, 'q4_scale_negative', data


def conf_cases():
    def case(status, offset, fmt, value, what, at=None):
        return status, CONF_AT + (offset if at is None else at), what, Bad().patch('CONF', offset, fmt, value).bytes()

    yield case('ENUM', 0, 'H', 3, 'architecture_3')
    yield case('ENUM', 0, 'H', 65535, 'architecture_65535')
    for offset, fmt in ((2, 'H'), (47, 'B'), (52, 'I')):
        for bit in (0, 8 * struct.calcsize(fmt) - 1):
            yield case('RESERVED', offset, fmt, 1 << bit, 'CONF_%d_bit_%d' % (offset, bit), offset + bit // 8)
    for what, offset, top in (('layers', 4, 256), ('heads', 8, 1024), ('width', 12, 65536), ('ff', 16, 262144),
                              ('context', 20, 1048576), ('vocab', 24, 16777216)):
        for value in (0, top + 1, 2**32 - 1):
            yield case('RANGE', offset, 'I', value, '%s_%d' % (what, value))
    yield case('RANGE', 8, 'I', 3, 'heads_do_not_divide')
    yield case('RANGE', 4, 'I', 2, 'fewer_layers_in_runs')
    for what, offset, top in (('epsilon', 28, 0x3f800000), ('logit_scale', 48, 0x5d800000), ('sigma', SCHEME_1 + 8, 0x5d800000)):
        for value in (0, 0x21800000 - 1, top + 1, INFINITE, QUIET, 0xbf800000):
            yield case('RANGE', offset, 'I', value, '%s_%08x' % (what, value))
    for what, offset in (('wte', 40), ('wpe', 41)):
        yield case('ENUM', offset, 'B', 4, '%s_type_4' % what)
        yield case('ENUM', offset, 'B', 255, '%s_type_255' % what)
    for value in (3, 255):
        yield case('ENUM', 42, 'B', value, 'tokenizer_%d' % value)
    yield 'SECTION', 32, 'no_TOKN', Bad().patch('CONF', 42, 'B', 1).bytes()
    for value in (0, 1, 33, 255):
        yield case('RANGE', 43, 'B', value, '%d_schemes' % value)
    for value in (0, 257, 65535):
        yield case('RANGE', 44, 'H', value, '%d_runs' % value)
    for what, offset in (('ln_f', 46), ('ln_1', RUN_0 + 2), ('c_attn', RUN_0 + 3), ('mlp_c_proj', RUN_0 + 7)):
        for value in (2, 255):
            yield case('RANGE', offset, 'B', value, '%s_scheme_%d' % (what, value))
        yield case('RANGE', offset, 'B', 1 if what in ('ln_f', 'ln_1') else 0, '%s_of_another_kind' % what)
    yield case('RANGE', RUN_0, 'H', 0, 'run_of_no_layers')
    yield case('RANGE', RUN_0, 'H', 65535, 'run_of_65535_layers', 4)


def scheme_cases():
    def case(status, offset, fmt, value, what):
        return status, CONF_AT + offset, what, Bad().patch('CONF', offset, fmt, value).bytes()

    for value in (0, 3, 255):
        yield case('ENUM', SCHEME_0, 'B', value, 'kind_%d' % value)
    for value in (3, 255):
        yield case('ENUM', SCHEME_0 + 1, 'B', value, 'norm_source_%d' % value)
    for value in (7, 255):
        yield case('ENUM', SCHEME_1 + 1, 'B', value, 'matrix_source_%d' % value)
    for value in (0, 1048577, 2 ** 32 - 1):
        b = Bad().patch('CONF', SCHEME_1 + 1, 'B', 3).patch('CONF', SCHEME_1 + 3, 'B', 1).patch('CONF', SCHEME_1 + 12, 'I', value)
        yield 'RANGE', CONF_AT + SCHEME_1 + 12, 'dimensions_%d' % value, b.bytes()
    yield case('ENUM', SCHEME_1 + 2, 'B', 2, 'dist_2')
    for value in (0, 65, 255):
        yield case('RANGE', SCHEME_1 + 3, 'B', value, 'd_%d' % value)
    for value in (4097, 65535):
        yield case('RANGE', SCHEME_1 + 4, 'H', value, 'rank_%d' % value)
    yield case('ENUM', SCHEME_1 + 6, 'B', 2, 'alphas_as_q8')
    yield case('ENUM', SCHEME_1 + 7, 'B', 2, 'factors_as_q8')
    yield case('ENUM', SCHEME_0 + 7, 'B', 2, 'norms_as_q8')
    for what, offset, fmt, value in (('dist', 2, 'B', 1), ('d', 3, 'B', 1), ('rank', 4, 'H', 1), ('alpha_type', 6, 'B', 1),
                                     ('sigma', 8, 'I', 0x3f800000), ('dimensions', 12, 'I', 1), ('sigma_minus_0', 8, 'I', 0x80000000)):
        yield case('CANONICAL', SCHEME_0 + offset, fmt, value, 'unused_%s' % what)
    b = Bad().patch('CONF', SCHEME_1 + 4, 'H', 0)
    yield 'CANONICAL', CONF_AT + SCHEME_1 + 7, 'type_of_no_factors', b.bytes()
    b = Bad().patch('CONF', SCHEME_1 + 1, 'B', 0)
    yield 'RANGE', CONF_AT + SCHEME_1 + 3, 'unit_basis_with_d_2', b.bytes()
    b.patch('CONF', SCHEME_1 + 3, 'B', 1).patch('CONF', SCHEME_1 + 6, 'B', 1)
    yield 'CANONICAL', CONF_AT + SCHEME_1 + 6, 'type_of_no_alphas', b.bytes()


def bpe(section, vocab=270):
    """Bad() with such a section TOKN, and where that begins."""
    b = Bad().patch('CONF', 42, 'B', 1).patch('CONF', 24, 'I', vocab)
    b.sections.insert(2, [b'TOKN', bytearray(section)])
    b['EMBD'][:] = table(2, vocab, 2).pack() + table(0, 1, 2).pack()
    return b.begin('TOKN'), b.bytes()


def token_cases():
    at, whole = bpe(bad_tokens.GOOD)
    for status, offset, what, section, vocab in bad_tokens.cases():
        yield status, at + offset, 'tokens_' + what, bpe(section, vocab)[1]
    damaged = bytearray(whole)
    damaged[at + 13] ^= 1
    yield 'CHECKSUM', at, 'flipped_in_TOKN', bytes(damaged)
    b = Bad().patch('CONF', 42, 'B', 1).patch('CONF', 24, 'I', 270)
    b.sections.insert(3, [b'TOKN', bytearray(bad_tokens.GOOD)])
    yield 'SECTION', 32 + 24 * 3, 'TOKN_after_CARD', b.bytes()


def canonical_cases():
    at = 32 + 24 * 4
    unit, other = Scheme(MATRIX, UNIT, 0, 1, 0, 0, 0, 0.5), Scheme(MATRIX, UNIT, 0, 1, 0, 0, 0, 0.25)
    shared = [Scheme(MATRIX, SHARED, 0, d, 0, t, 0, 0.5) for d, t in ((2, 0), (3, 0), (2, 1))]
    run = (0, 1, 1, 0, 1, 1)
    yield 'CANONICAL', at + 56 + 16 * 2, 'equal_schemes', with_conf(1, [FROZEN_NORM, unit, unit], [(1, (0, 1, 2, 0, 1, 1))], 0)
    yield 'CANONICAL', at + 43, 'unused_scheme', with_conf(1, [FROZEN_NORM, unit, other], [(1, run)], 0)
    yield 'CANONICAL', at + 56 + 32 + 2, 'matrix_first', with_conf(1, [unit, FROZEN_NORM], [(1, (1, 0, 0, 1, 0, 0))], 1)
    yield 'CANONICAL', at + 56 + 48 + 3, 'order', with_conf(1, [FROZEN_NORM, unit, other], [(1, (0, 2, 1, 0, 1, 1))], 0)
    yield 'CANONICAL', at + 56 + 32 + 8, 'equal_runs', with_conf(2, [FROZEN_NORM, unit], [(1, run), (1, run)], 0)
    yield 'RANGE', at + 44, 'more_runs_than_layers', with_conf(1, [FROZEN_NORM, unit, other], [(1, run), (1, (0, 1, 2, 0, 1, 1))], 0)
    yield 'RANGE', at + 4, 'too_many_layers_in_runs', with_conf(2, [FROZEN_NORM, unit], [(3, run)], 0)
    for second, what in ((1, 'd'), (2, 'type')):
        yield 'RANGE', at + 56 + 32, 'shared_alphas_disagree_on_%s' % what, with_conf(
            1, [FROZEN_NORM, shared[0], Scheme(**{**vars(shared[second]), 'sigma': 2.0})], [(1, (0, 1, 2, 0, 1, 1))], 0)
    many = [FROZEN_NORM] + [Scheme(MATRIX, UNIT, 0, 1, 0, 0, 0, 2.0 ** -i) for i in range(32)]
    runs = [(1, (0, 1 + 4 * i, 2 + 4 * i, 0, 3 + 4 * i, 4 + 4 * i)) for i in range(8)]
    yield 'RANGE', at + 43, '33_schemes_that_exist', with_conf(8, many, runs, 0)


def number_cases():
    b = Bad()
    lrnd, embd, card = b.begin('LRND'), b.begin('EMBD'), b.begin('CARD')
    for half in (0x7c00, 0xfc00, 0x7e00, 0x7c01):
        yield 'NONFINITE', lrnd + LN_1 + 2, 'norm_%04x' % half, Bad().patch('LRND', LN_1 + 2, 'H', half).bytes()
        yield 'NONFINITE', lrnd + FACTORS, 'factor_%04x' % half, Bad().patch('LRND', FACTORS, 'H', half).bytes()
        yield 'NONFINITE', lrnd + LRND_BYTES - 2, 'last_norm_%04x' % half, Bad().patch('LRND', LRND_BYTES - 2, 'H', half).bytes()
    for bits in (INFINITE, QUIET, 0xff800000, 0x7f800001):
        yield 'NONFINITE', lrnd + ALPHAS + 4, 'alpha_%08x' % bits, Bad().patch('LRND', ALPHAS + 4, 'I', bits).bytes()
        yield 'NONFINITE', embd + SCALES + 8, 'scale_%08x' % bits, Bad().patch('EMBD', SCALES + 8, 'I', bits).bytes()
        yield 'NONFINITE', embd + WPE + 4, 'wpe_%08x' % bits, Bad().patch('EMBD', WPE + 4, 'I', bits).bytes()
    for bits in (HUGE, HUGE | 1 << 31, 0x477fe001, 0x7f7fffff):
        yield 'RANGE', lrnd + ALPHAS, 'alpha_%08x' % bits, Bad().patch('LRND', ALPHAS, 'I', bits).bytes()
    for bits in (0x80000000, 0xbf800000, 0x5d800001, 0x7f7fffff):
        yield 'RANGE', embd + SCALES, 'scale_%08x' % bits, Bad().patch('EMBD', SCALES, 'I', bits).bytes()
    for what, text, status, at in (
            ('one_byte', b'{', 'RANGE', 0), ('array', b'[1]', 'TEXT', 0), ('unfinished', b'{"a": 1', 'TEXT', 0),
            ('byte_order_mark', b'\xef\xbb\xbf{}', 'TEXT', 0), ('space_after', b'{} ', 'TEXT', 0), ('nul', b'{"\0"}', 'TEXT', 2),
            ('escape', b'{"\x1b[2J"}', 'TEXT', 2), ('carriage_return', b'{\r}', 'TEXT', 1), ('delete', b'{"\x7f"}', 'TEXT', 2),
            ('csi', b'{"\xc2\x9b2J"}', 'TEXT', 2), ('lone_tail', b'{"\x80"}', 'TEXT', 2), ('overlong_slash', b'{"\xc0\xaf"}', 'TEXT', 2),
            ('overlong_3', b'{"\xe0\x80\xaf"}', 'TEXT', 2), ('overlong_4', b'{"\xf0\x80\x80\xaf"}', 'TEXT', 2),
            ('surrogate', b'{"\xed\xa0\x80"}', 'TEXT', 2), ('over_10ffff', b'{"\xf4\x90\x80\x80"}', 'TEXT', 2),
            ('five_bytes', b'{"\xf8\x88\x80\x80\x80"}', 'TEXT', 2), ('cut_character', b'{"\xe2\x82}', 'TEXT', 2), ('ff', b'{\xff}', 'TEXT', 1)):
        b = Bad()
        b['CARD'][:] = text
        yield status, card + at, 'card_%s' % what, b.bytes()


def damage_cases():
    good = Bad()
    for what, at, place in [('header', 14, 24), ('directory', 40 + 24, 24)] + [
            (n, good.begin(n) + 1, good.begin(n)) for n in ('CONF', 'LRND', 'CARD', 'EMBD')]:
        data = bytearray(good.bytes())
        data[at] ^= 1
        yield 'CHECKSUM', place, 'flipped_in_%s' % what, bytes(data)
    body = len(good.bytes()) - 64
    for at in (0, 63):
        data = bytearray(good.bytes())
        data[body + at] ^= 1
        yield 'HASH', body, 'flipped_at_%d' % at, bytes(data)
    data = good.bytes()
    yield 'HASH', body, 'of_one_piece_alone', data[:body] + container.hashlib.blake2b(data[:body]).digest()
    signed = Bad(signer=SECRET).bytes()
    at = body + 64
    for offset in (0, 7, 8, 39, 40, 71, 72, 103):
        data = bytearray(signed)
        data[at + offset] ^= 1
        yield 'SIGNATURE', at, 'flipped_at_%d' % offset, bytes(data)
    s = int.from_bytes(signed[-32:], 'little') + GROUP_ORDER
    yield 'SIGNATURE', at, 's_past_the_order', signed[:-32] + s.to_bytes(32, 'little')
    # The neutral point as key and as R, S = 0: verifies any message where keys of small order are not refused.
    neutral = (1).to_bytes(32, 'little')
    yield 'SIGNATURE', at, 'key_of_small_order', signed[:at] + bytes(8) + neutral + neutral + bytes(32)
    yield 'SIGNATURE', at, 'zeros', signed[:at] + bytes(104)
    key = nacl.signing.SigningKey(SECRET[1])
    digest = signed[body:at]
    yield 'SIGNATURE', at, 'of_the_hash_alone', signed[:-64] + key.sign(digest).signature
    message = container.signed_message(digest, bytes(8), bytes(key.verify_key))
    yield 'SIGNATURE', at, 'of_another_key_number', signed[:-64] + key.sign(message).signature


def bad_files():
    cases = (header_cases, directory_cases, size_cases, padding_cases, q4_cases, conf_cases, scheme_cases, token_cases, canonical_cases, number_cases,
             damage_cases, *method_cases.BAD, *smol_cases.BAD, *delta_cases.BAD)
    for status, offset, what, data in itertools.chain.from_iterable(case() for case in cases):
        yield 'SMOL_E_%s.%d.%s.smol' % (status, offset, what), data


def every_file():
    """Path below the folder -> bytes."""
    files = {}
    for name, m in {**good_files(), **method_cases.good_files(), **smol_cases.good_files()}.items():
        files['good/%s.smol' % name] = container.write(m)
        if name.startswith(('alpha-f16', 'mixed')) or name == 'smol':
            files['good/%s-signed.smol' % name] = container.write(m, SECRET)
    files.update({path: data for path, (data, _) in delta_cases.files(files).items()})
    for name, data in bad_files():
        path = 'bad/' + name
        assert path not in files, path
        files[path] = data
    return files


def parts_of_deltas(files):
    return {path: parts for path, (_, parts) in delta_cases.files(files).items()}


if __name__ == '__main__':
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else here
    made = every_file()
    for path, data in {**made, golden_logits.NAME: golden_logits.text(made).encode(), golden_joined.NAME: golden_joined.text(made, parts_of_deltas(made)).encode(),
                       golden_packed.NAME: golden_packed.text(made).encode()}.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)
