"""smoltool diff from outside: models of the reference with one thing changed at a time, and that thing alone told, with
figures by NumPy."""
import copy
import json
import re
import subprocess

import numpy as np

import container
import models

import pytest
from programs import sanitized, smoltool

SHAPE = (2, 2, 70, 9, 24, 300)


def diff(*arguments, code=1, **more):
    done = subprocess.run([smoltool, 'diff', *map(str, arguments)], stderr=subprocess.PIPE, timeout=120,
                          **{'stdout': subprocess.PIPE, **more})
    assert done.returncode == code, (arguments, done)
    return done


def tool(*arguments):
    return subprocess.run([smoltool, *map(str, arguments)], capture_output=True, timeout=120, check=True).stdout


def model(seed):
    return models.random_model(seed, SHAPE)


def told(folder, a, b, signer=None, code=1):
    """What is said of two models, or files, after a look at the page: it names the same sections."""
    for name, m in (('a', a), ('b', b)):
        (folder / name).write_bytes(m if isinstance(m, bytes) else container.write(m, signer=signer if name == 'b' else None))
    found = json.loads(diff('--json', folder / 'a', folder / 'b', code=code).stdout)
    page = diff(folder / 'a', folder / 'b', code=code).stdout.decode().splitlines()
    sections = [s for s in found if s != 'equal']
    assert [line for line in page if line[0] != ' ' and not line.startswith('equal')] == [s.replace('_text', '') for s in sections]
    assert found.pop('equal') is (code == 0)
    return found


def figures(a, b):
    """What is said of numbers that stand side by side."""
    a, b = a.astype(np.float64).ravel(), b.astype(np.float64).ravel()
    off = b - a
    return {'compared': a.size, 'different': int((off != 0).sum()), 'largest': np.abs(off).max(), 'rms': (off ** 2).mean() ** 0.5}


def close(got, want):
    for key, value in want.items():
        assert abs(got[key] - value) <= 1e-12 * abs(value), (key, got, want)


def test_equal(folder):
    m = model(1)
    assert told(folder, m, m, code=0) == {}
    assert b'equal' in diff(folder / 'a', folder / 'a', code=0).stdout
    # The same model, signed: its hash is the same.
    found = told(folder, m, m, signer=(b'12345678', bytes(range(32))), code=0)
    assert list(found) == ['signature'] and found['signature']['signer'] == {'b': '3837363534333231'}, found


def test_configuration(folder):
    a = model(2)
    b = copy.deepcopy(a)
    b.conf.seed, b.conf.logit_scale, b.minor, b.hints = 2 ** 64 - 1, 0.5, 3, 7
    found = told(folder, a, b)
    assert found['header'] == {'minor_version': {'a': 0, 'b': 3}, 'hints': {'a': 0, 'b': 7}}
    assert found['configuration'] == {'seed': {'a': str(a.conf.seed), 'b': '18446744073709551615'},
                                      'logit_scale': {'a': a.conf.logit_scale, 'b': 0.5}}
    assert set(found) == {'header', 'configuration'}


def alpha_model(sigmas, rank=0, layers=3):
    """Layers that differ in the sigma of attn.c_proj alone."""
    norm = container.Scheme(2, 0, 0, 0, 0, 0, 0, 0.0)
    schemes = [norm] + [container.Scheme(1, 1, 0, 4, rank, 1, 0, s) for s in sorted({0.25, *sigmas})]
    place = {s.sigma: i for i, s in enumerate(schemes)}
    slots = [[0, place[0.25], place[s], 0, place[0.25], place[0.25]] for s in sigmas]
    conf = models.build_conf((layers, 2, 8, 12, 6, 20), slots, 0, schemes)
    rng = np.random.default_rng(5)
    learned = {name: rng.standard_normal(size).astype(container.FLOATS[kind]) for name, size, kind in container.learned_layout(conf)}
    return container.Smol(conf, learned, models.table(2, rng.standard_normal((20, 8))), models.table(0, rng.standard_normal((6, 8))))


def test_schemes(folder):
    a, b = alpha_model([0.25, 0.25, 0.5]), alpha_model([0.5, 0.5, 0.25])
    assert told(folder, a, b) == {'schemes': {'h.0-1.attn.c_proj': {'sigma': {'a': 0.25, 'b': 0.5}},
                                              'h.2.attn.c_proj': {'sigma': {'a': 0.5, 'b': 0.25}}}}
    b = alpha_model([0.25, 0.25, 0.5], rank=2)
    for name in a.learned:
        b.learned[name] = a.learned[name]
    b.wte, b.wpe = a.wte, a.wpe
    found = told(folder, a, b)
    assert found['schemes']['h.0-2.mlp.c_fc'] == {'rank': {'a': 0, 'b': 2}}
    tensors = found['learned']['tensors']
    assert tensors['h.1.mlp.c_fc.weight A'] == {'a': 0, 'b': 16} and tensors['h.1.mlp.c_fc.weight B'] == {'a': 0, 'b': 24}
    assert len(tensors) == 24 and set(found) == {'schemes', 'learned'}


def test_layers(folder):
    """A layer that one model has alone: its numbers stand against none."""
    a, b = alpha_model([0.25] * 3), alpha_model([0.25] * 2, layers=2)
    for name in b.learned:
        b.learned[name] = a.learned[name]
    b.wte, b.wpe = a.wte, a.wpe
    found = told(folder, a, b)
    assert found['configuration'] == {'layers': {'a': 3, 'b': 2}} and 'schemes' not in found
    assert found['learned'] == {'a': 48, 'b': 32, 'compared': 32, 'different': 0, 'largest': 0.0, 'rms': 0.0, 'tensors': {
        'h.2.%s.weight' % s: {'a': 4, 'b': 0} for s in ('attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj')}}


def page_name(name):
    """Of an array of the reference, here."""
    stem, _, part = name.removesuffix('.alpha').rpartition('.')
    if name == 'shared.alpha':
        return 'shared'
    if part == 'lambda':
        return stem + '.layer_gain'
    if part in ('A', 'B', 'sparse', 'gain'):
        return '%s.weight %s' % (stem, part)
    if part in ('weight', 'bias'):
        return '%s.%s' % (stem, part)
    return '%s.%s.weight' % (stem, part)


def changed(array):
    """With another last number."""
    other = copy.deepcopy(array)
    if isinstance(other, container.Blocks):
        other.scales[-1] = other.scales[-1] or 0x3c00
        other.q[-1] = 5 if other.q[-1] != 5 else 6
    else:
        other.reshape(-1)[-1] += 0.5
    return other


@pytest.mark.slow
def test_learned(folder):
    """Every array of models of every method in turn, and all at once."""
    kinds = set()
    for seed in range(6 if sanitized else 14):  # six have every kind
        a, b = model(seed), model(seed)
        written = container.write(a)
        for name in a.learned:
            kinds.add((name.rpartition('.')[2], type(a.learned[name])))
            b.learned = {**a.learned, name: changed(a.learned[name])}
            found = told(folder, written, b)
            assert list(found) == ['learned'] and list(found['learned']['tensors']) == [page_name(name)], (name, found)
            close(found['learned']['tensors'][page_name(name)], figures(a.learned[name], b.learned[name]))
        b.learned = {name: changed(a.learned[name]) for name in a.learned}
        if a.learned:
            found = told(folder, a, b)['learned']
            close(found, figures(*(np.concatenate([m.learned[n].astype(np.float64).ravel() for n in a.learned]) for m in (a, b))))
            assert found['a'] == found['b'] == found['compared']
    assert {'A', 'B', 'sparse', 'gain', 'bias', 'alpha'} <= {k for k, _ in kinds} and container.Blocks in {t for _, t in kinds}, kinds


def test_long_names_stand_apart_from_figures(folder):
    gains = 0
    for seed in range(14):
        a, b = model(seed), model(seed)
        b.learned = {name: changed(a.learned[name]) for name in a.learned}
        for name, m in (('a', a), ('b', b)):
            (folder / name).write_bytes(container.write(m))
        page = diff(folder / 'a', folder / 'b', code=1 if a.learned else 0).stdout.decode().splitlines()
        for line in (line for line in page if '.weight gain' in line):
            assert re.match(r'  h\.\d+\.\S+\.weight gain +\d+ of \d+ differ, ', line), line
            gains += 1
    assert gains > 0


def test_minus_zero(folder):
    """Equal as numbers, not as bits."""
    a = model(4)
    name = next(n for n in a.learned if not isinstance(a.learned[n], container.Blocks))
    a.learned[name].reshape(-1)[0] = 0
    b = copy.deepcopy(a)
    b.learned[name].reshape(-1)[0] = -0.0
    assert told(folder, a, b)['learned']['different'] == 1


def test_embeddings(folder):
    for seed in range(8):
        a = model(seed)
        b = copy.deepcopy(a)
        rows = [0, 7, 23]
        b.wpe = models.table(a.wpe.kind, a.wpe.floats() + np.isin(np.arange(24), rows)[:, None] * np.linspace(0.25, 1, 70)[None])
        found = told(folder, a, b)
        assert set(found) == {'wpe'} and found['wpe']['a'] == found['wpe']['b'] == [24, 70]
        x, y = a.wpe.floats(), b.wpe.floats()
        assert found['wpe']['rows_different'] == (x != y).any(1).sum() and found['wpe']['rows_compared'] == 24
        close(found['wpe'], figures(x, y))
        kind = (a.wte.kind + 1) % 4
        b = copy.deepcopy(a)
        b.wte = models.table(kind, a.wte.floats())
        found = told(folder, a, b)
        names = ('f32', 'f16', 'q8', 'q4')
        assert found['configuration'] == {'wte_type': {'a': names[a.wte.kind], 'b': names[kind]}} and set(found) == {'configuration', 'wte'}
        close(found['wte'], figures(a.wte.floats(), b.wte.floats()))


def test_shapes(folder):
    """Tables of other sizes: the rows that both have, or, of another width, none."""
    a, b = model(1), models.random_model(1, (2, 2, 70, 9, 20, 310))
    found = told(folder, a, b)
    assert found['wpe']['a'] == [24, 70] and found['wpe']['b'] == [20, 70] and found['wpe']['rows_compared'] == 20
    assert found['wte']['rows_compared'] == 300
    found = told(folder, a, models.random_model(1, (2, 2, 72, 9, 24, 300)))
    assert found['wte'] == {'a': [300, 70], 'b': [300, 72]}


def test_other_bytes(folder):
    """A row of scale 0 is zero whatever its integers are."""
    a = model(0)
    a.wte = models.table(2, np.zeros((300, 70)))
    b = copy.deepcopy(a)
    b.wte.numbers[5, 5] = 1
    found = told(folder, a, b)
    assert found['wte']['different'] == 0 and set(found) == {'wte'}
    assert b'the same values in other bytes' in diff(folder / 'a', folder / 'b').stdout


def test_one_scale(folder):
    """A multiplier more of a row, one less of the scale of a table of zeros, and nothing at all."""
    a = model(0)
    a.wte = models.table(6, a.wte.floats())
    assert told(folder, a, copy.deepcopy(a), code=0) == {}
    b = copy.deepcopy(a)
    row = int(a.wte.multipliers.argmin())
    b.wte.multipliers[row] += 1
    found = told(folder, a, b)
    assert set(found) == {'wte'} and found['wte']['rows_different'] == 1
    close(found['wte'], figures(a.wte.floats(), b.wte.floats()))
    a.wte.multipliers[:] = 0
    b = copy.deepcopy(a)
    b.wte.scales[0] *= 2
    found = told(folder, a, b)
    assert found['wte']['different'] == 0 and set(found) == {'wte'}


def test_card(folder):
    a, b = model(1), model(1)
    a.card, b.card = b'{"name": "x", "steps": 5, "old": [1]}', b'{"name": "y\\u009b", "steps": 5, "new": {"a": null}}'
    assert told(folder, a, b) == {'card': {'name': {'a': 'x', 'b': 'y\x9b'}, 'old': {'a': [1]}, 'new': {'b': {'a': None}}}}
    assert b'\x9b' not in diff(folder / 'a', folder / 'b').stdout
    b.card = b'{"\\u001b[31mred\\u202e": "\\u0007", "\xc3\xa9": 1}'
    assert set(told(folder, a, b)['card']) == {'name', 'steps', 'old', '\x1b[31mred\u202e', '\u00e9'}
    for page in (diff(folder / 'a', folder / 'b').stdout, tool('inspect', '--full', folder / 'b')):
        assert b'\n  \\u001B[31mred\\u202E     ' in page and b'\n  \\u00E9        ' in page and not set(page) & {0x1b, 7}
    b.card = None
    assert told(folder, a, b)['card']['steps'] == {'a': 5}
    b.card = b'{"steps": 5,  "name": "x", "old": [1]}'
    assert told(folder, a, b) == {'card_text': {'bytes': {'a': 37, 'b': 38}}}
    b.card = b'{no JSON at all}'
    assert told(folder, a, b) == {'card_text': {'bytes': {'a': 37, 'b': 16}}}


def test_trouble(folder):
    m = folder / 'm'
    m.write_bytes(container.write(model(1)))
    (folder / 'short').write_bytes(m.read_bytes()[:-1])
    for bad in ([], [m], [m, m, m], ['--nonsense', m, m], [m, folder / 'none'], [folder / 'none', m], [m, folder / 'short']):
        done = diff(*bad, code=2)
        assert done.stdout == b'' and done.stderr.startswith(b'smoltool diff: '), done
    assert diff(m, folder / 'short', code=2).stderr.count(b'\n') == 1
    with open('/dev/full', 'wb') as full:
        for words in ([m, m], ['--json', m, m]):
            assert diff(*words, code=2, stdout=full).stderr.count(b'\n') == 1
