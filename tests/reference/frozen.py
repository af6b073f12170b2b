"""Frozen weights: SPEC.md section 5 and the normal table of appendix A, from the seed to exact numbers."""
import hashlib
import pathlib
import re

import numpy as np

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


def chacha20(secret, counters, nonces):
	"""Key stream blocks of RFC 8439: counters (n), nonces (n, 3) words -> (n, 16) words."""
	counters = np.asarray(counters, np.uint32)
	start = np.empty((16, counters.size), np.uint32)
	start[:4] = np.frombuffer(b'expand 32-byte k', '<u4')[:, None]
	start[4:12] = np.frombuffer(secret, '<u4')[:, None]
	start[12] = counters
	start[13:] = np.asarray(nonces, np.uint32).T
	s = start.copy()

	def quarter(a, b, c, d):
		s[a] += s[b]
		s[d] = _rotl(s[d] ^ s[a], 16)
		s[c] += s[d]
		s[b] = _rotl(s[b] ^ s[c], 12)
		s[a] += s[b]
		s[d] = _rotl(s[d] ^ s[a], 8)
		s[c] += s[d]
		s[b] = _rotl(s[b] ^ s[c], 7)

	for _ in range(10):
		for i in range(4):
			quarter(i, 4 + i, 8 + i, 12 + i)
		for i in range(4):
			quarter(i, 4 + (i + 1) % 4, 8 + (i + 2) % 4, 12 + (i + 3) % 4)
	return (s + start).T


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


def weights(w, s, sigma):
	return (float(sigma) * s) * w.astype(np.float64)
