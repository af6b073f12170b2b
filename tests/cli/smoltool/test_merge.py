"""smoltool merge from outside: what a mix names and how large it is, by the reference's reader; mixes taken apart; every refusal."""
import struct

import numpy as np
import pytest

import container
from deltas import delta, lora, read

from programs import keys, model, run, smoltool, tool, tool_text

F = np.float32


def merge(*words, out, **more):
    return tool_text('merge', *words, '-o', out, **more)


def word(path, factor):
    return '%s=%r' % (path, factor)


def refused(folder, message, *words, code=1, **more):
    """One line, which ends so, and no file."""
    out = folder / 'refused.smol'
    lines = merge(*words, out=out, code=code, **more).stderr.splitlines()
    assert lines[0].startswith('smoltool merge: ') and lines[0].endswith(message), (lines, message)
    assert len(lines) == (1 if code == 1 else 2) and not out.exists(), lines


@pytest.fixture
def two(folder):
    """Two models of one shape."""
    return folder, model(folder, '--seed', '1', name='a.smol'), model(folder, '--seed', '2', name='b.smol')


def test_models(two):
    folder, a, b = two
    told = merge(word(a, 0.6), word(b, 0.4), out=folder / 'mix.smol')
    mix = read(folder / 'mix.smol')
    assert told.stderr == 'smoltool merge: %s: 0.6 a.smol + 0.4 b.smol, 384 bytes\n' % (folder / 'mix.smol') and told.stdout == ''
    assert mix.base == [(read(a).hash, F(0.6)), (read(b).hash, F(0.4))] and (mix.conf.models, mix.conf.deltas) == (2, 0)
    assert mix.minor == 2 and mix.learned == {} and mix.conf.logit_scale == 0 and mix.card is None and mix.input_rows is None
    for name in ('layers', 'heads', 'width', 'ff', 'context', 'vocab', 'epsilon', 'features'):
        assert getattr(mix.conf, name) == getattr(read(a).conf, name), name
    assert (folder / 'mix.smol').stat().st_size == 384  # 32 + 2 x 24 + 64 + 2 x 16 + 8 + 2 x 68 + 64
    # Without a factor it is 1, and then they add up to 2.
    told = merge(a, b, out=folder / 'sum.smol')
    assert told.stderr.endswith('smoltool merge: %s: the factors of its models add up to 2, not 1\n' % (folder / 'sum.smol'))
    assert [factor for _, factor in read(folder / 'sum.smol').base] == [1, 1]


def test_signed(two):
    folder, a, b = two
    keys(folder, 'k')
    merge(word(a, 0.5), word(b, 0.5), '--sign', folder / 'k.key', out=folder / 'mix.smol')
    assert (folder / 'mix.smol').stat().st_size == 384 + 104
    tool('verify', '--pubkey', folder / 'k.pub', folder / 'mix.smol')
    assert tool_text('merge', a, '--password-file', '/dev/null', '-o', folder / 'x', code=2).stderr.startswith('smoltool merge: --password-file: needs --sign')


def test_deltas(two):
    """A base and deltas times a factor, in any order; and the factors of heads, which a model of architecture smol has: zeros in the fewest bytes."""
    folder, a, b = two
    d, e = delta(folder / 'd.smol', [(a, 1.0)], lora(2)), delta(folder / 'e.smol', [(a, 1.0), (b, 3.0)], lora(1), seed=2)
    merge(word(d, 0.5), word(a, 1.0), out=folder / 'mix.smol')
    mix = read(folder / 'mix.smol')
    assert mix.base == [(read(a).hash, 1), (read(d).hash, F(0.5))] and (mix.conf.models, mix.conf.deltas) == (1, 1)
    merge(word(b, 0.25), word(d, -2.5), word(a, 0.75), e, out=folder / 'mix.smol')
    mix = read(folder / 'mix.smol')
    assert mix.base == [(read(b).hash, 0.25), (read(a).hash, 0.75), (read(d).hash, -2.5), (read(e).hash, 1)]
    s = model(folder, '--arch', 'smol', name='s.smol')
    merge(s, out=folder / 'mix.smol')
    mix = read(folder / 'mix.smol')
    assert mix.conf.features == 63 and mix.conf.head_type == 4 and all(not (v.q.any() or v.scales.any()) for v in mix.learned.values()) and len(mix.learned) == 4


def test_mixes_are_taken_apart(two):
    """A file that has no numbers stands for what it names; what is named twice gets the sum of its factors, in double."""
    folder, a, b = two
    d = delta(folder / 'd.smol', [(a, 1.0)], lora(2))
    merge(word(a, 0.6), word(b, 0.4), out=folder / 'ab.smol')
    merge(word(a, 1.0), word(d, 0.5), out=folder / 'ad.smol')
    merge(word(folder / 'ab.smol', 0.5), word(b, 0.5), a, out=folder / 'mix.smol')
    assert read(folder / 'mix.smol').base == [(read(a).hash, F(0.5 * float(F(0.6)) + 1)), (read(b).hash, F(0.5 * float(F(0.4)) + 0.5))]
    # Half of one and half of the other.
    merge(word(folder / 'ad.smol', 0.5), word(a, 0.25), word(b, 0.25), word(d, 0.125), out=folder / 'mix.smol')
    assert read(folder / 'mix.smol').base == [(read(a).hash, 0.75), (read(b).hash, 0.25), (read(d).hash, 0.375)]


def test_parts_are_found(two):
    """Deltas alone are of what they change; what mixes name is looked for by its hash, and must be what it says."""
    folder, a, b = two
    d, e = (delta(folder / n, [(a, 1.0)], lora(i), seed=i) for i, n in enumerate(('d.smol', 'e.smol'), 1))
    expected = [(read(a).hash, 1), (read(d).hash, 0.5), (read(e).hash, 0.25)]
    merge(word(d, 0.5), word(e, 0.25), out=folder / 'sum.smol')
    assert read(folder / 'sum.smol').base == expected
    apart, bases = folder / 'apart', folder / 'bases'
    apart.mkdir()
    bases.mkdir()
    alone = apart / 'sum.smol'
    (folder / 'sum.smol').rename(alone)
    for p in (a, d, e):
        p.rename(bases / p.name)
    told = merge(word(alone, 2.0), '--bases-dir', bases, out=folder / 'twice.smol')
    assert read(folder / 'twice.smol').base == [(h, 2 * f) for h, f in expected] and 'add up to 2' in told.stderr
    merge(alone, out=folder / 'same.smol', env={'SMOL_BASES': str(bases)})
    assert (folder / 'same.smol').read_bytes() == alone.read_bytes()
    refused(folder, 'sum.smol: names the delta %s..., which is not among the files to merge, nor where parts are looked for' % read(bases / 'd.smol').hash.hex()[:16],
            alone, env={'SMOL_BASES': str(apart)})
    # A file that only says that it is another.
    liar = bytearray((bases / 'd.smol').read_bytes())
    liar[200] ^= 1
    (bases / 'd.smol').write_bytes(liar)
    line = merge(alone, '--bases-dir', bases, out=folder / 'x.smol', code=1).stderr
    assert line.startswith('smoltool merge: %s: ' % (bases / 'd.smol')) and line.count('\n') == 1 and not (folder / 'x.smol').exists()


def test_refusals(two):
    folder, a, b = two
    hash16 = {p: read(p).hash.hex()[:16] for p in (a, b)}
    d = delta(folder / 'd.smol', [(a, 1.0)], lora(2))
    other = model(folder, '--seed', '9', name='other.smol')
    refused(folder, 'd.smol: changes the model %s..., which is not among those to merge' % hash16[a], other, d)
    refused(folder, 'a.smol: is the same model as %s' % a, a, word(a, 0.5))
    (folder / 'link.smol').symlink_to(a)
    refused(folder, 'link.smol: is the same model as %s' % a, a, folder / 'link.smol')
    before = d.read_bytes()
    for path in (a, d, folder / 'link.smol'):
        line = merge(a, d, out=path, code=1).stderr
        assert line == 'smoltool merge: %s: is one of the files that the mix would name\n' % path
    assert d.read_bytes() == before
    refused(folder, 'none.smol: cannot open: No such file or directory', a, folder / 'none.smol')
    for bad in ('nan', 'inf', '-inf', '1e30', '-1e19'):
        refused(folder, '%s=%s: takes a factor of at most 2^60' % (a, bad), '%s=%s' % (a, bad), code=2)
    for bad in ('', 'x', '0.5x', '1 ', '0,5'):
        refused(folder, '%s=%s: cannot open: No such file or directory' % (a, bad), '%s=%s' % (a, bad))
    for option, says in ((('--layers', '3'), 'layers 3, not 2'), (('--width', '44'), 'width 44, not 40'), (('--heads', '2'), 'heads 2, not 4'),
                         (('--ff', '8'), 'feed-forward width 8, not 160'), (('--context', '9'), 'context 9, not 24'),
                         (('--vocab', '300'), 'vocabulary 300, not 256'), (('--arch', 'smol'), 'it has the feature distances')):
        c = model(folder, *option, name='c.smol')
        refused(folder, 'c.smol: does not fit %s: %s' % (a, says), a, c)
    refused(folder, 'a.smol: does not fit %s: it lacks the feature distances' % c, c, a)
    # A sum with numbers of its own, which nothing may name.
    e = delta(folder / 'e.smol', [(a, 1.0)], lora(1), deltas=[(d, 0.5)])
    refused(folder, 'e.smol: adds numbers of its own to other deltas, so that it can be no part; merge its parts', a, e)
    # A mix whose models are not there.
    merge(a, d, out=folder / 'ad.smol')
    a.rename(folder / 'gone' )
    for path in (d, folder / 'ad.smol'):
        refused(folder, '%s: names the model %s..., which is not among the files to merge, nor where parts are looked for' % (path.name, hash16[a]), path)
    tool('merge', folder / 'gone', code=2)
    tool('merge', '-o', folder / 'x', code=2)


def test_tokens_and_seeds(folder):
    """Other bytes as tokens; and seeds, where a half-shift chooses channels by them."""
    (folder / 't1').write_text('abc')
    (folder / 't2').write_text('abd')
    a, b = (model(folder, '--bytes-of', folder / t, name=t + '.smol') for t in ('t1', 't2'))
    refused(folder, 't2.smol: does not fit %s: other tokens' % a, a, b)
    c = model(folder, '--vocab', '3', name='c.smol')
    refused(folder, 'c.smol: does not fit %s: tokens are bytes, not a set of bytes' % a, a, c)
    a, b = (model(folder, '--arch', 'smol', '--seed', s, name=s + '.smol') for s in '12')
    refused(folder, '2.smol: does not fit %s: seed 2, not 1, which with a half-shift matters' % a, a, b)


def test_epsilon(folder):
    a = model(folder, name='a.smol')
    other = read(a)
    other.conf.epsilon = float(F(1e-4))
    (folder / 'b.smol').write_bytes(container.write(other))
    refused(folder, 'b.smol: does not fit %s: epsilon of LayerNorm 0.0001, not 1e-05' % a, a, folder / 'b.smol')


def test_too_many(folder):
    models = [model(folder, '--layers', '1', '--width', '4', '--heads', '1', '--seed', i, name='m%d.smol' % i) for i in range(9)]
    merge(*[word(m, 0.125) for m in models[:8]], out=folder / 'mix.smol')
    assert len(read(folder / 'mix.smol').base) == 8
    refused(folder, 'm8.smol: one model too many: a mix has at most 8', *models)
    merge(word(models[0], 2.0 ** 60), out=folder / 'mix.smol')
    refused(folder, 'm0.smol: factors beyond 2^60', word(folder / 'mix.smol', 1.0), word(models[0], 2.0 ** 59))


def test_names(folder):
    """A file that is there is meant, whatever signs its name has; and a damaged part is named."""
    a = model(folder, name='a=1.smol')
    merge(a, out=folder / 'mix.smol')
    merge(word(a, 0.5), out=folder / 'mix.smol')
    assert read(folder / 'mix.smol').base == [(read(a).hash, 0.5)]
    b = bytearray(a.read_bytes())
    b[-1] ^= 1
    (folder / 'bad.smol').write_bytes(b)
    line = tool_text('merge', a, folder / 'bad.smol', '-o', folder / 'x.smol', code=1).stderr
    assert line.startswith('smoltool merge: %s: ' % (folder / 'bad.smol')) and line.count('\n') == 1
    assert struct.pack('<f', 0.5) in (folder / 'mix.smol').read_bytes()
    run(smoltool, 'merge', a, '-o', folder, code=1)
