"""docs/cookbook.md: every recipe is typed in from the document, in a folder of its own, and prints what the document says. What it makes is then
looked at by other means."""
import json
import re
import struct

import pytest
from programs import build, root, run, run_text, sanitized, smolrun, tool, tool_text
from recipes import LESS, Kitchen, recipes


@pytest.fixture
def kitchen(folder):
    return Kitchen(folder)


def text_of(model, *arguments):
    return run_text(smolrun, model, *arguments).stdout


def test_all_are_cooked():
    """Each by a test: of this folder, or of the one whose stage has what it takes. What the tests do less of occurs."""
    found = recipes()
    cooked = re.findall(r"kitchen\.cook\('(.*)'\)", ''.join(path.read_text() for path in (root / 'tests').glob('*/test_*.py')))
    assert sorted(cooked) == sorted(found) and found
    assert all(any(words in text for text in found.values()) for words in LESS)


def test_a_folder_to_a_size(kitchen):
    kitchen.cook('Train on a folder, to a size')
    path = kitchen.folder / 'notes.smol'
    assert 4000 < path.stat().st_size <= 32768 and kitchen.used == {'--minutes 10'}
    said = json.loads(tool_text('inspect', '--json', path).stdout)
    assert said['architecture'] == 'smol' and said['card_bytes'] > 100, said


def packages(folder):
    """The build's files for pkg-config, in a folder whose path has no space: `$(pkg-config ...)` cannot tell of one that has."""
    (folder / 'checkout').symlink_to(root)
    (folder / 'packages').mkdir()
    for path in (build / 'meson-uninstalled').glob('*.pc'):
        text = path.read_text()
        for place, name in ((build, 'build'), (root, 'checkout')):
            text = text.replace('=' + str(place).replace(' ', r'\ '), '=%s' % (folder / name))
        (folder / 'packages' / path.name).write_text(text)


def test_a_c_program(folder):
    if sanitized:
        pytest.skip('sanitizers make no static programs')
    kitchen = Kitchen(folder, **{'build/meson-uninstalled': 'packages'})
    packages(folder)
    kitchen.cook('A model in a C program')
    model = root / 'models/shakespeare-16k.smol'
    for prompt, seed in (('ROMEO:', 1), ('My lord', 9)):
        written = run_text(kitchen.folder / 'embedded', prompt, 30, seed).stdout
        assert written == text_of(model, '-p', prompt, '-n', 30, '-s', seed, '--no-display-prompt').rstrip('\n')
    assert b'statically linked' in run('file', kitchen.folder / 'embedded').stdout


def test_a_key(kitchen):
    kitchen.cook('Sign a model, and pin the key')
    run(smolrun, kitchen.folder / 'my.smol', '--trust', root / 'models/smol-4.pub', '-n', 0, code=1)
    key = (kitchen.folder / 'me.pub').read_text().split()[-1]
    assert key.startswith('RW') and len(key) == 56  # minisign's


def test_messages(kitchen):
    kitchen.cook('Compress messages')
    packed = (kitchen.folder / 'hello.bin').read_bytes()
    assert len(packed) == 7  # as docs/messages.md has it
    assert tool('unpack', '-m', root / 'models/messages-64k.smol', input=packed).stdout == b'ok c u at 8 then'


def test_a_delta(kitchen):
    kitchen.cook('Tune a base')
    assert (kitchen.folder / 'tuned.smol').stat().st_size < 5000 and kitchen.used == {'--steps 100'}
    base = root / 'models/messages-64k.smol'
    assert json.loads(tool_text('inspect', '--json', base).stdout)['hash'][:16] in tool_text('inspect', kitchen.folder / 'tuned.smol').stdout


def test_a_run_again(kitchen):
    kitchen.cook('Reproduce a run')
    once, twice = kitchen.folder / 'once.smol', kitchen.folder / 'twice.smol'
    assert once.read_bytes() == twice.read_bytes() and kitchen.used == {'--steps 400'}
    assert (kitchen.folder / 'a.txt').stat().st_size > 100


def test_measures(kitchen):
    kitchen.cook('Measure')


def test_other_programs(kitchen):
    kitchen.cook('Into llama.cpp and transformers')
    assert (kitchen.folder / 'shakespeare.gguf').read_bytes()[:4] == b'GGUF'
    with open(kitchen.folder / 'shakespeare/model.safetensors', 'rb') as file:
        size, = struct.unpack('<Q', file.read(8))
        shapes = {name: value['shape'] for name, value in json.loads(file.read(size)).items() if name != '__metadata__'}
    assert shapes['h.3.mlp.c_fc.weight'] == [256, 1024]
    assert json.loads((kitchen.folder / 'shakespeare/config.json').read_text())['architectures'] == ['GPT2LMHeadModel']
