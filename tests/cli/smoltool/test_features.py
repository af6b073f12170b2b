"""smoltool with models of architecture smol, masks, stored matrices and sets of bytes: what it makes, shows, compares and quantises."""
import json

import numpy as np
import pytest
from programs import run_text, smolrun, smoltool, tool, tool_text, write

TEXT = b'To be, or not to be.\n'
FILES = {'text': TEXT}
FEATURES = ['distances', 'slope-factors', 'temperatures', 'half-shift', 'relu2', 'output-table']


def new(folder, *arguments, name='m.smol'):
    tool('new', '--arch', 'smol', '--layers', '2', '--width', '40', '--heads', '4', '--context', '24', '-o', folder / name, *arguments)
    return folder / name


def inspected(path):
    return json.loads(tool('inspect', '--json', path).stdout)


def weights(path, name):
    tool('weights', path, name, '-o', path.parent / 'w.npy')
    return np.load(path.parent / 'w.npy')


def differences(a, b):
    return json.loads(tool('diff', '--json', a, b, code=1).stdout)


# ---- new ----

def test_new_has_the_features(folder):
    assert inspected(new(folder))['features'] == FEATURES
    assert inspected(new(folder, '--without', 'relu2,output-table'))['features'] == ['distances', 'slope-factors', 'temperatures', 'half-shift']
    assert inspected(new(folder, '--features', 'temperatures'))['features'] == ['temperatures']


def test_new_runs(folder):
    for method in 'mask', 'ternary', 'full', 'alpha', 'lora', 'nola', 'fastfood':
        done = run_text(smolrun, new(folder, '--method', method, '--bytes-of', folder / 'text'), '-p', 'To be', '-n', '40', '--temp', '0', '--no-display-prompt')
        assert done.stdout, method


def test_new_takes_the_bytes_of_a_text(folder):
    assert inspected(new(folder, '--bytes-of', folder / 'text'))['bytes'] == sorted(set(TEXT))
    found = inspected(new(folder, '--bytes-of', folder / 'text', '--other'))
    assert (found['vocab'], found['other_token'], found['end_token']) == (len(set(TEXT)) + 1, len(set(TEXT)), None)
    found = inspected(new(folder, '--bytes-of', folder / 'text', '--end'))
    assert (found['bytes'], found['other_token'], found['end_token']) == (sorted(set(TEXT)), None, len(set(TEXT)))
    found = inspected(new(folder, '--bytes-of', folder / 'text', '--other', '--end'))
    assert (found['vocab'], found['other_token'], found['end_token']) == (len(set(TEXT)) + 2, len(set(TEXT)), len(set(TEXT)) + 1)


def test_new_masks_keep_signs_of_the_seed(folder):
    """Each weight is there or not, with one magnitude: sigma of SPEC.md 12."""
    w = weights(new(folder, '--method', 'mask', '--seed', '3'), 'h.1.mlp.c_proj.weight')
    sigma = np.float64(np.float32(0.8 / np.sqrt(2 * 2 * 160)))
    assert set(np.unique(w)) == {-sigma, 0, sigma}


def test_new_stored_matrices_are_as_if_frozen(folder):
    frozen = weights(new(folder, '--method', 'embed'), 'h.0.attn.c_attn.weight')
    for kind in 'f32', 'ternary':
        stored = weights(new(folder, '--method', 'full', '--matrix-type', kind), 'h.0.attn.c_attn.weight')
        assert np.array_equal(stored, frozen.astype(np.float32).astype(np.float64)), kind


BAD = [
    (['--arch', 'other'], '--arch: takes smol or gpt2'),
    (['--arch', 'gpt2', '--features', 'relu2'], '--features: is for --arch smol; gpt2 has no features'),
    (['--features', 'slopes'], '--features: takes names of features'),
    (['--without', 'distances'], 'slope factors'),
    (['--without', ','.join(FEATURES)], 'features'),
    (['--context', '0'], 'context'),
    (['--method', 'mask', '--dist', 'gauss'], '--dist: is for frozen weights, which this method has not'),
    (['--method', 'mask', '--matrix-type', 'q4'], '--matrix-type: is for --method full'),
    (['--method', 'ternary', '--matrix-type', 'q4'], '--matrix-type: is for --method full'),
    (['--method', 'full', '--matrix-type', 'q5'], '--matrix-type: unknown choice'),
    (['--other'], '--other: is for --bytes-of'),
    (['--end'], '--end: is for --bytes-of'),
    (['--positions', 'x'], '--positions: is for a model without distances'),
]


@pytest.mark.parametrize('options, message', BAD, ids=[' '.join(o) for o, _ in BAD])
def test_new_refuses_in_one_line(folder, options, message):
    words = ['new', '--layers', '1', '--width', '8', '--heads', '2', '-o', folder / 'm.smol', *([] if '--arch' in options else ['--arch', 'smol'])]
    done = tool_text(*words, *options, code=2)
    assert message in done.stderr.splitlines()[0], done.stderr
    assert not (folder / 'm.smol').exists()


def test_a_set_has_as_many_tokens_as_it_has(folder):
    done = tool_text('new', '--bytes-of', folder / 'text', '--vocab', '100', '-o', folder / 'm.smol', code=2)
    assert '--vocab: is not the number of tokens that a set of bytes has' in done.stderr


# ---- inspect ----

def test_inspect_shows_it(folder):
    page = tool_text('inspect', '--full', new(folder, '--method', 'mask', '--gains', '--bytes-of', folder / 'text', '--other')).stdout
    for line in ('shape        smol, 2 layers x 40, 4 heads, feed-forward 160, context 24, vocabulary %d' % (len(set(TEXT)) + 1),
                 'features     ' + ', '.join(FEATURES), 'method       mask', 'embeddings   wte q8, output table q8', 'logit scale  1',
                 'tokens       %d bytes, and one for all others' % len(set(TEXT))):
        assert line + '\n' in page, (line, page)
    assert 'matrix  seeded signs and a mask, sign, gains (f16), sigma' in page
    assert page.split('h.1.attn.slope_factor')[1].split()[:4] == ['1.00000'] * 4


def test_inspect_counts_parameters(folder):
    """A bit of a mask is one, and so is a factor of a head."""
    matrices = 2 * 12 * 40 * 40
    assert inspected(new(folder, '--method', 'mask'))['non_embedding_params'] == matrices + 2 * 2 * 4
    assert inspected(new(folder, '--method', 'ternary', '--features', 'relu2'))['non_embedding_params'] == matrices
    assert inspected(new(folder, '--method', 'embed', '--features', 'temperatures'))['non_embedding_params'] == 2 * 4


def test_inspect_json_has_the_heads(folder):
    found = inspected(new(folder, '--without', 'slope-factors', '--param-type', 'f32'))
    assert found['head_factors'] == {'h.0.attn.temperature': [1] * 4, 'h.1.attn.temperature': [1] * 4} and found['head_type'] == 'f32'


def test_gpt2_is_shown_as_ever(folder):
    """Nothing that it has not."""
    tool('new', '--layers', '1', '--width', '8', '--heads', '2', '-o', folder / 'm.smol')
    found = inspected(folder / 'm.smol')
    assert not {'architecture', 'features', 'output_type', 'head_type', 'head_factors', 'bytes', 'other_token'} & set(found)


# ---- diff ----

def test_diff_counts_bits_of_masks(folder):
    a, b = new(folder, '--method', 'mask', name='a.smol'), new(folder, '--method', 'mask', '--seed', '9', name='b.smol')
    name = 'h.0.mlp.c_fc.weight'
    there = [weights(m, name) != 0 for m in (a, b)]
    found = differences(a, b)['learned']['tensors'][name]
    assert (found['compared'], found['different'], found['largest']) == (there[0].size, int(np.sum(there[0] != there[1])), 1)


def test_diff_compares_stored_rows(folder):
    """Of different number types too."""
    a = new(folder, '--method', 'full', '--matrix-type', 'q8', name='a.smol')
    b = new(folder, '--method', 'full', '--matrix-type', 'q4', '--seed', '9', name='b.smol')
    name = 'h.1.attn.c_proj.weight'
    off = weights(a, name) - weights(b, name)
    found = differences(a, b)['learned']['tensors'][name]
    assert found['different'] == np.count_nonzero(off) and abs(found['rms'] - np.sqrt(np.mean(off ** 2))) < 1e-9


def test_diff_compares_output_tables(folder):
    a, b = new(folder, '--seed', '1', name='a.smol'), new(folder, '--seed', '2', name='b.smol')
    off = weights(a, 'lm_head.weight') - weights(b, 'lm_head.weight')
    found = differences(a, b)['output_table']
    assert found['rows_different'] == 256 and abs(found['rms'] - np.sqrt(np.mean(off ** 2))) < 1e-9


def test_diff_names_features(folder):
    found = differences(new(folder, name='a.smol'), new(folder, '--without', 'relu2', name='b.smol'))
    assert found['configuration']['features'] == {'a': FEATURES, 'b': [f for f in FEATURES if f != 'relu2']}


def test_diff_of_a_table_that_one_has(folder):
    found = differences(new(folder, name='a.smol'), new(folder, '--features', 'relu2', name='b.smol'))
    assert found['wpe'] == {'a': [0, 40], 'b': [24, 40]} and found['output_table'] == {'a': [256, 40], 'b': [0, 40]}
    assert 'wpe\n' in tool_text('diff', folder / 'a.smol', folder / 'b.smol', code=1).stdout


# ---- quantize ----

def least_squares(row):
    """Of all ternary rows the nearest one, for any scale."""
    sizes = np.sort(np.abs(row))[::-1]
    kept = np.arange(1, len(row) + 1)
    gain = np.cumsum(sizes) ** 2 / kept
    k = int(np.argmax(gain)) + 1
    return np.where(np.abs(row) >= sizes[k - 1], np.sign(row), 0) * np.float32(sizes[:k].sum() / k)


def test_quantize_to_ternary_is_nearest(folder):
    """The embeddings of SPEC.md 12 are normal numbers, so that no row is ternary before."""
    before = new(folder, '--embedding-type', 'f32')
    tool('quantize', '--embeddings', 'ternary', before, '-o', folder / 'q.smol')
    for name in 'wte.weight', 'lm_head.weight':
        want = np.array([least_squares(row) for row in weights(before, name)])
        assert np.abs(weights(folder / 'q.smol', name) - want).max() < 1e-9


def test_quantize_leaves_ternary_rows(folder):
    before = new(folder, '--method', 'ternary')
    tool('quantize', '--matrices', 'f16', before, '-o', folder / 'h.smol')
    tool('quantize', '--matrices', 'ternary', folder / 'h.smol', '-o', folder / 't.smol')
    a, b = (weights(folder / name, 'h.0.attn.c_attn.weight') for name in ('h.smol', 't.smol'))
    assert np.array_equal(a, b) and len(np.unique(np.abs(a))) == 1


def test_quantize_what_is_asked_for(folder):
    """Types change together, all else stays; what is lost is told."""
    before = new(folder, '--method', 'full', '--matrix-type', 'f32', '--gains')
    found = json.loads(tool('quantize', '--json', '--matrices', 'q8', '--params', 'q8', before, '-o', folder / 'q.smol').stdout)
    assert sorted(found) == ['file_bytes_after', 'file_bytes_before', 'matrices', 'parameters']
    assert (found['matrices']['from'], found['matrices']['to'], found['parameters']['from'], found['parameters']['to']) == ('f32', 'q8', 'f16', 'q8')
    after = inspected(folder / 'q.smol')
    matrix, = [s for s in after['schemes'] if s['kind'] == 'matrix']
    assert (matrix['alpha_type'], matrix['value_type'], after['head_type'], after['wte_type']) == ('q8', 'q8', 'q8', 'q8')
    assert np.array_equal(weights(before, 'wte.weight'), weights(folder / 'q.smol', 'wte.weight'))


def test_quantize_keeps_masks(folder):
    before = new(folder, '--method', 'mask', '--gains')
    tool('quantize', '--params', 'q8', '--embeddings', 'q4', before, '-o', folder / 'q.smol')
    a, b = (weights(m, 'h.1.mlp.c_fc.weight') for m in (before, folder / 'q.smol'))
    assert np.array_equal(a != 0, b != 0) and np.abs(a - b).max() < 1e-3 * np.abs(a).max()


def test_quantize_refuses(folder):
    m = new(folder, '--method', 'mask')
    assert b'has no stored matrices' in tool('quantize', '--matrices', 'q4', m, '-o', folder / 'q.smol', code=1).stderr
    for bad in ([], ['--embeddings', 'f32'], ['--matrices', 'q2'], ['--params', 'q4']):
        tool('quantize', *bad, m, '-o', folder / 'q.smol', code=2)
    assert not (folder / 'q.smol').exists()


# ---- tokens ----

def test_tokens_of_a_set(folder):
    """In the order of the bytes; others have the last, and come back as a question mark."""
    m = new(folder, '--bytes-of', folder / 'text', '--other')
    known = sorted(set(TEXT))
    write(folder / 'in', TEXT + b'7\xff')
    out = tool_text('tokenizer', 'encode', m, folder / 'in').stdout
    assert [int(t) for t in out.split()] == [known.index(b) if b in known else len(known) for b in TEXT + b'7\xff']
    write(folder / 'numbers', out)
    assert tool('tokenizer', 'decode', m, folder / 'numbers').stdout == TEXT + b'??'


def test_a_byte_that_has_no_token(folder):
    m = new(folder, '--bytes-of', folder / 'text')
    write(folder / 'in', b'To be 7')
    done = run_text(smoltool, 'tokenizer', 'encode', m, folder / 'in', code=1)
    assert "byte 6: byte 55 is not in the model's set of bytes" in done.stderr, done.stderr
