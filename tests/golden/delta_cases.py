"""Golden deltas, of version 1.2 (SPEC.md 16): good ones, each with the files of golden/good that it changes, and bad ones. See make_golden.py."""
import math
import struct

import container
from container import (BIASES, DISTANCES, FASTFOOD, GAINS, HALF_SHIFT, KEPT, MASKED, MATRIX, MODELS, NOLA, NORM, OUTPUT_TABLE, OWN, RELU2, SHARED, SLOPE_FACTORS,
                       SPARSE, STORED, TEMPERATURES, UNIT, Scheme)
from golden_parts import FROZEN_NORM, INFINITE, QUIET, SECRET, Bad, model, table, values

ALL = DISTANCES | SLOPE_FACTORS | TEMPERATURES | HALF_SHIFT | RELU2 | OUTPUT_TABLE
ALIKE = (0, 1, 1, 0, 1, 1)
NOTHING = Scheme(MATRIX, UNIT, 0, 1, 0, 0, 0, 0.0)


def lora(rank, factor=0, terms=0):
    return Scheme(MATRIX, UNIT, 0, 1, rank, 0, factor, 0.0, 0, terms)


def delta(of, schemes, runs, ln_f, parts, n_models=1, inputs=None, outputs=None, head_type=0, **fields):
    """of: the first model. parts: (Smol as bytes, factor), models first. inputs, outputs: (tokens, number type)."""
    c = of.conf
    conf = container.Conf(c.layers, c.heads, c.width, c.ff, c.context, c.vocab, c.epsilon, 0xfedcba9876543210, fields.pop('logit_scale', 0.0), schemes, runs, ln_f, c.features,
                          head_type, n_models, len(parts) - n_models, len(inputs[0]) if inputs else 0, len(outputs[0]) if outputs else 0)
    learned = {}
    for name, size, kind in container.learned_layout(conf):
        stored_rows = isinstance(kind, tuple) and kind[1] >= 2
        learned[name] = table(kind[1], *size) if stored_rows else container.stored_as(values(math.prod(size), 0.25).reshape(size), kind)
    rows = [container.Rows(list(r[0]), table(r[1], len(r[0]), c.width)) if r else None for r in (inputs, outputs)]
    return container.Smol(conf, learned, None, None, tokenizer=of.kind_of_tokens(), base=[(container.file_hash(body_of(b)), f) for b, f in parts],
                          input_rows=rows[0], output_rows=rows[1], **fields)


def body_of(data):
    return data[:struct.unpack_from('<Q', data, 16)[0]]


def files(good):
    """{name: (bytes, names of its parts in good or here)}; good: {name: bytes}."""
    smol, plain = good['good/smol.smol'], good['good/embed-f32.smol']
    bpe = good['good/bpe.smol']
    a, b, c = container.read(smol), container.read(plain), container.read(bpe)
    out = {}

    def add(name, parts, m, signer=None):
        out['deltas/%s.smol' % name] = container.write(m, signer), parts

    own = Scheme(MATRIX, OWN, 0, 5, 0, 1, 0, 0.25)
    add('lora', ['good/embed-f32.smol'], delta(b, [FROZEN_NORM, lora(2, 4)], [(2, ALIKE)], 0, [(plain, 1.0)], card=b'{"name": "lora"}'))
    add('lora-signed', ['good/embed-f32.smol'], delta(b, [FROZEN_NORM, lora(2, 4)], [(2, ALIKE)], 0, [(plain, 1.0)]), SECRET)
    add('nothing', ['good/embed-f32.smol'], delta(b, [FROZEN_NORM, NOTHING], [(2, ALIKE)], 0, [(plain, 1.0)]))
    add('alpha', ['good/smol.smol'], delta(a, [FROZEN_NORM, own, Scheme(MATRIX, OWN, 0, 5, 0, 1, 1, 0.25, 0, GAINS | BIASES | MODELS)], [(2, (0, 1, 2, 0, 1, 1))], 0, [(smol, 0.75)],
                                           head_type=4, logit_scale=-0.125))
    add('every-kind', ['good/smol.smol'], delta(
        a, [Scheme(NORM, OWN, 1, 3, 0, 1, 0, 0.5), Scheme(MATRIX, SHARED, 1, 3, 1, 0, 1, 0.25), Scheme(MATRIX, MASKED, 0, 1, 0, 0, 0, 0.0625), Scheme(NORM, STORED, 0, 0, 0, 0, 4, 0.0),
            Scheme(MATRIX, KEPT, 0, 0, 0, 2, 1, 0.0, 2, SPARSE), Scheme(MATRIX, FASTFOOD, 0, 1, 0, 1, 0, 0.25, 9), FROZEN_NORM, Scheme(MATRIX, NOLA, 0, 3, 2, 1, 0, 0.25),
            lora(1, 0, GAINS)], [(1, (0, 1, 2, 3, 4, 5)), (1, (6, 7, 8, 3, 2, 1))], 3, [(smol, 1.0)], 1, ((0, 2, 5), 2), ((1,), 1), 0, logit_scale=0.25))
    add('rows-of-wte', ['good/bpe.smol'], delta(c, [FROZEN_NORM, NOTHING], [(1, ALIKE)], 0, [(bpe, 1.0)], 1, ((3, 4, 263), 5)))
    add('sum', ['good/embed-f32.smol', 'deltas/lora.smol'], delta(b, [FROZEN_NORM, lora(1, 1)], [(2, ALIKE)], 0, [(plain, 1.0), (out['deltas/lora.smol'][0], -0.5)]))
    other = model((2, 2, 6, 24, 5, 9), [Scheme(NORM, STORED, 0, 0, 0, 0, 1, 0.0), Scheme(MATRIX, KEPT, 0, 0, 0, 2, 1, 0.0, 0, BIASES)], [(2, ALIKE)], 0, 2, 1)
    out['deltas/other-model.smol'] = container.write(other), []
    other = out['deltas/other-model.smol'][0]
    add('mix', ['good/embed-f32.smol', 'deltas/other-model.smol'],
        delta(b, [FROZEN_NORM, Scheme(MATRIX, UNIT, 0, 1, 0, 0, 1, 0.0, 0, MODELS)], [(2, ALIKE)], 0, [(plain, 0.625), (other, 0.5)], 2))
    return out


def small():
    """A delta to be spoilt: of a model with every feature, with two models and a delta; unsigned."""
    of = model((1, 2, 6, 3, 4, 6), [FROZEN_NORM, Scheme(MATRIX, UNIT, 0, 1, 0, 0, 0, 0.25)], [(1, ALIKE)], 0, 2, features=ALL)
    parts = [(container.write(of), 0.5)]
    m = delta(of, [FROZEN_NORM, NOTHING, lora(1, 1, MODELS)], [(1, (0, 1, 2, 0, 1, 1))], 0, parts, 1, ((0, 3), 2), ((2, 4, 5), 0))
    m.base += [(bytes([7]) * 64, 1.0), (bytes([9]) * 64, -2.0)]
    m.conf.models, m.conf.deltas = 2, 1
    m.learned = {name: container.stored_as(values(math.prod(size)).reshape(size), kind) for name, size, kind in container.learned_layout(m.conf)}
    return Bad(m)


SCHEMES, RUN = 64, 64 + 3 * 16
# EMBD: the tokens 0 3 2 4 5, padded to 64 bytes; 2 x 6 bytes at 64, their scales at 128; 3 x 24 bytes at 192, padded to 320.
FACTORS_AT = (64, 132, 200)


def conf_cases():
    def case(status, offset, fmt, value, what, at=None):
        b = small().patch('CONF', offset, fmt, value)
        return status, b.begin('CONF') + (offset if at is None else at), 'delta_%s' % what, b.bytes()

    for value in (0, 9, 255):
        yield case('RANGE', 53, 'B', value, '%d_models' % value)
    for value in (9, 65535):
        yield case('RANGE', 54, 'H', value, '%d_deltas' % value)
    yield case('RANGE', 56, 'I', 7, '7_input_rows')
    yield case('RANGE', 60, 'I', 7, '7_output_rows')
    yield case('CANONICAL', 41, 'B', 1, 'type_of_wpe')
    yield case('CANONICAL', 56, 'I', 0, 'type_of_no_input_rows', 40)
    b = small().patch('CONF', 52, 'B', 1).patch('CONF', 60, 'I', 0)
    yield 'CANONICAL', b.begin('CONF') + 52, 'delta_type_of_no_output_rows', b.bytes()
    b = small().patch('CONF', 2, 'H', ALL & ~OUTPUT_TABLE)
    yield 'RANGE', b.begin('CONF') + 60, 'delta_output_rows_without_a_table', b.bytes()
    for value in (INFINITE, QUIET, 0x5d800001, 0xdd800001):
        yield case('RANGE', 48, 'I', value, 'logit_scale_%08x' % value)
    yield case('CANONICAL', 48, 'I', 0x80000000, 'logit_scale_minus_0')
    for what, offset, fmt, value in (('dist', 2, 'B', 1), ('sigma', 8, 'I', 0x3f800000), ('sigma_minus_0', 8, 'I', 0x80000000)):
        yield case('CANONICAL', SCHEMES + 16 + offset, fmt, value, 'nothing_with_%s' % what)
    yield size_case(53, 1, 'less_models')
    yield size_case(54, 2, 'more_deltas', 'H')
    b = Bad(model((1, 1, 2, 3, 2, 3), [FROZEN_NORM, Scheme(MATRIX, UNIT, 0, 1, 0, 0, 1, 0.25, 0, MODELS)], [(1, ALIKE)], 0))
    yield 'RANGE', b.begin('CONF') + SCHEMES - 8 + 16, 'numbers_of_models_in_no_delta', b.bytes()


def size_case(offset, value, what, fmt='B'):
    b = small().patch('CONF', offset, fmt, value)
    return 'SIZE', b.begin('BASE'), 'delta_%s' % what, b.bytes()


def base_cases():
    for i, at in enumerate(FACTORS_AT):
        for bits in (INFINITE, QUIET, 0x5d800001, 0xdd800001):
            b = small().patch('BASE', at, 'I', bits)
            yield 'RANGE', b.begin('BASE') + at, 'factor_%d_%08x' % (i, bits), b.bytes()
    b = small()
    b['BASE'][136:200] = b['BASE'][68:132]
    yield 'CANONICAL', b.begin('BASE') + 136, 'a_part_twice', b.bytes()
    b = small()
    b.sections = [s for s in b.sections if s[0] != b'BASE']
    yield 'SECTION', 32, 'delta_no_BASE', b.bytes()
    b = Bad()
    b.sections.insert(1, [b'BASE', bytearray(68)])
    yield 'SECTION', b.begin('BASE'), 'BASE_of_no_delta', b.bytes()
    b = small()
    b.sections.insert(3, [b'TOKN', bytearray(33)])
    yield 'SECTION', b.begin('TOKN'), 'TOKN_of_a_delta', b.bytes()
    b = small()
    b.sections = [s for s in b.sections if s[0] != b'EMBD']
    yield 'SIZE', 0, 'delta_no_EMBD', b.bytes()
    b = small()
    b.minor = 1
    yield 'VERSION', 10, 'minor_1_with_delta', b.bytes()


def row_cases():
    def case(status, offset, fmt, value, what):
        b = small().patch('EMBD', offset, fmt, value)
        return status, b.begin('EMBD') + offset, 'rows_%s' % what, b.bytes()

    for at, value, what in ((4, 0, 'input_twice'), (16, 4, 'output_twice'), (12, 1, 'output_descends')):
        yield case('CANONICAL', at, 'I', value, what)
    yield case('RANGE', 4, 'I', 6, 'input_beyond')
    yield case('RANGE', 16, 'I', 2 ** 32 - 1, 'output_beyond')
    for at in (20, 63, 64 + 12, 127, 136, 191, 192 + 72, 319):
        yield case('PADDING', at, 'B', 1, 'padding_%d' % at)
    yield case('RANGE', 128, 'I', 0xbf800000, 'scale_negative')
    yield case('NONFINITE', 192, 'I', QUIET, 'not_a_number')
    for change in (-64, 64):
        b = small()
        data = b['EMBD']
        if change < 0:
            del data[change:]
        else:
            data += bytes(change)
        yield 'SIZE', b.begin('EMBD'), 'rows_EMBD_%+d' % change, b.bytes()


def number_cases():
    b = small()
    at = len(b['LRND']) - 4        # of c_proj, whose numbers of models are its last
    for bits in (0x7c00, 0x7e00):
        b = small()
        yield 'NONFINITE', b.begin('LRND') + at, 'number_of_a_model_%04x' % bits, b.patch('LRND', at, 'H', bits).bytes()


BAD = (conf_cases, base_cases, row_cases, number_cases)
