"""Checks the reference itself against definitions and published vectors, without SPEC.md's examples or the C programs."""
import decimal
import hashlib
import struct
from fractions import Fraction

import nacl.signing
import numpy as np

import arith
import container
import forward
import frozen
import tables

F = np.float32


def round_float(exact):
	"""A Fraction to the nearest float, ties to even, straight from the definition."""
	if exact == 0:
		return 0.0
	m = abs(exact)
	e = m.numerator.bit_length() - m.denominator.bit_length()
	if Fraction(2) ** e > m:
		e -= 1
	ulp = Fraction(2) ** (max(e, -126) - 23)
	n = round(m / ulp)		# Fraction rounds halves to even
	value = n * ulp
	value = float('inf') if value >= Fraction(2) ** 128 else float(value)
	return -value if exact < 0 else value


def fma_cases(rng):
	bits = rng.integers(0, 1 << 32, (3, 6000), dtype=np.uint64).astype(np.uint32).view(F)
	a, b, c = (rng.standard_normal((3, 6000)) * 2.0 ** rng.integers(-12, 12, (3, 6000))).astype(F)
	near = -(a.astype(float) * b).astype(F)				# cancellation
	tie_c = F(1) + F(2.0 ** -23) * rng.integers(0, 9, 6000).astype(F)	# a b lies just beside half an ulp of c
	tie_a = np.full(6000, 2.0 ** -24, F) * (1 + rng.choice([-1, 0, 1], 6000).astype(F) * F(2.0 ** -23))
	tie_b = 1 + rng.choice([-1, 0, 1], 6000).astype(F) * F(2.0 ** -23)
	tiny_a = F(2.0 ** -100) * (1 + rng.integers(0, 1 << 23, 6000).astype(F) * F(2.0 ** -23))
	tiny_b = F(2.0 ** -48) * (1 + rng.integers(0, 1 << 23, 6000).astype(F) * F(2.0 ** -23))
	tiny_c = (rng.integers(-9, 9, 6000) * 2.0 ** -149).astype(F)
	sets = [bits, (a, b, c), (a, b, near), (tie_a, tie_b, tie_c), (tie_a, -tie_b, tie_c), (tiny_a, tiny_b, tiny_c)]
	return (np.concatenate([s[i] for s in sets]) for i in range(3))


def test_fma(check):
	with np.errstate(all='ignore'):
		a, b, c = fma_cases(np.random.default_rng(1))
		got = arith.fma(a, b, c)
		products = np.stack([np.roll(a, 1).astype(float) * np.roll(b, 1), np.full(len(a), -0.0), a.astype(float) * b])
		check.that(np.array_equal(arith.sums(products[1:], c), got, equal_nan=True), 'sums: of one product not what fma gives')
		check.that(np.array_equal(arith.sums(products, c), arith.fma(a, b, arith.fma(np.roll(a, 1), np.roll(b, 1), c)), equal_nan=True), 'sums: of two products')
	bad = tried = 0
	for x, y, z, g in zip(a, b, c, got):
		if np.isfinite([x, y, z]).all():
			tried += 1
			bad += float(g) != round_float(Fraction(float(x)) * Fraction(float(y)) + Fraction(float(z)))
	check.that(bad == 0 and tried > 30000, 'fma: %d wrong of %d' % (bad, tried))
	with np.errstate(all='ignore'):
		doubled = (a.astype(float) * b.astype(float) + c.astype(float)).astype(F)
	check.that((doubled != got)[np.isfinite(got)].any(), 'fma: no case needed care')


def test_primitives(check):
	key = bytes(range(32))
	block = frozen.chacha20(key, [1], [struct.unpack('<3I', bytes.fromhex('000000090000004a00000000'))])
	check.equal(block.astype('<u4').tobytes().hex(), '10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e'
		'd2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e', 'ChaCha20, RFC 8439 section 2.3.2')
	block = frozen.chacha20(bytes(32), [0, 1], [(0, 0, 0)] * 2).astype('<u4')
	check.equal(block[0].tobytes()[:16].hex(), '76b8e0ada0f13d90405d6ae55386bd28', 'ChaCha20, RFC 8439 A.1 vector 1')
	check.equal(block[1].tobytes()[:16].hex(), '9f07e7be5551387a98ba977c732d080d', 'ChaCha20, RFC 8439 A.1 vector 2')
	check.equal(hashlib.blake2b(b'abc').hexdigest()[:32], 'ba80a53f981c4d0d6a2797b69f12f6e9', 'BLAKE2b, RFC 7693 appendix A')
	check.equal(container.xxh3(b''), 0x2d06800538d394c2, 'XXH3-64 of nothing')
	private = nacl.signing.SigningKey(bytes.fromhex('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60'))
	check.equal(bytes(private.verify_key).hex(), 'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a', 'Ed25519, RFC 8032 test 1')
	check.equal(private.sign(b'').signature.hex()[:32], 'e5564300c360ac729086e2cc806e828a', 'Ed25519, RFC 8032 test 1')


def test_step(check):
	"""JSF32 against a scalar one in Python integers."""
	start = [[(7 * i + 1000003 * j + 12345678 * (i ^ j)) & 0xffffffff for j in range(16)] for i in range(4)]
	state = [np.array(words, np.uint32) for words in start]
	rot = lambda x, k: (x << k | x >> (32 - k)) & 0xffffffff
	for _ in range(5):
		emitted = frozen.step(state)
		for j in range(16):
			a, b, c, d = (start[i][j] for i in range(4))
			e = (a - rot(b, 27)) & 0xffffffff
			a, b, c = b ^ rot(c, 17), (c + d) & 0xffffffff, (d + e) & 0xffffffff
			for i, v in enumerate((a, b, c, (e + a) & 0xffffffff)):
				start[i][j] = v
		check.equal(emitted.tolist(), start[3], 'JSF32 step')


def test_normal_table(check):
	"""Appendix A from its definition, in 50 digits."""
	decimal.getcontext().prec = 50
	root = (2 * decimal.Decimal('3.14159265358979323846264338327950288419716939937510582')).sqrt()

	def density(x):
		return (-x * x / 2).exp() / root

	def area(x):	# from 0 to x
		term, total, k = x, x, 1
		while term > decimal.Decimal(10) ** -48:
			k += 2
			term = term * x * x / k
			total += term
		return total * density(x)

	found, x = [], decimal.Decimal(0)
	for k in range(128):
		want = decimal.Decimal(2 * k + 1) / 512
		while True:
			move = (want - area(x)) / density(x)
			x += move
			if abs(move) < decimal.Decimal(10) ** -40:
				break
		found.append(x)
	rms = (sum(v * v for v in found) / 128).sqrt()
	check.that(all(float(v / rms) == g for v, g in zip(found, frozen.G[128:])), 'appendix A against its definition')
	check.that((frozen.G[:128] == -frozen.G[:127:-1]).all(), 'appendix A is odd')


def test_arith(check):
	rng = np.random.default_rng(2)
	x = np.concatenate([np.linspace(-87, 88, 40001), rng.standard_normal(20000)]).astype(F)
	want = np.exp(x.astype(float))
	check.that((np.abs(arith.exp(x) / want - 1) < 2.0 ** -22).all(), 'exp is within an ulp or two')
	v = x[np.abs(x) < 30].astype(float)
	want = 0.5 * v * (1 + np.tanh(np.sqrt(2 / np.pi) * (v + 0.044715 * v ** 3)))
	check.that((np.abs(arith.gelu(v.astype(F)) - want) < 1e-6 * (1 + np.abs(v))).all(), 'GELU is the tanh form')
	y = rng.standard_normal((5, 77)).astype(F)
	z = (y - y.mean(1, keepdims=True)) / np.sqrt(y.var(1, keepdims=True) + 1e-5)
	check.that(np.allclose(arith.layernorm(y, 1e-5), z, atol=1e-5), 'LayerNorm')
	check.that(np.allclose(arith.dot16(y[:1], y), y @ y[0], atol=1e-4) and np.allclose(arith.sum16(y), y.sum(1), atol=1e-4), 'sums in lanes')
	big, scale = arith.quantise(y)
	check.that((np.abs(big).max(1) == 32512).all() and (np.abs(big * scale[:, None] - y) <= scale[:, None]).all(), 'quantisation')


def test_ternary(check):
	"""Both ways that SPEC.md 3.3 tells of to read a byte."""
	for byte in range(256):
		rest, digits = byte, []
		for _ in range(5):
			digits.append(3 * rest // 256)
			rest = 3 * rest % 256
		v = sum(t * p for t, p in zip(digits, (81, 27, 9, 3, 1)))
		if byte in tables.V_OF:
			check.equal(tables.V_OF[byte], v, 'v of byte %d' % byte)
			check.equal(tables.unpack_trits(np.array([[byte]], np.uint8), 5, 'row').tolist(), [[t - 1 for t in digits]], 'numbers of byte %d' % byte)
	check.equal(sorted(tables.V_OF.values()), list(range(243)), 'each five numbers have a byte')
	q = (np.arange(3 * 23) * 7 % 3 - 1).reshape(3, 23)
	check.that((tables.unpack_trits(tables.pack_trits(q), 23, 'rows') == q).all(), 'rows of 23')
	row = tables.ternary([[0.9, -1.1, 0.05, 0.0, 1.0], [0, 0, 0, 0, 0]])
	check.that(row.numbers.tolist() == [[1, -1, 0, 0, 1], [0] * 5] and abs(row.scales[0] - 1) < 1e-6 and row.scales[1] == 0, 'rounding to ternary')


def test_slopes(check):
	for heads in (1, 2, 3, 5, 12, 1024):
		want = [2.0 ** (1 - 6 * h / (heads - 1)) if heads > 1 else 0.5 for h in range(heads)]
		check.that((np.abs(forward.slopes(heads) / want - 1) < 2.0 ** -20).all(), 'slopes of %d heads' % heads)


def test_what_the_seed_chooses(check):
	key = frozen.key(3)
	for width in (1, 2, 21, 256, 2048):
		shifted = frozen.shifted_channels(key, 6, width)
		pairs = shifted[:width // 2 * 2].reshape(-1, 2)
		check.that((pairs.sum(axis=1) == 1).all() and not shifted[width // 2 * 2:].any(), 'one of each pair of %d channels' % width)
	check.that(0.4 < pairs[:, 1].mean() < 0.6, 'of each as many')
	signs = frozen.mask_signs(key, 5, 200, 77)
	check.that(set(np.unique(signs)) == {-1, 1} and abs(signs.mean()) < 0.05, 'signs of a mask')
	check.that((frozen.mask_signs(key, 5, 70, 77) == signs[:70]).all(), 'rows do not depend on their number')
