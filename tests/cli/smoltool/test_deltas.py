"""What smoltool's commands tell of deltas, and make of them, without their base: inspect, diff, quantize, digest, embed-c, verify, sign, qr.
Expected values are those of the reference's reader."""
import json
import re
import shutil

import numpy as np
import pytest

import arith
import container
from container import BIASES, GAINS, MODELS
from deltas import NORMS, delta, lora, read

from programs import keys, model, root, run, smolrun, tool, tool_text

F = np.float32


@pytest.fixture
def two(folder):
    return folder, model(folder, '--seed', '1', name='a.smol'), model(folder, '--seed', '2', name='b.smol')


def inspect(path, *more, **code):
    return json.loads(tool('inspect', '--json', path, *more, **code).stdout)


# ---- inspect ----

def test_inspect(two):
    """What is changed, by what and how much is stored, byte by byte."""
    folder, a, b = two
    e = delta(folder / 'e.smol', [(b, 1.0), (a, 1.0)], lora(1), seed=3)
    d = delta(folder / 'd.smol', [(a, 0.75), (b, -2.5)], lora(2, 1, MODELS), NORMS, deltas=[(e, 0.5)], rows=((7, 9, 250), ()), row_kind=2, card=b'{"a": 1}')
    told, size = inspect(d), d.stat().st_size
    assert told['architecture'] == 'delta' and told['features'] == [] and told['method'] == 'lora'
    assert [(p['kind'], p['hash'], p['factor']) for p in told['base']] == [
        ('model', read(a).hash.hex(), 0.75), ('model', read(b).hash.hex(), -2.5), ('delta', read(e).hash.hex(), 0.5)]
    assert told['input_rows'] == 3 and told['output_rows'] == 0 and told['wte_type'] == 'q8' and told['wpe_type'] is told['output_type'] is None
    # Norms of two layers and ln_f, factors of rank 2 and numbers for 2 models of 4 matrices in two layers, all f16.
    numbers = 2 * 5 * 40 + 2 * (2 * (120 + 40 + 40 + 40 + 160 + 40 + 40 + 160) + 4 * 2)
    assert told['non_embedding_params'] == numbers and told['learned_bytes'] == 2 * numbers
    assert told['embedding_bytes'] == 64 + 128 + 64 and told['card_bytes'] == 8 and told['file_bytes'] == size
    assert told['non_embedding_bytes'] + told['embedding_bytes'] + told['card_bytes'] + told['padding_bytes'] == size
    text = tool_text('inspect', '--full', d).stdout
    assert 'shape        delta of GPT-2, 2 layers x 40, 4 heads, feed-forward 160, context 24, vocabulary 256\n' in text
    for line in ('names of its parts +204', 'embeddings +256', 'parameters +%d' % (2 * numbers), 'embeddings +3 rows of wte .q8.', 'method +lora',
                 r'\d+ +matrix +its model.s, rank 2 .f16., a number for each model .f16.', r'\d+ +norm +stored vectors'):
        assert re.search(r'^ *%s$' % line, text, re.M), (line, text)


def test_inspect_mix(two):
    folder, a, b = two
    tool('merge', '%s=0.6' % a, '%s=0.4' % b, '-o', folder / 'mix.smol')
    assert 'method       none: it only names its parts\n' in tool_text('inspect', folder / 'mix.smol').stdout
    told = inspect(folder / 'mix.smol')
    assert told['method'] == 'none' and told['non_embedding_params'] == 0 and told['file_bytes'] == told['non_embedding_bytes'] == 384


def test_inspect_bpe(folder):
    """Tokens are its model's."""
    text = folder / 'text'
    text.write_text('the cat and the hat ' * 20)
    tool('tokenizer', 'train', '--vocab', '262', text, '-o', folder / 't.smoltok')
    a = model(folder, '--tokenizer', folder / 't.smoltok', name='a.smol')
    d = delta(folder / 'd.smol', [(a, 1.0)], lora(1))
    (folder / 'alone').mkdir()
    d = d.rename(folder / 'alone/d.smol')
    assert "tokens       its model's\n" in tool_text('inspect', '--full', d).stdout and inspect(d)['tokenizer'] == 'bpe'
    for arguments in (('new', '--tokenizer', d, '-o', folder / 'x'), ('tokenizer', 'encode', d, text)):
        line = tool_text(*arguments, code=1).stderr
        assert line.endswith(": is a delta, whose tokens are its model's: name that\n") and line.count('\n') == 1, line


# ---- diff ----

def diff(a, b, code=1):
    return json.loads(tool('diff', '--json', a, b, code=code).stdout)


def name(path):
    return read(path).hash.hex()[:16]


def test_diff_of_mixes(two):
    folder, a, b = two
    one, other = folder / 'one.smol', folder / 'other.smol'
    tool('merge', '%s=0.5' % a, '%s=0.5' % b, '-o', one)
    tool('merge', '%s=0.25' % a, '-o', other)
    assert diff(one, other) == {'equal': False, 'base': {'model ' + name(a): {'a': 0.5, 'b': 0.25}, 'model ' + name(b): {'a': 0.5}}}
    assert tool_text('diff', one, other, code=1).stdout == 'base\n  model %s  0.5 and 0.25\n  model %s  0.5 and nothing\n' % (name(a), name(b))
    tool('merge', '%s=0.5' % b, '%s=0.5' % a, '-o', other)
    order = ['model ' + name(p) for p in (a, b)]
    assert diff(one, other) == {'equal': False, 'base': {'order': {'a': order, 'b': order[::-1]}}}
    assert diff(one, one, 0) == {'equal': True}


def test_diff_of_deltas(two):
    """Numbers of models, and the rows of tokens that both have."""
    folder, a, _ = two
    d, e = folder / 'd.smol', folder / 'e.smol'
    for kind in (0, 1, 2, 3, 5, 6):
        delta(d, [(a, 1.0)], lora(1, 1, MODELS), rows=((1, 5, 9, 200), ()), row_kind=kind, seed=4)
        delta(e, [(a, 1.0)], lora(1, 1, MODELS), rows=((5, 8, 200), ()), row_kind=kind, seed=5)
        x, y = read(d), read(e)
        found = diff(d, e)
        off = y.input_rows.table.floats()[[0, 2]].astype(np.float64) - x.input_rows.table.floats()[[1, 3]]
        rows = found['input_rows']
        assert (rows['rows_a'], rows['rows_b'], rows['rows_compared'], rows['compared'], rows['different']) == (4, 3, 2, 80, np.count_nonzero(off)), (kind, rows)
        assert abs(rows['largest'] - np.abs(off).max()) < 1e-12 and abs(rows['rms'] - (off ** 2).mean() ** 0.5) < 1e-12
        models = found['learned']['tensors']['h.1.mlp.c_fc.weight models']
        assert models['compared'] == 1 and models['largest'] == abs(float(y.learned['h.1.mlp.c_fc.models'][0]) - float(x.learned['h.1.mlp.c_fc.models'][0]))
    assert '\ninput_rows\n  4 and 3 rows, 2 of the same tokens; ' in tool_text('diff', d, e, code=1).stdout
    for path, seed in ((d, 4), (e, 5)):  # by their bits, as all numbers: -0 is not 0
        delta(path, [(a, 1.0)], rows=((5, 8), ()), row_kind=0, seed=seed, spread=0.0)
    signs = [np.signbit(read(path).input_rows.table.floats()) for path in (d, e)]
    assert diff(d, e)['input_rows']['different'] == np.count_nonzero(signs[0] != signs[1]) > 0
    found = diff(a, d)
    assert 'wte' in found and found['wte'] == {'a': [256, 40], 'b': [0, 40]} and found['base'] == {'model ' + name(a): {'b': 1.0}}


# ---- quantize ----

def test_quantize(two):
    """Parameters, the numbers of models among them, and rows in fewer bits; what is not asked for stays, as do the parts."""
    folder, a, b = two
    d, out = folder / 'd.smol', folder / 'out.smol'
    delta(d, [(a, 1.0), (b, 0.5)], lora(3, 0, MODELS | GAINS | BIASES), NORMS, rows=((3, 70, 71), ()), row_kind=0, card=b'{}')
    before = read(d)
    tool('quantize', '--params', 'q8', d, '-o', out)
    after = read(out)
    assert after.base == before.base and after.card == before.card and after.conf.models == 2
    assert np.array_equal(after.input_rows.table.floats(), before.input_rows.table.floats())
    for key, value in before.learned.items():
        expected = container.Blocks.of(value.astype(F))
        assert np.array_equal(after.learned[key].astype(F), expected.astype(F)), key
    table = before.input_rows.table.floats()
    for kind, number, expected in (('f16', 1, table.astype(np.float16).astype(F)), ('q4-row', 6, container.Table(6, *arith.to_q4_row(table)).floats())):
        told = json.loads(tool('quantize', '--json', '--embeddings', kind, d, '-o', out).stdout)
        after = read(out)
        assert after.input_rows.tokens == [3, 70, 71] and after.input_rows.table.kind == number and np.array_equal(after.input_rows.table.floats(), expected)
        assert sorted(after.learned) == sorted(before.learned) and 'wpe' not in told and told['wte']['to'] == kind
        off = (expected - table).astype(np.float64)
        assert abs(told['wte']['rms_error'] - (off ** 2).mean() ** 0.5) < 1e-9
    d = delta(d, [(a, 1.0)], lora(1))
    for option in ('--embeddings', '--matrices'):
        line = tool_text('quantize', option, 'q4', d, '-o', out, code=1).stderr
        assert line == 'smoltool quantize: %s: %s\n' % (d, 'is a delta without rows of embeddings' if option == '--embeddings' else 'has no stored matrices')


# ---- the others ----

def test_identity(two):
    """Signing keeps the hash, which covers those of its parts; verify, digest, embed-c and qr need no base."""
    folder, a, _ = two
    keys(folder, 'k')
    d = delta(folder / 'd.smol', [(a, 1.0)], lora(1))
    before = read(d)
    tool('sign', '--key', folder / 'k.key', d)
    assert read(d).hash == before.hash and read(d).signature is not None
    assert tool_text('verify', '--pubkey', folder / 'k.pub', d).stdout.startswith('checksum   ok')
    other = delta(folder / 'e.smol', [(model(folder, '--seed', '3', name='c.smol'), 1.0)], lora(1))
    assert read(other).learned.keys() == before.learned.keys() and read(other).hash != before.hash
    tool('embed-c', d, '-o', folder / 'd.h')
    numbers = re.search(r'= \{\n(.*)\n\};', (folder / 'd.h').read_text(), re.S).group(1)
    assert bytes(int(n) for n in numbers.replace('\n', '').split(',') if n) == d.read_bytes()
    tool('digest', d)
    mix = folder / 'mix.smol'
    tool('merge', a, '-o', mix)
    tool('qr', mix, '-o', folder / 'mix.svg')


# ---- with its base ----

def test_base_of_inspect(two):
    """Where parts are, beside the delta or in a folder; and the memory to run with them, which is that of the files and more than without."""
    folder, a, b = two
    d = delta(folder / 'd.smol', [(a, 1.0)], lora(1))
    told = inspect(d)
    assert told['base'][0]['path'] == str(a) and told['memory_bytes'] - told['session_bytes'] - 3700000 == a.stat().st_size + d.stat().st_size
    other = folder / 'other'
    other.mkdir()
    d = d.rename(other / 'd.smol')
    alone = inspect(d)
    assert alone['base'][0]['path'] is None and 'memory_bytes' not in alone and alone['learned_bytes'] == told['learned_bytes']
    assert 'memory       depends on its base, which is not there\n' in tool_text('inspect', d).stdout
    for more in (('--base', a), ('--bases-dir', folder)):
        assert inspect(d, *more)['memory_bytes'] == told['memory_bytes']
    line = tool_text('inspect', d, '--base', b, code=1).stderr
    assert name(a) in line and name(b) in line and line.count('\n') == 1
    a.write_bytes(b.read_bytes())  # what lies there is another file
    assert inspect(d, code=0)['base'][0]['path'] is None


def test_verify(two):
    folder, a, b = two
    d = delta(folder / 'd.smol', [(a, 0.5), (b, 0.5)], lora(1))
    base = ['0.5 x model %s...' % name(p) for p in (a, b)]
    assert tool_text('verify', d).stdout.splitlines()[2:] == [
        'base       not checked: %s (that needs --base or --bases-dir)' % base[0], '           ' + base[1], 'signature  none']
    assert tool_text('verify', d, '--base', b, '--base', a).stdout.splitlines()[2:] == [
        'base       ok: %s, %s' % (base[0], a), '           %s, %s' % (base[1], b), 'signature  none']
    found = json.loads(tool('verify', '--json', d, '--bases-dir', folder).stdout)
    assert [(p['hash'], p['path']) for p in found['base']] == [(read(p).hash.hex(), str(folder / p.name)) for p in (a, b)]
    assert 'base' not in json.loads(tool('verify', '--json', a).stdout)
    c = model(folder, '--seed', '3', name='c.smol')
    done = tool_text('verify', '--json', d, '--base', c, code=1)
    told = json.loads(done.stdout)
    assert told['verified'] is False and told['status'] == 'SMOL_E_BASE' and name(c) in told['error'] and done.stderr.count('\n') == 1
    assert tool_text('verify', a, '--base', b, code=1).stderr == 'smoltool verify: %s: is no delta, and so has no base\n' % a


def test_pack(folder):
    """With another delta, another text; only with the same one the same."""
    a = folder / 'a.smol'
    shutil.copy(root / 'models/messages-64k.smol', a)
    d, e = (delta(folder / n, [(a, 1.0)], lora(3), seed=i, spread=0.02) for i, n in enumerate(('d.smol', 'e.smol')))
    packed = {p: tool_text('pack', '--text', '--check', '-m', p, 'see you at the pier at six').stdout.strip() for p in (a, d, e)}
    assert len(set(packed.values())) == 3
    assert tool_text('unpack', '--text', '--check', '-m', d, packed[d]).stdout.strip() == 'see you at the pier at six'
    tool('unpack', '--text', '--check', '-m', e, packed[d], code=1)
    tool('pack', '--text', '-m', a, '--base', d, 'x', code=1)


def test_loss_of_quantize(two):
    """Against smolrun's own, with the base and without."""
    folder, a, _ = two
    text, out = folder / 'text', folder / 'out.smol'
    text.write_text('the cat and the hat ' * 4)
    d = delta(folder / 'd.smol', [(a, 1.0)], lora(3, 0), spread=0.5)
    told = json.loads(tool('quantize', '--json', '--params', 'q8', d, '-o', out, '--text', text).stdout)
    for path, key in ((d, 'before'), (out, 'after')):
        loss = json.loads(run(smolrun, path, '--perplexity', text, '--json').stdout)['nats_per_token']
        assert abs(told['nats_per_token_' + key] - loss) < 1e-9
    assert told['nats_per_token_before'] != told['nats_per_token_after']
    assert tool_text('quantize', '--params', 'q8', d, '-o', out, '--base', a, code=2).stderr.startswith('smoltool quantize: --base, --bases-dir, --delta: are for --text\n')
