"""Float arithmetic of SPEC.md section 7: every operation binary32, rounded once, in the stated order.

All functions work on NumPy arrays along the last axis. NumPy's float32 +, -, *, / and sqrt are IEEE operations;
what it lacks is fma, which is built here from doubles by rounding to odd. That is seldom needed, which one look at a chain of sums tells.
"""
import math

import numpy as np

F = np.float32
D = np.float64


def fma(a, b, c):
	"""a b + c rounded once to float.

	The product of two floats is exact in double. The sum is rounded in double to odd (its error known from TwoSum), and 53 bits
	rounded to odd are enough for the second rounding to float, normal or subnormal, to be right.
	"""
	return _once(np.asarray(a, F).astype(D) * np.asarray(b, F).astype(D), np.asarray(c, F).astype(D))


def _once(p, c):
	s = np.asarray(p + c)
	out, some = s.astype(F), _doubtful(s)
	if some.any():
		out[some] = _by_odd(np.broadcast_to(p, s.shape)[some], np.broadcast_to(c, s.shape)[some], s[some])
	return out


def _doubtful(s):
	"""Where the second rounding can be wrong: half-way between two floats, and where these are subnormal."""
	return ((s.view(np.int64) & 0x1fffffff) == 0x10000000) | ((np.abs(s) < 2.0 ** -126) & (s != 0))


def _error(p, c, s):
	"""What p + c is more than s, its rounded sum."""
	t = s - p
	return (p - (s - t)) + (c - t)


def _by_odd(p, c, s):
	"""p + c, in double s, rounded to odd and then to float."""
	err = _error(p, c, s)
	bits = s.view(np.int64)
	move = (err != 0) & ((bits & 1) == 0) & np.isfinite(s)
	toward = np.where((err > 0) == (s > 0), 1, -1)
	return np.where(move, bits + toward, bits).view(D).astype(F)


def sums(products, start):
	"""start + products[0] + products[1] + ..., each sum rounded once to float; the products, exact ones, are doubles."""
	in_double = np.empty(products.shape)
	out = start
	for p, s in zip(products, in_double):
		out = np.add(p, out, out=s).astype(F)
	some = _doubtful(in_double)
	if some.any():
		before = np.concatenate([start[None], in_double[:-1].astype(F)])[some]
		some[some] = _error(products[some], before.astype(D), in_double[some]) != 0	# an exact sum is rounded once
		again = some.any(axis=0)
		if again.any():
			redone = start[again]
			for p in products[:, again]:
				redone = _once(p, redone.astype(D))
			out[again] = redone
	return out


def _tree(lane):
	for h in (8, 4, 2, 1):
		lane = lane[..., :h] + lane[..., h:2 * h]
	return lane[..., 0]


def sum16(x):
	x = np.asarray(x, F)
	lane = np.zeros(x.shape[:-1] + (16,), F)
	for i in range(0, x.shape[-1], 16):
		part = x[..., i:i + 16]
		lane[..., :part.shape[-1]] += part
	return _tree(lane)


def dot16(x, y):
	"""Products of the last axes; the other axes broadcast."""
	x, y = np.asarray(x, F), np.asarray(y, F)
	lead, n = np.broadcast_shapes(x.shape[:-1], y.shape[:-1]), x.shape[-1]
	size = math.prod(lead) * n
	if lead and lead[0] > 1 and size > 2 ** 16:	# in pieces, for the processor's caches
		x, y = (np.broadcast_to(z, lead + (n,)) for z in (x, y))
		step = max(1, lead[0] * 2 ** 15 // size)
		return np.concatenate([dot16(x[i:i + step], y[i:i + step]) for i in range(0, lead[0], step)])
	products = np.full(lead + (-(-n // 16), 16), -0.0)	# which changes no sum
	np.multiply(x, y, out=products.reshape(lead + (-1,))[..., :n], dtype=D)
	return _tree(sums(np.moveaxis(products, -2, 0), np.zeros(lead + (16,), F)))


def quantise(x):
	"""(X as integers held in doubles, t as float), one t for each row of the last axis."""
	x = np.asarray(x, F)
	t = np.abs(x).max(axis=-1) / F(32512)
	t = np.where(t < F(2.0 ** -126), F(0), t)
	safe = np.where(t == 0, F(1), t)[..., None]
	return np.where((t == 0)[..., None], F(0), np.rint(x / safe)).astype(D), t


def exp(x):
	x, all_sums = np.asarray(x, F), []
	if x.size > 2 ** 14:
		return np.concatenate([exp(part) for part in np.array_split(x.ravel(), x.size >> 13)]).reshape(x.shape)

	def quick(a, b, c):
		all_sums.append(np.multiply(a, b, dtype=D) + c)
		return all_sums[-1].astype(F)
	out = np.asarray(_exp(x, quick))
	some = _doubtful(np.array(all_sums)).any(axis=0)
	if some.any():
		out[some] = _exp(x[some], fma)
	return out


def _exp(x, fma):
	x = np.where(x > F(88), F(88), np.where(x < F(-87), F(-87), x))
	n = np.rint(x * F(float.fromhex('0x1.715476p+0')))
	r = fma(n, F(float.fromhex('-0x1.63p-1')), x)
	r = fma(n, F(float.fromhex('0x1.bd0106p-13')), r)
	p = np.full(x.shape, float.fromhex('0x1.a0d2cep-13'), F)
	for c in ('0x1.6e879cp-10', '0x1.11121p-7', '0x1.555382p-5', '0x1.555554p-3', '0x1p-1'):
		p = fma(p, r, F(float.fromhex(c)))
	p = fma(p, r * r, r)
	p = p + F(1)
	return (p.astype(D) * np.exp2(n.astype(D))).astype(F)


def gelu(x):
	x = np.asarray(x, F)
	v = x * x
	v = fma(v, F(float.fromhex('-0x1.2444f2p-4')), F(float.fromhex('-0x1.988454p+0')))
	v = v * x
	return x / (F(1) + exp(v))


def relu2(x):
	x = np.asarray(x, F)
	return np.where(x > 0, x * x, F(0))


def layernorm(x, eps, gain=None, bias=None):
	x = np.asarray(x, F)
	n = F(x.shape[-1])
	centred = x - (sum16(x) / n)[..., None]
	var = dot16(centred, centred) / n
	rs = F(1) / np.sqrt(var + F(eps))
	z = centred * rs[..., None]
	return z if gain is None else fma(z, gain, bias)


def to_f16(x):
	"""f32 to f16, to nearest even."""
	return np.asarray(x, F).astype(np.float16)


def to_q8(rows):
	"""Rows of f32 to (i8, f32 scale a row), section 12."""
	rows = np.asarray(rows, F)
	scale = np.abs(rows).max(axis=-1) / F(127)
	safe = np.where(scale == 0, F(1), scale)[:, None]
	q = np.where((scale == 0)[:, None], F(0), np.clip(np.rint(rows / safe), -127, 127))
	return q.astype(np.int8), scale


def to_q4(rows):
	"""Rows of f32 to (i8 in -7..7, f32 scale a row, u8 multipliers), section 12."""
	rows = np.asarray(rows, F)
	n, cols = rows.shape
	groups = np.zeros((n, -(-cols // 64) * 2, 32), F)
	groups.reshape(n, -1)[:, :cols] = rows
	largest = np.abs(groups).max(axis=2)
	scale = largest.max(axis=1) / F(1785)
	safe = np.where(scale == 0, F(1), scale)[:, None]
	multipliers = np.where((scale == 0)[:, None], F(0), np.minimum(np.rint(largest / F(7) / safe), F(255)))
	step = (safe * multipliers)[:, :, None]
	q = np.where(step == 0, F(0), np.clip(np.rint(groups / np.where(step == 0, F(1), step)), -7, 7))
	return q.reshape(n, -1)[:, :cols].astype(np.int8), scale, multipliers.astype(np.uint8)


def to_q4_row(rows):
	"""Rows of f32 to (i8, one f32 scale, u8 multipliers), section 12."""
	rows = np.asarray(rows, F)
	steps, most, largest = np.zeros(len(rows), F), np.zeros(len(rows)), np.abs(rows).max(axis=1)
	for k in range(15):
		t = (largest / F(7 + k / 2))[:, None]
		q = np.where(t > 0, np.clip(np.rint(rows / np.where(t > 0, t, F(1))), F(-8), F(7)), F(0))
		a, b = sum16(rows * q), sum16(q * q)
		some = np.where(b > 0, b, F(1))
		less = np.where(b > 0, a.astype(D) * a.astype(D) / some.astype(D), 0)
		steps, most = np.where(less > most, a / some, steps), np.maximum(most, less)
	scale = steps.max() / F(255)
	multipliers = np.minimum(np.rint(steps / (scale or F(1))), F(255)) * F(scale > 0)
	by = (scale * multipliers)[:, None]
	q = np.where(by == 0, F(0), np.clip(np.rint(rows / np.where(by == 0, F(1), by)), -8, 7))
	return q.astype(np.int8), np.array([scale], F), multipliers[:, None].astype(np.uint8)


def high_bytes(v):
	"""Integers of 16 bits in units of 256, the approximate product's."""
	return np.clip(np.floor((np.asarray(v, D) + 128) / 256), -127, 127)
