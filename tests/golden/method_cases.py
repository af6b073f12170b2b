"""Golden files of what came after the first: parameters of 8 bits, and more kinds of terms. See make_golden.py."""
import container
from container import BIASES, GAINS, LAYER_GAIN, MATRIX, NOLA, SPARSE, NORM, OWN, STORED, UNIT, Scheme
from golden_parts import CONF_AT, FROZEN_NORM, RUN_0, SCHEME_0, SCHEME_1, Bad, model


def good_files():
    return {
        'q8-learned': model((2, 1, 10, 9, 3, 7), [Scheme(NORM, STORED, 0, 0, 0, 0, 4, 0.0), Scheme(MATRIX, OWN, 0, 5, 9, 4, 4, 0.25),
                                                 Scheme(MATRIX, container.FASTFOOD, 0, 1, 0, 4, 0, 0.25, 130), Scheme(NORM, OWN, 0, 64, 0, 4, 0, 1.0)],
                            [(1, (0, 1, 2, 0, 1, 1)), (1, (3, 1, 1, 0, 2, 1))], 0, 1, 1),
        'gains-and-biases': model((2, 1, 6, 9, 3, 7), [FROZEN_NORM, Scheme(MATRIX, OWN, 0, 5, 2, 1, 1, 0.25, 0, GAINS | BIASES),
                                                       Scheme(MATRIX, UNIT, 1, 1, 0, 0, 0, 0.25, 0, BIASES), Scheme(MATRIX, UNIT, 1, 1, 0, 0, 4, 0.25, 0, GAINS)],
                                  [(2, (0, 1, 2, 0, 3, 1))], 0, 2, 1),
        'nola': model((2, 1, 6, 70, 3, 7), [FROZEN_NORM, Scheme(MATRIX, NOLA, 0, 9, 3, 1, 0, 0.25), Scheme(MATRIX, NOLA, 1, 2, 1, 0, 1, 0.25, 0, BIASES),
                                            Scheme(MATRIX, NOLA, 0, 64, 65, 4, 0, 0.5)], [(2, (0, 1, 2, 0, 3, 1))], 0, 1, 1),
        'sparse': model((2, 1, 6, 9, 3, 7), [FROZEN_NORM, Scheme(MATRIX, UNIT, 0, 1, 2, 0, 1, 0.25, 6, SPARSE), Scheme(MATRIX, OWN, 0, 3, 0, 1, 4, 0.25, 2, SPARSE | GAINS),
                                              Scheme(MATRIX, NOLA, 0, 3, 4, 1, 0, 0.5, 9, SPARSE | BIASES)], [(2, (0, 1, 2, 0, 1, 3))], 0, 1, 1),
        'layer-gains': model((3, 1, 6, 9, 3, 7), [FROZEN_NORM, Scheme(MATRIX, container.FASTFOOD_SHARED, 0, 1, 0, 1, 0, 0.25, 70, LAYER_GAIN),
                                                  Scheme(MATRIX, container.FASTFOOD_SHARED, 0, 1, 0, 1, 0, 0.25, 70)],
                             [(1, (0, 1, 1, 0, 1, 1)), (1, (0, 2, 2, 0, 2, 2)), (1, (0, 2, 1, 0, 2, 1))], 0, 1, 1),
    }


def term_cases():
    """Bits of kinds, and what they bring with them: 7 gains and 7 biases of type f16 after factors of 4 and 12 bytes."""
    yield 'ENUM', CONF_AT + SCHEME_0, 'norm_with_gains', Bad().patch('CONF', SCHEME_0, 'B', 2 | GAINS).bytes()
    yield 'ENUM', CONF_AT + SCHEME_0, 'norm_with_biases', Bad().patch('CONF', SCHEME_0, 'B', 2 | BIASES).bytes()
    for source, what in ((0, 'unit'), (1, 'alphas'), (2, 'shared_alphas'), (3, 'own_numbers')):
        b = Bad().patch('CONF', SCHEME_1, 'B', 1 | LAYER_GAIN).patch('CONF', SCHEME_1 + 1, 'B', source)
        if source in (0, 3):
            b.patch('CONF', SCHEME_1 + 3, 'B', 1)
        if source == 3:
            b.patch('CONF', SCHEME_1 + 12, 'I', 5)
        yield 'RANGE', CONF_AT + SCHEME_1, 'layer_gain_of_%s' % what, b.bytes()
    schemes = [Scheme(NORM, STORED, 0, 0, 0, 0, 1, 0.0), Scheme(MATRIX, container.FASTFOOD_SHARED, 0, 1, 1, 0, 1, 0.25, 2, LAYER_GAIN)]
    whole = container.write(model((1, 1, 2, 3, 1, 3), schemes, [(1, (0, 1, 1, 0, 1, 1))], 0, 2, 0, b'{"a": 1}'))
    for bits, status in ((0x7f800000, 'NONFINITE'), (0x7fc00000, 'NONFINITE'), (0x47800000, 'RANGE')):
        b = Bad()
        b['CONF'][:], b['LRND'][:] = container.split(whole)[2][b'CONF'], container.split(whole)[2][b'LRND']
        at = 8 + 0  # after the two shared numbers
        yield status, b.begin('LRND') + at, 'lambda_%08x' % bits, b.patch('LRND', at, 'I', bits).bytes()
    # One layer of this shape has 4096 x (4 C + 2 C + 2 (C + F)) entries of factors: 2^28 with C = 5461 and F = 10924, and too many with one more.
    for ff, what in ((10925, 'RANGE'), (10924, 'SIZE')):
        b = Bad().patch('CONF', SCHEME_1 + 1, 'B', NOLA).patch('CONF', SCHEME_1 + 4, 'H', 4096).patch('CONF', SCHEME_1 + 7, 'B', 0)
        b.patch('CONF', 12, 'I', 5461).patch('CONF', 16, 'I', ff)
        yield what, CONF_AT + RUN_0 if what == 'RANGE' else b.begin('LRND'), 'nola_with_ff_%d' % ff, b.bytes()
    # A sparse term has 1 to K numbers a row, and none beside a projection.
    for n, what in ((0, 'RANGE'), (1048577, 'RANGE'), (2 ** 32 - 1, 'RANGE')):
        b = Bad().patch('CONF', SCHEME_1, 'B', 1 | SPARSE).patch('CONF', SCHEME_1 + 12, 'I', n)
        yield what, CONF_AT + SCHEME_1 + 12, 'sparse_row_of_%d' % n, b.bytes()
    b = Bad().patch('CONF', SCHEME_1, 'B', 1 | SPARSE).patch('CONF', SCHEME_1 + 12, 'I', 3)
    yield 'RANGE', CONF_AT + RUN_0 + 3, 'sparse_row_wider_than_the_row', b.bytes()
    b = Bad().patch('CONF', SCHEME_1, 'B', 1 | SPARSE).patch('CONF', SCHEME_1 + 12, 'I', 2)
    yield 'SIZE', b.begin('LRND'), 'LRND_without_sparse', b.bytes()
    b.patch('CONF', SCHEME_1 + 1, 'B', 3).patch('CONF', SCHEME_1 + 3, 'B', 1)
    yield 'RANGE', CONF_AT + SCHEME_1, 'sparse_beside_projection', b.bytes()
    schemes = [Scheme(NORM, STORED, 0, 0, 0, 0, 1, 0.0), Scheme(MATRIX, OWN, 0, 2, 0, 0, 1, 0.25, 2, SPARSE)]
    whole = container.write(model((1, 1, 2, 3, 1, 3), schemes, [(1, (0, 1, 1, 0, 1, 1))], 0, 2, 0, b'{"a": 1}'))
    for half in (0x7c00, 0x7e00):
        b = Bad()
        b['CONF'][:], b['LRND'][:] = container.split(whole)[2][b'CONF'], container.split(whole)[2][b'LRND']
        at = 8 + 8 + 2 * 11
        yield 'NONFINITE', b.begin('LRND') + at, 'sparse_%04x' % half, b.patch('LRND', at, 'H', half).bytes()
    # Nola's factors have a rank, and their alphas limits: after 8 bytes of ln_1 come 2 of A and 2 of B, as f32.
    b = Bad().patch('CONF', SCHEME_1 + 1, 'B', NOLA).patch('CONF', SCHEME_1 + 4, 'H', 0).patch('CONF', SCHEME_1 + 7, 'B', 0)
    yield 'RANGE', CONF_AT + SCHEME_1 + 4, 'nola_of_rank_0', b.bytes()
    yield 'CANONICAL', CONF_AT + SCHEME_1 + 7, 'nola_with_type_of_factors', Bad().patch('CONF', SCHEME_1 + 1, 'B', NOLA).bytes()
    yield 'ENUM', CONF_AT + SCHEME_1 + 1, 'matrix_source_11', Bad().patch('CONF', SCHEME_1 + 1, 'B', 11).bytes()
    b = Bad().patch('CONF', SCHEME_1 + 1, 'B', NOLA).patch('CONF', SCHEME_1 + 7, 'B', 0).patch('CONF', SCHEME_1 + 12, 'I', 1)
    yield 'CANONICAL', CONF_AT + SCHEME_1 + 12, 'nola_with_numbers', b.bytes()
    schemes = [Scheme(NORM, STORED, 0, 0, 0, 0, 1, 0.0), Scheme(MATRIX, NOLA, 0, 2, 1, 0, 0, 0.25)]
    whole = container.write(model((1, 1, 2, 3, 1, 3), schemes, [(1, (0, 1, 1, 0, 1, 1))], 0, 2, 0, b'{"a": 1}'))
    for bits, status in ((0x7f800000, 'NONFINITE'), (0x47800000, 'RANGE')):
        for at, what in ((8 + 4, 'a'), (16 + 4, 'b')):
            b = Bad()
            b['CONF'][:], b['LRND'][:] = container.split(whole)[2][b'CONF'], container.split(whole)[2][b'LRND']
            yield status, b.begin('LRND') + at, 'nola_%s_%08x' % (what, bits), b.patch('LRND', at, 'I', bits).bytes()
    yield 'ENUM', CONF_AT + SCHEME_1, 'gains_of_no_kind', Bad().patch('CONF', SCHEME_1, 'B', GAINS).bytes()
    for what, bits in (('gains', GAINS), ('biases', BIASES)):
        yield 'SIZE', Bad().begin('LRND'), 'LRND_without_%s' % what, Bad().patch('CONF', SCHEME_1, 'B', 1 | bits).bytes()
        schemes = [Scheme(NORM, STORED, 0, 0, 0, 0, 1, 0.0), Scheme(MATRIX, OWN, 0, 2, 1, 0, 1, 0.25, 0, bits)]
        whole = container.write(model((1, 1, 2, 3, 1, 3), schemes, [(1, (0, 1, 1, 0, 1, 1))], 0, 2, 0, b'{"a": 1}'))
        for half in (0x7c00, 0xfc00, 0x7e00):
            b = Bad().patch('CONF', SCHEME_1, 'B', 1 | bits)
            b['LRND'][:] = container.split(whole)[2][b'LRND']
            at = 8 + 8 + 4 + 12 + 2
            yield 'NONFINITE', b.begin('LRND') + at, '%s_%04x' % (what, half), b.patch('LRND', at, 'H', half).bytes()
    b = Bad().patch('CONF', SCHEME_1, 'B', 1 | GAINS).patch('CONF', SCHEME_1 + 4, 'H', 0).patch('CONF', SCHEME_1 + 7, 'B', 2)
    yield 'ENUM', CONF_AT + SCHEME_1 + 7, 'gains_as_embeddings', b.bytes()


def block_cases():
    """Learned numbers in blocks of 8 bits: ln_1's gain and bias 4 bytes each, the two alphas after them, a factor of 4 numbers after those."""
    def blocks(offset, fmt, value):
        b = Bad().patch('CONF', SCHEME_0 + 7, 'B', 4).patch('CONF', SCHEME_1 + 6, 'B', 4).patch('CONF', SCHEME_1 + 7, 'B', 4)
        schemes = [Scheme(NORM, STORED, 0, 0, 0, 0, 4, 0.0), Scheme(MATRIX, OWN, 0, 2, 1, 4, 4, 0.25)]
        whole = container.write(model((1, 1, 2, 3, 1, 3), schemes, [(1, (0, 1, 1, 0, 1, 1))], 0, 2, 0, b'{"a": 1}'))
        b['LRND'][:] = container.split(whole)[2][b'LRND']
        b.patch('LRND', offset, fmt, value)
        return b.begin('LRND') + offset, b.bytes()

    for what, bits, status in (('infinite', 0x7f80, 'NONFINITE'), ('not_a_number', 0x7fc0, 'NONFINITE'), ('minus_infinite', 0xff80, 'NONFINITE'),
                               ('over_2_60', 0x5d81, 'RANGE'), ('minus_0', 0x8000, 'RANGE'), ('negative', 0xbf80, 'RANGE')):
        for place, offset in (('norm', 0), ('alpha', 8), ('factor', 12)):
            at, data = blocks(offset, 'H', bits)
            yield status, at, 'block_of_%s_%s' % (place, what), data
    # 2^60 times the first number is past what an alpha may be.
    at, data = blocks(8, 'H', 0x5d80)
    yield 'RANGE', at + 2, 'block_of_alpha_2_60', data
    yield 'ENUM', CONF_AT + SCHEME_1 + 6, 'alphas_as_type_5', Bad().patch('CONF', SCHEME_1 + 6, 'B', 5).bytes()
    yield 'ENUM', CONF_AT + SCHEME_1 + 7, 'factors_as_q4', Bad().patch('CONF', SCHEME_1 + 7, 'B', 3).bytes()
    yield 'ENUM', CONF_AT + SCHEME_0 + 7, 'norms_as_type_255', Bad().patch('CONF', SCHEME_0 + 7, 'B', 255).bytes()
    yield 'SIZE', Bad().begin('LRND'), 'LRND_for_blocks', Bad().patch('CONF', SCHEME_1 + 6, 'B', 4).bytes()


BAD = (block_cases, term_cases)
