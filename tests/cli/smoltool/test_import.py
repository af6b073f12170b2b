"""smoltool new --embeddings from outside: tables in files written here from the formats' descriptions, by NumPy, and by smoltool
export, into models that the reference reads; and files that are refused."""
import io
import json
import struct
import subprocess
import zipfile

import numpy as np

import arith
import container

from programs import smoltool

rng = np.random.default_rng(11)
WTE = rng.standard_normal((300, 24)).astype(np.float32)
WPE = rng.standard_normal((10, 24)).astype(np.float32)


def tool(*arguments, code=0):
    done = subprocess.run([smoltool, *map(str, arguments)], capture_output=True, timeout=120)
    assert done.returncode == code, (arguments, done)
    return done


def new(out, *arguments, code=0, kind='f32'):
    return tool('new', '--layers', 1, '--heads', 2, '--embedding-type', kind, *arguments, '-o', out, code=code)


def tables(path):
    m = container.read(path.read_bytes())
    assert (m.conf.vocab, m.conf.context, m.conf.width) == (*m.wte.floats().shape[:1], *m.wpe.floats().shape)
    return m.wte.floats(), m.wpe.floats()


def bf16(x):
    return (np.ascontiguousarray(x, np.float32).view('<u4') >> 16).astype('<u2')


ENCODE = {'F32': lambda x: x.astype('<f4'), 'F16': lambda x: x.astype('<f2'), 'BF16': bf16, 'F64': lambda x: x.astype('<f8')}
DECODE = {'F32': lambda x: x, 'F16': lambda x: x.astype('<f2').astype('<f4'), 'F64': lambda x: x,
          'BF16': lambda x: (bf16(x).astype('<u4') << 16).view('<f4')}


def safetensors(tensors, metadata={'format': 'pt'}, header=None):
    """tensors: name -> (dtype, array of its bytes' shape)."""
    about, data = {'__metadata__': metadata} if metadata else {}, b''
    for name, (kind, a) in tensors.items():
        about[name] = {'dtype': kind, 'shape': list(a.shape), 'data_offsets': [len(data), len(data) + a.nbytes]}
        data += a.tobytes()
    text = header(about) if header else json.dumps(about).encode()
    text += b' ' * (-len(text) % 8)
    return struct.pack('<Q', len(text)) + text + data


def gpt2_like(kind, prefix=''):
    """In another order than the model's, with what GPT-2's own file has besides."""
    mask = np.tril(np.ones((1, 1, 10, 10), np.uint8))
    return {prefix + 'h.0.attn.bias': ('BOOL', mask), prefix + 'wpe.weight': (kind, ENCODE[kind](WPE)),
            prefix + 'h.0.ln_1.weight': ('F32', np.ones(24, '<f4')), prefix + 'wte.weight': (kind, ENCODE[kind](WTE))}


def test_safetensors(folder):
    for kind in ENCODE:
        for prefix in ('', 'transformer.'):
            (folder / 's').write_bytes(safetensors(gpt2_like(kind, prefix)))
            new(folder / 'm', '--embeddings', folder / 's', '--seed', 5)
            wte, wpe = tables(folder / 'm')
            assert np.array_equal(wte, DECODE[kind](WTE)) and np.array_equal(wpe, DECODE[kind](WPE)), kind


def test_types(folder):
    """Into every type of a model, by the reference's quantisers; the body is that of the seed."""
    (folder / 's').write_bytes(safetensors(gpt2_like('F32')))
    for number, kind in enumerate(('f32', 'f16', 'q8', 'q4-row', 'q4')):
        new(folder / 'm', '--embeddings', folder / 's', '--seed', 5, '--method', 'lora', kind=kind)
        wte, wpe = tables(folder / 'm')
        for got, x in ((wte, WTE), (wpe, WPE)):
            want = (x, arith.to_f16(x).astype(np.float32), container.Table(2, *arith.to_q8(x)).floats() if number == 2 else None,
                    container.Table(6, *arith.to_q4_row(x)).floats(), container.Table(3, *arith.to_q4(x)).floats())[number]
            assert np.array_equal(got, want), kind
    new(folder / 'plain', '--seed', 5, '--method', 'lora', '--vocab', 300, '--context', 10, '--width', 24, kind='q4')
    found = json.loads(subprocess.run([smoltool, 'diff', '--json', folder / 'm', folder / 'plain'], capture_output=True).stdout)
    assert set(found) == {'equal', 'wte', 'wpe'}


def test_npz(folder):
    for save in (np.savez, np.savez_compressed):
        for names in (('wte', 'wpe'), ('wte.weight', 'wpe.weight'), ('transformer.wte.weight', 'transformer.wpe.weight')):
            save(folder / 'e.npz', **{names[0]: WTE, names[1]: WPE.astype('<f8'), 'other': np.arange(5)})
            new(folder / 'm', '--embeddings', folder / 'e.npz')
            wte, wpe = tables(folder / 'm')
            assert np.array_equal(wte, WTE) and np.array_equal(wpe, WPE)


def test_npy(folder):
    np.save(folder / 'wte.npy', WTE.astype('<f2'))
    np.save(folder / 'wpe.npy', WPE)
    new(folder / 'm', '--embeddings', folder / 'wte.npy', '--positions', folder / 'wpe.npy')
    wte, wpe = tables(folder / 'm')
    assert np.array_equal(wte, WTE.astype('<f2').astype('<f4')) and np.array_equal(wpe, WPE)
    # What is not given is from the seed.
    new(folder / 'plain', '--seed', 3, '--vocab', 300, '--context', 12, '--width', 24)
    new(folder / 'm', '--seed', 3, '--embeddings', folder / 'wte.npy', '--context', 12)
    assert np.array_equal(tables(folder / 'm')[1], tables(folder / 'plain')[1])
    new(folder / 'm', '--seed', 3, '--positions', folder / 'wpe.npy', '--vocab', 300)
    wte, wpe = tables(folder / 'm')
    assert np.array_equal(wte, tables(folder / 'plain')[0]) and np.array_equal(wpe, WPE)


def test_fortran_order(folder):
    """As NumPy saves what is not contiguous, in each version of the format, alone and in an archive."""
    for wte in (WTE, WTE[:1], WTE[:, :2], WTE.astype('<f8'), WTE[::2].astype('<f2')):
        saved = np.asfortranarray(wte)
        for version in ((1, 0), (2, 0), (3, 0)):
            with open(folder / 'f.npy', 'wb') as file:
                np.lib.format.write_array(file, saved, version)
            new(folder / 'm', '--embeddings', folder / 'f.npy', '--context', 5)
            assert np.array_equal(tables(folder / 'm')[0], wte)
        np.savez_compressed(folder / 'e.npz', wte=saved, wpe=np.asfortranarray(WPE[:, :wte.shape[1]]))
        new(folder / 'm', '--embeddings', folder / 'e.npz')
        found = tables(folder / 'm')
        assert np.array_equal(found[0], wte) and np.array_equal(found[1], WPE[:, :wte.shape[1]])


def test_python_2(folder):
    """Its NumPy wrote numbers of 64 bits with an L behind."""
    short = npy(WTE)
    long = short.replace(b'(300, 24), }  ', b'(300L, 24L), }')
    assert len(long) == len(short) and b'L' in long[:128]
    (folder / 'e.npy').write_bytes(long)
    new(folder / 'm', '--embeddings', folder / 'e.npy', '--context', 5)
    assert np.array_equal(tables(folder / 'm')[0], WTE)


def test_what_is_not_imported_does_not_matter(folder):
    """Types that came later than this program, with no bytes for a number too, and any rank; but not as what is imported."""
    def raw(n):
        return np.zeros(n, np.uint8)
    others = {'a': ('F8_E8M0', raw(7)), 'b': ('C64', raw(16)), 'c': ('F4', raw(3)), 'd': ('F8_E4M3FNUZ', raw(5)), 'e': ('FUTURE', raw(3)),
              'f': ('F32', np.zeros((1,) * 9, '<f4')), 'g': ('F6_E2M3', raw(3)), 'h': ('FUTURE', raw(0))}
    shapes = {'b': [2], 'c': [2, 3], 'e': [77, 2], 'g': [4]}

    def header(about):
        for name, shape in shapes.items():
            if name in about:
                about[name]['shape'] = shape
        return json.dumps(about).encode()
    for before in (False, True):
        tensors = {**others, **gpt2_like('F32')} if before else {**gpt2_like('F32'), **others}
        (folder / 's').write_bytes(safetensors(tensors, header=header))
        new(folder / 'm', '--embeddings', folder / 's')
        assert all(np.array_equal(*pair) for pair in zip(tables(folder / 'm'), (WTE, WPE)))
    text = header(json.loads(safetensors(tensors)[8:].split(b'}}', 1)[0] + b'}}'))
    text = text.replace(b'{"format": "pt"}', b'null')
    (folder / 's').write_bytes(struct.pack('<Q', len(text)) + text + b''.join(a.tobytes() for _, a in tensors.values()))
    new(folder / 'm', '--embeddings', folder / 's')
    shapes['c'] = [2, 2]
    assert 'tensor c' in refused(folder, safetensors(tensors, header=header))
    for kind in ('C64', 'FUTURE'):
        assert 'wte' in refused(folder, safetensors({'wte.weight': (kind, np.zeros((3, 2), '<c8'))}))
    assert 'dimensions' in refused(folder, safetensors({'wte.weight': ('F32', np.zeros((1,) * 9, '<f4'))}))
    text = b'{"wte.weight": {"dtype": "F32", "shape": [1, 2], "data_offsets": [0, 8]}, "wte.weight": 1}'
    assert 'duplicate key' in refused(folder, struct.pack('<Q', len(text)) + text + bytes(8))


def test_round_trip(folder):
    """What export writes comes back: the embeddings of a model of any type, as f32."""
    for kind in ('f32', 'f16', 'q8', 'q4', 'q4-row'):
        m = folder / 'm'
        tool('new', '--layers', 2, '--width', 40, '--heads', 4, '--context', 24, '--embedding-type', kind, '--seed', 9, '-o', m)
        tool('export', '--safetensors', m, '-o', folder / 'out')
        tool('export', '--npz', m, '-o', folder / 'out')
        tool('weights', m, 'wte.weight', '-o', folder / 'wte.npy')
        tool('weights', m, 'wpe.weight', '-o', folder / 'wpe.npy')
        for words in ([folder / 'out/model.safetensors'], [folder / 'out/model.npz'], [folder / 'wte.npy', '--positions', folder / 'wpe.npy']):
            tool('new', '--layers', 2, '--heads', 4, '--embedding-type', 'f32', '--seed', 9, '--embeddings', *words, '-o', folder / 'n')
            found = json.loads(subprocess.run([smoltool, 'diff', '--json', m, folder / 'n'], capture_output=True).stdout)
            if kind == 'f32':
                assert found == {'equal': True}
            else:
                assert found.pop('wte')['different'] == found.pop('wpe')['different'] == 0
                assert (found.pop('header', None) is not None) == (kind == 'q4-row')  # the minor version
                assert set(found) == {'equal', 'configuration'} and set(found['configuration']) == {'wte_type', 'wpe_type'}


def refused(folder, data, *arguments, code=1):
    """One line, and no file."""
    (folder / 'bad').write_bytes(data)
    done = new(folder / 'x', '--embeddings', folder / 'bad', *arguments, code=code)
    assert done.stderr.count(b'\n') == 1 and str(folder / 'bad').encode() in done.stderr, done
    assert not any(p.name.startswith('x') for p in folder.iterdir())
    return done.stderr.decode()


def npy(a):
    out = io.BytesIO()
    np.save(out, a)
    return out.getvalue()


def npz(members, method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', method) as z:
        for name, data in members:
            z.writestr(name, data)
    return out.getvalue()


def test_bad_tables(folder):
    nan, large = WTE.copy(), WTE.astype('<f8')
    nan[250, 3], large[1, 1] = np.nan, 1e39
    for data, word in ((npy(nan), 'number 6003'), (npy(large), 'number 25'), (npy(WTE[0]), 'wte'), (npy(WTE.astype('<i4')), 'floats'),
                       (npy(WTE.astype('>f4')), 'floats'), (npy(WTE[:0]), 'rows'), (npy(np.zeros((1, 65537), '<f2')), '65536'),
                       (safetensors({'wte.weight': ('I32', WTE.view('<i4'))}), 'floats'), (safetensors({'wpe.weight': ('F32', WPE)}), 'wte'),
                       (safetensors({'wte.weight': ('F32', WTE), 'transformer.wte.weight': ('F32', WTE)}), 'two names'),
                       (safetensors({'wte.weight': ('F32', WTE), 'wpe.weight': ('F32', WTE[:10, :12].copy())}), 'width'),
                       (npz([('wpe.npy', npy(WPE))]), 'wte'), (npz([('wte.npy', npy(WTE)), ('wte.weight.npy', npy(WTE))]), 'twice'),
                       (npz([('wte.npy', b'no array')]), 'wte.npy'), (npz([('wte.npy', npy(WTE) + b'x')]), 'after'), (npz([('wte.npy', b'')]), 'size')):
        assert word in refused(folder, data), (word, refused(folder, data))
    good = safetensors(gpt2_like('F32'))
    for words in (['--vocab', 256], ['--width', 25], ['--context', 11], ['--shape', 'gpt2']):
        assert ' not ' in refused(folder, good, *words)
    (folder / 'bad').write_bytes(good)
    new(folder / 'x', '--embeddings', folder / 'bad', '--heads', 5, code=2)
    assert b'none' in new(folder / 'x', '--embeddings', folder / 'bad', '--positions', folder / 'none', code=1).stderr
    new(folder / 'x', '--embeddings', folder / 'none', code=1)
    assert sorted(p.name for p in folder.iterdir()) == ['bad']


def test_bad_safetensors(folder):
    good = safetensors(gpt2_like('F32'))
    n = struct.unpack('<Q', good[:8])[0]
    tensors = gpt2_like('F32')

    def with_offsets(change):
        def header(about):
            change(about['wte.weight']['data_offsets'])
            return json.dumps(about).encode()
        return safetensors(tensors, header=header)
    (folder / 'good').write_bytes(good)
    new(folder / 'm', '--embeddings', folder / 'good')
    (folder / 'm').unlink()
    for cut in (0, 1, 7, 8, 9, n, n + 8, len(good) - 1):
        refused(folder, good[:cut])
    refused(folder, good + b'x')
    for length in (2 ** 64 - 1, 2 ** 63, 2 ** 32, len(good) - 7, n - 1, 0):
        refused(folder, struct.pack('<Q', length) + good[8:])
    for change in (lambda o: o.__setitem__(0, o[0] - 4), lambda o: o.__setitem__(1, 2 ** 63 - 1), lambda o: o.__setitem__(0, -1), lambda o: o.reverse(),
                   lambda o: o.__setitem__(0, float(o[0])), lambda o: o.append(1), lambda o: o.clear(), lambda o: o.__setitem__(1, 2 ** 64)):
        refused(folder, with_offsets(change))
    for text in (b'[1]', b'{', b'', b'null', b'{"a": ' + b'[' * 5000 + b']' * 5000 + b'}', b'{"wte.weight": 1, "wte.weight": 1}', b'\xff', b'{"\\u0000": 1}',
                 b'{"__metadata__": 7}', b'{"__metadata__": {"a": 1}}'):
        refused(folder, struct.pack('<Q', len(text)) + text)


def test_bad_npz(folder):
    good = npz([('wte.npy', npy(WTE)), ('wpe.npy', npy(WPE))], zipfile.ZIP_DEFLATED)
    for cut in range(4, len(good), 997):
        refused(folder, good[:cut])
    for at in (60, 5000, 20000):    # in the deflated numbers: the checksum tells
        spoilt = bytearray(good)
        spoilt[at] ^= 0x55
        refused(folder, bytes(spoilt))
    refused(folder, npz([('wte.npy', npy(WTE))], zipfile.ZIP_LZMA))
    # 2^40 zero bytes stated for a few: no memory is asked for.
    bomb = bytearray(npz([('wte.npy', npy(WTE))], zipfile.ZIP_DEFLATED))
    central = bomb.rindex(b'PK\x01\x02')
    struct.pack_into('<I', bomb, central + 24, 2 ** 32 - 2)
    struct.pack_into('<I', bomb, 22, 2 ** 32 - 2)
    assert 'size' in refused(folder, bytes(bomb))
