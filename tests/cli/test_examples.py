"""The programs of docs/examples from outside, against the programs, NumPy and the reader and generator of tests/reference. Every public header
has an example, is installed, and says what threads may do."""
import dataclasses
import hashlib
import json
import pathlib
import re
import struct

import nacl.signing
import numpy as np

import container
import forward
import frozen
import models
import sampler
import tokens

import pytest
from programs import build, root, run, smolrun, smoltool, smoltrain, write
from tokenizing import train

examples = root / 'docs/examples'
alpha = root / 'models/shakespeare-alpha.smol'
OF_MODELS = {'alphas': [], 'card': ['{}', 'out'], 'generate': ['x', '1', '1'], 'history': ['xy'], 'instructions': [], 'logits': ['x'], 'pack': ['x'], 'packer': ['x'], 'perplexity': ['xy'], 'schemes': [], 'sections': [],
             'session': ['xy'], 'text': ['x', '1'], 'threads': ['x', '1'], 'tokens': ['x'], 'weights': ['wte.weight', '0']}
LIBRARY = {'arrays.h': 'smol_train', 'corpus.h': 'smol_train', 'train.h': 'smol_train'}


def example(name, *arguments, **more):
    return run(build / 'docs/examples' / name, *arguments, **more)


def lines(name, *arguments):
    return example(name, *arguments).stdout.decode().splitlines()


def headers():
    return sorted(p.name for p in (root / 'include/smol').glob('*.h'))


def names():
    return sorted(p.stem for p in examples.glob('*.c'))


def small(folder, *arguments):
    """An untrained model."""
    run(smoltool, 'new', '--layers', '2', '--width', '16', '--heads', '2', '--context', '64', *arguments, '-o', folder / 'small.smol')
    return folder / 'small.smol'


def table():
    """(header, library, example) of the rows of the README; a row without a header belongs to the one before."""
    rows, header, library = [], '', ''
    for row in re.findall(r'^\| *(?:`(\S+\.h)`)? *\| *(?:`(\w+)`)? *\| \[(\S+)\]\(\3\) \| \S', (examples / 'README.md').read_text(), re.M):
        header, library = row[0] or header, row[1] or library
        rows.append((header, library, row[2]))
    return rows


# ---- what there is ----

def test_every_header_has_an_example(folder):
    """It is in the README, under the header's library, includes the header and was built; and no example is missing there."""
    rows = table()
    assert sorted({row[0] for row in rows}) == headers(), set(headers()) ^ {row[0] for row in rows}
    assert sorted(row[2] for row in rows) == [name + '.c' for name in names()]
    for header, library, file in rows:
        assert library == LIBRARY.get(header, 'smol'), header
        text = (examples / file).read_text()
        assert '#include <smol/%s>\n' % header in text, (header, file)
        assert (build / 'docs/examples' / file[:-2]).is_file(), file


def test_every_example_says_how(folder):
    """Its first comment has the command that compiles it, with the library that it needs, and its usage."""
    for name in names():
        text = (examples / (name + '.c')).read_text()
        needs = 'smol_train' if any('<smol/%s>' % h in text for h in LIBRARY) else 'smol'
        top = text[:text.index('*/')]
        assert re.search(r'^ \*     cc -std=c11 %s\.c \$\(pkg-config --cflags --libs %s\)( -pthread)? -o %s$' % (name, needs, name), top, re.M), name
        usage, = re.findall(r'^ \* Usage: (%s .*?)(?:;.*)? ?$' % name, top, re.M)
        assert 'usage: ' + usage in text, name


def test_every_header_is_installed(folder):
    installed = json.loads((build / 'meson-info/intro-installed.json').read_text())
    assert sorted(p.rsplit('/', 1)[1] for p in installed if p.startswith(str(root / 'include/smol/'))) == headers()


def test_every_header_speaks_of_threads(folder):
    for header in headers():
        text = (root / 'include/smol' / header).read_text()
        assert re.search(r'[Tt]hread', text[:text.index('*/')]), header


# ---- how they fail ----

def test_wrong_usage(folder):
    for name in names():
        done = example(name, code=2)
        assert done.stdout == b'' and done.stderr.startswith(b'usage: %s ' % name.encode()) and done.stderr.count(b'\n') == 1, done
        if name not in ('status', 'documents', 'sample'):
            example(name, *'123456', code=2)


def failed(name, path, *arguments):
    """One line, which names the file if there is one."""
    done = example(name, *arguments, code=1)
    start = ('%s: %s: ' % (name, path) if path else name + ': ').encode()
    assert done.stdout == b'' and done.stderr.startswith(start) and len(done.stderr) > len(start) + 5 and done.stderr.count(b'\n') == 1, done


def test_bad_models(folder):
    none, cut, spoilt = folder / 'none', write(folder / 'cut', alpha.read_bytes()[:-5]), bytearray(alpha.read_bytes())
    spoilt[90000] ^= 1
    for path in (none, cut, write(folder / 'spoilt', bytes(spoilt)), folder):
        for name, more in OF_MODELS.items():
            failed(name, path, path, *[folder / m if m == 'out' else m for m in more])
    assert not (folder / 'out').exists()


def test_other_failures(folder):
    out = folder / 'no/such'
    failed('card', out, alpha, '{}', out)
    failed('card', alpha, alpha, 'no JSON', folder / 'out')
    failed('new', out, '1', out)
    failed('sample', None, '1', '1', 'nan', '1')
    failed('weights', alpha, alpha, 'h.9.attn.c_attn.weight', '0')
    failed('weights', alpha, alpha, 'wte.weight', '256')
    failed('generate', alpha, alpha, 'x' * 65, '1', '1')
    key = write(folder / 'key', b'no key\n')
    failed('sign', key, key, alpha, folder / 'out')
    failed('arrays', key, key)
    failed('documents', folder / 'none', alpha, folder / 'none')
    failed('train', key, key, folder / 'out', '1')
    assert sorted(p.name for p in folder.iterdir()) == ['key']


# ---- what they print ----

def good_files():
    return sorted((root / 'tests/golden/good').glob('*.smol'))


def test_status(folder):
    """The names of the golden bad files are the status and the byte: STATUS.OFFSET.WHAT.smol."""
    bad = sorted((root / 'tests/golden/bad').glob('*.smol'))[::7]
    out = example('status', *good_files(), *bad, folder, code=1).stdout.decode().splitlines()
    assert out[:len(good_files())] == ['%s: SMOL_OK' % p for p in good_files()]
    for path, line in zip(bad, out[len(good_files()):]):
        assert line.startswith('%s: %s at byte %s: ' % (path, *path.name.split('.')[:2])), line
    assert out[-1] == '%s: SMOL_E_IO: cannot read: Is a directory' % folder and len(out) == len(good_files()) + len(bad) + 1
    example('status', *good_files())


def test_sections(folder):
    for path in (*good_files(), alpha):
        data = path.read_bytes()
        _, _, sections, _ = container.split(data)
        sizes = [len(sections.get(k, b'')) for k in (b'EMBD', b'CONF', b'LRND', b'TOKN', b'CARD')]
        sizes += [104 if container.read(data).signature else 0, len(data)]
        words = ['embeddings', 'configuration', 'learned', 'tokenizer', 'card', 'signature', 'file']
        assert lines('sections', path) == ['%s %d' % row for row in zip(words, sizes)], path


def test_card(folder):
    """The same file as the reference writes; the signature is gone."""
    out = folder / 'out.smol'
    for path in (root / 'tests/golden/good/bpe.smol', alpha):
        example('card', path, '{"made": "é"}', out)
        want = dataclasses.replace(container.read(path.read_bytes()), card='{"made": "é"}'.encode(), signature=None)
        assert out.read_bytes() == container.write(want)
    assert [p.name for p in folder.iterdir()] == ['out.smol']


def test_schemes(folder):
    for path in (*good_files(), alpha):
        conf = container.read(path.read_bytes()).conf
        page = json.loads(run(smoltool, 'inspect', '--json', path).stdout)
        want = ['%s: %d layers, width %d, %d heads, context %d, vocabulary %d, seed %d, learned %d' % (
            page['method'], conf.layers, conf.width, conf.heads, conf.context, conf.vocab, conf.seed,
            sum(int(np.prod(size)) for _, size, _ in container.learned_layout(conf)))]
        for layer, slots in enumerate(conf.layer_schemes()):
            for slot, index in enumerate(slots):
                s = conf.schemes[index]
                if s.kind == container.MATRIX:
                    want.append('h.%d.%s %d x %d source %d dist %d numbers %d rank %d sigma %.9g' % (
                        layer, container.SLOTS[slot], *conf.shape(slot), s.source, s.dist, 0 if s.source in (container.UNIT, 9) else s.numbers(), s.rank, s.sigma))
        assert lines('schemes', path) == want, path


def test_alphas(folder):
    for path in (*good_files(), alpha):
        smol = container.read(path.read_bytes())
        want = []
        for layer, slots in enumerate(smol.conf.layer_schemes()):
            for slot, index in enumerate(slots):
                s = smol.conf.schemes[index]
                if s.kind == container.MATRIX and s.source == container.OWN:
                    values = smol.learned['h.%d.%s.alpha' % (layer, container.SLOTS[slot])].astype(np.float32)
                    want.append('layer %d slot %d: ' % (layer, slot) + ' '.join('%.9g' % v for v in values))
        assert lines('alphas', path) == want and (path != alpha or len(want) == 8), path


def test_new(folder):
    """SPEC.md 12 by the reference, from the configuration that the example says it has."""
    conf = models.build_conf((2, 2, 32, 128, 64, 256), [(0, 1, 2, 0, 1, 2)] * 2, 0, [
        container.Scheme(container.NORM, container.FROZEN, 0, 0, 0, 0, 0, 0.0),
        *(container.Scheme(container.MATRIX, container.UNIT, 0, 1, 0, 0, 0, s) for s in (1.0, 1.0))])
    for seed in (0, 7, 2 ** 64 - 1):
        example('new', seed, folder / 'new.smol')
        got = container.read((folder / 'new.smol').read_bytes())
        assert (got.conf.layers, got.conf.heads, got.conf.width, got.conf.ff, got.conf.context, got.conf.vocab, got.conf.seed) == (
            conf.layers, conf.heads, conf.width, conf.ff, conf.context, conf.vocab, seed)
        for slots in got.conf.layer_schemes():
            for slot in (1, 2, 4, 5):
                s = got.conf.schemes[slots[slot]]
                assert (s.source, s.dist, s.rank, s.sigma) == (container.UNIT, 0, 0, models.default_sigma(got.conf, slot))
        assert (folder / 'new.smol').read_bytes() == container.write(models.untrained(got)) and got.wte.kind == got.wpe.kind == 1


def test_logits(folder):
    """All nine digits of them."""
    for path, prompt in ((alpha, b'KING RICHARD:\n'), (root / 'tests/golden/good/lora-f16-stored.smol', b'\x01'), (small(folder, '--vocab', '3'), b'\x01\x02')):
        logits = forward.Session(forward.Model(container.read(path.read_bytes()))).feed(list(prompt), last=True)[-1]
        best = sorted(range(len(logits)), key=lambda t: (-logits[t], t))[:5]
        assert lines('logits', path, prompt.decode()) == ['%d %.9g' % (t, logits[t]) for t in best]


def nats(model, prompt):
    """Of each token after the first."""
    logits = np.array(forward.Session(model).feed(list(prompt)), np.float64)
    shifted = logits - logits.max(1, keepdims=True)
    return [np.log(np.exp(row).sum()) - row[token] for row, token in zip(shifted, prompt[1:])]


def test_pack(folder):
    """The tag is of the file's hash, or 0 before a text as it is (SPEC.md 15); tests/reference has the rest."""
    text = 'What say you, my lord?'
    packed, said = lines('pack', alpha, text)
    assert said == '%d bytes for %d: %s' % (len(packed) // 2, len(text), text) and len(packed) // 2 < len(text) * 2 // 3
    assert int(packed[0], 16) == 1 + int.from_bytes(container.read(alpha.read_bytes()).hash[:8], 'little') % 15
    checked, = lines('packer', alpha, text)
    n = int(checked.split()[0])
    assert len(packed) // 2 <= n <= len(packed) // 2 + 2 and re.fullmatch(r'%d bytes for %d, in \d+ bytes of memory: %s' % (n, len(text), re.escape(text)), checked)
    assert lines('pack', alpha, '\x7f\x7f') == ['007f7f', '3 bytes for 2: \x7f\x7f'] and lines('pack', alpha, '') == ['', '0 bytes for 0: ']


def test_session_and_perplexity(folder):
    for path, prompt in ((alpha, b'KING RICHARD:\n'), (small(folder, '--vocab', '90'), b'AB')):
        want = nats(forward.Model(container.read(path.read_bytes())), prompt)
        got = [line.split() for line in lines('session', path, prompt.decode())]
        assert [int(token) for token, _ in got] == list(prompt[1:])
        assert np.allclose([float(loss) for _, loss in got], want, rtol=0, atol=2e-6), (got, want)
        name, perplexity = lines('perplexity', path, prompt.decode())[0].split()
        assert name == 'perplexity' and abs(float(perplexity) - np.exp(np.mean(want))) < 1e-3, (perplexity, want)


def test_history(folder):
    """What smoltool history finds in the same text; the losses without are the reference's."""
    text, model = 'To be, or not to be: to be.\n' * 8, small(folder, '--arch', 'smol')
    said, = lines('history', model, text)
    *numbers, with_history, without = map(float, re.fullmatch(r'(\S+) (\S+) (\S+) (\S+) (\S+) make (\S+) nats a token of (\S+)', said).groups())
    found = json.loads(run(smoltool, 'history', '--json', model, write(folder / 'text', text.encode()), '-o', folder / 'out.smol').stdout)
    assert abs(found['nats_per_token'] - with_history) < 1e-6 and abs(found['nats_per_token_without'] - without) < 1e-6
    stored = json.loads(run(smoltool, 'inspect', '--json', folder / 'out.smol').stdout)['history']
    assert np.allclose(stored, numbers, rtol=1e-3) and with_history < without / 3
    assert abs(np.mean(nats(forward.Model(container.read(model.read_bytes())), text.encode())) - without) < 1e-5


def test_sample(folder):
    chance = np.random.default_rng(5)
    for seed in (0, 1, 2 ** 64 - 1):
        logits = chance.normal(0, 2, 100).astype(np.float32)
        chooser, seen = sampler.Sampler(seed, repeat_penalty=1.1), []
        for _ in range(50):
            seen.append(chooser.pick(logits, seen))
        assert lines('sample', seed, 50, *('%.9g' % v for v in logits)) == [str(t) for t in seen] and len(set(seen)) > 5


def test_text(folder):
    """Three times its context."""
    path = small(folder, '--seed', '3')
    for model in (path, alpha):
        out = example('text', model, 'KING:', '100')
        assert out.stdout == run(smolrun, model, '-p', 'KING:', '-n', '100', '-s', '0', '-c', '32', '--no-display-prompt').stdout[:100]
        assert [int(n) for n in re.findall(rb'full after (\d+) tokens\n', out.stderr)] == [33, 50, 67, 84, 101]
    want = sampler.generate(forward.Model(container.read(path.read_bytes())), b'KING:', 100, sampler.Sampler(0), 32)
    assert example('text', path, 'KING:', '100').stdout == bytes(want)


def bpe_model(folder):
    """An untrained model of 400 tokens, and their reference."""
    text = (root / 'README.md').read_bytes()
    made = train(folder, 400, text)
    return small(folder, '--tokenizer', made), tokens.Tokenizer(made.read_bytes()[16:])


def test_generate(folder):
    for path, prompt in ((alpha, 'KING RICHARD:\n'), (bpe_model(folder)[0], 'The library')):
        for seed in (1, 12):
            want = run(smolrun, path, '-p', prompt, '-n', '50', '-s', seed, '--no-display-prompt', '--ignore-eos').stdout
            got = example('generate', path, prompt, '50', seed).stdout
            assert len(got) >= 50 and want in (got, got + b'\n'), (want, got)


def test_threads(folder):
    want = []
    for seed in range(4):
        text = run(smolrun, alpha, '-p', 'KING:', '-n', '24', '-s', seed, '--no-display-prompt').stdout
        want.append('%d: %s' % (seed, text[:24].hex(' ')))
    assert lines('threads', alpha, 'KING:', '4') == want


def test_tokens(folder):
    path, reference = bpe_model(folder)
    for text in ('The library, as C11 & 12 tools.\n', "it's é 日本<|endoftext|> x", ''):
        ids = reference.encode(text.encode())
        special = {reference.special_number(i) for i in range(len(reference.specials))}
        assert lines('tokens', path, text) == [' '.join([str(t), *(['special'] if t in special else []), reference.bytes_of(t).hex(' ')]) for t in ids]
    assert lines('tokens', alpha, 'aé') == ['97 61', '195 c3', '169 a9']


def test_weights(folder):
    for path in (small(folder), root / 'tests/golden/good/lora-f16-stored.smol', root / 'tests/golden/good/nola.smol'):
        model = forward.Model(container.read(path.read_bytes()))
        for name in ('wte.weight', 'h.0.attn.c_attn.weight', 'h.0.mlp.c_proj.weight', 'h.0.ln_1.weight', 'ln_f.bias'):
            rows = np.atleast_2d(model.tensor(name))
            for row in {0, len(rows) // 2, len(rows) - 1}:
                got = [float(v) for v in lines('weights', path, 'transformer.' + name, row)]
                assert got == list(rows[row]), (path, name, row)


def test_instructions(folder):
    """What the processor has, by its own word."""
    flags = set(re.search(r'^(?:flags|Features)\s*: (.*)$', pathlib.Path('/proc/cpuinfo').read_text(), re.M).group(1).split())
    here = {'best': True, 'scalar': True, 'avx2': {'avx2', 'fma', 'f16c'} <= flags, 'neon': 'asimd' in flags,
            'avx512': {'avx2', 'fma', 'f16c', 'avx512f', 'avx512dq', 'avx512bw', 'avx512vl'} <= flags}
    for model in (alpha, small(folder)):
        assert lines('instructions', model) == ['%s: %s' % (n, 'the same bits' if here[n] else 'not here') for n in ('best', 'scalar', 'avx2', 'avx512', 'neon')]


def test_primitives(folder):
    for seed in (0, 7, 2 ** 64 - 1):
        key = hashlib.blake2b(b'smol/1 frozen' + struct.pack('<Q', seed), digest_size=32).digest()
        stream = frozen.weight_bytes(key, 0, 1, 1, 1, 64)[0, 0]
        q, scale = frozen.integer_tables(frozen.tables(frozen.SIGN, [1.0, -0.25]))
        draws = sampler.Draws(seed)
        want = ['key ' + key.hex(), 'stream ' + stream.tobytes().hex(), 'scale %.17g' % scale, 'weights ' + ' '.join(str(v) for v in q[0][stream[:8]]),
                'draws ' + ' '.join('%.17g' % draws.next() for _ in range(4))]
        assert lines('primitives', seed) == want


@pytest.mark.slow
def test_sign(folder):
    """By libsodium's Python module over the message of SPEC.md 4, and by smoltool."""
    for name in ('a', 'b'):
        run(smoltool, 'keygen', '-W', '-p', folder / (name + '.pub'), '-s', folder / (name + '.key'))
    model, out = small(folder), folder / 'signed.smol'
    for source in (model, alpha):
        example('sign', folder / 'a.key', source, out)
        number, public, signature = container.read(out.read_bytes()).signature
        nacl.signing.VerifyKey(public).verify(container.signed_message(container.read(source.read_bytes()).hash, number, public), signature)
        run(smoltool, 'verify', '--pubkey', folder / 'a.pub', out)
        run(smoltool, 'verify', '--pubkey', folder / 'b.pub', out, code=1)
    run(smoltool, 'keygen', '-p', folder / 'c.pub', '-s', folder / 'c.key', '--password-file', write(folder / 'word', b'word\n'))
    failed('sign', folder / 'c.key', folder / 'c.key', model, folder / 'none')


def test_train(folder):
    """The numbers that smoltrain learns from the same text, and smolrun's measure of a text that was set apart."""
    text = write(folder / 'text', (root / 'SPEC.md').read_bytes()[:6000])
    run(smoltrain, '--data', text, '--arch', 'gpt2', '--method', 'alpha', '--layers', '1', '--width', '32', '--heads', '2', '--context', '32', '--batch', '8', '--steps', '30',
        '--threads', '1', '-o', folder / 'want.smol')
    said, = lines('train', text, folder / 'got.smol', '30')
    got, want = (container.read((folder / n).read_bytes()) for n in ('got.smol', 'want.smol'))
    assert got.card is None and container.write(dataclasses.replace(want, card=None)) == (folder / 'got.smol').read_bytes()
    learned, nats, bits = re.fullmatch(r'(\d+) parameters, (\S+) nats a token, (\S+) bits per byte', said).groups()
    assert int(learned) == (256 + 32) * 32 + sum(int(np.prod(size)) for _, size, _ in container.learned_layout(got.conf))
    apart = write(folder / 'apart', text.read_bytes()[-600:])
    measured = json.loads(run(smolrun, folder / 'got.smol', '--perplexity', apart, '--json').stdout)
    assert abs(measured['nats_per_token'] - float(nats)) < 1e-3 and abs(measured['bits_per_byte'] - float(bits)) < 2e-3, (measured, said)


def test_documents(folder):
    """A separator stands between two documents, and splits one that it is found in: SPEC.md appendix C."""
    end = b'<|endoftext|>'
    texts = [b'one', b'two' + end + b'three', bytes(range(256)) * 9]
    paths = [write(folder / ('%d.txt' % i), text) for i, text in enumerate(texts)]
    whole = end.join(texts)
    assert lines('documents', *paths) == ['4 documents, %d tokens of 1 bytes, %d bytes of text' % (len(whole), len(whole))]
    assert lines('documents', paths[0]) == ['1 documents, 3 tokens of 1 bytes, 3 bytes of text']


def safetensors(tensors):
    header, data = {}, b''
    for name, (kind, array) in tensors.items():
        header[name] = {'dtype': kind, 'shape': list(array.shape), 'data_offsets': [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    return struct.pack('<Q', len(text)) + text + data


def check_means(said, arrays):
    for line, (name, array) in zip(said, arrays, strict=True):
        start, mean = line.rsplit(' mean ', 1)
        assert start == '%s (%s)' % (name, ', '.join(map(str, array.shape))) and abs(float(mean) - np.mean(array, dtype=np.float64)) < 1e-6, line


def test_arrays(folder):
    chance = np.random.default_rng(1)
    a, b, c = (chance.normal(1, 1, shape) for shape in ((3, 1000), (2, 3, 4), (5,)))
    path = write(folder / 'x.safetensors', safetensors({'a': ('F32', a.astype('<f4')), 'b': ('F16', b.astype('<f2')), 'c': ('I64', np.arange(5)), 'd': ('F64', c)}))
    check_means(lines('arrays', path), [('a', a.astype(np.float32)), ('b', b.astype(np.float16)), ('d', c)])
    for array in (a, b.astype(np.float32), c.astype(np.float16)):
        np.save(folder / 'x.npy', array)
        check_means(lines('arrays', folder / 'x.npy'), [('array', array)])
    run(smoltool, 'export', '--safetensors', small(folder), '-o', folder / 'out')
    assert [row.split(' mean ')[0] for row in lines('arrays', folder / 'out/model.safetensors')].count('wte.weight (256, 16)') == 1
    failed('arrays', folder / 'x.npy', write(folder / 'x.npy', (folder / 'x.npy').read_bytes()[:-1]))
