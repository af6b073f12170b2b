#!/usr/bin/python3
"""Writes golden/vectors/frozen.txt: what SPEC.md sections 5 and 7 give for chosen inputs, bit for bit.

Usage: make_frozen_vectors.py [FILE]   (default: tests/golden/vectors/frozen.txt)

The second implementation of these sections in this folder, by other means than the first: integers, exact fractions
rounded once, no NumPy, no library but BLAKE2b. A line is a kind and then name=value; values are separated by commas,
floats and doubles are written in hex, byte strings as hex.
"""
import hashlib
import math
import pathlib
import random
import re
import struct
import sys
from fractions import Fraction

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = HERE.parent / 'golden/vectors/frozen.txt'
SIGN, GAUSS = 0, 1
MASK = 0xffffffff


# ---- binary32, each operation exact and then rounded once ----

def rounded(exact, zero_sign=1.0):
	"""A Fraction to the nearest binary32, ties to even; zero_sign is the sign that an exact zero takes."""
	if exact == 0:
		return math.copysign(0.0, zero_sign)
	m = abs(exact)
	e = m.numerator.bit_length() - m.denominator.bit_length()
	if Fraction(2) ** e > m:
		e -= 1
	ulp = Fraction(2) ** (max(e, -126) - 23)
	m = round(m / ulp) * ulp		# round() of a Fraction takes halves to even
	value = math.inf if m >= Fraction(2) ** 128 else float(m)
	return -value if exact < 0 else value


def sign(x):
	return math.copysign(1.0, x)


def fma(a, b, c):
	product_sign = sign(a) * sign(b)
	return rounded(Fraction(a) * Fraction(b) + Fraction(c), -1.0 if product_sign < 0 and sign(c) < 0 else 1.0)


def add(a, b):
	return rounded(Fraction(a) + Fraction(b), -1.0 if sign(a) < 0 and sign(b) < 0 else 1.0)


def mul(a, b):
	return rounded(Fraction(a) * Fraction(b), sign(a) * sign(b))


def mul_add(a, b, c):
	"""What fma is not."""
	return add(mul(a, b), c)


def div(a, b):
	return rounded(Fraction(a) / Fraction(b), sign(a) * sign(b))


def root(a):
	"""The square root of a positive binary32: 80 more bits than needed and a sticky one, then one rounding."""
	f = Fraction(a)
	shift = 240
	n = f * Fraction(2) ** (2 * shift)
	r = math.isqrt(n.numerator // n.denominator)
	exact = r * r == n
	return rounded(Fraction(2 * r + (0 if exact else 1), 2 ** (shift + 1)))


def f32(x):
	return rounded(Fraction(x), sign(x))


def rne(x):
	"""A float or double to the nearest integer, halves to even."""
	return round(Fraction(x))


# ---- section 5 ----

def normal_table():
	text = (HERE.parents[1] / 'SPEC.md').read_text().split('## Appendix A. ')[1]
	half = [float.fromhex(w) for w in re.search(r'```\n(.*?)```', text, re.S).group(1).split()]
	return [-v for v in reversed(half)] + half


G = normal_table()


def rotl(x, k):
	return (x << k | x >> (32 - k)) & MASK


def key_of(seed):
	return hashlib.blake2b(b'smol/1 frozen' + seed.to_bytes(8, 'little'), digest_size=32).digest()


def chacha_block(key, nonce, counter):
	start = list(struct.unpack('<4I', b'expand 32-byte k')) + list(struct.unpack('<8I', key)) + [counter] + list(nonce)
	s = start[:]
	for _ in range(10):
		for a, b, c, d in ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
				(0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14)):
			for x, y, z, k in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
				s[x] = (s[x] + s[y]) & MASK
				s[z] = rotl(s[z] ^ s[x], k)
	return [(x + y) & MASK for x, y in zip(s, start)]


def start_words(seed, tensor, plane, purpose, block):
	key = key_of(seed)
	return [w for i in range(4) for w in chacha_block(key, (tensor, plane, purpose), 4 * block + i)]


def steps(words):
	"""The 64 bytes of each step, for ever."""
	lanes = [[words[16 * k + lane] for k in range(4)] for lane in range(16)]
	while True:
		out = b''
		for lane in lanes:
			a, b, c, d = lane
			e = (a - rotl(b, 27)) & MASK
			a = b ^ rotl(c, 17)
			b = (c + d) & MASK
			c = (d + e) & MASK
			d = (e + a) & MASK
			lane[:] = a, b, c, d
			out += struct.pack('<I', d)
		yield out


def row_bytes(seed, tensor, plane, purpose, row, cols):
	per_row = (cols + 63) // 64
	stream = steps(start_words(seed, tensor, plane, purpose, row // 64))
	for _ in range(row % 64 * per_row):
		next(stream)
	return b''.join(next(stream) for _ in range(per_row))[:cols]


def tables(dist, alpha):
	d = len(alpha)
	if dist == GAUSS:
		T = [[a * g for g in G] for a in alpha]
	else:
		T = []
		for p in range((d + 7) // 8):
			T.append([])
			for u in range(256):
				total = 0.0
				for k in range(8 * p, min(8 * p + 7, d - 1) + 1):
					total += alpha[k] * (-1.0 if u >> (k - 8 * p) & 1 else 1.0)
				T[p].append(total)
	M = 0.0
	for t in T:
		M += max(abs(x) for x in t)
	if M == 0.0:
		return [[0] * 256 for _ in T], 0.0
	s = M / 32640.0
	return [[rne(x / s) for x in t] for t in T], s


def weight_row(seed, tensor, purpose, Q, row, cols):
	planes = [row_bytes(seed, tensor, p, purpose, row, cols) for p in range(len(Q))]
	return [sum(q[u[c]] for q, u in zip(Q, planes)) for c in range(cols)]


# ---- section 7 ----

def tree(lane):
	for h in (8, 4, 2, 1):
		lane = [add(lane[j], lane[j + h]) for j in range(h)]
	return lane[0]


def sum16(x):
	lane = [0.0] * 16
	for i, v in enumerate(x):
		lane[i % 16] = add(lane[i % 16], v)
	return tree(lane)


def dot16(x, y, multiply=fma):
	lane = [0.0] * 16
	for i, (a, b) in enumerate(zip(x, y)):
		lane[i % 16] = multiply(a, b, lane[i % 16])
	return tree(lane)


def quantise(x):
	t = div(max(abs(v) for v in x), 32512.0)
	if t < 2.0 ** -126:
		return [0] * len(x), 0.0
	return [rne(div(v, t)) for v in x], t


C = {name: float.fromhex(value) for name, value in (
	('log2e', '0x1.715476p+0'), ('ln2_high', '-0x1.63p-1'), ('ln2_low', '0x1.bd0106p-13'), ('first', '0x1.a0d2cep-13'),
	('gelu3', '-0x1.2444f2p-4'), ('gelu1', '-0x1.988454p+0'))}
EXP = [float.fromhex(c) for c in ('0x1.6e879cp-10', '0x1.11121p-7', '0x1.555382p-5', '0x1.555554p-3', '0x1p-1')]


def exp(x):
	x = 88.0 if x > 88 else -87.0 if x < -87 else x
	n = rne(mul(x, C['log2e']))
	r = fma(float(n), C['ln2_high'], x)
	r = fma(float(n), C['ln2_low'], r)
	p = C['first']
	for c in EXP:
		p = fma(p, r, c)
	p = fma(p, mul(r, r), r)
	p = add(p, 1.0)
	assert f32(p * 2.0 ** n) == p * 2.0 ** n
	return p * 2.0 ** n


def gelu(x):
	v = mul(x, x)
	v = fma(v, C['gelu3'], C['gelu1'])
	v = mul(v, x)
	return div(x, add(1.0, exp(v)))


def layernorm(x, epsilon, multiply=fma):
	n = float(len(x))
	mean = div(sum16(x), n)
	centred = [add(v, -mean) for v in x]
	var = div(dot16(centred, centred, multiply), n)
	rs = div(1.0, root(add(var, epsilon)))
	return [mul(c, rs) for c in centred]


def attention(q, K, V):
	scale = div(1.0, root(float(len(q))))
	e = [mul(dot16(q, k), scale) for k in K]
	m = max(e)
	p = [exp(add(x, -m)) for x in e]
	inverse = div(1.0, sum16(p))
	o = []
	for i in range(len(q)):
		total = 0.0
		for pj, v in zip(p, V):
			total = fma(pj, v[i], total)
		o.append(mul(total, inverse))
	return o


# ---- the file ----

def written(value):
	if isinstance(value, (bytes, bytearray)):
		return value.hex()
	if isinstance(value, float):
		return value.hex()
	if isinstance(value, (list, tuple)):
		return ','.join(written(v) for v in value)
	return str(value)


def line(kind, **fields):
	return ' '.join([kind] + ['%s=%s' % (k, written(v)) for k, v in fields.items()])


def numbers(rng, n, low=-3, high=1):
	"""Floats of mixed size."""
	return [math.ldexp(rng.randrange(-(1 << 24) + 1, 1 << 24), rng.randint(low, high) - 24) for _ in range(n)]


def halves(rng, n):
	"""(bits, values) of finite halves, the first of them special."""
	bits = [0x0001, 0x8001, 0x03ff, 0x0400, 0x7bff, 0xfbff, 0x8000, 0x3c01][:n]
	bits += [rng.randrange(2) << 15 | rng.randrange(8, 18) << 10 | rng.randrange(1024) for _ in range(n - len(bits))]
	return bits, [struct.unpack('<e', struct.pack('<H', b))[0] for b in bits]


def alphas(rng, d):
	return [math.ldexp(rng.randrange(-2047, 2048), -rng.randint(10, 13)) for _ in range(d)]


def key_lines():
	yield line('normal', g=G)
	for seed in (0, 1, 1 << 32, 0x0123456789abcdef, (1 << 64) - 1):
		yield line('key', seed=seed, key=key_of(seed))


def stream_lines():
	for where in ((0, 0, 0, 0, 0), (1, 5, 1, 0, 2), (1, 5, 1, 0, 3), (1, 6, 1, 0, 2), (1, 5, 2, 0, 2), (1, 5, 1, 1, 2),
			(7, 1023, 63, 3, 4095), ((1 << 64) - 1, 1, 0, 2, 262143)):
		words = start_words(*where)
		stream = steps(words)
		emitted = b''.join(next(stream) for _ in range(3))
		yield line('stream', **dict(zip(('seed', 'tensor', 'plane', 'purpose', 'block'), where)),
			words=words, steps=emitted)


def table_lines(rng):
	cases = [(SIGN, alphas(rng, d)) for d in (1, 5, 6, 8, 9, 64)] + [(GAUSS, alphas(rng, d)) for d in (1, 5, 8, 9, 64)]
	for dist in (SIGN, GAUSS):
		cases += [(dist, [0.0, -0.0, 0.0]), (dist, [65504.0] * 16), (dist, [2.0 ** -149, 0.0]),
			(dist, [f32(1 / 3), f32(-0.1), 1.0])]
	for dist, alpha in cases:
		Q, s = tables(dist, alpha)
		for p in sorted({0, len(Q) // 2, len(Q) - 1}):
			yield line('table', dist=dist, alpha=alpha, planes=len(Q), s=s, plane=p, Q=Q[p])


def weight_lines(rng):
	shapes = [(1, 1, 0, 1), (66, 1, 62, 4), (130, 63, 63, 3), (130, 64, 62, 4), (130, 65, 127, 3), (130, 130, 129, 1),
		(65, 130, 64, 1), (3, 200, 1, 2)]
	for n, (rows, cols, begin, count) in enumerate(shapes):
		for dist, d in ((SIGN, 1), (SIGN, 5), (SIGN, 9), (SIGN, 64), (GAUSS, 1), (GAUSS, 3)):
			where = dict(seed=rng.getrandbits(64), tensor=rng.randrange(1024), purpose=n % 2)
			alpha = alphas(rng, d)
			Q, s = tables(dist, alpha)
			w = [v for r in range(begin, begin + count) for v in weight_row(*where.values(), Q, r, cols)]
			yield line('weights', **where, rows=rows, cols=cols, dist=dist, alpha=alpha, begin=begin, count=count, w=w)
		where = dict(seed=rng.getrandbits(64), tensor=n, purpose=2)
		u = [row_bytes(where['seed'], n, 0, 2, r, cols) for r in range(begin, begin + count)]
		std = (0.02, 1.0, 1 / math.sqrt(cols))[n % 3]
		yield line('bytes', **where, rows=rows, cols=cols, begin=begin, count=count, u=b''.join(u), std=std,
			gauss=[f32(std * G[b]) for row in u for b in row])


def block_lines(rng):
	"""Products of one row block. The last input of each is the largest there is, of the signs of row 0, so that no term cancels."""
	for n, (rows, cols, block, n_x) in enumerate(((1, 1, 0, 1), (64, 63, 0, 2), (65, 64, 1, 2), (70, 65, 1, 3), (130, 130, 2, 2),
			(2, 777, 0, 2))):
		for dist, alpha in ((SIGN, [1.0]), (SIGN, alphas(rng, 9)), (SIGN, alphas(rng, 5)), (GAUSS, alphas(rng, 2))):
			where = dict(seed=rng.getrandbits(64), tensor=n, purpose=0)
			Q, s = tables(dist, alpha)
			w = [weight_row(*where.values(), Q, r, cols) for r in range(64 * block, min(rows, 64 * block + 64))]
			X = [[rng.randint(-32512, 32512) for _ in range(cols)] for _ in range(n_x - 1)]
			X.append([32512 if v > 0 else -32512 for v in w[0]])
			N = [sum(a * b for a, b in zip(row, x)) for x in X for row in w]
			yield line('block', **where, rows=rows, cols=cols, dist=dist, alpha=alpha, block=block, X=sum(X, []), N=N)


def quantise_lines(rng):
	cases = [numbers(rng, n, -9, 2) for n in (1, 2, 15, 16, 17, 33, 100)]
	cases += [[32512.0, 0.5, 1.5, 2.5, -0.5, -1.5, -2.5, 0.0, -0.0, 100.5, 101.5, 32510.5, -32511.5], [0.0, -0.0, 0.0],
		[-3.0], [f32(2.0 ** 128 * (1 - 2.0 ** -24)), -1.0, -f32(2.0 ** 128 * (1 - 2.0 ** -24))],
		[2.0 ** -112, 2.0 ** -149], [32512 * 2.0 ** -126, 2.0 ** -149], [32511 * 2.0 ** -126, -2.0 ** -112],
		[32768 * 2.0 ** -126, 2.0 ** -126, 2.0 ** -127]]
	for x in cases:
		X, t = quantise(x)
		yield line('quantise', x=x, t=t, X=X)


def dot_lines(rng):
	for n in (1, 7, 15, 16, 17, 31, 32, 33, 64, 100, 257):
		a, x = numbers(rng, n), numbers(rng, n)
		yield line('dot_f32', a=a, x=x, dot=dot16(a, x))
		bits, values = halves(rng, n)
		yield line('dot_f16', a=bits, values=values, x=x, dot=dot16(values, x))
		q = [rng.randint(-128, 127) for _ in range(n)]
		X = [rng.randint(-32512, 32512) for _ in range(n)]
		scale = abs(numbers(rng, 1)[0])
		yield line('dot_q8', a=q, X=X, dot=sum(i * j for i, j in zip(q, X)), scale=scale,
			values=[mul(scale, float(v)) for v in q])
	a, x = [0.0, -0.0, 2.0 ** -80, -2.0 ** -80], [-1.0, 1.0, 2.0 ** -69, 2.0 ** -70]
	yield line('dot_f32', a=a, x=x, dot=dot16(a, x))
	for X in (32512, -32512):
		yield line('dot_q8', a=[-128] * 1000, X=[X] * 1000, dot=-128 * X * 1000, scale=0.0, values=[-0.0] * 1000)


def function_lines(rng):
	x = [0.0, -0.0, 1.0, -1.0, 0.5, 88.0, 88.5, 1e30, -87.0, -87.5, -1e30, 87.99999237060547, -86.99999237060547, 2.0 ** -149,
		-2.0 ** -30, 0.34657359, -0.34657359, 0.34657362, 1.0397208, 10.5, -20.25, 5.0, -5.0, 12.0, -12.0]
	x = [f32(v) for v in x]
	x += numbers(rng, 60, -6, 3) + [f32(rng.uniform(-90, 90)) for _ in range(42)]
	yield line('exp', x=x, y=[exp(v) for v in x])
	x = [v for v in x if abs(v) < 1e19]
	yield line('gelu', x=x, y=[gelu(v) for v in x])


def layernorm_lines(rng):
	for n in (1, 2, 15, 16, 17, 33, 64, 100):
		epsilon = f32(rng.choice((1e-5, 1e-6, 1e-12, 1.0)))
		x, gain, bias = numbers(rng, n), numbers(rng, n), numbers(rng, n)
		z = layernorm(x, epsilon)
		while n >= 64 and z == layernorm(x, epsilon, mul_add):	# a sum without fma must show in the last bit
			x = numbers(rng, n)
			z = layernorm(x, epsilon)
		yield line('layernorm', x=x, epsilon=epsilon, z=z, gain=gain, bias=bias,
			y=[fma(a, g, b) for a, g, b in zip(z, gain, bias)])
	same = [0.75] * 20
	yield line('layernorm', x=same, epsilon=f32(1e-5), z=layernorm(same, f32(1e-5)), gain=same, bias=same,
		y=[fma(z, 0.75, 0.75) for z in layernorm(same, f32(1e-5))])


def attention_lines(rng):
	for D, n_keys, stride in ((1, 1, 1), (3, 2, 8), (16, 17, 16), (20, 33, 25), (64, 5, 128), (8, 1, 16), (5, 16, 10)):
		q = numbers(rng, D)
		K = [numbers(rng, D) for _ in range(n_keys)]
		V = [numbers(rng, D) for _ in range(n_keys)]
		yield line('attention', stride=stride, q=q, K=sum(K, []), V=sum(V, []), o=attention(q, K, V))


def contents():
	"""The whole file."""
	rng = random.Random(2026)
	lines = ['# Generated by tests/reference/make_frozen_vectors.py from SPEC.md sections 5 and 7; not from any of the C code.']
	for part in (key_lines(), stream_lines(), table_lines(rng), weight_lines(rng), block_lines(rng), quantise_lines(rng),
			dot_lines(rng), function_lines(rng), layernorm_lines(rng), attention_lines(rng)):
		lines += part
	return '\n'.join(lines) + '\n'


def main():
	path = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN
	path.write_text(contents())


if __name__ == '__main__':
	main()
