"""Numbers that C would take modulo 2^32, and values of another kind: each refused, or taken as smolrun takes it; never as another number."""
import fractions
import itertools
import json
import random

import numpy as np
import pytest
from module import raises, refused, shipped, smol
from programs import run, smolrun

model = smol.Model.load(shipped)

# Option -> (least, most). smolrun(1), and the types of include/smol.
INTEGERS = {'seed': (-1, 2**64 - 1), 'n': (-1, None), 'threads': (0, 256), 'top_k': (0, 2**32 - 1), 'repeat_last_n': (-1, 2**31 - 1),
            'ctx_size': (0, 64), 'batch_size': (0, 1024)}
REALS = {'temp': (-3.4e38, 3.4e38), 'temperature': (-3.4e38, 3.4e38), 'top_p': (0, 1), 'min_p': (0, 1), 'repeat_penalty': (2**-60, 2**60)}


def generate(**options):
    return model.generate('KING:', **{'n': 2, 'seed': 5, **options})


def smolrun_tokens(*arguments):
    return json.loads(run(smolrun, shipped, '-p', 'KING:', '--json', *arguments).stdout)['tokens']


def test_integers(check):
    for name, (least, most) in INTEGERS.items():
        ends = [least] + ([most] if most is not None else [])
        for value in ends:
            if name != 'n':
                check.that(isinstance(generate(**{name: value}), str), '%s=%d is allowed' % (name, value))
        outside = [least - 1, -2**31 - 1, -2**32 + 1, -2**63, -2**64] + ([most + 1, most + 2**32, 2**64 + 1, 2**70] if most is not None else [])
        for value in outside:
            error = raises(ValueError, name if name != 'ctx_size' or value < 0 else '', generate, **{name: value})
            check.equal(error.status, 1, '%s=%d' % (name, value))
        for value in (True, None, '5', 5.0, b'5', [5], 5j, np.float32(5)):
            if not (name == 'n' and value is None):
                raises(TypeError, name, generate, **{name: value})
        value = 8 if name == 'ctx_size' else 2
        check.equal(generate(**{name: np.int64(value)}), generate(**{name: value}), '%s of NumPy' % name)


def test_reals(check):
    for name, (least, most) in REALS.items():
        for value in (least, most, fractions.Fraction(1, 2), np.float32(0.5), 1):
            check.that(isinstance(generate(**{name: value}), str), '%s=%s is allowed' % (name, value))
        tiny = 1e-9 * (abs(most) + 1)
        for value in (least - abs(least) / 2 - tiny, most + tiny * 1e6, float('inf'), -float('inf'), float('nan'), 10**400, -10**400):
            error = raises(ValueError, name.replace('temperature', 'temp'), generate, **{name: value})
            check.equal(error.status, 1, '%s=%s' % (name, value))
        for value in (True, None, '0.5', 0.5j, [0.5]):
            raises(TypeError, name.replace('temperature', 'temp'), generate, **{name: value})


def test_other_kinds():
    for name in ('fast', 'ignore_eos'):
        for value in (1, 0, None, 'yes'):
            raises(TypeError, name, generate, **{name: value})
    for value in ('f64', 'F16', 1, None, True, ['f16']):
        raises(ValueError, 'kv takes f32, f16, q8', generate, kv=value)
    raises(TypeError, "unknown option 'heat'", generate, heat=1)
    raises(TypeError, "unknown option 'struct_bytes'", generate, struct_bytes=1)
    raises(TypeError, 'the same option', generate, temp=1, temperature=1)
    raises(TypeError, "unknown option 'temp'", model.logits, 'x', temp=1)
    raises(TypeError, "unknown option 'temp'", model.score, 'x', temp=1)


def test_minus_one():
    """A random seed, and until the context is full: smolrun's meanings, whose defaults they are."""
    assert len({generate(seed=-1, n=30) for _ in range(4)}) > 1
    wanted = smolrun_tokens('-n', '-1', '-s', '1')
    assert list(model.tokens('KING:', n=-1, seed=1)) == list(model.tokens('KING:', seed=1)) == wanted
    assert len(wanted) == model.facts['context'] - 5 + 1
    assert list(model.tokens('KING:', n=0)) == []
    assert list(model.tokens('KING:', n=30, seed=1, repeat_last_n=-1, repeat_penalty=1.5)) == smolrun_tokens(
        '-n', '30', '-s', '1', '--repeat-last-n', '-1', '--repeat-penalty', '1.5')[-30:]


def test_large_numbers_are_not_small_ones():
    assert generate(n=20, top_k=2**32 - 1) == generate(n=20, top_k=0) != generate(n=20, top_k=1)
    assert generate(n=20, seed=2**64 - 1) not in (generate(n=20, seed=0), generate(n=20, seed=2**32 - 1))
    assert generate(n=20, seed=2**32 + 1) != generate(n=20, seed=1)


def test_tokens(check):
    vocab = model.facts['vocab']
    for call in (lambda t: model.decode([t]), lambda t: model.generate([75, t], n=1), lambda t: model.tokens([t]), lambda t: model.logits([t])):
        for token in (vocab, 2**32 - 1, 2**32, 2**32 + 75, 2**64 + 75, -1, -2**32 + 75, 10**30):
            error = raises(ValueError, 'token %d is beyond the vocabulary of 256' % token, call, token)
            check.equal(error.status, 40, 'token %d' % token)
        for token in (True, None, '7', 75.0, [75], b'K'):
            raises(TypeError, 'a token takes an integer', call, token)
    check.equal(model.decode(np.array([75, 73], dtype=np.int64)), b'KI', 'an array')
    check.equal(model.decode(iter([75])), b'K', 'an iterator')
    check.equal(model.generate((t for t in (75, 73)), n=3, seed=1), model.generate('KI', n=3, seed=1), 'a generator')


def test_bytes_are_not_counts():
    """bytes(5) is five zeros, and a C string ends at its first zero."""
    for call in (model.encode, model.score, model.perplexity, model.pack, model.unpack, smol.Model.from_bytes, lambda x: smol.Model.load(shipped, public_key=x)):
        for value in (5, [1, 2], 1.5):
            raises(TypeError, 'takes bytes', call, value)
    for value in (5, 1.5, None):
        raises(TypeError, '', model.generate, value)
        raises(TypeError, '', smol.Model.load, value)
        raises(TypeError, '', model.weights, value)
    raises(ValueError, 'null byte', smol.Model.load, str(shipped) + '\0.txt')
    raises(ValueError, 'null byte', model.weights, 'ln_f.weight\0x')
    assert model.encode(memoryview(b'KI\0')) == model.encode(bytearray(b'KI\0')) == [75, 73, 0]


def test_threads_of_opening():
    for value in (-1, 257, 2**32 + 1):
        refused(1, smol.Model.load, shipped, threads=value)
        refused(1, smol.Model.from_bytes, b'', threads=value)
    raises(TypeError, 'threads', smol.Model.load, shipped, threads=None)
    assert smol.Model.load(shipped, threads=0).generate('KING:', n=9, threads=0) == model.generate('KING:', n=9)


def test_options_are_smolruns(check):
    """Each changes the text as the program's does, so that none goes unread."""
    plain = list(model.tokens('KING:', n=40, seed=3))
    for options, words in (({'temp': 1.7}, '--temp 1.7'), ({'top_k': 3}, '--top-k 3'), ({'top_p': 0.4}, '--top-p 0.4'), ({'min_p': 0.3}, '--min-p 0.3'),
                           ({'repeat_penalty': 1.4}, '--repeat-penalty 1.4'),
                           ({'repeat_penalty': 1.4, 'repeat_last_n': 3}, '--repeat-penalty 1.4 --repeat-last-n 3'),
                           ({'ctx_size': 16}, '-c 16'), ({'kv': 'q8'}, '--kv q8'), ({'fast': True, 'temp': 2}, '--fast --temp 2')):
        found = list(model.tokens('KING:', n=40, seed=3, **options))
        check.equal(found, smolrun_tokens('-n', '40', '-s', '3', *words.split())[-40:], words)
        check.that(found != plain, '%s does nothing' % words)
    check.equal(list(model.tokens('KING:', n=40, seed=3, kv='f32', fast=False, batch_size=2, ctx_size=0, threads=0)), plain, 'the defaults')


@pytest.mark.parametrize('seed', range(3))
def test_random_values(seed):
    """Any number for any option: a text, ValueError or TypeError."""
    draw, outcomes = random.Random(seed), set()
    values = [draw.choice((-1, 1)) * draw.randrange(2**draw.randrange(1, 80)) for _ in range(30)] + [0.3, -0.3, 1e300, None, False, '', float('nan')]
    for name, value in itertools.product([*INTEGERS, *REALS], values):
        if name == 'n' and (value is None or value == -1 or isinstance(value, int) and value > 100):
            continue
        try:
            generate(**{'n': 1, name: value})
            outcomes.add('text')
        except (ValueError, TypeError) as error:
            outcomes.add(type(error).__name__)
    assert outcomes == {'text', 'ValueError', 'TypeError'}, outcomes
