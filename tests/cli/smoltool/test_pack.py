"""smoltool pack and unpack from outside: texts that come back, base 91 by Python's integers, tags by the hash that verify prints, what is
refused. Models are untrained: one of few tokens saves all the same."""
import json
import os
import pty
import random
import re
import struct
import subprocess

import container
import pytest
from programs import root, run, smoltool, tool, tool_text, write

DIGITS = ''.join(chr(c) for c in range(33, 127) if chr(c) not in '"\'\\')
WORDS = b'the rain in spain stays mainly in the plain\n'
SHAPE = ['--arch', 'smol', '--method', 'mask', '--layers', '1', '--width', '16', '--heads', '2', '--context', '32']
SCRIPTS = ['', 'a', 'the rain', 'Ünïcödé ß', 'ελληνικά', 'русский', 'עברית', 'العربية', 'हिन्दी', 'ไทย', '한국어', '日本語テキスト', '😀👩\u200d🚀🏴', '\0\x01\x7f', '\ufeffx',
           '<|endoftext|>', 'the <|endoftext|> rain', '\u0800\ud7ff\uffff\U00010000\U0010ffff']


def new(folder, name, *more, of=WORDS):
    tool('new', *SHAPE, '--bytes-of', write(folder / (name + '.txt'), of), '-o', folder / (name + '.smol'), *more)
    return folder / (name + '.smol')


@pytest.fixture(scope='module')
def place(tmp_path_factory):
    """Two models of other tokens and tags, one of letters without the rest."""
    folder = tmp_path_factory.mktemp('pack')
    new(folder, 'few', '--other')
    seed = 1
    while tag(new(folder, 'digits', '--other', '--seed', seed, of=b'0123456789.,- ')) == tag(folder / 'few.smol'):
        seed += 1
    new(folder, 'bare')
    return folder


def tag(model):
    """SPEC.md 15, by the hash that verify prints."""
    hashed = bytes.fromhex(json.loads(tool_text('verify', '--json', model).stdout)['hash'])
    return 1 + struct.unpack('<Q', hashed[:8])[0] % 15


def pack(model, text, *options):
    return tool('pack', '-m', model, *options, input=text).stdout


def unpack(model, packed, *options, **more):
    return tool('unpack', '-m', model, *options, input=packed, **more).stdout


def refused(model, packed, *options, why):
    done = tool('unpack', '-m', model, *options, input=packed, code=1)
    assert done.stdout == b'' and done.stderr.count(b'\n') == 1 and re.search(why, done.stderr.decode()), done.stderr
    return done


# ---- one text ----

def test_texts_come_back(place, check):
    source = random.Random(1)
    texts = [s.encode() for s in SCRIPTS] + [source.randbytes(n) for n in (1, 61, 300)] + [WORDS * 20]
    for model, options in ((place / 'few.smol', ([], ['--check', '--text'])), (place / 'bare.smol', ([],))):
        for text in texts:
            for option in options:
                packed = pack(model, text, *option)
                size = len(packed) if '--text' not in option else 61 * len(packed.strip()) // 75
                check.that(size <= len(text) + 1 + bool(option), 'at most a byte longer: %r' % text[:40])
                check.equal(unpack(model, packed, *option), text, '%s %s %.40r' % (model.name, option, text))
    assert pack(place / 'few.smol', b'') == b''


def test_golden_texts(check):
    """What the reference has packed with golden models of every kind of tokenizer."""
    for line in (root / 'tests/golden/vectors/packed.txt').read_text().splitlines()[1:]:
        name, action, demanded, text, packed = line.split(' ')
        if action == 'pack':
            model, option = root / 'tests/golden/good' / (name + '.smol'), ['--check'] * int(demanded)
            text, packed = text.strip('-'), packed.strip('-')
            check.equal(pack(model, bytes.fromhex(text), *option).hex(), packed, line)
            check.equal(unpack(model, bytes.fromhex(packed), *option).hex(), text, line)


def test_saves(place):
    """15 letters that the model takes for as good as any other symbol: some 4 bits each of 8."""
    packed = pack(place / 'few.smol', WORDS * 10)
    n = len(set(WORDS)) + 1
    assert len(packed) < len(WORDS) * 10 * 0.62 and n == 15
    assert packed[0] >> 4 == tag(place / 'few.smol')


def test_check_byte(place):
    """In a text as it is: 1, the text, the lowest byte of its XXH3-64, here by python-xxhash."""
    for text in (b'XYZ!', b'Z', bytes(300)[:-1] + b'x'):
        packed = pack(place / 'digits.smol', text, '--check')
        assert packed == b'\x01' + text + bytes([container.xxh3(text) & 255])
        refused(place / 'digits.smol', packed[:-1] + bytes([packed[-1] ^ 1]), why='damaged')
        refused(place / 'digits.smol', b'\0' + text, '--check', why='without a check')
        assert unpack(place / 'digits.smol', packed) == unpack(place / 'digits.smol', packed, '--check') == text


def test_wrong_models_are_told(place):
    few, digits = place / 'few.smol', place / 'digits.smol'
    packed = pack(few, WORDS)
    refused(digits, packed, why=r'of another model: tag %d, and this model\'s is %d$' % (tag(few), tag(digits)))
    other = pack(place / 'few.smol', WORDS, '--text').decode().strip()
    done = tool('unpack', '-m', digits, '--text', other, code=1)
    assert done.stdout == b'' and b'another model' in done.stderr


def test_damage_is_no_crash(place):
    """Each byte changed, and each length: a message, or with a check byte only seldom another text."""
    few = place / 'few.smol'
    packed = pack(few, WORDS, '--check')
    wrong = 0
    for n in range(1, len(packed), 3):
        wrong += unpack_any(few, packed[:n], '--check') == 0
        wrong += unpack_any(few, packed[:n] + bytes([packed[n] ^ 16]) + packed[n + 1:], '--check') == 0
    assert wrong <= 1
    assert unpack_any(few, packed + b'\0') == 1 and unpack_any(few, packed + b'x') == 1


def unpack_any(model, packed, *options):
    done = subprocess.run([smoltool, 'unpack', '-m', model, *options], input=packed, capture_output=True, timeout=60)
    assert done.returncode in (0, 1) and (done.returncode == 0 or (done.stdout == b'' and done.stderr.count(b'\n') == 1)), done
    return done.returncode


def test_no_text_without_end(place):
    """Bytes after which the first symbol would come for ever."""
    few = place / 'few.smol'
    refused(few, bytes([tag(few) << 4]), '--max', '100M', why='damaged')
    refused(few, bytes([tag(few) << 4 | 1]), '--max', '100M', why='damaged')


def test_limit(place):
    few = place / 'few.smol'
    packed = pack(few, WORDS)
    for most in (1, len(WORDS) - 1):
        refused(few, packed, '--max', str(most), why='longer than %d bytes; --max' % most)
    assert unpack(few, packed, '--max', str(len(WORDS))) == WORDS
    for wrong in ('', '0', '-1', '1X', 'x'):
        assert b'--max' in tool('unpack', '-m', few, '--max', wrong, code=2).stderr


def test_instructions_and_threads(place):
    text = WORDS * 5
    packed = pack(place / 'few.smol', text)
    for option in (['--isa', 'scalar'], ['-t', '2']):
        assert pack(place / 'few.smol', text, *option) == packed
        assert unpack(place / 'few.smol', packed, *option) == text


# ---- several models ----

def test_the_best_wins(place):
    both = ['-m', place / 'digits.smol', '-m', place / 'few.smol']
    for text, model in ((b'555-01234,12.50', 'digits.smol'), (b'stays in the rain', 'few.smol')):
        packed = tool('pack', *both, input=text).stdout
        assert packed == pack(place / model, text) and packed[0] >> 4 == tag(place / model)
        assert tool('unpack', *both, input=packed).stdout == text
        assert tool('unpack', *both[2:], *both[:2], input=packed).stdout == text
    assert tool('pack', *both, input=b'&&').stdout == b'\0&&'
    assert tool('unpack', *both, input=b'\0&&').stdout == b'&&'
    unknown = next(t for t in range(1, 16) if t not in (tag(place / 'digits.smol'), tag(place / 'few.smol')))
    done = tool('unpack', *both, input=bytes([unknown << 4, 9]), code=1)
    assert b'tag %d, and these models\' are %d, %d' % (unknown, tag(place / 'digits.smol'), tag(place / 'few.smol')) in done.stderr


def test_models_alike_are_refused(place):
    done = tool('pack', '-m', place / 'few.smol', '-m', place / 'few.smol', 'x', code=1)
    assert b'both have the tag %d' % tag(place / 'few.smol') in done.stderr


# ---- as text ----

def base91(data):
    """SPEC.md 15, "As text", by integers."""
    text = ''
    for at in range(0, len(data), 61):
        block = data[at:at + 61]
        value, n = int.from_bytes(block, 'big'), -(-75 * len(block) // 61)
        text += ''.join(DIGITS[value // 91 ** i % 91] for i in range(n - 1, -1, -1))
    return text


def test_digits(place, check):
    """Any bytes by way of a text that is packed as it is."""
    source = random.Random(2)
    assert len(DIGITS) == 91 and json.dumps(DIGITS) == '"%s"' % DIGITS
    for n in [*range(1, 8), 59, 60, 61, 62, 121, 122, 123, 400]:
        text = source.randbytes(n - 1) + b'\xff'
        packed = pack(place / 'digits.smol', text)
        digits = pack(place / 'digits.smol', text, '--text').decode()
        check.equal(digits, base91(packed) + '\n', n)
        check.that(len(digits) - 1 <= 1.23 * len(packed) + 1, n)
    for text in (b'\xff' * 130, b'\0' * 130):
        assert pack(place / 'digits.smol', text, '--text').decode() == base91(pack(place / 'digits.smol', text)) + '\n'


def test_digits_survive(place):
    """White space is passed over, a shell and JSON leave them as they are, and what is none is told with its place."""
    few = place / 'few.smol'
    digits = pack(few, WORDS * 3, '--text').decode().strip()
    folded = '  ' + '\r\n\t'.join(digits[i:i + 7] for i in range(0, len(digits), 7)) + '\n\n'
    assert unpack(few, folded.encode(), '--text') == WORDS * 3
    assert run('sh', '-c', "'%s' unpack -m '%s' --text -- '%s'" % (smoltool, few, digits)).stdout == WORDS * 3
    for bad, where in (('"' + digits, 0), (digits[:9] + 'é' + digits[9:], 9), (digits + '\0', len(digits))):
        refused(few, bad.encode(), '--text', why='byte %d: no character of a packed text' % where)
    refused(few, b'!', '--text', why='damaged, or cut short')  # no byte takes one digit
    refused(few, b'~~', '--text', why='damaged, or cut short')  # 8280, and a byte is at most 255
    refused(few, b'~' * 75, '--text', why='damaged, or cut short')
    assert unpack(few, b' \n', '--text') == b''


# ---- where texts come from, and go to ----

def test_arguments(place, folder):
    few = place / 'few.smol'
    file = write(folder / 'rain', WORDS)
    packed = pack(few, WORDS)
    assert tool('pack', '-m', few, file).stdout == packed == tool('pack', '-m', few, '-', input=WORDS).stdout
    assert tool('pack', '-m', few, WORDS.decode()).stdout == packed
    assert tool('pack', '-m', few, 'rain', cwd=folder).stdout == packed
    assert tool('pack', '-m', few, '').stdout == b''
    told = tool('pack', '-m', few, 'rains.txt')
    assert b'rains.txt: there is no such file, so this is the text itself' in told.stderr and told.stdout == pack(few, b'rains.txt')
    assert tool('pack', '-m', few, 'rain. in spain').stderr == b''
    digits = pack(few, WORDS, '--text').decode().strip()
    assert tool('unpack', '-m', few, '--text', '--', digits).stdout == WORDS
    assert b'Is a directory' in tool('pack', '-m', few, folder, code=1).stderr
    assert b'No such file' in tool('unpack', '-m', few, folder / 'none', code=1).stderr


def test_output(place, folder):
    few, out = place / 'few.smol', folder / 'out'
    told = tool_text('pack', '-m', few, '-o', out, WORDS.decode()).stderr
    n = out.stat().st_size
    assert out.read_bytes() == pack(few, WORDS)
    assert told == 'smoltool pack: %s: %d bytes in %d: %.2f bits a character, %.1f %% saved by few.smol\n' % (
        out, len(WORDS), n, 8 * n / len(WORDS), 100 - 100 * n / len(WORDS))
    assert tool_text('pack', '-m', few, '-o', out, '&&').stderr.endswith('2 bytes, which no model makes shorter: as they are, in 3\n')
    write(out, b'before')
    tool('unpack', '-m', few, '-o', out, input=b'\xf0\x12\x34', code=1)
    assert out.read_bytes() == b'before'
    tool('unpack', '-m', few, '-o', out, input=pack(few, WORDS))
    assert out.read_bytes() == WORDS


def on_terminal(*command, text=b''):
    ours, theirs = pty.openpty()
    process = subprocess.Popen([str(c) for c in command], stdin=subprocess.PIPE, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    err = process.communicate(text, timeout=60)[1]
    try:
        shown = os.read(ours, 65536)
    except OSError:
        shown = b''
    os.close(ours)
    return process.returncode, shown, err


def test_terminals(place):
    """No bytes to a terminal; no control characters, which a stranger's text may have; and a line end."""
    few = place / 'few.smol'
    code, shown, err = on_terminal(smoltool, 'pack', '-m', few, 'the rain')
    assert (code, shown) == (2, b'') and b'--text' in err
    code, shown, _ = on_terminal(smoltool, 'pack', '-m', few, '--text', 'the rain')
    assert (code, shown) == (0, pack(few, b'the rain', '--text').replace(b'\n', b'\r\n'))
    code, shown, _ = on_terminal(smoltool, 'unpack', '-m', few, text=pack(few, b'the\x1b[2J\xc2\x9brain\n\tin'))
    assert (code, shown) == (0, b'the?[2J?rain\r\n\tin\r\n')


# ---- lines ----

LINES = ['the rain in spain', '', 'stays', '\u00fcber 5 \u20ac', '&&', 'mainly in the plain']


def test_lines(place, folder):
    few = place / 'few.smol'
    plain = write(folder / 'plain', '\ufeff' + '\r\n'.join(LINES[:3]) + '\r\n' + '\n'.join(LINES[3:]))
    packed = [pack(few, line.encode()) for line in LINES]
    done = tool_text('pack', '-m', few, '--lines', '--text', plain)
    assert done.stdout == ''.join(base91(p) + '\n' for p in packed)
    assert tool('unpack', '-m', few, '--lines', '--text', input=done.stdout.encode()).stdout.decode() == '\n'.join(LINES) + '\n'
    sums = len(LINES), sum(len(s.encode()) for s in LINES), sum(map(len, LINES)), sum(map(len, packed)), sum(len(base91(p)) for p in packed)
    assert re.match(r'lines +%d\ntext +%d bytes, %d characters\npacked +%d bytes, as text %d characters\n' % sums, done.stderr), done.stderr
    figures = json.loads(tool('pack', '-m', few, '--lines', '--json', '-t', '3', plain).stdout)
    assert (figures['lines'], figures['text_bytes'], figures['characters'], figures['packed_bytes'], figures['packed_characters']) == sums
    assert figures['bits_per_character'] == pytest.approx(8 * sums[3] / sums[2]) and figures['saved_percent'] == pytest.approx(100 - 100 * sums[3] / sums[1])
    raw = sum(p == b'' or p[0] >> 4 == 0 for p in packed)
    assert figures['lines_as_they_are'] == raw and figures['models'] == [{'model': str(few), 'tag': tag(few), 'lines': len(LINES) - raw}]
    assert 2 <= raw < len(LINES) - 1 and figures['threads'] == 3
    text = tool_text('pack', '-m', few, '--lines', plain).stdout
    assert re.search(r'^saved +%.2f %%$' % figures['saved_percent'], text, re.M) and re.search(r'^bits/character +%.3f$' % figures['bits_per_character'], text, re.M)


def test_json_lines(place, folder):
    """Told by its name or its first line; texts with line ends, zeros and escapes come back as JSON."""
    few = place / 'few.smol'
    texts = [*LINES, 'two\nlines', 'zero\0', '😀', '{"text": 1}']
    lines = [json.dumps({'n': i, 'text': t}, ensure_ascii=i % 2 == 0) for i, t in enumerate(texts)]
    for name in ('a.jsonl', 'b.ndjson', 'c'):
        done = tool_text('pack', '-m', few, '--lines', '--text', write(folder / name, '\n' + '\n \n'.join(lines)))
        assert done.stdout == ''.join(base91(pack(few, t.encode())) + '\n' for t in texts)
    back = tool_text('unpack', '-m', few, '--lines', '--text', '--json', input=done.stdout).stdout
    assert [json.loads(line) for line in back.splitlines()] == [{'text': t} for t in texts]
    done = tool_text('unpack', '-m', few, '--lines', '--text', input=done.stdout, code=1)
    assert 'line 7: its text has line ends itself; --json keeps them' in done.stderr and done.stdout == ''
    for bad, why in (('{"text": 1}', 'no "text"'), ('{}', 'no "text"'), ('[1]', 'no "text"'), ('the rain', 'no JSON'), ('{"text": "a"', 'no JSON')):
        done = tool_text('pack', '-m', few, '--lines', write(folder / 'bad.jsonl', lines[0] + '\n\n' + bad), code=1)
        assert 'bad.jsonl: line 3: %s' % why in done.stderr, done.stderr
    line = base91(pack(few, b'the \xff')) + '\n'
    assert 'line 1: its text is not UTF-8' in tool_text('unpack', '-m', few, '--lines', '--text', '--json', input=line, code=1).stderr


def test_lines_that_fail(place):
    """The first is told, whichever thread meets it."""
    few = place / 'few.smol'
    good = pack(few, WORDS.strip(), '--text').decode()
    for _ in range(3):
        done = tool_text('unpack', '-m', few, '--lines', '--text', '-t', '4', input=good * 6 + '~~\n' + good * 9 + '"\n', code=1)
        assert 'line 7: a packed text that is damaged, or cut short' in done.stderr and done.stdout == '', done.stderr


def test_lines_of_all_sizes(place):
    """More lines than are unpacked side by side, two models', in any order; those that have far more text than most are unpacked alone, and the first
    that is too long is told."""
    few, other = place / 'few.smol', place / 'digits.smol'
    texts = [('the rain ' * (i % 90 + 1)).strip() if i % 5 else '3' * i for i in range(1, 400)]
    lines = '\n'.join(texts) + '\n'
    packed = tool('pack', '-m', few, '-m', other, '--lines', '--text', '-t', '1', input=lines.encode()).stdout
    for threads in '1', '3':
        assert tool_text('unpack', '-m', few, '-m', other, '--lines', '--text', '-t', threads, input=packed.decode()).stdout == lines
    first = next(i for i, text in enumerate(texts, 1) if len(text) > 700)
    done = tool_text('unpack', '-m', few, '-m', other, '--lines', '--text', '--max', '700', input=packed.decode(), code=1)
    assert 'line %d: the text is longer than 700 bytes; --max allows more' % first in done.stderr and done.stdout == '', done.stderr


def test_lines_are_packed_as_if_alone(place):
    """Whichever thread packs them, and whatever it has packed before: none, short ones, and some that fill the context more than once."""
    lines = ['the rain ' * n + 'in Spain!'[:n] for n in (0, 1, 0, 90, 2, 13, 14, 15, 0, 1, 60, 3)] + SCRIPTS[1:13]
    for model in place / 'few.smol', root / 'models/messages-64k.smol', root / 'models/shakespeare-qr.smol':
        alone = ''.join(base91(pack(model, line.encode())) + '\n' for line in lines)
        for threads in 1, 2, 5:
            assert tool_text('pack', '-m', model, '--lines', '--text', '-t', threads, input='\n'.join(lines) + '\n').stdout == alone, (model, threads)


def test_no_lines(place):
    few = place / 'few.smol'
    assert json.loads(tool('pack', '-m', few, '--lines', '--json', input=b'').stdout)['saved_percent'] == 0
    assert tool('unpack', '-m', few, '--lines', '--text', input=b'').stdout == b''
    assert json.loads(tool('pack', '-m', few, '--lines', '--json', '-t', '256', 'the rain').stdout)['threads'] == 1


# ---- the command line ----

def test_usage(place):
    few = place / 'few.smol'
    for words, what in ((['pack', 'x'], '--model: is missing'), (['unpack'], '--model: is missing'), (['pack', '-m', few, 'x', 'y'], 'y: one argument too many'),
                        (['pack', '-m', few, '--json', 'x'], '--json: needs --lines'), (['unpack', '-m', few, '--lines'], '--lines: needs --text'),
                        (['pack', '-m', few, '--lines', '-o', 'x'], '--output: needs --text'), (['unpack', '-m', few, '--json'], '--json: needs --lines'),
                        (['pack', '-m', few, '--isa', 'abacus', 'x'], '--isa: takes'), (['pack', '-m', few, '-t', '-1', 'x'], '--threads: takes'), (['pack', '-m', few, '-t', '257', 'x'], '--threads: takes 0..256')):
        done = tool_text(*words, code=2)
        assert what in done.stderr, done.stderr
    assert 'No such file' in tool_text('pack', '-m', 'none.smol', 'x', code=1).stderr
