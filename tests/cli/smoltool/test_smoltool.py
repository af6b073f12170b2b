"""smoltool from outside: models of any shape, the page and its JSON, keys that minisign shares, exact weights."""
import hashlib
import io
import json
import os
import subprocess

import numpy as np

import pytest
from programs import root, run, smoltool, tool

commands = ('inspect', 'diff', 'verify', 'keygen', 'sign', 'digest', 'new', 'weights', 'export', 'embed-c', 'quantize', 'tokenizer', 'pack', 'unpack', 'plot', 'elephant', 'generate-vectors')


def new(path, *arguments):
    tool('new', '--layers', '2', '--width', '40', '--heads', '4', '--context', '24', *arguments, '-o', path)
    return path


def inspect(path):
    return json.loads(tool('inspect', '--json', path).stdout)


def test_usage(folder):
    assert all(c.encode() in tool('--help').stdout for c in commands)
    assert tool('--version').stdout.startswith(b'smoltool ')
    tool(code=2)
    tool('nonsense', code=2)
    for command in commands:
        page = tool(command, '--help').stdout.decode()
        assert 0 < page.count('\n') < 40
        assert tool(command, '--nonsense', code=2).stderr.startswith(b'smoltool ' + command.encode())
    m = new(folder / 'm')
    for bad in (['inspect'], ['inspect', m, m], ['verify'], ['sign', m], ['weights'], ['weights', m],
                ['weights', m, 'wte.weight'], ['weights', m, 'wte.weight', '-o', folder / 'x', '--rows', '9'],
                ['weights', m, 'wte.weight', '-o', folder / 'x', '--rows', '3:2'],
                ['weights', m, 'wte.weight', '-o', folder / 'x', '--rows', '0:257']):
        tool(*bad, code=2)
    for bad in (['--method', 'fuller'], ['--dist', 'flat'], ['--norms', 'x'], ['--d', '0'], ['--d', '65'], ['--rank', '0'],
                ['--width', '-1'], ['--heads', '3'], ['--layers', '257'], ['--seed', '-1'], ['--shape', 'gpt9'],
                ['--sparse', '-0.1'], ['--sparse', '1.1'], ['--sparse', 'nan'], ['--method', 'fourier', '--sparse', '0.1'],
                ['--vocab', '16777217'], ['--gain', '0'], ['--gain', 'nan'], ['stray']):
        tool('new', *bad, '-o', folder / 'x', code=2)
    tool('new', code=2)
    assert not (folder / 'x').exists() and sorted(p.name for p in folder.iterdir()) == ['m']


def test_failures(folder):
    m = new(folder / 'm')
    for command in (['inspect'], ['verify']):
        assert b'none' in tool(*command, folder / 'none', code=1).stderr
    tool('weights', m, 'h.2.ln_1.weight', '-o', folder / 'x', code=1)
    tool('new', '-o', folder / 'no/such/place', code=1)
    tool('new', '-o', folder, code=1)
    tool('weights', m, 'wte.weight', '-o', folder / 'no/such/place', code=1)
    with open('/dev/full', 'wb') as full:
        for command in (['inspect', m], ['generate-vectors'], ['weights', m, 'wte.weight', '-o', '-']):
            done = subprocess.run([smoltool, *map(str, command)], stdout=full, stderr=subprocess.PIPE, timeout=60)
            assert done.returncode == 1 and done.stderr, command
    assert sorted(p.name for p in folder.iterdir()) == ['m']


def test_new(folder):
    """Names and numbers of every method; a gpt2 shape signed is under a kilobyte besides its embeddings."""
    for method, numbers in (('embed', 0), ('alpha', 8 * 5), ('alpha-global', 5),
                            ('lora', 2 * 4 * (160 + 80 + 200 + 200))):
        i = inspect(new(folder / method, '--method', method, '--d', '5', '--rank', '4', '--seed', '7'))
        assert i['method'] == method and i['non_embedding_params'] == numbers and i['seed'] == 7, i
        assert i['file_bytes'] == (folder / method).stat().st_size
        assert i['embedding_bytes'] + i['non_embedding_bytes'] + i['card_bytes'] + i['padding_bytes'] == i['file_bytes']
    i = inspect(new(folder / 'n', '--norms', 'stored'))
    assert i['non_embedding_params'] == 8 * 5 + 5 * 2 * 40
    assert inspect(new(folder / 's', '--seed', '0xffffffffffffffff'))['seed'] == '18446744073709551615'
    tool('new', '--shape', 'gpt2', '-o', folder / 'g')
    tool('keygen', '-W', '-p', folder / 'p', '-s', folder / 'k')
    tool('sign', '--key', folder / 'k', folder / 'g')
    i = inspect(folder / 'g')
    assert (i['layers'], i['width'], i['heads'], i['context'], i['vocab'], i['d']) == (12, 768, 12, 1024, 50257, 5)
    assert i['non_embedding_bytes'] < 1024 and i['signed'] and i['non_embedding_params'] == 240


def test_bytes_are_contents(folder):
    """Two bytes more for each parameter more, whatever the gaps do. Sizes by hand: SPEC.md 2 and 3."""
    gaps = []
    for d in (1, 5, 8, 30, 64):
        i = inspect(new(folder / 'm', '--method', 'alpha-global', '--d', str(d)))
        head, config, trailer = 32 + 3 * 24, 56 + 16 * len(i['schemes']) + 8, 64
        assert i['non_embedding_bytes'] == head + config + 2 * d + trailer, i
        assert i['padding_bytes'] == -(head + config + 2 * d) % 64
        assert i['file_bytes'] == i['non_embedding_bytes'] + i['padding_bytes'] + i['embedding_bytes']
        gaps.append(i['padding_bytes'])
    assert gaps != sorted(gaps), 'no gap grew and none shrank'


def test_new_sparse(folder):
    """Rows of 40 and of 160: a part of each, at least one number and at most all; all of them zero, so that the weights are those without."""
    plain = new(folder / 'plain', '--method', 'lora', '--numbers', 'f32')
    for part, short, long in (('0.03', 1, 5), ('0.1', 4, 16), ('0.001', 1, 1), ('1', 40, 160)):
        m = new(folder / 'm', '--method', 'lora', '--numbers', 'f32', '--sparse', part)
        i = inspect(m)
        assert {s['dimensions'] for s in i['schemes'] if s['kind'] == 'matrix'} == {short, long}, (part, i['schemes'])
        assert all(s['sparse'] == (s['kind'] == 'matrix') for s in i['schemes'])
        rest = i['non_embedding_params'] - inspect(plain)['non_embedding_params']
        assert rest == 2 * ((120 + 40 + 160) * short + 40 * long), (part, rest)
    for name in ('h.1.attn.c_attn.weight', 'h.1.mlp.c_proj.weight'):
        tool('weights', m, name, '-o', folder / 'a.npy')
        tool('weights', plain, name, '-o', folder / 'b.npy')
        assert np.array_equal(np.load(folder / 'a.npy'), np.load(folder / 'b.npy'))
    for more in (['--method', 'embed', '--numbers', 'q8'], ['--method', 'alpha', '--gains'], ['--method', 'nola', '--bias']):
        schemes = inspect(new(folder / 'm', *more, '--sparse', '0.1'))['schemes']
        assert {s['dimensions'] for s in schemes if s['sparse']} == {4, 16} and all(s['sparse'] for s in schemes if s['kind'] == 'matrix')
    assert inspect(new(folder / 'm', '--sparse', '0')) == inspect(new(folder / 'm'))


def test_page(folder):
    """The page names the bytes first, and fits a screen; --full says everything in words, and the same before it."""
    page = tool('inspect', new(folder / 'm')).stdout.decode()
    full = tool('inspect', '--full', folder / 'm').stdout.decode()
    assert page.startswith('non-embedding bytes') and page.count('\n') <= 24
    for word in ('shape', 'method', 'memory', 'gaps', 'hash', 'not signed'):
        assert word in page, word
    for word in ('alphas', 'h.1.mlp.c_proj.weight', 'sigma', 'layers 0..1'):
        assert word in full and word not in page, word
    lines = [line for line in page.splitlines() if line]
    assert [line for line in full.splitlines() if line in lines] == lines
    i = inspect(folder / 'm')
    sizes = {' '.join(line.split()[:-1]): int(line.split()[-1]) for line in page.split('\n\n')[1].splitlines()}
    assert sum(sizes.values()) == i['file_bytes'] and sizes['gaps, to align sections'] == i['padding_bytes']
    shipped = tool('inspect', root / 'models/shakespeare-alpha.smol').stdout.decode()  # signed, with a card
    assert shipped.count('\n') <= 24 and 'made_by' not in shipped
    assert 'made_by' in tool('inspect', '--full', root / 'models/shakespeare-alpha.smol').stdout.decode()


def test_weights(folder):
    m = new(folder / 'm', '--method', 'alpha', '--d', '3', '--dist', 'gauss')
    tool('weights', m, 'h.0.attn.c_attn.weight', '-o', folder / 'w.npy')
    w = np.load(folder / 'w.npy')
    assert w.shape == (120, 40) and w.dtype == np.float64 and w.flags.c_contiguous
    # Unit variance times 1 / sqrt(40), within five standard deviations of 4,800 weights.
    assert abs(w.std() * 40 ** 0.5 - 1) < 5 / (2 * 4800) ** 0.5
    tool('weights', m, 'transformer.h.0.attn.c_attn.weight', '--rows', '63:66', '-o', folder / 'r.npy')
    assert np.array_equal(np.load(folder / 'r.npy'), w[63:66])
    out = tool('weights', m, 'h.0.attn.c_attn.weight', '--rows', ':2', '-o', '-').stdout
    assert np.array_equal(np.load(io.BytesIO(out)), w[:2])
    names = [line.split()[0] for line in tool('weights', m, '--list').stdout.decode().splitlines()]
    assert names[:3] == ['wte.weight', 'wpe.weight', 'h.0.ln_1.weight'] and names[-1] == 'ln_f.bias' and len(names) == 20
    for name in names:
        tool('weights', m, name, '-o', folder / 'x.npy')
        assert np.isfinite(np.load(folder / 'x.npy')).all()


def test_hash(folder):
    """The hash by hashlib, from SPEC.md section 4."""
    m = new(folder / 'm', '--vocab', '30000')
    data = m.read_bytes()
    body = data[:-64]
    leaves = b''.join(hashlib.blake2b(body[i:i + 2**20]).digest() for i in range(0, len(body), 2**20))
    root = hashlib.blake2b(b'smol/1 file hash' + len(body).to_bytes(8, 'little') + leaves).digest()
    assert len(leaves) == 128 and root == data[-64:]
    assert root.hex() in tool('verify', m).stdout.decode()
    for at in (40, len(data) // 2, len(data) - 1):
        spoilt = bytearray(data)
        spoilt[at] ^= 1
        (folder / 's').write_bytes(spoilt)
        tool('verify', folder / 's', code=1)


def test_signing(folder):
    m, signed = new(folder / 'm'), folder / 'signed'
    before = m.read_bytes()
    tool('keygen', '-W', '-p', folder / 'p', '-s', folder / 'k')
    assert (folder / 'k').stat().st_mode & 0o777 == 0o600
    tool('keygen', '-W', '-p', folder / 'p', '-s', folder / 'k', code=1)
    tool('keygen', '-W', '-p', folder / 'p2', '-s', folder / 'k2')
    tool('sign', '--key', folder / 'k', m, '-o', signed)
    assert m.read_bytes() == before and signed.read_bytes()[:len(before)] == before
    assert b'signature  ok' in tool('verify', signed, '--pubkey', folder / 'p').stdout
    base64 = (folder / 'p').read_text().splitlines()[1]
    tool('verify', signed, '--pubkey', base64)
    tool('verify', signed)
    tool('verify', signed, '--pubkey', folder / 'p2', code=1)
    tool('verify', m, '--pubkey', folder / 'p', code=1)
    tool('sign', '--key', folder / 'k2', signed)
    tool('verify', signed, '--pubkey', folder / 'p2')
    assert inspect(signed)['hash'] == inspect(m)['hash']
    tool('sign', '--key', folder / 'p', m, code=1)
    assert len(signed.read_bytes()) == len(before) + 104


def test_json(folder):
    """What the pages say, for programs."""
    m, signed = new(folder / 'm'), folder / 'signed'
    key = json.loads(tool('keygen', '-W', '-p', folder / 'p', '-s', folder / 'k', '--json').stdout)
    assert key['public_key'] == (folder / 'p').read_text().splitlines()[1] and not key['encrypted']
    tool('keygen', '-W', '-p', folder / 'p2', '-s', folder / 'k2')
    tool('sign', '--key', folder / 'k', m, '-o', signed)
    found = json.loads(tool('verify', '--json', m).stdout)
    assert found == {'verified': True, 'hash': m.read_bytes()[-64:].hex(), 'signed': False, 'signer': None, 'demanded': False, 'detached': None, 'trusted_comment': None}
    found = json.loads(tool('verify', '--json', signed, '--pubkey', folder / 'p').stdout)
    assert found['verified'] and found['signed'] and found['demanded'] and found['signer'] == key['key']
    for path, words, status in ((m, ['--pubkey', folder / 'p'], 'UNTRUSTED'), (signed, ['--pubkey', folder / 'p2'], 'UNTRUSTED'),
                                (folder / 'none', [], 'IO')):
        done = tool('verify', '--json', path, *words, code=1)
        found = json.loads(done.stdout)
        assert found['verified'] is False and found['status'] == 'SMOL_E_' + status and found['error'] in done.stderr.decode()
    data = bytearray(m.read_bytes())
    data[3] ^= 1
    m.write_bytes(data)
    assert json.loads(tool('verify', '--json', m, code=1).stdout)['offset'] == 0
    listed = json.loads(tool('weights', signed, '--list', '--json').stdout)
    assert listed[0] == {'name': 'wte.weight', 'rows': 256, 'cols': 40} and len(listed) == 20
    tool('weights', signed, 'wte.weight', '-o', folder / 'x', '--json', code=2)


@pytest.mark.slow
def test_minisign(folder, minisign):
    """Keys go both ways between smoltool and minisign."""
    m, text = new(folder / 'm'), folder / 'text'
    text.write_bytes(b'some text')
    run('minisign', '-G', '-W', '-p', folder / 'p', '-s', folder / 'k')
    tool('sign', '--key', folder / 'k', m)
    tool('verify', m, '--pubkey', folder / 'p')
    tool('keygen', '-W', '-p', folder / 'p2', '-s', folder / 'k2')
    run('minisign', '-S', '-s', folder / 'k2', '-m', text)
    run('minisign', '-V', '-p', folder / 'p2', '-m', text)
    if 'SMOL_SANITIZED' in os.environ:
        return
    (folder / 'password').write_text('secret\n')
    (folder / 'wrong').write_text('other\n')
    tool('keygen', '--password-file', folder / 'password', '-p', folder / 'p3', '-s', folder / 'k3')
    run('minisign', '-S', '-s', folder / 'k3', '-m', text, input=b'secret\n')
    run('minisign', '-V', '-p', folder / 'p3', '-m', text)
    tool('sign', '--key', folder / 'k3', '--password-file', folder / 'password', m)
    tool('verify', m, '--pubkey', folder / 'p3')
    tool('sign', '--key', folder / 'k3', '--password-file', folder / 'wrong', m, code=1)


def test_vectors(folder):
    v = json.loads(tool('generate-vectors').stdout)
    tool('generate-vectors', '-o', folder / 'v')
    assert json.loads((folder / 'v').read_text()) == v
    assert (root / 'SPEC.md').read_text(encoding='utf-8').startswith('# The smol specification, version %s\n' % v['spec'])
    # BLAKE2b by hashlib.
    for key in v['keys']:
        message = b'smol/1 frozen' + int(key['seed']).to_bytes(8, 'little')
        assert hashlib.blake2b(message, digest_size=32).hexdigest() == key['key']
