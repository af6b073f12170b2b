"""The parts of which make_golden.py and method_cases.py make files: a small model, and one to be spoilt."""
import math
import pathlib
import struct
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / 'reference'))
import container
import nacl.signing
import numpy as np
from container import MATRIX, NORM, OWN, STORED, Scheme

SECRET = (bytes(range(8)), bytes(range(32)))
FROZEN_NORM = Scheme(NORM, 0, 0, 0, 0, 0, 0, 0.0)
GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493


def values(n, scale=0.5):
    """n numbers within -scale..scale, multiples of scale / 64, so that f16 holds them."""
    return np.array([scale * ((37 * i + 11) % 129 - 64) / 64 for i in range(n)])


def table(kind, rows, cols):
    if kind == 5:
        q = np.array([(i * i + i // 7) % 3 - 1 for i in range(rows * cols)], 'i1').reshape(rows, cols)
        return container.Table(5, q, np.array([2.0 ** -(2 + i % 3) * (i % 7 != 3) for i in range(rows)], '<f4'))
    if kind == 3:
        q = np.array([(5 * i + 3) % 16 - 8 for i in range(rows * cols)], 'i1').reshape(rows, cols)
        groups = -(-cols // 64) * 2
        multipliers = np.array([[(37 * (r + g) + 1) % 256 if 32 * g < cols else 0 for g in range(groups)] for r in range(rows)], 'u1')
        return container.Table(3, q, np.array([2.0 ** -(9 + i % 3) * (i % 7 != 3) for i in range(rows)], '<f4'), multipliers)
    if kind == 6:
        q = np.array([(5 * i + 3) % 16 - 8 for i in range(rows * cols)], 'i1').reshape(rows, cols)
        return container.Table(6, q, np.array([2.0 ** -10], '<f4'), np.array([[(37 * r + 1) % 256 * (r % 7 != 3)] for r in range(rows)], 'u1'))
    if kind == 2:
        q = np.array([(53 * i + 7) % 255 - 127 for i in range(rows * cols)], 'i1').reshape(rows, cols)
        return container.Table(2, q, np.array([2.0 ** -(5 + i % 3) * (i % 7 != 3) for i in range(rows)], '<f4'))
    return container.Table(kind, values(rows * cols).astype(container.FLOATS[kind]).reshape(rows, cols))


def model(shape, schemes, runs, ln_f, wte=0, wpe=0, card=None, features=0, head_type=0, output=0, **fields):
    """shape: L, H, C, F, T, V."""
    conf = container.Conf(*shape, epsilon=2.0 ** -17, seed=0x0123456789abcdef, logit_scale=1.0, schemes=schemes,
                          runs=runs, ln_f=ln_f, features=features, head_type=head_type)
    learned = {}
    for name, size, kind in container.learned_layout(conf):
        around = 1 if name.endswith(('weight', 'temperature', 'slope_factor')) else 0
        stored_rows = isinstance(kind, tuple) and kind[1] >= 2
        learned[name] = table(kind[1], *size) if stored_rows else container.stored_as((values(math.prod(size)) + around).reshape(size), kind)
    vocab, width = shape[5], shape[2]
    return container.Smol(conf, learned, table(wte, vocab, width), None if conf.has(container.DISTANCES) else table(wpe, shape[4], width), card,
                          output=table(output, vocab, width) if conf.has(container.OUTPUT_TABLE) else None, **fields)


class Bad:
    """The parts of a small file (or of another model) as bytes, to be spoilt one at a time. Everything that is derived follows."""

    def __init__(self, of=None, **fields):
        self.minor, _, sections, _ = container.split(container.write(of or model(
            (1, 1, 2, 3, 1, 3),
            [Scheme(NORM, STORED, 0, 0, 0, 0, 1, 0.0), Scheme(MATRIX, OWN, 0, 2, 1, 0, 1, 0.25)],
            [(1, (0, 1, 1, 0, 1, 1))], 0, 2, 0, b'{"a": 1}')))
        self.sections = [[k, bytearray(v)] for k, v in sections.items()]
        self.major, self.count, self.body, self.flags, self.sizes, self.gap = 1, None, None, {}, {}, {}
        self.magic, self.tail, self.signer = container.MAGIC, b'', None
        vars(self).update(fields)

    def __getitem__(self, name):
        return next(v for k, v in self.sections if k == name.encode())

    def begin(self, name):
        """Where a section lies."""
        at = 32 + 24 * len(self.sections)
        for kind, data in self.sections:
            at += -at % (64 if kind == b'EMBD' else 8)
            if kind == name.encode():
                return at
            at += len(data)
        raise KeyError(name)

    def entry(self, name):
        return 32 + 24 * [k for k, _ in self.sections].index(name.encode())

    def patch(self, name, offset, fmt, value):
        struct.pack_into('<' + fmt, self[name], offset, value)
        return self

    def bytes(self):
        directory = b''.join(
            struct.pack('<4sI2Q', k, self.flags.get(k, 0), self.sizes.get(k, len(v)) % 2**64, container.xxh3(bytes(v)))
            for k, v in self.sections)
        out = bytearray(32) + directory
        for kind, data in self.sections:
            out += bytes(-len(out) % (64 if kind == b'EMBD' else 8)) + data
        for at, value in self.gap.items():
            out[at] = value
        body = len(out) if self.body is None else self.body
        count = len(self.sections) if self.count is None else self.count
        out[:24] = self.magic + struct.pack('<4HQ', self.major, self.minor, count, 0, body)
        struct.pack_into('<Q', out, 24, container.xxh3(bytes(out[:24]) + directory))
        digest = container.file_hash(bytes(out))
        if self.signer:
            number, secret = self.signer
            key = nacl.signing.SigningKey(secret)
            message = container.signed_message(digest, number, bytes(key.verify_key))
            digest += number + bytes(key.verify_key) + key.sign(message).signature
        return bytes(out) + digest + self.tail


# Where things are in Bad(): LRND holds ln_1 8 bytes, c_attn 8 of alphas, 4 of A, 12 of B, and so on.
CONF_AT, SCHEME_0, SCHEME_1, RUN_0 = 32 + 24 * 4, 56, 72, 88
LN_1, ALPHAS, FACTORS, LRND_BYTES = 0, 8, 16, 100
WTE_END, SCALES, SCALES_END, WPE, WPE_END, EMBD_BYTES = 6, 64, 76, 128, 136, 192
QUIET, INFINITE, HUGE = 0x7fc00000, 0x7f800000, 0x47800000  # the last is 65536


def with_conf(layers, schemes, runs, ln_f):
    """Bad() with another configuration; what else it demands does not matter, since CONF is refused first."""
    b = Bad()
    conf = container.Conf(layers, 1, 2, 3, 1, 3, 2.0 ** -17, 7, 1.0, schemes, runs, ln_f)
    b['CONF'][:] = container.pack_conf(conf, 2, 0)
    return b.bytes()
