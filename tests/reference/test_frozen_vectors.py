"""golden/vectors/frozen.txt is what its generator writes, and the generator agrees with the other reference, which works by other means."""
import arith
import frozen
import make_frozen_vectors as exact
import numpy as np


def same(check, got, want, what):
	check.that(np.array_equal(np.asarray(got), np.asarray(want)), what)


def test_the_file(check):
	check.that(exact.GOLDEN.read_text() == exact.contents(), '%s is not what its generator writes' % exact.GOLDEN)


def test_frozen(check):
	for seed, where, rows, cols in ((1, (5, 0), 130, 65), (2, (0, 2), 3, 130), (3, (9, 1), 65, 64)):
		u = frozen.weight_bytes(frozen.key(seed), where[0], 2, where[1], rows, cols)
		for row in range(0, rows, 2):
			for plane in (0, 1):
				same(check, u[plane][row], list(exact.row_bytes(seed, where[0], plane, where[1], row, cols)), 'bytes of row %d' % row)
	for dist, alpha in ((0, [1.0, 0.5, -0.25] * 4), (1, [1.0, -0.375])):
		Q, s = frozen.integer_tables(frozen.tables(dist, alpha))
		check.that((Q.tolist(), s) == exact.tables(dist, alpha), 'tables')


def test_arith(check):
	rng = np.random.default_rng(5)
	for n in (1, 16, 33, 70):
		x, y = (rng.standard_normal((2, n)) * 3).astype(np.float32)
		a, b = [float(v) for v in x], [float(v) for v in y]
		same(check, arith.sum16(x), exact.sum16(a), 'sum16')
		same(check, arith.dot16(x, y), exact.dot16(a, b), 'dot16')
		X, scale = arith.quantise(x)
		check.that(([int(v) for v in X], float(scale)) == exact.quantise(a), 'quantise')
		same(check, arith.exp(x * 10), [exact.exp(float(v)) for v in x * np.float32(10)], 'exp')
		same(check, arith.gelu(x), [exact.gelu(v) for v in a], 'gelu')
		same(check, arith.layernorm(x, 1e-5), exact.layernorm(a, exact.f32(1e-5)), 'layernorm')
