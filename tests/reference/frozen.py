"""Frozen weights: SPEC.md section 5 and the normal table of appendix A, from the seed to exact numbers."""
import hashlib
import math
import pathlib
import re

import numpy as np

from tables import unpack_bits

SPEC = pathlib.Path(__file__).resolve().parents[2] / 'SPEC.md'
SIGN, GAUSS = 0, 1


def normal_table():
	text = SPEC.read_text().split('## Appendix A. ')[1]
	half = [float.fromhex(w) for w in re.search(r'```\n(.*?)```', text, re.S).group(1).split()]
	assert len(half) == 128
	return np.array([-v for v in reversed(half)] + half)


G = normal_table()


def blake2b_32(label, seed):
	return hashlib.blake2b(label + int(seed).to_bytes(8, 'little'), digest_size=32).digest()


def key(seed):
	return blake2b_32(b'smol/1 frozen', seed)


def _rotl(x, k):
	return (x << np.uint32(k)) | (x >> np.uint32(32 - k))


def _quarters(a, b, c, d):
	a = a + b
	d = _rotl(d ^ a, 16)
	c = c + d
	b = _rotl(b ^ c, 12)
	a = a + b
	d = _rotl(d ^ a, 8)
	c = c + d
	return a, _rotl(b ^ c, 7), c, d


def chacha20(secret, counters, nonces):
	"""Key stream blocks of RFC 8439: counters (n), nonces (n, 3) words -> (n, 16) words."""
	counters = np.asarray(counters, np.uint32)
	start = np.empty((16, counters.size), np.uint32)
	start[:4] = np.frombuffer(b'expand 32-byte k', '<u4')[:, None]
	start[4:12] = np.frombuffer(secret, '<u4')[:, None]
	start[12] = counters
	start[13:] = np.asarray(nonces, np.uint32).T
	a, b, c, d = start.reshape(4, 4, -1).copy()  # rows of four words: the four quarter rounds of a round side by side
	for _ in range(10):
		a, b, c, d = _quarters(a, b, c, d)
		a, b, c, d = _quarters(a, b[[1, 2, 3, 0]], c[[2, 3, 0, 1]], d[[3, 0, 1, 2]])
		b, c, d = b[[3, 0, 1, 2]], c[[2, 3, 0, 1]], d[[1, 2, 3, 0]]
	return (np.concatenate([a, b, c, d]) + start).T


def stream_start(secret, tensor, planes, purpose, blocks):
	"""Starting words of the streams, (planes, blocks, 64)."""
	count = planes * blocks * 4
	n = np.arange(count)
	nonces = np.empty((count, 3), np.uint32)
	nonces[:, 0], nonces[:, 1], nonces[:, 2] = tensor, n // (4 * blocks), purpose
	return chacha20(secret, n % (4 * blocks), nonces).reshape(planes, blocks, 64)


def step(state):
	"""One JSF32 step of a list [a, b, c, d] of word arrays, in place; returns the words emitted."""
	a, b, c, d = state
	e = a - _rotl(b, 27)
	state[0] = b ^ _rotl(c, 17)
	state[1] = c + d
	state[2] = d + e
	state[3] = e + state[0]
	return state[3]


def planes_of(dist, d):
	return (d + 7) // 8 if dist == SIGN else d


def weight_bytes(secret, tensor, planes, purpose, rows, cols):
	"""u(row, col, p) as (planes, rows, cols) of u8."""
	blocks, steps = (rows + 63) // 64, (cols + 63) // 64
	words = stream_start(secret, tensor, planes, purpose, blocks)
	state = [words[:, :, 16 * k:16 * k + 16].copy() for k in range(4)]
	deep = min(rows, 64)
	out = np.empty((planes, blocks, deep * steps, 16), '<u4')
	for i in range(deep * steps):
		out[:, :, i] = step(state)
	out = out.reshape(planes, blocks * deep, steps * 16).view(np.uint8)
	return out[:, :rows, :cols]


def tables(dist, alphas):
	"""T_p[u] as (planes, 256) doubles."""
	alphas = [float(a) for a in alphas]
	d = len(alphas)
	t = np.zeros((planes_of(dist, d), 256))
	u = np.arange(256)
	for p in range(len(t)):
		if dist == GAUSS:
			t[p] = alphas[p] * G
			continue
		for k in range(8 * p, min(8 * p + 8, d)):
			t[p] = t[p] + alphas[k] * np.where(u >> (k - 8 * p) & 1, -1.0, 1.0)
	return t


def integer_tables(t):
	"""(Q as (planes, 256) integers, s)."""
	m = 0.0
	for row in t:
		m = m + float(np.abs(row).max())
	s = m / 32640.0
	if m == 0.0:
		return np.zeros(t.shape, np.int64), 0.0
	return np.rint(t / s).astype(np.int64), s


def fast_weights(secret, tensor, purpose, rows, cols, dist, alphas, high_bytes):
	"""What the approximate product multiplies with: the sum over the planes of the high bytes."""
	q, _ = integer_tables(tables(dist, alphas))
	u = weight_bytes(secret, tensor, len(q), purpose, rows, cols)
	return sum(high_bytes(q[p])[u[p]] for p in range(len(q)))


def integer_weights(secret, tensor, purpose, rows, cols, dist, alphas):
	"""(w as (rows, cols) integers, s)."""
	q, s = integer_tables(tables(dist, alphas))
	u = weight_bytes(secret, tensor, len(q), purpose, rows, cols)
	w = np.zeros((rows, cols), np.int64)
	for p in range(len(q)):
		w += q[p][u[p]]
	return w, s


def hadamard(x):
	"""H x of float32, butterflies over distances 1, 2, 4, ..."""
	h = 1
	while h < len(x):
		x = x.reshape(-1, 2, h)
		x = np.concatenate([x[:, :1] + x[:, 1:], x[:, :1] - x[:, 1:]], axis=1).reshape(-1)
		h *= 2
	return x


def order(secret, tensor, plane, bits):
	"""The place that each of 2^bits entries comes from."""
	words = [int(x) for x in np.ascontiguousarray(weight_bytes(secret, tensor, plane + 1, 4, 1, 64)[plane, 0]).view('<u4')[:4]]
	mask, shift = (1 << bits) - 1, max(1, (bits + 1) // 2)
	out = []
	for i in range(1 << bits):
		for m in words[:3]:
			i = (i * (m | 1) + words[3]) & mask
			i ^= i >> shift
		out.append(i)
	return np.array(out)


def block_size(theta):
	size = 64
	while size < len(theta):
		size *= 2
	return size


def fourier(secret, tensor, rows, cols, theta, sigma):
	"""P theta as (rows, cols) of doubles, from the definition."""
	size = block_size(theta)
	slices = -(-rows * cols // size)
	place = order(secret, tensor, 1, size.bit_length() - 1)
	turn = order(secret, tensor, 2, (slices - 1).bit_length())
	u = weight_bytes(secret, tensor, 1, 4, 1, size)[0, 0, :len(theta)]
	c = np.where(u & 128, -1.0, 1.0) * theta
	k, out = np.arange(len(theta)), []
	for block in range(slices):
		slice_ = turn[block]
		while slice_ >= slices:
			slice_ = turn[slice_]
		angle = 2 * math.pi * ((slice_ + slices * place[:, None]) * k % (slices * size)) / (slices * size)
		out.append((np.cos(angle) + np.sin(angle)) @ c)
	return (float(sigma) / math.sqrt(size) * np.concatenate(out))[:rows * cols].reshape(rows, cols)


def fastfood(secret, tensor, rows, cols, theta, sigma):
	"""P theta as (rows, cols) of float32."""
	size = block_size(theta)
	place = order(secret, tensor, 1, size.bit_length() - 1)
	g, s = G.astype(np.float32), (float(sigma) / size * (1 + G / math.sqrt(2.0 * size))).astype(np.float32)
	start = np.zeros(size, np.float32)
	start[:len(theta)] = theta
	out = []
	for words in stream_start(secret, tensor, 1, 4, -(-rows * cols // size))[0]:
		state = [words[16 * k:16 * k + 16].copy() for k in range(4)]
		u = np.concatenate([step(state).astype('<u4').view(np.uint8) for _ in range(3 * size // 64)]).reshape(3, size)
		x = hadamard(np.where((u[0] & 128 != 0) & (np.arange(size) < len(theta)), -start, start))
		out.append(hadamard(g[u[1]] * x[place]) * s[u[2]])
	return np.concatenate(out)[:rows * cols].reshape(rows, cols)


def sparse_columns(secret, tensor, rows, cols, n):
	"""(rows, n)"""
	words = np.ascontiguousarray(weight_bytes(secret, tensor, 1, 7, rows, 4 * n)[0]).view('<u4').astype(np.uint64)
	edges = np.arange(n + 1, dtype=np.uint64) * np.uint64(cols) // np.uint64(n)
	return (edges[:-1] + (words * (edges[1:] - edges[:-1]) >> np.uint64(32))).astype(np.int64)


def stream_bytes(secret, tensor, purpose, block, n):
	"""The first n bytes of plane 0 of a stream."""
	words = stream_start(secret, tensor, 1, purpose, block + 1)[0, block]
	state, out = [words[16 * k:16 * k + 16].copy() for k in range(4)], b''
	while len(out) < n:
		out += step(state).astype('<u4').tobytes()
	return out[:n]


def mask_signs(secret, tensor, rows, cols):
	"""(rows, cols) of -1 and 1."""
	wide, out = -(-cols // 8), []
	for block in range(-(-rows // 64)):
		n = min(64, rows - 64 * block)
		b = np.frombuffer(stream_bytes(secret, tensor, 8, block, n * wide), np.uint8).reshape(n, wide)
		out.append(unpack_bits(b)[:, :cols])
	return np.where(np.concatenate(out), -1, 1)


def shifted_channels(secret, tensor, width):
	"""Which of the channels come from the position before, (width) of bool."""
	pairs = width // 2
	second = unpack_bits(np.frombuffer(stream_bytes(secret, tensor, 9, 0, -(-pairs // 8)), np.uint8))[:pairs]
	out = np.zeros(width, bool)
	out[0:2 * pairs:2], out[1:2 * pairs:2] = ~second, second
	return out


def weights(w, s, sigma):
	return (float(sigma) * s) * w.astype(np.float64)
