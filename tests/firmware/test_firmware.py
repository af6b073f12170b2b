"""The program of docs/examples/firmware under QEMU: on a Cortex-M3, a Cortex-M7 and RISC-V the bytes of smolrun and smoltool on this machine, and a line for what goes wrong.

    pytest tests/firmware --build BUILD_DIR"""
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import tempfile

import pytest
from programs import library, root, run, smolrun, smoltool, tiny_model, write
from recipes import Kitchen

os.environ['SMOL_LIBRARY'] = str(library)
import smol  # noqa: E402

TOOLS = {'cortex-m3': ('arm-none-eabi-gcc', 'qemu-system-arm'), 'cortex-m7': ('arm-none-eabi-gcc', 'qemu-system-arm'), 'riscv64': ('riscv64-unknown-elf-gcc', 'qemu-system-riscv64')}
MODELS = root / 'models'


@pytest.fixture(scope='module')
def firmware():
    """Builds the program for a target with a model; what runs it. A target's library is built once."""
    with tempfile.TemporaryDirectory(prefix='smol-firmware-') as folder:
        def place(target):
            return pathlib.Path(folder) / target

        def build(target, model, *settings):
            for tool in TOOLS[target]:
                if not shutil.which(tool):
                    pytest.skip('%s is not installed' % tool)
            done = run(root / 'docs/examples/firmware/build', target, model, place(target), *settings, text=True)
            return shlex.split(done.stdout.splitlines()[-1])
        build.place = place
        yield build


def told(board, *lines):
    """All that a board says, lines being typed into it once it asks for them."""
    with subprocess.Popen(board, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as qemu:
        try:
            first = b''
            while not first.endswith(b'> ') and (byte := qemu.stdout.read(1)):
                first += byte
            rest, wrong = qemu.communicate(''.join(line + '\n' for line in (*lines, '/reset')).encode(), timeout=200)
        finally:
            qemu.kill()
    assert qemu.returncode == 0 and not wrong, (first + rest, wrong)
    return (first + rest).decode('latin-1')


def session(*pairs):
    """What a board should say: each line as it was typed, what follows it, and a new line to type."""
    return '> ' + ''.join(line + answer + '\n> ' for line, answer in pairs) + '/reset\n'


def continued(model, line, n, seed, *options):
    """What smolrun adds to a line."""
    text = run(smolrun, model, '-p', line, '-n', n, '-s', seed, *options).stdout.decode()
    assert text.startswith(line) and len(text) > len(line)
    return text[len(line):]


def packed(model, text):
    return run(smoltool, 'pack', '-m', model, '-', input=text.encode()).stdout.hex()


def test_in_64_kilobytes(firmware):
    """The model of 16 KB, all memory being 64 KB: program data, stack, session and what it keeps."""
    model = MODELS / 'shakespeare-16k.smol'
    board = firmware('cortex-m3', model, 'RAM=64K', 'CONTEXT=32', 'KV=Q8', 'TOKENS=40')
    options = '-c', '32', '--kv', 'q8'
    assert told(board, 'ROMEO:', '/seed 7', '/tokens 3', 'My lord', '') == session(
        ('ROMEO:', continued(model, 'ROMEO:', 40, 1, *options)), ('/seed 7', ''), ('/tokens 3', ''),
        ('My lord', continued(model, 'My lord', 3, 7, *options)), ('', continued(model, '', 3, 7, *options)))
    used, there = (int(n) for n in re.search(r'stack (\d+) of (\d+) bytes', told(board, 'a', '/cost')).groups())
    assert 1000 < used < there == 8192


@pytest.mark.parametrize('target', ['cortex-m3', 'riscv64'])
def test_a_history(firmware, folder, target):
    """Of the same model in the same memory, of 4,096 tokens unless told otherwise; and a message, whose history is as long as itself."""
    model, said = folder / 'm.smol', 'the king is dead, the king is d'
    (folder / 'text').write_bytes(run(smolrun, MODELS / 'shakespeare-16k.smol', '-p', 'KING:', '-n', 2000).stdout)
    run(smoltool, 'history', MODELS / 'shakespeare-16k.smol', folder / 'text', '-o', model)
    board = firmware(target, model, 'RAM=64K', 'CONTEXT=32', 'KV=Q8', 'TOKENS=60')
    options, plain = ('-c', '32', '--kv', 'q8'), continued(MODELS / 'shakespeare-16k.smol', said, 60, 1, '-c', '32', '--kv', 'q8')
    assert told(board, said) == session((said, continued(model, said, 60, 1, *options))) != session((said, plain))
    loaded = smol.Model.load(model)
    for n in (1, 12):
        board = firmware(target, model, 'RAM=64K', 'CONTEXT=32', 'KV=Q8', 'TOKENS=60', 'HISTORY=%d' % n)
        assert told(board, said) == session((said, loaded.generate(said, n=60, seed=1, ctx_size=32, kv='q8', history=n)))
    board = firmware(target, model, 'LINE=60')
    assert told(board, '/pack ' + said, '/unpack ' + packed(model, said)) == session(
        ('/pack ' + said, '\n' + packed(model, said)), ('/unpack ' + packed(model, said), '\n' + said))


@pytest.mark.parametrize('target, name', [('cortex-m3', 'shakespeare-qr'), ('cortex-m7', 'shakespeare-qr'), ('riscv64', 'shakespeare-qr'), ('riscv64', 'messages-64k')])
def test_text_and_messages(firmware, target, name):
    """Texts with the whole context and floats, longer than a line; and the bytes of packed ones."""
    model = MODELS / (name + '.smol')
    board = firmware(target, model, 'TOKENS=50', 'RAM=1M')
    text = 'See you at the pier'
    assert told(board, 'I am', '/pack ' + text, '/unpack ' + packed(model, text).upper()) == session(
        ('I am', continued(model, 'I am', 50, 1)), ('/pack ' + text, '\n' + packed(model, text)), ('/unpack ' + packed(model, text).upper(), '\n' + text))


def test_what_goes_wrong_is_a_line(firmware, folder):
    """A model without an endless context: lines too long for the buffer and for the context, a context that fills, commands that are none."""
    model = tiny_model(folder)
    board = firmware('riscv64', model, 'LINE=20', 'RAM=128K')
    until_full = run(smolrun, model, '-p', 'abcdefghij', '-s', 1).stdout.decode('latin-1')[10:]
    full = '\nsmol: answer: 1 tokens after 16 do not fit the context of 16'
    other = run(smoltool, 'unpack', '-m', model, '-', input=b'\xff', code=1).stderr.decode().rstrip().split(': ', 1)[1].replace(', and ', ', ')
    unknown = '\nsmol: commands are /tokens N, /seed N, /pack TEXT, /unpack DIGITS, /cost and /reset'
    lines = (('x' * 21, 'smol: the line is too long'), ('/tokens 1e3', '\nsmol: not a number'), ('/seed', '\nsmol: not a number'),
             ('/', unknown), ('/tokensx', unknown), ('/unpack abc', '\nsmol: not pairs of hexadecimal digits'), ('/unpack 0g', '\nsmol: not pairs of hexadecimal digits'),
             ('/unpack ff', '\nsmol: unpacking: ' + other), ('abcdefghij', until_full + full),
             ('y' * 17, '\nsmol: answer: the prompt has 17 tokens, the context 16'))
    assert told(board, *(line for line, _ in lines)) == session((lines[0][0][:20], '\n' + lines[0][1]), *lines[1:])


def test_damaged_model(firmware, folder):
    """What smolrun says of the file, before every line to type."""
    bytes_ = bytearray((MODELS / 'shakespeare-qr.smol').read_bytes())
    bytes_[1500] ^= 1
    damaged = write(folder / 'damaged.smol', bytes(bytes_))
    why = run(smolrun, damaged, '-p', 'a', code=1).stderr.decode().replace('smolrun: %s' % damaged, 'smol: model')
    lines = 'ROMEO:', '/pack ROMEO:', '/unpack 00'
    assert told(firmware('riscv64', damaged), *lines) == why + ''.join('> %s\n%s' % (line, why) for line in lines) + '> /reset\n'


def test_too_little_memory(firmware):
    """The session does not fit: a line says how much it takes."""
    model = MODELS / 'shakespeare-16k.smol'
    answer = told(firmware('riscv64', model, 'RAM=64K'), 'a')
    assert answer.startswith('> a\nsmol: answer: a session with a context of 256 takes ') and answer.count('\n') == 3, answer


def test_settings_of_the_build():
    """Silly ones are refused before anything is built."""
    build, model = root / 'docs/examples/firmware/build', MODELS / 'shakespeare-qr.smol'
    for words, why in ((['cortex-m9', model], 'cortex-m9: no such target'), (['cortex-m3', 'no-such.smol'], 'no-such.smol: no such file'),
                       (['cortex-m3', 'README.md'], 'README.md: not a .smol file'), (['cortex-m3', model, 'RAM=8K', 'STACK=8K'], '8192 bytes of RAM, and 8192 of them for the stack'),
                       (['cortex-m3', model, '/tmp', 'RAM=much'], 'much: not a number of bytes'), (['cortex-m3', model, 'KV=Q4'], 'KV=Q4: the names are'),
                       (['cortex-m3', model, 'TOKENS=-1'], 'TOKENS=-1: not a number'), (['cortex-m3', model, 'HISTORY=all'], 'HISTORY=all: not a number'), ([], 'usage: build TARGET MODEL.smol')):
        done = run(build, *words, code=2, text=True, cwd=root)
        assert done.stderr.startswith('build: ' + why) and done.stderr.count('\n') == 1 and not done.stdout, done


def test_the_recipe(firmware, folder):
    """That of docs/cookbook.md, where the library is built already."""
    firmware('cortex-m3', MODELS / 'shakespeare-qr.smol')
    kitchen = Kitchen(folder)
    (folder / 'firmware').symlink_to(firmware.place('cortex-m3'))
    kitchen.cook('A model in a microcontroller')
