#!/usr/bin/python3
"""What counting trigrams reaches on a text, to compare models with: the size of the table, and bits per byte over the last tenth.

The table has, for each pair of bytes that the first nine tenths contain, the bytes that follow it, and how often, rounded to a byte on a
logarithmic scale. Predictions come from the table as stored; orders are mixed by Witten and Bell's method.
Usage: trigrams.py TEXT
"""
import collections
import lzma
import math
import pathlib
import sys


def count(text):
    """{pair: {next byte: count as stored}}"""
    table = collections.defaultdict(collections.Counter)
    for i in range(2, len(text)):
        table[text[i - 2:i]][text[i]] += 1
    return {pair: {b: round(16 * math.log2(n)) for b, n in nexts.items()} for pair, nexts in table.items()}


def pack(table):
    return b''.join(pair + bytes([len(nexts) % 256]) + bytes(v for item in sorted(nexts.items()) for v in item)
                    for pair, nexts in sorted(table.items()))


class Model:
    """Counts of all orders, from those of the table."""

    def __init__(self, table):
        self.orders = [collections.defaultdict(collections.Counter) for _ in range(3)]
        for pair, nexts in table.items():
            for byte, level in nexts.items():
                for n, order in enumerate(self.orders):
                    order[pair[2 - n:]][byte] += 2 ** (level / 16)
        self.sums = [{context: sum(nexts.values()) for context, nexts in order.items()} for order in self.orders]

    def probability(self, pair, byte):
        p = 1 / 256
        for n, (order, sums) in enumerate(zip(self.orders, self.sums)):
            context = pair[2 - n:]
            if context in sums:
                nexts = order[context]
                p = (nexts[byte] + len(nexts) * p) / (sums[context] + len(nexts))
        return p


def main():
    text = pathlib.Path(sys.argv[1]).read_bytes()
    cut = len(text) - int(len(text) * 0.1 + 1)
    table = count(text[:cut])
    packed = pack(table)
    model = Model(table)
    bits = -sum(math.log2(model.probability(text[i - 2:i], text[i])) for i in range(cut + 1, len(text))) / (len(text) - cut - 1)
    print('%d trigrams, %d bytes, %d with xz; %.4f bits per byte' % (
        sum(map(len, table.values())), len(packed), len(lzma.compress(packed, preset=9)), bits))


if __name__ == '__main__':
    main()
