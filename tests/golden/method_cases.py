"""Golden files of what came after the first: learned numbers of 8 bits, and more kinds of terms. See make_golden.py."""
import container
from container import MATRIX, NORM, OWN, STORED, UNIT, Scheme
from golden_parts import CONF_AT, FROZEN_NORM, SCHEME_0, SCHEME_1, Bad, model


def good_files():
    return {
        'q8-learned': model((2, 1, 10, 9, 3, 7), [Scheme(NORM, STORED, 0, 0, 0, 0, 4, 0.0), Scheme(MATRIX, OWN, 0, 5, 9, 4, 4, 0.25),
                                                 Scheme(MATRIX, container.FASTFOOD, 0, 1, 0, 4, 0, 0.25, 130), Scheme(NORM, OWN, 0, 64, 0, 4, 0, 1.0)],
                            [(1, (0, 1, 2, 0, 1, 1)), (1, (3, 1, 1, 0, 2, 1))], 0, 1, 1),
    }


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


BAD = (block_cases,)
