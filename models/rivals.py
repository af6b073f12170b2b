#!/usr/bin/python3
"""What counting and compressing reach with so many bytes, to compare models with: n-gram tables, xz, bzip2 and PPMd.

Usage: models/rivals.py TEXT [--val-fraction 0.1] [--sizes 16384,65536] [--only ngram,ppmd]

All see the same text as the models do: the first part is for training, the last is predicted, each byte after those before it. An
n-gram table has so many bytes as it takes when LZMA2 packs it. A compressor has, as what it learned, the longest end of the training
text that it packs into so many bytes; what the last part adds to that is its score. So it goes on learning from the text that it is
measured on, which tables and models do not: what pieces of 4,096 bytes add, each by itself, says what it makes of what it has.
"""
import argparse
import bz2
import json
import lzma
import math
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np

SIZES = [1024, 2953, 4096, 8192, 16384, 32768, 65536, 102400, 262144, 524288, 1048576, 2097152]
MAX_ORDER = 7  # eight bytes, context and next one, fill a 64-bit number
MAX_COUNT = 255
PIECE = 4096
# How a table stores counts in a byte: as they are, but 255 at most (0), or so many levels for each doubling.
KINDS = (0, 4, 2, 1)


def split(text, val_fraction):
    """Training and validation text, cut where smoltrain does."""
    cut = len(text) - int(len(text) * val_fraction + 1)
    return text[:cut], text[cut:]


def packed_size(data):
    """As `xz -9e` packs it, without the container; with a dictionary no larger than the data, which is the same and takes less memory."""
    dictionary = 1 << max(12, (len(data) - 1).bit_length())
    return len(lzma.compress(bytes(data), format=lzma.FORMAT_RAW,
                             filters=[{'id': lzma.FILTER_LZMA2, 'preset': 9 | lzma.PRESET_EXTREME, 'dict_size': min(dictionary, 1 << 26)}]))


def grams(text, n):
    """The n bytes before and at each place, as big-endian numbers; from the n-th place on."""
    x = np.frombuffer(text, np.uint8).astype(np.uint64)
    codes = np.zeros(max(0, len(x) - n + 1), np.uint64)
    for i in range(n):
        codes = codes << np.uint64(8) | x[i:len(x) - n + 1 + i]
    return codes


class Counts:
    """How often each string of up to MAX_ORDER + 1 bytes occurs in a text."""

    def __init__(self, text, max_order=MAX_ORDER):
        self.vocabulary = len(set(text)) + 1  # one more for all other bytes
        self.orders = [np.unique(grams(text, n), return_counts=True) for n in range(1, max_order + 2)]


class Order:
    """The entries of one length, a context and the byte after it, that occur at least `least` times."""

    def __init__(self, codes, counts, least, kind):
        kept = counts >= least
        self.codes = codes[kept]
        self.stored = np.rint(kind * np.log2(counts[kept])) if kind else np.minimum(counts[kept], MAX_COUNT)
        self.counts = 2 ** (self.stored / kind) if kind else self.stored.astype(float)
        contexts = self.codes >> np.uint64(8)
        first = np.flatnonzero(np.diff(contexts, prepend=~contexts[:1]) != 0)  # of each context; entries are in ascending order
        self.contexts = contexts[first]
        self.followers = np.diff(first, append=len(contexts))
        self.sums = np.add.reduceat(self.counts, first) if len(first) else self.counts

    def serialise(self, above):
        """For each of the contexts `above`, entries of the order before: how many bytes follow it, those bytes, their counts. A context is
        not written; where nothing follows, the number is 0."""
        number = np.zeros(len(above), np.int64)
        number[np.searchsorted(above, self.contexts)] = self.followers
        before = np.cumsum(number) - number
        at = np.arange(len(above)) + 2 * before
        out = np.zeros(len(above) + 2 * len(self.codes), np.uint8)
        out[at] = np.minimum(number, 255)
        place = np.repeat(at, number) + 1 + np.arange(len(self.codes)) - np.repeat(before, number)
        out[place] = self.codes & np.uint64(255)
        out[place + np.repeat(number, number)] = self.stored
        return out.tobytes()

    def mix(self, lower, wanted):
        """Probabilities of contexts and bytes, from those with a byte of context less: Witten and Bell's rule."""
        if not len(self.codes):
            return lower
        at = np.minimum(np.searchsorted(self.contexts, wanted >> np.uint64(8)), len(self.contexts) - 1)
        entry = np.minimum(np.searchsorted(self.codes, wanted), len(self.codes) - 1)
        count = np.where(self.codes[entry] == wanted, self.counts[entry], 0)
        known = self.contexts[at] == wanted >> np.uint64(8)
        return np.where(known, (count + self.followers[at] * lower) / (self.sums[at] + self.followers[at]), lower)


def tables(counts, val, least, kind=0, max_order=MAX_ORDER):
    """Yields, order by order, a table as it is stored and the probability of each byte of val but the first after those before it."""
    p, stored = np.full(len(val) - 1, 1 / counts.vocabulary), b''
    above = np.zeros(1, np.uint64)
    for j, (codes, n) in enumerate(counts.orders[:max_order + 1]):
        order = Order(codes, n, least, kind)
        wanted = grams(val, j + 1)[1 if j == 0 else 0:]
        p = np.concatenate([p[:len(p) - len(wanted)], order.mix(p[len(p) - len(wanted):], wanted)])
        stored += order.serialise(above)
        above = order.codes
        yield stored, p


def thresholds(largest):
    """1 to 8, and then steps of a fifth."""
    m = 1
    while m <= largest:
        yield m
        m = m + 1 if m < 8 else m * 6 // 5


def ngram_tables(train, val, largest_bytes, kinds=KINDS):
    """[{bytes, nats, order, least, levels}] of the tables that take at most so many bytes, without those that a lower order is better than."""
    counts, found = Counts(train), []
    for least in thresholds(int(counts.orders[0][1].max())):
        for kind in kinds:
            best = math.inf
            for order, (stored, p) in enumerate(tables(counts, val, least, kind)):
                nats = float(-np.log(p).mean())
                if nats >= best:
                    continue
                best = nats
                size = packed_size(stored) if len(stored) < 8 * largest_bytes else math.inf  # it packs to a third or so
                if size > largest_bytes:
                    break
                found.append({'bytes': size, 'nats': nats, 'order': order, 'least': least, 'levels': kind})
    return found


def ngrams(train, val, sizes):
    found = ngram_tables(train, val, max(sizes))
    return [min((t for t in found if t['bytes'] <= size), key=lambda t: t['nats']) for size in sizes]


def ppmd_size(data, order):
    """As 7z's PPMd packs it, without the container: the offset of the header, which follows the packed bytes, if that is not packed too. Of a
    file, whose size it knows, it would use 16 to 32 times the memory only, too little for high orders, which then start anew."""
    with tempfile.TemporaryDirectory() as folder:
        archive = pathlib.Path(folder, 'text.7z')
        subprocess.run(['7z', 'a', '-bd', '-y', '-t7z', f'-m0=PPMd:o={order}:mem=64m', '-mhc=off', '-si', archive], input=data, check=True, stdout=subprocess.DEVNULL)
        return struct.unpack('<Q', archive.read_bytes()[12:20])[0]


COMPRESSORS = {
    'xz': packed_size,
    'bzip2': lambda data: len(bz2.compress(data, 9)),
    **{f'ppmd-{order}': lambda data, order=order: ppmd_size(data, order) for order in (3, 4, 5, 6, 8)},
}


def longest_tail(train, size, pack):
    """Of the training text, what packs into so many bytes; sizes hardly ever fall as a text grows."""
    low, high = 0, min(len(train), 16 * size)
    if pack(train[len(train) - high:]) <= size:
        return high
    while high - low > max(1, low // 2000):
        middle = (low + high) // 2
        low, high = (middle, high) if pack(train[len(train) - middle:]) <= size else (low, middle)
    return low


def compress(train, val, size, pack):
    tail = train[len(train) - longest_tail(train, size, pack):]
    alone = pack(tail) if tail else 0
    return {'bytes': alone, 'nats': (pack(tail + val) - alone) * 8 * math.log(2) / len(val), 'tail': len(tail)}


def in_pieces(train, val, tail_bytes, pack):
    """Nats a byte of pieces of val, each after the end of the training text and nothing else."""
    tail = train[len(train) - tail_bytes:]
    alone = pack(tail) if tail else 0
    return sum(pack(tail + val[i:i + PIECE]) - alone for i in range(0, len(val), PIECE)) * 8 * math.log(2) / len(val)


def of_size(name, train, val, size):
    """What a compressor reaches with so many bytes; of PPMd the best order."""
    keys = [key for key in COMPRESSORS if key.split('-')[0] == name]
    tried = {key: compress(train, val, size, COMPRESSORS[key]) for key in keys}
    key = min(tried, key=lambda key: tried[key]['nats'])
    return {'size': size, **tried[key], 'pieces': in_pieces(train, val, tried[key]['tail'], COMPRESSORS[key]), **({'order': int(key[5:])} if name == 'ppmd' else {})}


def of_sizes(name, train, val, sizes):
    """Yields what a rival reaches at each size: {size, bytes, nats, ...}."""
    if name == 'ngram':
        for size, found in zip(sizes, ngrams(train, val, sizes)):
            yield {'size': size, **found}
        return
    last = None
    for size in sizes:
        # Where all of the text fits, it fits into more as well.
        last = {**last, 'size': size} if last and last['tail'] == len(train) else of_size(name, train, val, size)
        yield last


RIVALS = ('ngram', 'xz', 'bzip2', 'ppmd')


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('text', type=pathlib.Path)
    parser.add_argument('--val-fraction', type=float, default=0.1)
    parser.add_argument('--sizes', default=','.join(map(str, SIZES)))
    parser.add_argument('--only', default=','.join(RIVALS))
    args = parser.parse_args()
    train, val = split(args.text.read_bytes(), args.val_fraction)
    for name in args.only.split(','):
        for result in of_sizes(name, train, val, [int(s) for s in args.sizes.split(',')]):
            print(json.dumps({'rival': name, **result}), flush=True)


if __name__ == '__main__':
    sys.exit(main())
