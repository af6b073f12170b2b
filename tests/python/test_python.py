"""The Python module against the programs: the same text as smolrun, the same weights as smoltool, the library's refusals.

    pytest tests/python --build BUILD_DIR, a build with the shared library (-Ddefault_library=both)"""
import gc
import json
import os
import shutil
import threading

import numpy as np
import pytest
from module import raises, refused, script, shipped, smol
from programs import build, root
from programs import run as run_program


def run(program, *arguments):
    return run_program(build / 'tools' / program, *arguments).stdout


def test_version():
    assert smol.version() == smol.__version__ == run('smolrun', '--version').decode().split()[1]


def test_generates_as_smolrun_does():
    model = smol.Model.load(shipped)
    for prompt, n, seed in (('KING:', 40, 1), ('', 30, 2), ('a', 300, 3)):  # the last outgrows the context
        wanted = run('smolrun', shipped, '-p', prompt, '-n', n, '-s', seed, '--no-display-prompt')
        found = model.decode(model.tokens(prompt, n=n, seed=seed, threads=1 + seed % 2))
        assert found == wanted.rstrip(b'\n') or found + b'\n' == wanted, (prompt, found, wanted)


def test_generates_many_as_one_by_one(folder):
    """Also a count that is more than go side by side, texts that end early, a full context, and those that are left off."""
    messages = smol.Model.load(root / 'models/messages-64k.smol')
    for model, n, options in ((messages, 40, {'batch_size': 3}), (messages, None, {'threads': 2}), (smol.Model.load(shipped), None, {'ctx_size': 20}), (messages, 0, {})):
        texts = list(model.generate_many(7, 'call me', n=n, seed=2**64 - 3, **options))
        assert texts == [model.generate('call me', n=n, seed=(2**64 - 3 + i) % 2**64, **options) for i in range(7)]
    assert len(set(map(len, messages.generate_many(7, 'call me', n=40)))) > 2
    assert next(messages.generate_many(1000000, 'a', n=2, seed=1)) == messages.generate('a', n=2, seed=1)
    assert list(messages.generate_many(0, 'a')) == []
    for count in (-1, 1.5):
        try:
            messages.generate_many(count, 'x')
            raise AssertionError(count)
        except (TypeError, ValueError):
            pass


def test_options_of_the_sampler():
    model = smol.Model.load(shipped)
    wanted = json.loads(run('smolrun', shipped, '-p', 'Lord', '-n', 50, '--json', '--temp', '1.3', '--top-k', '9', '-s', 5))
    assert list(model.tokens('Lord', n=50, seed=5, temperature=1.3, top_k=9)) == wanted['tokens'][-50:]
    assert len(set(model.generate('Lord', n=20, temperature=0, seed=s) for s in range(3))) == 1
    try:
        model.generate('x', n=1, heat=3)
        raise AssertionError('an unknown option')
    except TypeError:
        pass
    refused(1, model.generate, 'x', n=1, top_p=-1.0)


def test_streams_what_it_generates():
    """In whole characters: a model that knows little writes bytes that are none, or a part of one at the end."""
    model = smol.Model.load(shipped)
    for options in ({}, {'temp': 8, 'top_k': 0, 'top_p': 1, 'min_p': 0}):
        for prompt in ('KING:', 'Zo\u00eb \u20ac ', [0xf0, 0x9f]):
            pieces = list(model.stream(prompt, n=200, seed=4, **options))
            assert ''.join(pieces) == model.generate(prompt, n=200, seed=4, **options)
            assert all(pieces) and len(pieces) > 100
    smile = iter([0x4b, 0xf0, 0x9f, 0x98, 0x80, 0x49, 0xe2, 0x82])
    assert list(model._pieces(smile)) == ['K', '\U0001f600', 'I', '\ufffd']


def test_scores_as_smolrun_does(folder):
    model = smol.Model.load(shipped)
    text = 'First Citizen:\nBefore we proceed any further, hear me speak. Zo\u00eb\n' * 3
    (folder / 'text').write_text(text)
    for options, words in (({}, ()), ({'ctx_size': 20, 'threads': 2}, ('-c', 20))):
        said, found = json.loads(run('smolrun', shipped, '--perplexity', folder / 'text', '--json', *words)), model.score(text, **options)
        for name, wanted in (('n_tokens', said['tokens']), ('nats_per_token', said['nats_per_token']), ('bits_per_byte', said['bits_per_byte']),
                             ('perplexity', said['perplexity'])):
            assert abs(getattr(found, name) - wanted) <= 1e-12 * wanted, (name, found, said)
        assert found.n_bytes == len(text.encode()) - 1 and abs(found.nats / found.n_tokens - found.nats_per_token) < 1e-12
        assert model.perplexity(text.encode(), **options) == found.perplexity
    refused(1, model.score, 'x')


def test_stops_when_the_context_is_full():
    model = smol.Model.load(shipped)
    context = model.facts['context']
    assert len(list(model.tokens('abc'))) == context - 3 + 1
    refused(5, list, model.tokens('x' * (context + 1), n=1))


def test_tokens_and_bytes():
    model = smol.Model.load(shipped)
    text = 'Zoë €\x00'
    assert model.decode(model.encode(text)).decode() == text
    assert model.encode(text) == list(text.encode())
    assert model.encode('') == []
    refused(40, model.decode, [model.facts['vocab']])
    refused(40, model.decode, [-1])


def test_packs():
    model = smol.Model.load(shipped)
    text = 'What say you, my lord? Zo\u00eb \u2605'
    packed, checked = model.pack(text), model.pack(text.encode(), check=True)
    assert run_program(build / 'docs/examples/pack', shipped, text).stdout.decode().split('\n')[0] == packed.hex()
    assert model.unpack(packed).decode() == model.unpack(bytearray(checked), check=True).decode() == text
    assert len(packed) < len(checked) <= len(packed) + 2 and model.pack('') == model.unpack(b'') == b''
    assert model.unpack(packed, limit=len(text.encode())) == text.encode()
    refused(1, model.unpack, packed, limit=len(text.encode()) - 1)
    refused(42, model.unpack, bytes([packed[0] ^ 0x10]) + packed[1:])
    refused(42, model.unpack, b'\0as it is', check=True)
    refused(1, model.unpack, packed, limit=-1)
    raises(TypeError, 'bytes', model.unpack, 'text')
    raises(TypeError, 'True or False', model.pack, 'text', check=1)


def test_logits():
    """Greedy text is the largest logit, by a session that is fed whole and one that is fed token by token."""
    model = smol.Model.load(shipped)
    text = list(model.encode('First Citizen'))
    for token in model.tokens('First Citizen', n=8, temperature=0):
        logits = model.logits(text)
        assert logits.dtype == np.float32 and logits.shape == (256,)
        assert int(logits.argmax()) == token
        text.append(token)


def test_logits_of_each_token():
    """The rows are those of all beginnings of the text; their losses are what smolrun says of it."""
    model = smol.Model.load(shipped)
    tokens = list(model.encode('First Citizen:'))
    rows = model.logits(tokens, each=True)
    assert rows.dtype == np.float32 and rows.shape == (14, 256)
    for i in range(len(tokens)):
        assert np.array_equal(rows[i], model.logits(tokens[:i + 1])), i
    wide = rows.astype(float)
    losses = np.log(np.exp(wide).sum(axis=1)) - wide[range(14), [*tokens[1:], 0]]
    assert abs(losses[:-1].sum() - model.score('First Citizen:').nats) < 1e-5
    assert model.logits('', each=True).shape == (1, 256)
    raises(TypeError, 'True or False', model.logits, 'x', each=1)
    refused(5, model.logits, 'x' * (model.facts['context'] + 1), each=True)


def test_weights_are_smoltools(folder):
    model = smol.Model.load(shipped)
    names = model.tensors()
    listed = json.loads(run('smoltool', 'weights', shipped, '--list', '--json'))
    assert [(name, *(shape if len(shape) == 2 else (1, *shape))) for name, shape in names.items()] == [
        (x['name'], x['rows'], x['cols']) for x in listed]
    for name in ('wte.weight', 'h.1.attn.c_attn.weight', 'h.1.mlp.c_proj.weight', 'ln_f.bias'):
        run('smoltool', 'weights', shipped, name, '-o', folder / 'w.npy')
        wanted, found = np.load(folder / 'w.npy'), model.weights(name)
        assert found.dtype == np.float64 and found.shape == names[name], (name, found.shape, names[name])
        assert np.array_equal(found.ravel().astype(wanted.dtype), wanted.ravel()), name
    refused(41, model.weights, 'h.9.nothing')


def test_facts_are_inspects():
    said, facts = json.loads(run('smoltool', 'inspect', '--json', shipped)), smol.Model.load(shipped).facts
    assert facts['non_embedding_bytes'] == said['non_embedding_bytes'] == 712
    assert facts['parameters'] == facts['learned_numbers'] == 144
    assert facts['file_bytes'] == shipped.stat().st_size and facts['is_signed']
    assert facts['hash'].hex() == said['hash'] and facts['end_token'] is said['end_token'] is None
    messages = root / 'models/messages-64k.smol'
    assert smol.Model.load(messages).facts['end_token'] == json.loads(run('smoltool', 'inspect', '--json', messages))['end_token'] == 102


def small_smol(folder, *arguments):
    run('smoltool', 'new', '--arch', 'smol', '--method', 'mask', '--layers', '1', '--width', '24', '--heads', '2', '--context', '16', '-o', folder / 'm.smol',
        *arguments)
    return smol.Model.load(folder / 'm.smol')


def test_facts_have_the_architecture(folder):
    facts = smol.Model.load(shipped).facts
    assert (facts['architecture'], facts['features']) == ('gpt2', ())
    facts = small_smol(folder, '--without', 'relu2').facts
    assert (facts['architecture'], facts['features']) == ('smol', ('distances', 'slope-factors', 'temperatures', 'half-shift', 'output-table'))


def test_refusals(folder):
    bad = bytearray(shipped.read_bytes())
    bad[-300] ^= 1
    (folder / 'bad.smol').write_bytes(bad)
    assert refused(3, smol.Model.load, folder / 'none.smol').offset is None
    refused(12, smol.Model.load, os.devnull)
    refused(10, smol.Model.from_bytes, b'MZ' * 200)
    error = refused(30, smol.Model.load, folder / 'bad.smol')
    assert str(error).startswith('%s: byte %d: ' % (folder / 'bad.smol', error.offset))
    error = refused(30, smol.Model.from_bytes, bad)
    assert str(error).startswith('byte %d: ' % error.offset)
    refused(33, smol.Model.load, shipped, public_key=bytes(32))
    key = smol.Model.load(shipped).public_key
    assert smol.Model.load(shipped, public_key=key).public_key == key
    try:
        smol.Model()
        raise AssertionError('a model of nothing')
    except TypeError:
        pass


def test_messages_help():
    """What is wrong, where, and what would be right."""
    model = smol.Model.load(shipped)
    raises(TypeError, "unknown option 'temprature'; is it temperature?", model.generate, 'x', temprature=1)
    raises(TypeError, "unknown option 'max_tokens'; there are n, seed, ", model.stream, 'x', max_tokens=5)
    raises(TypeError, "unknown option 'temp'; there are threads, ctx_size, ", model.score, 'x', temp=1)
    raises(TypeError, 'prompt takes a str, bytes or tokens, not NoneType', model.generate, None)
    raises(TypeError, 'decode() takes tokens, not str', model.decode, 'abc')
    raises(TypeError, 'text takes bytes or a str, not list', model.score, ['abc'])
    raises(TypeError, 'use Model.load(path)', smol.Model, shipped)
    raises(smol.Error, 'h.0.attn: no tensor has that name; tensors() lists them', model.weights, 'h.0.attn')
    readme, base = root / 'README.md', root / 'models/shakespeare-64k.smol'
    assert str(refused(10, smol.Model.load, readme)) == '%s: byte 0: not a .smol file' % readme
    assert str(refused(1, smol.Model.load, shipped, base=base)).startswith('%s: is no delta' % shipped)
    assert str(refused(10, smol.Model.load, shipped, deltas=[readme])) == '%s: byte 0: not a .smol file' % readme
    assert str(refused(33, smol.Model.load, shipped, public_key=bytes(32))).startswith('%s: not signed by the key' % shipped)
    assert script('''
sys.modules['numpy'] = None
for call in m.logits, m.weights:
    try:
        call('x')
    except ModuleNotFoundError as error:
        print(error.name, error)
''') == ''.join('numpy %s() needs NumPy: apt install python3-numpy, or pip install numpy\n' % name for name in ('logits', 'weights'))


def test_files_that_cannot_be_opened(folder):
    """The system's own exceptions, with the file's name; each is the library's as well."""
    (folder / 'file').write_bytes(b'x')
    (folder / 'loop').symlink_to('loop')
    for kind, name in ((FileNotFoundError, 'none'), (FileNotFoundError, 'none/x'), (IsADirectoryError, '.'), (NotADirectoryError, 'file/x'),
                       (OSError, 'loop'), (OSError, 'x' * 300)):
        error = refused(3, smol.Model.load, folder / name)
        assert isinstance(error, kind) and error.errno and error.filename == str(folder / name), error
    for part in ('base', 'deltas'):  # as one path, and as a list
        for given in (folder / 'none', [folder / 'none']):
            error = refused(3, smol.Model.load, root / 'tests/golden/deltas/alpha.smol', **{part: given})
            assert isinstance(error, FileNotFoundError) and error.filename == str(folder / 'none'), (part, error)
    refused(10, smol.Model.load, bytes(folder / 'file'))
    said = script('''
import os
os.chmod(sys.argv[2], 0)
if os.geteuid() == 0:
    os.setuid(65534)
try:
    smol.Model.load(sys.argv[2])
except PermissionError as error:
    print(error.status, error)
''', folder / 'file')
    assert said == "3 [Errno 13] Permission denied: '%s'\n" % (folder / 'file')


def test_a_file_that_changes(folder):
    copy = folder / 'copy.smol'
    copy.write_bytes(shipped.read_bytes())
    with smol.Model.load(copy) as model:
        model.check()
        os.utime(copy, (1, 1))
        refused(4, model.check)
    try:
        model.generate('x', n=1)
        raise AssertionError('it is closed')
    except ValueError:
        assert 'closed' in repr(model)


def test_from_bytes_outlives_its_argument():
    model = smol.Model.from_bytes(bytearray(shipped.read_bytes()), threads=2)
    gc.collect()
    assert model.generate('KING:', n=20) == smol.Model.load(shipped).generate('KING:', n=20)


def test_threads_share_a_model():
    model, found = smol.Model.load(shipped), [None] * 4

    def work(i):
        found[i] = model.generate('KING:', n=40, seed=i % 2)
    threads = [threading.Thread(target=work, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found[0] == found[2] != found[1] == found[3]


def test_types(folder):
    """mypy finds nothing, in the module and in a program that uses it."""
    if not shutil.which('mypy'):
        pytest.skip('mypy is not installed')
    (folder / 'use.py').write_text('''import smol
from typing import Iterator
m = smol.Model.load('x', threads=2)
pieces: Iterator[str] = m.stream('a', n=-1, temp=0.5, top_k=3, kv='q8')
values: float = m.perplexity(b'x', ctx_size=8) + m.score('x').bits_per_byte + float(m.logits('x', each=True).sum()) + float(m.weights('x').sum())
text: str = m.generate([1, 2]) + smol.__version__ + m.unpack(m.pack('x', check=True), check=True).decode()
''')
    mypy = ('mypy', '--config-file', root / 'pyproject.toml', '--cache-dir', folder / 'cache')
    environment = {**os.environ, 'MYPYPATH': str(root / 'python')}
    run_program(*mypy, '-p', 'smol', env=environment)
    run_program(*mypy, folder / 'use.py', env=environment)
    with open(folder / 'use.py', 'a') as file:
        file.write("m.generate('x', heat=1)\nm.stream(n='5')\n")
    said = run_program(*mypy, folder / 'use.py', code=1, env=environment).stdout
    assert b'use.py:7: error: Unexpected keyword argument "heat"' in said and b'use.py:8: error: Argument "n"' in said, said


def test_deltas(folder):
    """With a base that is given or found, others that are added, and what is refused, as smolrun has it."""
    golden = root / 'tests/golden'
    plain, lora = golden / 'good/embed-f32.smol', golden / 'deltas/lora.smol'
    wanted = json.loads(run('smolrun', plain, '--delta', '%s=-0.5' % lora, '-p', '', '-n', 4, '-s', 1, '--json'))['tokens']
    with smol.Model.load(plain, deltas=[(lora, -0.5)]) as model:
        assert list(model.tokens('', n=4, seed=1)) == wanted
    given, found = smol.Model.load(lora, base=plain), smol.Model.load(lora, bases_dir=golden / 'good')
    assert given.facts['architecture'] == 'delta' and (given.logits([1]) == found.logits([1])).all()
    assert (given.logits([1]) == smol.Model.load(lora, base=[plain], deltas=[]).logits([1])).all()
    wide = smol.Model.load(golden / 'deltas/mix.smol', base=[plain, golden / 'deltas/other-model.smol'])
    assert 'h.1.mlp.c_fc.bias' in wide.tensors() and wide.weights('h.1.mlp.c_fc.bias').shape == (1, 24)
    refused(43, smol.Model.load, lora, base=golden / 'good/smol.smol')
    shutil.copy(lora, folder)
    refused(43, smol.Model.load, folder / 'lora.smol', bases_dir=folder)
    raises(ValueError, 'exclude', smol.Model.load, plain, public_key=bytes(32), deltas=[lora])
    raises(ValueError, 'deltas', smol.Model.load, plain, deltas=[(lora, 1e30)])
