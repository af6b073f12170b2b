"""The minimal library: what it links to, the tokens it gives, the texts it packs, how large it is and how much memory it takes.

    pytest tests/minimal --build BUILD_DIR --minimal MINIMAL_BUILD_DIR"""
import json
import struct
import subprocess

import pytest
from programs import root, smolrun, smoltool

MODELS = sorted((root / 'models').glob('*.smol'))
# Small models of every feature, mask, stored type and set of bytes, whose texts slide past their contexts.
SMALL = [root / 'tests/golden/good' / (name + '.smol') for name in (
    'byte-set', 'byte-set-other-end', 'distances', 'half-shift', 'masks', 'output-table', 'relu2', 'slope-factors', 'smol', 'stored', 'stream', 'temperatures', 'ternary')]
# All that the library may ask of its surroundings: a little of the C library, libsodium's primitives, XXH3.
ALLOWED = {'memcpy', 'memset', 'memcmp', 'memmove', 'memchr', 'strlen', 'strcmp', 'strcpy', 'strncmp', 'strrchr', 'sqrt', 'sqrtf', 'fmaf', 'fmax', 'log',
           'crypto_generichash', 'crypto_generichash_init', 'crypto_generichash_update', 'crypto_generichash_final', 'crypto_stream_chacha20_ietf_xor_ic',
           'crypto_sign_verify_detached', 'XXH3_64bits', '_GLOBAL_OFFSET_TABLE_', '__stack_chk_fail'}


def output(*command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, check=True, timeout=120, **more).stdout


def test_symbols(minimal):
    def symbols(*options):
        return {line.split()[-1].split('@')[0] for line in output('nm', *options, minimal / 'libsmol.a').decode().splitlines() if len(line.split()) > 1}
    wanted = symbols('-u') - symbols('--defined-only') - ALLOWED
    assert not wanted, 'the minimal library asks for %s' % sorted(wanted)


def test_there_are_models():
    assert MODELS


@pytest.mark.parametrize('model', MODELS + SMALL, ids=lambda path: path.stem)
def test_tokens_are_smolruns(minimal, model):
    """As many as the context holds, or 50 of one that slides."""
    page = json.loads(output(smoltool, 'inspect', '--json', model))
    n = 50 if 'distances' in page.get('features', []) else min(50, page['context'])
    done = json.loads(output(smolrun, model, '-p', '', '-n', n, '--temp', '0', '--ignore-eos', '--json'))
    tokens = [int(t) for t in output(minimal / 'tests/minimal/minimal', n, input=model.read_bytes()).split()]
    assert tokens == done['tokens'] and len(tokens) == n


@pytest.mark.parametrize('delta, base', [('alpha', 'smol'), ('every-kind', 'smol'), ('lora', 'embed-f32')])
def test_tokens_of_a_delta(minimal, delta, base):
    delta, base = root / 'tests/golden/deltas' / (delta + '.smol'), root / 'tests/golden/good' / (base + '.smol')
    done = json.loads(output(smolrun, delta, '--base', base, '-p', '', '-n', 5, '--temp', '0', '--ignore-eos', '--json'))
    assert [int(t) for t in output(minimal / 'tests/minimal/minimal', 5, base, input=delta.read_bytes()).split()] == done['tokens']


def vectors(check):
    """Of the packed texts of tests/golden, {model: [(text, packed)]}, where bytes are tokens."""
    found = {}
    for line in (root / 'tests/golden/vectors/packed.txt').read_text().splitlines()[1:]:
        name, what, has_check, text, packed = line.split()
        if what == 'pack' and int(has_check) == check and name != 'bpe':
            found.setdefault(name, []).append([bytes.fromhex(word.strip('-')) for word in (text, packed)])
    return found


def packed_by(minimal, model, texts, folder, *words):
    (folder / 'texts').write_bytes(b''.join(struct.pack('<I', len(text)) + text for text in texts))
    return [bytes.fromhex(line) for line in output(minimal / 'tests/minimal/packing', model, folder / 'texts', *words).decode().splitlines()]


@pytest.mark.parametrize('check', [0, 1])
def test_packed_texts_are_the_references(minimal, folder, check):
    found = vectors(check)
    for name, pairs in found.items():
        texts, packed = zip(*pairs)
        assert packed_by(minimal, root / 'tests/golden/good' / (name + '.smol'), texts, folder, *['check'] * check) == list(packed), name
    assert len(found) >= 6


def test_a_history(minimal, folder):
    """Of tokens that a program chose nothing comes again, though it says what it read once more; so does a packed text. The memory is as much as it is asked for."""
    plain, model, text = root / 'models/messages-64k.smol', folder / 'm.smol', b'the king is dead, the king is dead, the king is dead'
    (folder / 'text').write_bytes(output(smolrun, plain, '-p', 'KING:', '-n', 3000, '-s', 1))
    output(smoltool, 'history', plain, folder / 'text', '-o', model)
    test_tokens_are_smolruns(minimal, model)
    packed = output(smoltool, 'pack', '-m', model, '-', input=text)
    assert packed_by(minimal, model, [text], folder) == [packed] and len(packed) < len(output(smoltool, 'pack', '-m', plain, '-', input=text))
    sizes = [int(output(minimal / 'tests/minimal/packer', 'pack', 1, n, text.hex(), input=path.read_bytes()).split(b'\n')[1].split()[0])
             for path in (plain, model) for n in (len(text), 1000)]
    assert sizes[2] - sizes[0] < 5000 and sizes[3] - sizes[1] < 8000, sizes


def test_memory_of_a_packer(minimal, folder):
    """A text of 100 bytes, on a model of the shape of messages-64k, two layers of 128, and on one twice as wide."""
    text = (b'Is anybody on the hill north of town tonight? I get 12 dB from here. ' * 2)[:100]
    for width, limit in ((128, 300000), (256, 600000)):
        output(smoltool, 'new', '--layers', 2, '--width', width, '--heads', 4, '--context', 256, '--method', 'mask', '--arch', 'smol', '-o', folder / 'model')
        done = output(minimal / 'tests/minimal/packer', 'pack', 1, 100, text.hex(), input=(folder / 'model').read_bytes())
        used = [int(n) for n in done.split(b'\n')[1].split()]
        print('packing 100 bytes, %d wide: %d bytes of memory, %d of stack' % (width, *used))
        assert sum(used) < limit


def test_another_rounding_is_refused(minimal):
    """The library cannot set the environment, so it looks: before anything is computed there is an error."""
    done = subprocess.run([minimal / 'tests/minimal/minimal', '5', 'upward'], input=MODELS[0].read_bytes(), capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, b'')
    assert done.stderr == b"minimal: floats are not rounded to nearest, or subnormals not kept: the floating-point environment is not SPEC.md 7's\n"


def test_size(minimal):
    sizes = [line.split() for line in output('size', '-t', minimal / 'libsmol.a').decode().splitlines()]
    print('the minimal library: %s bytes of code and constants, %s of data' % (sizes[-1][0], int(sizes[-1][1]) + int(sizes[-1][2])))
    assert int(sizes[-1][0]) < 100000
