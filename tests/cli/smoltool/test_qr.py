"""smoltool qr from outside: codes read back by zbar, which must give the model's bytes; which code is chosen, by the limits that are
published of QR codes; what is refused. Pictures of two pixels a module, the least that zbar reads, and the quickest."""
import os
import pty
import re
import shutil
import struct
import subprocess
import xml.etree.ElementTree as ET
import zlib

import container
import pytest
from programs import keys, root, run, smolrun, smoltool, tool, tool_text, write

TEXT = b'To be, or not to be, that is the question.\n'
FILES = {'text': TEXT, 'lines': b'\n' + bytes(range(32, 96))}
SMALL = ['--arch', 'smol', '--method', 'mask', '--layers', '1', '--heads', '2', '--context', '64']


@pytest.fixture(scope='module', autouse=True)
def built(tmp_path_factory):
    place = tmp_path_factory.mktemp('qr')
    tool('new', *SMALL, '--width', '8', '--bytes-of', write(place / 'text', TEXT), '-o', place / 'm.smol')
    if b'built without' in subprocess.run([smoltool, 'qr', place / 'm.smol', '-o', place / 'm.svg'], capture_output=True).stderr:
        pytest.skip('smoltool was built without libqrencode and libpng')


@pytest.fixture
def zbar():
    if not shutil.which('zbarimg'):
        pytest.skip('zbarimg is not installed (zbar-tools)')


def scan(picture):
    return run('zbarimg', '--nodbus', '-q', '--raw', '-Sdisable', '-Sqrcode.enable', '-Sbinary', picture).stdout


def small(folder, name='m.smol'):
    tool('new', *SMALL, '--width', '8', '--bytes-of', folder / 'text', '-o', folder / name)
    return folder / name


def largest(folder):
    """2,944 bytes, the most that a code has room for."""
    tool('new', *SMALL, '--width', '12', '--bytes-of', folder / 'lines', '--other', '-o', folder / 'l.smol')
    assert (folder / 'l.smol').stat().st_size == 2944
    return folder / 'l.smol'


def of_size(folder, size, path=None):
    """A model of so many bytes, by a card as long as it takes."""
    path = path or small(folder)
    model = container.read(path.read_bytes())
    model.card = b'{"card": ""}'
    model.card = b'{"card": "%s"}' % (b'.' * (size - len(container.write(model))))
    data = container.write(model)
    assert len(data) == size
    return write(path, data)


def rows_of(png):
    """The modules of a PNG of one bit a pixel, 1: white; by PNG's specification, with Python's zlib."""
    data = png.read_bytes()
    assert data[:16] == b'\x89PNG\r\n\x1a\n\0\0\0\rIHDR'
    width, height, depth, colour, _, _, interlace = struct.unpack('>II5B', data[16:29])
    assert (depth, colour, interlace) == (1, 0, 0) and width == height
    packed, at = b'', 8
    while at < len(data):
        n, kind = struct.unpack('>I4s', data[at:at + 8])
        packed += data[at + 8:at + 8 + n] if kind == b'IDAT' else b''
        at += 12 + n
    lines, stride = zlib.decompress(packed), 1 + (width + 7) // 8
    assert len(lines) == stride * height and not any(lines[::stride])  # filter 0
    return [''.join(f'{b:08b}' for b in lines[i * stride + 1:(i + 1) * stride])[:width] for i in range(height)]


def told(folder, path, *options):
    """Version, level, modules, bytes and capacity, as the line says them; and the picture."""
    png = folder / 'm.png'
    line, = tool_text('qr', path, '-o', png, *options).stderr.splitlines()
    found = re.fullmatch(r'smoltool qr: .*m\.png: QR code of version (\d+), level ([LMQH]): (\d+) x \3 modules, (\d+) bytes of at most (\d+), (\d+) left', line)
    assert found, line
    version, level, modules, size, most, left = (w if w.isalpha() else int(w) for w in found.groups())
    assert modules == 17 + 4 * version and left == most - size and size == path.stat().st_size
    return version, level, modules, most


def test_the_largest_comes_back_and_runs(folder, zbar):
    """A language model on a sticker: through a picture, the same bytes, which write the same text."""
    model, back = largest(folder), folder / 'back.smol'
    assert told(folder, model, '--scale', '2')[:2] == (40, 'L')
    write(back, scan(folder / 'm.png'))
    assert back.read_bytes() == model.read_bytes()
    text = run(smolrun, back, '-p', 'TO BE', '-n', '40', '-s', '1').stdout
    assert text == run(smolrun, model, '-p', 'TO BE', '-n', '40', '-s', '1').stdout and len(text) > 30


def test_the_shipped_model_comes_back(folder, zbar):
    model = root / 'models/shakespeare-qr.smol'
    if not model.exists():
        pytest.skip('models/shakespeare-qr.smol is not there yet')
    told(folder, model, '--scale', '2')
    assert scan(folder / 'm.png') == model.read_bytes()


def test_svg_comes_back(folder, zbar):
    """One path, a margin of four modules; rasterised by librsvg, every pixel is the PNG's, and it is read too."""
    model, svg, png = small(folder), folder / 'm.svg', folder / 'm.png'
    tool('qr', model, '-o', svg, '--scale', '2')
    tool('qr', model, '-o', png, '--scale', '2')
    top = ET.parse(svg).getroot()
    side = int(top.get('viewBox').split()[3])
    assert top.get('viewBox') == f'0 0 {side} {side}' and top.get('width') == top.get('height') == str(2 * side)
    paths = list(top.iter('{http://www.w3.org/2000/svg}path'))
    assert len(paths) == 1
    white, dark = [[True] * side for _ in range(side)], 0
    for x, y, width in re.findall(r'M(\d+) (\d+)h(\d+)v1h-\3z', paths[0].get('d')):
        for i in range(int(x), int(x) + int(width)):
            white[int(y)][i] = False
            dark += 1
    assert re.fullmatch(r'(M\d+ \d+h\d+v1h-\d+z\s*)+', paths[0].get('d')) and dark > side
    rows = rows_of(png)
    assert len(rows) == 2 * side
    assert rows == [''.join('01'[w] * 2 for w in row) for row in white for _ in range(2)]
    assert all(set(row) == {'1'} for row in rows[:8] + rows[-8:]) and {row[:8] + row[-8:] for row in rows} == {'1' * 16}
    if not shutil.which('rsvg-convert'):
        pytest.skip('rsvg-convert is not installed (librsvg2-bin)')
    run('rsvg-convert', svg, '-o', folder / 'r.png')
    assert scan(folder / 'r.png') == model.read_bytes()


@pytest.mark.slow
def test_signed_and_every_level(folder, zbar):
    """Signed or not, at each level: read back. Version and level by ISO/IEC 18004's table of capacities."""
    model = small(folder)
    keys(folder, 'k')
    tool('sign', '-k', folder / 'k.key', model, '-o', folder / 's.smol')
    for level in 'LMQH':
        path = folder / ('s.smol' if level in 'MH' else 'm.smol')
        assert told(folder, path, '--scale', '2', '--ecc', level)[1] == level
        assert scan(folder / 'm.png') == path.read_bytes(), level


@pytest.mark.slow
def test_which_code_is_chosen(folder):
    """The smallest version of a level, by the standard's table of capacities; a file has a multiple of 64 bytes, and signed 104 more."""
    for size, options, want in ((2944, [], (40, 'L', 177, 2953)), (2816, [], (40, 'L', 177, 2953)), (2752, [], (39, 'L', 173, 2809)),
                                (2304, ['--ecc', 'M'], (40, 'M', 177, 2331)), (2176, ['--ecc', 'M'], (39, 'M', 173, 2213)),
                                (1600, ['--ecc', 'Q'], (40, 'Q', 177, 1663)), (1536, ['--ecc', 'Q'], (39, 'Q', 173, 1579)),
                                (1216, ['--ecc', 'H'], (39, 'H', 173, 1219)), (1472, [], (28, 'L', 129, 1528)), (1472, ['--ecc', 'L'], (28, 'L', 129, 1528)),
                                (1280, ['--ecc', 'Q'], (35, 'Q', 157, 1283))):
        assert told(folder, of_size(folder, size), *options) == want, (size, options)


def test_too_large(folder):
    """Its size, the limit, and what helps, which is true."""
    def refused(path, *options):
        line, = tool_text('qr', path, '-o', folder / 'x.png', *options, code=1).stderr.splitlines()
        found = re.fullmatch(r'smoltool qr: .*: (\d+) bytes, and the largest QR code of level ([LMQH]) holds (\d+): (.*)', line)
        assert found and int(found[1]) == path.stat().st_size and not (folder / 'x.png').exists(), line
        assert int(found[3]) == {'L': 2953, 'M': 2331, 'Q': 1663, 'H': 1273}[found[2]]
        return found[4]

    def signed(path):
        tool('sign', '-k', folder / 'k.key', path)
        return path

    keys(folder, 'k')
    assert refused(of_size(folder, 3008)) == 'without its card (smoltrain --no-card) it would fit'
    assert refused(signed(of_size(folder, 3008))) == 'without its card (smoltrain --no-card) it would fit'
    assert refused(signed(of_size(folder, 2944))) == 'unsigned it would fit, and smoltool sign --detached signs beside it'
    assert refused(signed(of_size(folder, 3072, largest(folder)))) == 'unsigned and without its card (smoltrain --no-card) it would fit'
    for size, level in ((2368, 'M'), (1664, 'Q'), (1280, 'H')):
        assert refused(of_size(folder, size), '--ecc', level) == 'one of level L holds 2953'
    assert refused(root / 'models/shakespeare-alpha.smol').startswith('it takes fewer tokens')


def test_damaged(folder):
    model = small(folder)
    data = bytearray(model.read_bytes())
    data[len(data) // 2] ^= 1
    for path in (write(folder / 'bad.smol', bytes(data)), write(folder / 'empty', b''), folder / 'none', folder):
        line = tool_text('qr', path, '-o', folder / 'x.svg', code=1).stderr
        assert line.startswith(f'smoltool qr: {path}: ') and line.count('\n') == 1 and not (folder / 'x.svg').exists()
    for out in (folder / 'no/such.png', folder / 'd.png'):
        (folder / 'd.png').mkdir(exist_ok=True)
        line = tool_text('qr', model, '-o', out, code=1).stderr
        assert line.startswith(f'smoltool qr: {out}: ') and line.count('\n') == 1


def test_usage(folder):
    model, out = small(folder), folder / 'x.png'
    for bad in ([], [model], ['-o', out], [model, model, '-o', out], [model, '-o', folder / 'x.pdf'], [model, '-o', folder / 'png'], [model, '-o', ''],
                *([model, '-o', out, '--ecc', level] for level in ('', 'l', 'LM', 'X', 'LMQH')),
                *([model, '-o', out, '--scale', scale] for scale in ('0', '65', '-1', '2x', '99999999999'))):
        line = tool_text('qr', *bad, code=2).stderr
        assert line.startswith('smoltool qr: ') and not out.exists(), (bad, line)


def test_pipes_and_terminals(folder):
    """- is a PNG for a pipe; on a terminal it would be noise. The model may come from a pipe too."""
    model = small(folder)
    tool('qr', '/dev/stdin', '-o', folder / 'piped.svg', input=model.read_bytes())
    tool('qr', model, '-o', folder / 'm.svg')
    assert (folder / 'piped.svg').read_bytes() == (folder / 'm.svg').read_bytes()
    tool('qr', model, '-o', folder / 'm.png')
    done = tool('qr', model, '-o', '-')
    assert done.stdout == (folder / 'm.png').read_bytes() and b'QR code of version' in done.stderr
    assert len(rows_of(folder / 'm.png')) == 8 * (int(re.search(rb': (\d+) x', done.stderr)[1]) + 8)
    leader, follower = pty.openpty()
    refused = subprocess.run([smoltool, 'qr', model, '-o', '-'], stdout=follower, stderr=subprocess.PIPE, text=True)
    os.close(follower)
    os.close(leader)
    assert refused.returncode == 2 and 'terminal' in refused.stderr
    with open('/dev/full', 'wb') as full:
        assert tool('qr', model, '-o', '-', stdout=full, stderr=subprocess.PIPE, capture_output=False, code=1).stderr
