#!/usr/bin/python3
"""Packs short messages, each by itself, and long texts, with models of smol and with other coders, and prints tables in Markdown. Each packed text comes
back where it was packed. By hand: docs/messages.md has what it printed.

    npm install --prefix DIR tests/bench/messages                   # Unishox2 and smaz; Debian: python3-brotli python3-zstandard 7zip zstd xz-utils bzip2
    NODE_PATH=DIR/node_modules tests/bench/messages/compare.py messages MODEL.smol... --train TRAIN.jsonl --heldout HELDOUT.jsonl
    tests/bench/messages/compare.py texts MODEL.smol... --text NAME=FILE[:FROM]...
"""
import argparse
import bz2
import json
import lzma
import os
import pathlib
import resource
import subprocess
import tempfile
import time
import zlib

here = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get('SMOL_BUILD', here.parents[2] / 'build'))
SMOLTOOL = BUILD / 'tools/smoltool'
DICTIONARY = 65536


def messages(path):
    return [json.loads(line)['text'].encode() for line in path.read_text().splitlines()]


def run(*words, **more):
    return subprocess.run([str(w) for w in words], check=True, capture_output=True, **more)


class Coder:
    """A coder of bytes: pack and unpack are functions; size: of its tables or its model, 0 for those that every such program has."""

    def __init__(self, name, size, pack, unpack, every=1):
        self.name, self.size, self.pack, self.unpack, self.every = name, size, pack, unpack, every

    def measure(self, texts):
        """(bytes, seconds) of all of them, as many as a share of them says."""
        all_bytes, texts = sum(map(len, texts)), texts[::self.every]
        share = sum(map(len, texts)) / all_bytes
        begun = time.process_time()
        packed = [self.pack(text) for text in texts]
        seconds = time.process_time() - begun
        assert [self.unpack(p) for p in packed] == texts, self.name
        return round(sum(map(len, packed)) / share), seconds / share


def trained_dictionary(texts):
    """zstd's, of the first bytes of all messages to train on."""
    import zstandard
    return zstandard.train_dictionary(DICTIONARY, texts)


def zstd(dictionary):
    import zstandard
    options = zstandard.ZstdCompressionParameters.from_level(19, format=zstandard.FORMAT_ZSTD1_MAGICLESS, write_checksum=0, write_content_size=0, write_dict_id=0)
    pack = zstandard.ZstdCompressor(compression_params=options, dict_data=dictionary)
    unpack = zstandard.ZstdDecompressor(dict_data=dictionary, format=zstandard.FORMAT_ZSTD1_MAGICLESS)
    return Coder('zstd 19, no header, trained dictionary', DICTIONARY, pack.compress, lambda p: unpack.decompressobj().decompress(p))


def brotli(content):
    """What brotli appends to a stream that has the dictionary and was flushed: as short as with a dictionary of its own, which version 1.0.9 cannot be given."""
    import brotli as b

    def begin():
        coder = b.Compressor(mode=b.MODE_TEXT, quality=11)
        return coder, coder.process(content) + coder.flush()

    def pack(text):
        coder, _ = begin()
        return coder.process(text) + coder.finish()

    front = begin()[1]
    return Coder('brotli 11, after a trained dictionary, every tenth message', DICTIONARY, pack, lambda p: b.decompress(front + p)[len(content):], 10)


def deflate(content):
    content = content[-32768:]

    def pack(text):
        coder = zlib.compressobj(9, zlib.DEFLATED, -15, zdict=content)
        return coder.compress(text) + coder.flush()

    return Coder('deflate, no header, trained dictionary', len(content), pack, lambda p: zlib.decompressobj(-15, zdict=content).decompress(p))


def xz(text, dictionary):
    """As xz -9e does, but in less memory if the text is small."""
    filters = [{'id': lzma.FILTER_LZMA2, 'preset': 9 | lzma.PRESET_EXTREME, 'dict_size': dictionary}]
    return lzma.compress(text, check=lzma.CHECK_NONE, filters=filters)


XZ = Coder('xz -9e', 0, lambda text: xz(text, 65536), lzma.decompress)


def tables(train, heldout):
    """The coders of tables.js: [(name, size, bytes, seconds)]."""
    told = run('node', here / 'tables.js', train, heldout).stdout.decode()
    return [(t['name'], t['table'], t['bytes'], t['seconds']) for t in map(json.loads, told.splitlines())]


def model_row(path, heldout):
    told = json.loads(run(SMOLTOOL, 'pack', '-m', path, '--lines', '--json', '--threads', '1', heldout).stdout)
    lines = processor()
    text = (messages(heldout)[0] * 100)[:100]
    for _ in range(20):
        run(SMOLTOOL, 'pack', '-m', path, input=text)
    return path.name, path.stat().st_size, told['packed_bytes'], lines, processor() / 20


def processor(spent=[0]):
    """Seconds that the programs took since this was last asked."""
    told = resource.getrusage(resource.RUSAGE_CHILDREN)
    before, spent[0] = spent[0], told.ru_utime + told.ru_stime
    return spent[0] - before


def compare_messages(a):
    texts = messages(a.heldout)
    n_bytes, n_characters = sum(map(len, texts)), sum(len(t.decode()) for t in texts)
    print('%d messages, %d bytes, %d characters\n' % (len(texts), n_bytes, n_characters))
    print('| coder | bytes | bits a character | saved | bytes of model or tables | ms of the processor a message |\n|---|---|---|---|---|---|')

    def row(name, size, packed, seconds):
        print('| %s | %d | %.2f | %.1f %% | %s | %.2f |' % (name, packed, 8 * packed / n_characters, 100 - 100 * packed / n_bytes,
            '{:,}'.format(size) if size else '', 1000 * seconds / len(texts)), flush=True)

    alone = []
    processor()
    for path in a.models:
        name, size, packed, seconds, one = model_row(path, a.heldout)
        row(name, size, packed, seconds)
        alone.append('%s: %.1f ms for a message of 100 bytes in a process of its own' % (name, 1000 * one))
    dictionary = trained_dictionary(messages(a.train))
    content = dictionary.as_bytes()
    for coder in (zstd(dictionary), brotli(content), deflate(content), XZ):
        row(coder.name, coder.size, *coder.measure(texts))
    for found in tables(a.train, a.heldout):
        row(*found)
    print('', *alone, sep='\n')


def ppmd(text):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder)
        (path / 'text').write_bytes(text)
        run('7z', 'a', '-t7z', '-m0=PPMd:o=16:mem=256m', '-mhc=off', 'x.7z', 'text', cwd=folder)
        run('7z', 'x', '-oback', 'x.7z', cwd=folder)
        assert (path / 'back/text').read_bytes() == text
        return (path / 'x.7z').stat().st_size


def zstd_22(text):
    packed = run('zstd', '--ultra', '-22', '--no-check', '-c', input=text).stdout
    assert run('zstd', '-dc', '--memory=2048MB', input=packed).stdout == text
    return len(packed)


def model_bytes(path, text):
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / 'text').write_bytes(text)
        packed = run(SMOLTOOL, 'pack', '-m', path, pathlib.Path(folder) / 'text').stdout
        assert run(SMOLTOOL, 'unpack', '-m', path, input=packed).stdout == text
        return len(packed)


def compare_texts(a):
    found = []
    for spec in a.text:
        name, _, path = spec.partition('=')
        path, _, begin = path.partition(':')
        data = pathlib.Path(path).read_bytes()
        found.append((name, data[int(float(begin or 0) * len(data)):]))
    print('| coder | ' + ' | '.join('%s, %d bytes' % (name, len(text)) for name, text in found) + ' |\n' + '|---' * (1 + len(found)) + '|')
    coders = [('%s (%s bytes)' % (path.name, '{:,}'.format(path.stat().st_size)), lambda text, path=path: model_bytes(path, text)) for path in a.models]
    coders += [('xz -9e', lambda text: len(xz(text, 1 << 26))), ('bzip2 -9', lambda text: len(bz2.compress(text))), ('zstd --ultra -22', zstd_22), ('7-Zip PPMd, order 16', ppmd)]
    for name, size in coders:
        print('| %s | ' % name + ' | '.join('%d, %.3f bits a byte' % (n, 8 * n / len(text)) for text in (t for _, t in found) for n in (size(text),)) + ' |', flush=True)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument('what', choices=('messages', 'texts'))
    p.add_argument('models', nargs='*', type=pathlib.Path)
    p.add_argument('--train', type=pathlib.Path)
    p.add_argument('--heldout', type=pathlib.Path)
    p.add_argument('--text', action='append', default=[], metavar='NAME=FILE[:FROM]', help='FROM: a part that is left out, 0.9')
    a = p.parse_args()
    compare_messages(a) if a.what == 'messages' else compare_texts(a)


main()
