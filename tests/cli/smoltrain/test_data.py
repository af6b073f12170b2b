"""smoltrain's data from outside: several files, JSON lines, gzip, separators, caches, and what is wrong with any of them.

What stands in a corpus is read by a reader of its own, written from SPEC.md's appendix C."""
import contextlib
import gzip
import hashlib
import json
import os
import pathlib
import resource
import signal
import struct
import subprocess
import tempfile
import time

import xxhash

from programs import root, run_text as run, smoltrain

SPEC = (root / 'SPEC.md').read_bytes()
FILES = {'text': SPEC[:9001], 'other': SPEC[10000:16000]}


small = ['--arch', 'gpt2', '--layers', '1', '--width', '16', '--heads', '2', '--context', '8', '--batch', '2', '--threads', '1',
         '--eval-every', '0', '--steps', '3']
separator = b'<|endoftext|>'


def train(folder, *arguments, code=0, **more):
    return run(smoltrain, *small, '-o', folder / 'm.smol', *arguments, code=code, **more)


def data(*paths):
    return [word for path in paths for word in ('--data', path)]


def read_corpus(path):
    """The text of a corpus of bytes, its fields and the starts of its documents; every checksum is tested."""
    raw = path.read_bytes()
    (magic, version, width, vocab, tokenizer, n, n_train, n_documents, text_bytes, source_bytes, text_hash, tokens_sum,
     tables_sum, reserved, header_sum) = struct.unpack('<8sHHIQQQQQQ32sQQQQ', raw[:128])
    assert magic == b'\x89SMC\r\n\x1a\n' and version == 1 and width == 1 and vocab == 256 and reserved == 0
    assert tokenizer == xxhash.xxh3_64_intdigest(b'', seed=256)
    assert header_sum == xxhash.xxh3_64_intdigest(raw[:120])
    tokens = raw[128:128 + n]
    assert tokens_sum == xxhash.xxh3_64_intdigest(tokens) and text_bytes == n
    assert text_hash == hashlib.blake2b(tokens, digest_size=32).digest()
    assert tables_sum == xxhash.xxh3_64_intdigest(raw[128 + n:])
    at = 128 + (n + 7) // 8 * 8
    starts = struct.unpack(f'<{n_documents}Q', raw[at:at + 8 * n_documents])
    at += 8 * n_documents
    assert len(raw) == at + source_bytes
    sources = []
    while at < len(raw):
        size, seconds, nanoseconds, validation, name_bytes = struct.unpack('<QQQII', raw[at:at + 32])
        name = raw[at + 32:at + 32 + name_bytes]
        assert os.stat(name).st_size == size and os.stat(name).st_mtime_ns == seconds * 10**9 + nanoseconds
        sources.append((name, validation))
        at += 32 + name_bytes
    return tokens, n_train, starts, sources


def cached(folder, *arguments):
    """The corpus that these arguments make."""
    with tempfile.TemporaryDirectory(dir=folder) as cache:
        train(folder, '--cache', cache, *arguments)
        path, = pathlib.Path(cache).iterdir()
        return read_corpus(path)


def fails(folder, *arguments, says):
    """One line that says what must be said; nothing is written."""
    before = sorted(folder.rglob('*'))
    done = train(folder, *arguments, code=1)
    lines = done.stderr.splitlines()
    assert len(lines) == 1 and lines[0].startswith('smoltrain: ') and done.stdout == '', done.stderr
    for word in says:
        assert word in lines[0], (word, lines[0])
    assert sorted(folder.rglob('*')) == before, done.stderr


def json_lines(documents):
    return ''.join(json.dumps({'url': 'u', 'text': d, 'n': 1}) + '\n' for d in documents).encode()


# Each test gets an empty folder with the files text and other.

def test_one_file_is_its_bytes(folder):
    text = (folder / 'text').read_bytes()
    tokens, n_train, starts, sources = cached(folder, *data(folder / 'text'))
    assert tokens == text and n_train == len(text) and starts == (0,)
    assert sources == [(bytes(folder / 'text'), 0)]


def test_files_are_joined_by_separators(folder):
    text, other = (folder / 'text').read_bytes(), (folder / 'other').read_bytes()
    tokens, _, starts, sources = cached(folder, *data(folder / 'text', folder / 'other'))
    assert tokens == text + separator + other
    assert starts == (0, len(text) + 13) and len(sources) == 2


def test_separators_split(folder):
    story = b'once' * 20 + separator + b'\nupon\n' + separator + b'\na time' + separator
    (folder / 'stories').write_bytes(story)
    tokens, _, starts, _ = cached(folder, *data(folder / 'stories'))
    assert tokens == story and starts == (0, 93, 112)


def test_a_model_is_the_same_from_a_file_or_its_parts(folder):
    text, other = (folder / 'text').read_bytes(), (folder / 'other').read_bytes()
    (folder / 'both').write_bytes(text + separator + other)
    models = []
    for arguments in (data(folder / 'both'), data(folder / 'text', folder / 'other')):
        train(folder, *arguments)
        models.append((folder / 'm.smol').read_bytes())
    embeddings = slice(-64 - 256 * 16 - 256 * 4, -64)  # before the hash: q8 numbers and scales, and more
    assert models[0][embeddings] == models[1][embeddings]
    assert b'"files": 2' in models[1] and b'"files"' not in models[0]


def test_json_lines(folder):
    documents = ['first \u00e9\U0001f600 ' * 9, 'second\nof two\x00lines', 'third']
    expected = separator.join(d.encode() for d in documents)
    plain = json_lines(documents)
    files = {'a.json': plain, 'a.jsonl': plain[:-1], 'b.json': plain.replace(b'\n', b'\r\n\n'),
             'a.json.gz': gzip.compress(plain), 'a.jsonl.gz': gzip.compress(plain[:50]) + gzip.compress(plain[50:]),
             'a.txt.gz': gzip.compress(expected), 'a.txt': expected}
    for name, contents in files.items():
        (folder / name).write_bytes(contents)
        tokens, _, starts, _ = cached(folder, *data(folder / name))
        assert tokens == expected and len(starts) == (1 if 'txt' in name else 3) + ('txt' in name) * 2, name


def test_what_other_fields_hold_does_not_matter(folder):
    """Each of these is JSON to Python too, whose reader says what the text is; it keeps half surrogate pairs, which become U+FFFD."""
    text = 'a text ' * 20
    front = '{"text": %s' % json.dumps(text)
    lines = {'integers': front + ', "id": 123456789012345678901234567890, "n": -99999999999999999999}', 'reals': front + ', "x": 1e400, "y": -1E+999, "z": 1e-999}',
             'zero in a name': front + ', "a\\u0000b": 1, "text\\u0000": "x", "\\u0000": {}}', 'names twice': front + ', "a": {"a": 1, "a": [2]}, "a": 3}',
             'text twice': '{"text": 1, "a": {"text": "b"}, ' + front[1:] + '}', 'inside': '{"a": [{"text": "b"}], "b": {"text": "c"}, ' + front[1:] + '}',
             'deep': front + ', "b": ' + '[' * 900 + '{}' + ']' * 900 + '}',
             'half elsewhere': front + ', "title": "x\\ud83d", "\\udc18": "\\udc18\\ud83d"}', 'empty name': front + ', "": ""}',
             'mark': '\ufeff' + front + '}', 'mark and space': '\ufeff \t' + front + '}\r',
             'half': '{"text": "' + text + '\\ud83d"}', 'low half': '{"text": "\\udc18' + text + '\\\\ud83d\\uD83Dx"}',
             'halves': '{"text": "' + text + '\\ud83d\\ud83d\\udc18\\udc18\\ud83d\\u0041\\ud83d\\n"}', 'escapes': '{"te\\u0078t": "\\/\\b\\f\\"\\\\u0041\\u00e9' + text + '"}'}
    for name, line in lines.items():
        (folder / 'a.jsonl').write_text(line + '\n' + front + '}\n', encoding='utf-8')
        found = json.loads(line.removeprefix('\ufeff'))['text'].encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')
        assert cached(folder, *data(folder / 'a.jsonl'))[0].decode() == found + '<|endoftext|>' + text, name
    # So deep that Python does not follow.
    (folder / 'a.jsonl').write_text(front + ', "b": ' + '[{"a":' * 100000 + '1' + '}]' * 100000 + '}')
    assert cached(folder, *data(folder / 'a.jsonl'))[0].decode() == text


def test_what_is_not_json_is_refused_wherever_it_is(folder):
    front = '{"text": "' + 'a text ' * 20 + '"'
    ends = [', "x": NaN}', ', "x": -Infinity}', ', "x": 01}', ', "x": 1.}', ', "x": .5}', ', "x": +1}', ', "x": 1e}', ', "x": 0x1}', ', "x": \'a\'}', ', "x": "\t"}',
            ', "x": "\\x41"}', ', "x": "\\ud83"}', ', "x": "\\ud83d\\udc1"}', ', "x": nul}', ', "x": True}', ', x: 1}', ', 1: 1}', ', "x"}', ', "x": }', ', }', ',, "x": 1}',
            ', "x": [1,]}', ', "x": [1}}', ', "x": [}', ', "x": /* */ 1}', '} // x', '}}', '}"', '}"}', '} 1', '}, {}', '', ', "x": "}', '\f}', '}\v', ', "x": "\x7f" "y"}']
    for end in ends:
        try:
            json.loads(front + end, parse_constant=lambda word: 1 // 0)
            assert False, end
        except (ValueError, ZeroDivisionError):
            pass
    for end in [*(e.encode() for e in ends), b', "x": "\xff"}', b', "x": "\xed\xa0\x80"}', b', "x": "\xc0\x80"}', b', "x": "\xf4\x90\x80\x80"}', b', "\xe2\x82": 1}', b'}\0', b'}\xef\xbb\xbf']:
        (folder / 'a.jsonl').write_bytes(b'{"text": "b"}\n' + front.encode() + end)
        fails(folder, *data(folder / 'a.jsonl'), says=['a.jsonl: line 2: not JSON: '])
    for end in (b', "text": 1}', b', "text": null}', b', "text": ["a"]}', b', "text": {"text": "a"}}'):
        (folder / 'a.jsonl').write_bytes(front.encode() + end)
        fails(folder, *data(folder / 'a.jsonl'), says=['a.jsonl: line 1: has no field "text" that is a string'])
    for line in (b'[{"text": "a"}]', b'"text"', b'{"a": {"text": "b"}}', b'1', b'["text", "a"]'):
        (folder / 'a.jsonl').write_bytes(line)
        fails(folder, *data(folder / 'a.jsonl'), says=['a.jsonl: line 1: has no field "text" that is a string'])
    (folder / 'a.jsonl').write_bytes((front + '}').encode('utf-16-be'))
    fails(folder, *data(folder / 'a.jsonl'), says=['a.jsonl: line 1: not JSON'])
    (folder / 'a.jsonl').write_bytes((front + '}').encode('utf-16'))
    fails(folder, *data(folder / 'a.jsonl'), says=['a.jsonl: line 1: not JSON', 'UTF-16'])


def test_names_in_any_case(folder):
    documents = ['first ' * 40, 'second ' * 40]
    expected, lines = separator.join(d.encode() for d in documents), json_lines(documents)
    files = {'a.JSON': lines, 'a.Jsonl': lines, 'a.ndjson': lines, 'a.NDJSON.gz': gzip.compress(lines), 'a.json.GZ': gzip.compress(lines), 'a.jsonl.Gz': gzip.compress(lines),
             'a.TXT.GZ': gzip.compress(expected), 'A.GZ': gzip.compress(expected)}
    for name, contents in files.items():
        (folder / name).write_bytes(contents)
        assert cached(folder, *data(folder / name))[0] == expected, name
    (folder / 'a.GZ').write_bytes(b'not compressed ' * 99)
    fails(folder, *data(folder / 'a.GZ'), says=['a.GZ', 'not in gzip format'])


def test_gzip_is_seen_whatever_the_name(folder):
    documents = ['first ' * 40, 'second ' * 40]
    expected, lines = separator.join(d.encode() for d in documents), json_lines(documents)
    for name, contents in {'a.txt': expected, 'a': expected, 'a.json': lines, 'a.jsonl': lines}.items():
        (folder / name).write_bytes(gzip.compress(contents))
        assert cached(folder, *data(folder / name))[0] == expected, name
        (folder / name).write_bytes(gzip.compress(contents)[:-9])
        fails(folder, *data(folder / name), says=[str(folder / name), 'cannot decompress'])
    # Its first byte alone is text, as are both before something else.
    for contents in (b'\x1f' + expected, b'\x1f\x8a' + expected, b'\x1f', b'\x8b\x1f' + expected):
        (folder / 'a').write_bytes(expected), (folder / 'b').write_bytes(contents)
        assert cached(folder, *data(folder / 'a', folder / 'b'))[0] == expected + separator + contents


def test_format(folder):
    documents = ['first ' * 40, 'second ' * 40]
    expected, lines = separator.join(d.encode() for d in documents), json_lines(documents)
    for name in ('a.txt', 'a.json', 'a.gz', 'b'):
        (folder / name).write_bytes(gzip.compress(lines) if name == 'a.gz' else lines)
        for format, tokens in (('jsonl', expected), ('text', lines), ('auto', expected if 'json' in name else lines)):
            assert cached(folder, '--format', format, *data(folder / name))[0] == tokens, (name, format)
    # A cache of one is none of the other.
    folder.joinpath('c').mkdir()
    for format in ('jsonl', 'text', 'auto', 'jsonl'):
        train(folder, '--format', format, '--cache', folder / 'c', *data(folder / 'b'))
    assert sorted(read_corpus(path)[0] for path in (folder / 'c').iterdir()) == sorted([expected, lines, lines])
    for wrong in ('json', 'TEXT', ''):
        assert '--format' in train(folder, '--format', wrong, *data(folder / 'b'), code=2).stderr
    (folder / 'b').write_bytes(b'no lines ' * 40)
    fails(folder, '--format', 'jsonl', *data(folder / 'b'), '--log', folder / 'l', says=['line 1: not JSON'])


def test_a_name_that_is_not_utf_8_is_in_log_and_card(folder):
    text, name = (folder / 'text').read_bytes(), os.fsdecode(os.fsencode(folder) + b'/a\xff\xc3\xa9.txt')
    for words, count in (([name], 1), ([name, folder / 'other'], 2)):
        pathlib.Path(name).write_bytes(text)
        train(folder, *data(*words), '--log', folder / 'log')
        found = json.loads((folder / 'log').read_text().splitlines()[0])['data']
        assert (found if count == 1 else found[0]) == str(folder) + '/a\\xff\u00e9.txt'
        model = (folder / 'm.smol').read_bytes()
        assert b'"name": "a\\\\xff\\u00e9.txt"' in model.replace(b'u00E9', b'u00e9')


def test_long_lines_and_empty_documents(folder):
    documents = ['', 'x' * 300000, '', 'y' * 70000, '']
    (folder / 'a.json').write_bytes(json_lines(documents))
    tokens, _, starts, _ = cached(folder, *data(folder / 'a.json'))
    assert tokens.rstrip(b'<|endoftext>') == b'x' * 300000 + separator + b'y' * 70000
    assert starts == (0, 300013)


def test_any_bytes_are_text(folder):
    for name, contents in (('nul', b'\0' * 500), ('binary', bytes(range(256)) * 3)):
        (folder / name).write_bytes(contents)
        assert cached(folder, *data(folder / name))[0] == contents


def test_validation_files(folder):
    text, other = (folder / 'text').read_bytes(), (folder / 'other').read_bytes()
    log = folder / 'log'
    tokens, n_train, starts, sources = cached(folder, *data(folder / 'text'), '--valid', folder / 'other', '--valid',
                                              folder / 'text', '--log', log)
    assert tokens == text + other + separator + text and n_train == len(text)
    assert starts == (0, len(text), len(text) + len(other) + 13) and [s[1] for s in sources] == [0, 1, 1]
    start, *_, last, _ = (json.loads(line) for line in log.read_text().splitlines())
    assert start['train_bytes'] == len(text) and last['tokens'] == len(other) + 13 + len(text) - 1
    (folder / 'empty').write_bytes(b'')
    fails(folder, *data(folder / 'text'), '--valid', folder / 'empty', says=['empty', 'holds no text'])
    (folder / 'one').write_bytes(b'1')
    fails(folder, *data(folder / 'text'), '--valid', folder / 'one', says=['1 to validate on'])


def test_a_cache_is_used_while_it_fits(folder):
    cache = folder / 'cache'
    arguments = [*data(folder / 'text', folder / 'other'), '--cache', cache]
    assert 'encoded 2 documents' in train(folder, *arguments).stderr
    made = (folder / 'm.smol').read_bytes()
    path, = cache.iterdir()
    inode = path.stat().st_ino
    done = train(folder, *arguments)
    assert 'encoded' not in done.stderr and path.stat().st_ino == inode
    assert (folder / 'm.smol').read_bytes() == made
    run(smoltrain, *small, '-o', 'm.smol', '--data', 'text', '--data', 'other', '--cache', 'cache', cwd=folder)
    assert path.stat().st_ino == inode and len(list(cache.iterdir())) == 1
    train(folder, *data(folder / 'text', folder / 'other'))
    assert (folder / 'm.smol').read_bytes() == made
    train(folder, *data(folder / 'text'), '--valid', folder / 'other', '--cache', cache)
    assert len(list(cache.iterdir())) == 2


def test_a_cache_is_made_again_when_it_does_not_fit(folder):
    cache = folder / 'cache'
    arguments = [*data(folder / 'text'), '--cache', cache]
    train(folder, *arguments)
    path, = cache.iterdir()
    good = path.read_bytes()

    def again(says):
        done = train(folder, *arguments)
        assert str(path) in done.stderr and says in done.stderr and 'encoded again' in done.stderr, done.stderr
        assert read_corpus(path)[0] == (folder / 'text').read_bytes()
        assert list(cache.iterdir()) == [path]

    for at, says in ((0, 'not a corpus'), (8, 'version'), (30, 'header'), (700, 'tokens are damaged'),
                     (len(good) - 1, 'tables are damaged')):
        damaged = bytearray(good)
        damaged[at] ^= 1
        path.write_bytes(damaged)
        again(says)
    path.write_bytes(good[:-1])
    again('ends before')
    path.write_bytes(b'')
    again('shorter than a header')
    os.utime(folder / 'text', ns=(5, 5))
    again('has changed')
    (folder / 'text').write_bytes((folder / 'text').read_bytes() + b'more')
    again('has changed')


def test_a_cache_that_cannot_be(folder):
    fails(folder, *data(folder / 'text'), '--cache', folder / 'no/cache', says=['no/cache', 'No such file'])
    fails(folder, *data(folder / 'text'), '--cache', folder / 'text', says=['Not a directory'])


def limit(size):
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_no_room_for_a_cache(folder):
    (folder / 'cache').mkdir()
    done = train(folder, *data(folder / 'text'), '--cache', folder / 'cache', code=1, preexec_fn=limit(4096))
    assert len(done.stderr.splitlines()) == 1 and 'cannot write: File too large' in done.stderr, done.stderr
    assert list((folder / 'cache').iterdir()) == [] and not (folder / 'm.smol').exists()


def test_more_text_than_memory(folder):
    """Zeros that take no room on the disk, under a limit that they exceed; the sanitizers' own memory would, too."""
    if os.environ.get('SMOL_SANITIZED'):
        return
    os.truncate(folder / 'text', 10**9)
    done = train(folder, *data(folder / 'text'), code=1,
                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (500 * 10**6,) * 2))
    assert done.stderr == f'smoltrain: {folder}/text: no memory for so much text; --cache keeps it in a file\n'


def test_bad_files(folder):
    lines = json_lines(['first ' * 50, 'second ' * 50])
    bad = {'empty': (b'', ['holds no text']), 'empty.json': (b'\n\n', ['holds no text']),
           'empty.gz': (gzip.compress(b''), ['holds no text']), 'one': (b'1', ['needs more']),
           'a.json': (lines + b'{"text": "cut\n' + lines, ['line 3: not JSON']),
           'b.jsonl': (lines + b'{"text": 5}\n', ['line 3', '"text"']),
           'c.json': (lines + b'[]\n', ['line 3', '"text"']),
           'd.json': (b'\xff\xfe' + lines, ['line 1: not JSON', 'UTF-16']),
           'e.json': (lines + b'{"text": "a"} {"text": "b"}', ['line 3: not JSON']),
           'f.json': (bytes(range(256)) * 9, ['line 1: not JSON']),
           'g.json.gz': (gzip.compress(lines)[:-20], ['cannot decompress', 'unexpected end of file']),
           'h.gz': (gzip.compress(b'text ' * 900)[:30], ['cannot decompress', 'unexpected end of file']),
           'i.gz': (b'not compressed ' * 99, ['not in gzip format']),
           'j.gz': (gzip.compress(b'text ' * 900)[:-8] + bytes(8), ['cannot decompress', 'incorrect'])}
    for name, (contents, says) in bad.items():
        (folder / name).write_bytes(contents)
        fails(folder, *data(folder / name), says=says + ([name] if name != 'one' else []))
        if name != 'one':
            (folder / 'cache').mkdir(exist_ok=True)
            fails(folder, *data(folder / 'text', folder / name), '--cache', folder / 'cache', says=[name])
    (folder / 'nothing').mkdir()
    fails(folder, *data(folder / 'nothing'), says=['there is no text in this folder'])
    fails(folder, *data(folder / 'text', folder / 'missing'), says=['missing', 'No such file'])


def test_a_stop_while_the_text_is_read(folder):
    """A pipe that is slow, so that the signal comes while it is read."""
    os.mkfifo(folder / 'pipe')
    (folder / 'cache').mkdir()
    process = subprocess.Popen([smoltrain, *small, '-o', folder / 'm.smol', *data(folder / 'pipe'), '--cache',
                                folder / 'cache'], stderr=subprocess.PIPE, text=True)
    with open(folder / 'pipe', 'wb', buffering=0) as pipe:
        pipe.write(b'x' * 60000)
        deadline = time.monotonic() + 30
        while not list((folder / 'cache').iterdir()) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.1)
        with contextlib.suppress(BrokenPipeError):
            pipe.write(b'y' * 60000)
        message = process.communicate(timeout=60)[1]
    assert process.returncode == 1 and 'stopped' in message, (process.returncode, message)
    assert list((folder / 'cache').iterdir()) == []
