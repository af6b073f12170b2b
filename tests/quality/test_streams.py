#!/usr/bin/python3
"""Are the frozen weights' bits random? Statistical tests of the streams as the models use them: by weight, bit, lane, row,
row block, plane, tensor and seed.

Usage: test_streams.py [BUILD_DIR] [--tensors N] [--table FILE] | test_streams.py --raw BYTES
  --tensors N   tensors examined by each test (default 64; 4096 take some minutes)
  --table FILE  also write the results as a Markdown table
  --raw BYTES   write that many bytes of the streams to standard output, for dieharder -g 200 -a or PractRand

The bytes come from tests/reference, which other tests show to be those of the programs; so BUILD_DIR is not used. Each
test gives a p-value for each tensor. A test fails if the p-values are not uniform (Kolmogorov-Smirnov, p < 1e-4)
or if the smallest is below 1e-4 / their number. Seeds are fixed: the outcome is always the same.
"""
import argparse
import math
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / 'reference'))
import frozen
import numpy as np

ROWS, COLS = 128, 512   # two row blocks, eight steps a row: 65,536 bytes a tensor
ROOT2 = math.sqrt(2.0)


def two_sided(z):
    return math.erfc(abs(z) / ROOT2)


def chi_square(statistic, freedom):
    """Wilson and Hilferty's normal approximation, two-sided: too even is as bad as too uneven."""
    z = ((statistic / freedom) ** (1 / 3) - (1 - 2 / (9 * freedom))) / math.sqrt(2 / (9 * freedom))
    return two_sided(z)


def poisson(count, mean):
    """Mid-p value of a Poisson count, so that it is nearly uniform."""
    term, below = math.exp(-mean), 0.0
    for k in range(count):
        below += term
        term *= mean / (k + 1)
    return min(1.0, 2 * min(below + term / 2, 1 - below - term / 2))


def uniformity(values):
    """Kolmogorov-Smirnov against the uniform distribution, by Stephens' approximation."""
    x = np.sort(np.asarray(values))
    n = len(x)
    d = max(np.max(np.arange(1, n + 1) / n - x), np.max(x - np.arange(n) / n))
    t = d * (math.sqrt(n) + 0.12 + 0.11 / math.sqrt(n))
    return min(1.0, max(0.0, 2 * sum((-1) ** (k - 1) * math.exp(-2 * k * k * t * t) for k in range(1, 40))))


def tensor(n, plane=0, purpose=0, seed_step=0):
    """Bytes (ROWS, COLS) of tensor n % 48 of seed n // 48."""
    return frozen.weight_bytes(frozen.key(n // 48 + seed_step), n % 48, plane + 1, purpose, ROWS, COLS)[plane]


def bits(b):
    return np.unpackbits(np.ascontiguousarray(b).reshape(-1), bitorder='little')


def agreement(a, b):
    """Equal bits of two byte arrays: half of them, more or less."""
    n = a.size * 8
    differing = int(np.unpackbits((a ^ b).reshape(-1)).sum())
    return two_sided((2 * differing - n) / math.sqrt(n))


def monobit(n):
    s = bits(tensor(n))
    return two_sided((2 * int(s.sum()) - s.size) / math.sqrt(s.size))


def each_bit(n):
    """Signs of base k alone, k = n mod 8."""
    s = tensor(n) >> (n % 8) & 1
    return two_sided((2 * int(s.sum()) - s.size) / math.sqrt(s.size))


def block_frequency(n):
    s = bits(tensor(n)).reshape(-1, 128).sum(axis=1)
    return chi_square(float(4 / 128 * ((s - 64.0) ** 2).sum()), s.size)


def runs(n):
    s = bits(tensor(n))
    share = s.mean()
    turns = int((s[1:] != s[:-1]).sum()) + 1
    expected = 2 * s.size * share * (1 - share)
    return two_sided((turns - expected) / (2 * math.sqrt(s.size) * share * (1 - share)))


def byte_values(n):
    counts = np.bincount(tensor(n).reshape(-1), minlength=256)
    expected = ROWS * COLS / 256
    return chi_square(float(((counts - expected) ** 2 / expected).sum()), 255)


def byte_pairs(n):
    """Neighbouring weights: high nibbles of a byte and the next."""
    b = tensor(n) >> 4
    pairs = b[:, 0::2].astype(int) * 16 + b[:, 1::2]
    expected = pairs.size / 256
    return chi_square(float(((np.bincount(pairs.reshape(-1), minlength=256) - expected) ** 2 / expected).sum()), 255)


def next_step(n):
    """The same lane, one step later."""
    b = tensor(n)
    return agreement(b[:, :-64], b[:, 64:])


def lanes(n):
    """A lane and another, n mod 15 + 1 further, in the same step."""
    b = tensor(n).reshape(ROWS, COLS // 64, 16, 4)
    return agreement(b, np.roll(b, n % 15 + 1, axis=2)) if n % 15 + 1 != 8 else agreement(b[:, :, :8], b[:, :, 8:])


def rows(n):
    b = tensor(n)
    return agreement(b[0::2], b[1::2])


def row_blocks(n):
    b = tensor(n)
    return agreement(b[:64], b[64:])


def tensors(n):
    return agreement(tensor(2 * n), tensor(2 * n + 1))


def planes(n):
    b = frozen.weight_bytes(frozen.key(n // 48), n % 48, 2, 0, ROWS, COLS)
    return agreement(b[0], b[1])


def purposes(n):
    return agreement(tensor(n), tensor(n, purpose=2))


def seeds(n):
    return agreement(tensor(n), tensor(n, seed_step=1 << (n % 60)))


def bit_pairs(n):
    """Two bases of one byte: bits k and j."""
    b, k = tensor(n), n % 8
    j = (k + 1 + n // 8 % 7) % 8
    s = (b >> k ^ b >> j) & 1
    return two_sided((2 * int(s.sum()) - s.size) / math.sqrt(s.size))


def spectral(n):
    """Fourier transform of the signs of one base: 95 % of the peaks are below sqrt(N log 20)."""
    s = 1.0 - 2.0 * (tensor(n) >> (n % 8) & 1).reshape(-1)
    peaks = np.abs(np.fft.rfft(s))[1:-1]
    below = int((peaks < math.sqrt(s.size * math.log(20))).sum())
    return two_sided((below - 0.95 * peaks.size) / math.sqrt(0.95 * 0.05 * peaks.size))


def birthdays(n):
    """Marsaglia's birthday spacings: 4,096 words of 32 bits, about 4 equal spacings in each of four groups."""
    words = tensor(n).reshape(-1).view('<u4').reshape(4, 4096).astype(np.int64)
    equal = 0
    for group in words:
        spacings = np.sort(np.diff(np.sort(group)))
        equal += int((spacings[1:] == spacings[:-1]).sum())
    return poisson(equal, 16.0)


def matrix_rank(n):
    """Ranks of 512 binary matrices of 32 x 32."""
    m = tensor(n).reshape(-1).view('<u4').reshape(512, 32).astype(np.uint64)
    ranks = np.zeros(512, int)
    for bit in range(32):
        has = (m >> np.uint64(bit) & np.uint64(1)).astype(bool)
        some = has.any(axis=1)
        pivot = has.argmax(axis=1)
        row = m[np.arange(512), pivot]
        ranks += some
        clear = has & some[:, None]
        clear[np.arange(512), pivot] = False
        m ^= np.where(clear, row[:, None], np.uint64(0))
        m[np.arange(512)[some], pivot[some]] = 0
    share = np.array([0.288788095, 0.577576190, 0.133635715])
    counts = np.array([(ranks == 32).sum(), (ranks == 31).sum(), (ranks <= 30).sum()])
    statistic = float(((counts - 512 * share) ** 2 / (512 * share)).sum())
    return math.exp(-statistic / 2)


def gauss_values(n):
    """The normal weights are normal: Kolmogorov-Smirnov, the 256 steps of the table smoothed out."""
    u = tensor(n).reshape(-1).astype(float)
    jitter = np.random.default_rng(n).random(u.size)
    return uniformity((u + jitter) / 256)


def column_products(n):
    """Columns of a sign matrix are nearly orthogonal: the sum of squared inner products of 128 columns."""
    s = 1.0 - 2.0 * (tensor(n)[:, :128] >> (n % 8) & 1)
    inner = (s.T @ s)[np.triu_indices(128, 1)]
    return two_sided(((inner ** 2).sum() / ROWS - inner.size) / math.sqrt(inner.size * (2 - 2 / ROWS)))


TESTS = [monobit, each_bit, block_frequency, runs, byte_values, byte_pairs, next_step, lanes, rows, row_blocks, tensors,
         planes, purposes, seeds, bit_pairs, spectral, birthdays, matrix_rank, gauss_values, column_products]
# Two-sided p-values of counts have steps, and the rank statistic has few values: no test of uniformity for those.
STEPPED = (birthdays,)


def raw(size):
    n = 0
    while size > 0:
        chunk = tensor(n).tobytes()[:size]
        sys.stdout.buffer.write(chunk)
        size -= len(chunk)
        n += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('build', nargs='?')
    parser.add_argument('--tensors', type=int, default=64)
    parser.add_argument('--table')
    parser.add_argument('--raw', type=int)
    args = parser.parse_args()
    if args.raw is not None:
        return raw(args.raw)
    lines = ['| test | tensors | smallest p | p of uniformity | below 0.01 |', '|---|---|---|---|---|']
    failed = 0
    for test in TESTS:
        p = [test(n) for n in range(args.tensors)]
        uniform = uniformity(p) if test not in STEPPED else float('nan')
        bad = min(p) < 1e-4 / len(p) or uniform < 1e-4
        failed += bad
        lines.append('| %s | %d | %.2g | %s | %.1f %% |' % (
            test.__name__.replace('_', ' '), len(p), min(p), '-' if test in STEPPED else '%.3f' % uniform,
            100 * sum(x < 0.01 for x in p) / len(p)))
        print(lines[-1] + (' FAILED' if bad else ''), flush=True)
    if args.table:
        pathlib.Path(args.table).write_text('\n'.join(lines) + '\n')
    print('%d passed, %d failed' % (len(TESTS) - failed, failed))
    return 1 if failed else 0


sys.exit(main())
