"""The C programs against the reference where numbers, shapes and settings are extreme.

Alphas that are zero, subnormal or the largest allowed; sigmas at their limits; vocabularies down to one token; bodies around the hash's
pieces, signed; logits that tie; settings of the sampler at the ends of their ranges; and section 8's rule that a value of 2^50 or more ends
the run: both must refuse the same models and agree to the last bit on the others.
"""
import struct

import container
import forward
import models
import numpy as np
import pytest
import sampler
from checks import command
from container import MATRIX, NORM, OWN, SHARED, STORED, UNIT, Scheme
from programs import build
from comparing import Programs, compare_loss, compare_text, compare_weights

F = np.float32
FROZEN_NORM = Scheme(NORM, 0, 0, 0, 0, 0, 0, 0.0)
STORED_NORM = Scheme(NORM, STORED, 0, 0, 0, 0, 0, 0.0)
SMALL = (1, 1, 4, 4, 8, 12)


def simple(shape, matrix, norm, learn, wte, wpe=None, **conf):
	"""A model of one matrix scheme and one norm scheme; learn(name, shape) gives its parameters; wte: (kind, values)."""
	conf = models.build_conf(shape, [(0, 1, 1, 0, 1, 1)] * shape[0], 0, [norm, matrix], **conf)
	learned = {name: container.stored_as(np.broadcast_to(learn(name, size), size), kind) for name, size, kind in container.learned_layout(conf)}
	width, context, vocab = shape[2], shape[4], shape[5]
	zeros = np.zeros((context, width), F)
	positions = None if conf.has(container.DISTANCES) else models.table(0, zeros if wpe is None else wpe)
	return container.Smol(conf, learned, models.table(wte[0], np.broadcast_to(wte[1], (vocab, width))), positions)


def put(p, smol, signer=None):
	"""Writes a model for the programs; gives its path and the reference's model of the same bytes."""
	data, path = container.write(smol, signer), p.folder / 'edge.smol'
	p.t.that(container.write(container.read(data)) == data, 'reading and writing gives the same')
	path.write_bytes(data)
	return path, forward.Model(container.read(data))


def check_alphas(p):
	"""Weights are equal bit by bit wherever in the range of f16 and f32 the alphas lie."""
	rng, shape = np.random.default_rng(1), (1, 1, 5, 3, 4, 12)
	values = {'zero': [0.0, -0.0], 'largest': [65504, -65504], 'least': [2.0 ** -24, -3 * 2.0 ** -24], 'mixed': [65504, 2.0 ** -24, 0.0, -1]}
	for name, choice in values.items():
		for dist, d, kind, sigma in ((0, 9, 0, 2.0 ** -60), (0, 64, 1, 2.0 ** 60), (1, 1, 1, 2.0 ** -60), (1, 64, 0, 2.0 ** 60), (1, 2, 0, 1.0), (0, 1, 0, 1.0)):
			draw = lambda _, size: rng.choice(choice, size)
			smol = simple(shape, Scheme(MATRIX, OWN, dist, d, 0, kind, 0, sigma), Scheme(NORM, OWN, dist, d, 0, kind, 0, sigma), draw,
				(0, rng.standard_normal((12, 5))))
			path, model = put(p, smol)
			compare_weights(p, path, model, 'alphas %s d %d dist %d' % (name, d, dist), model.names())
	for least in (2.0 ** -149, 2.0 ** -126, 1e-30):
		smol = simple(shape, Scheme(MATRIX, SHARED, 1, 3, 0, 0, 0, 1.0), Scheme(NORM, OWN, 0, 3, 0, 0, 0, 2.0 ** -60), lambda _, size: least,
			(0, rng.standard_normal((12, 5))))
		path, model = put(p, smol)
		compare_weights(p, path, model, 'alphas %g' % least, model.names())
		compare_text(p, path, model, 'alphas %g' % least, b'\1\2', 4, [dict(temp=0)])


def check_vocabularies(p):
	rng = np.random.default_rng(2)
	for vocab in (1, 2, 10, 11, 97, 200):
		for kind in (0, 1, 2):
			smol = simple((1, 1, 3, 5, 4, vocab), Scheme(MATRIX, UNIT, kind % 2, 1, 0, 0, 0, 0.5), FROZEN_NORM, None, (kind, rng.standard_normal((vocab, 3))))
			path, model = put(p, smol)
			for prompt in (b'', bytes([vocab - 1, 0])):
				compare_text(p, path, model, 'vocabulary %d' % vocab, prompt, 9, [dict(temp=0), dict(seed=5, temp=2.0)])
			p.t.equal(p.run(path, '-n', 1, prompt=bytes([vocab])), {}, 'vocabulary %d: a byte without a token' % vocab)
			p.t.equal(p.run(path, '-n', 1, prompt=bytes(5)), {}, 'vocabulary %d: a prompt longer than the context' % vocab)


def check_pieces(p):
	"""Bodies of just under, exactly and just over one and two pieces of the hash; signed by us."""
	piece, width = container.PIECE, 16
	for size in (piece - 64, piece, piece + 64, 2 * piece, 2 * piece + 64):
		shape = (1, 2, width, 4, 1, 1)
		matrix = Scheme(MATRIX, UNIT, 0, 1, 0, 0, 0, 0.25)
		empty = len(container.write(simple(shape, matrix, FROZEN_NORM, None, (0, 0.5)))) - 64
		vocab = 1 + (size - empty) // (4 * width)
		values = np.random.default_rng(size).standard_normal((vocab, width))
		path, model = put(p, simple(shape[:5] + (vocab,), matrix, FROZEN_NORM, None, (0, values)), (b'edgekeys', bytes(range(7, 39))))
		p.t.equal(path.stat().st_size, size + 168, 'size of the body')
		p.t.equal(p.verify(path), 0, 'body of %d bytes, signed: verify' % size)
		compare_text(p, path, model, 'body of %d bytes' % size, b'x', 3, [dict(temp=0)])
		data = bytearray(path.read_bytes())
		for at, what in ((-1, 'signature'), (-65, 'public key'), (-97, 'key number'), (-168, 'hash')):
			data[at] ^= 1
			path.write_bytes(data)
			p.t.equal(p.verify(path), 1, 'one bit of the %s changed' % what)
			data[at] ^= 1


def check_settings(p):
	"""Ties, and the ends of the sampler's ranges."""
	rng, text = np.random.default_rng(3), b'\1\2\3\2\1'
	tied = np.repeat(rng.standard_normal((10, 4)), 3, axis=0)
	for kind in (0, 2):
		path, model = put(p, simple((1, 2, 4, 4, 16, 30), Scheme(MATRIX, UNIT, 1, 1, 0, 0, 0, 0.5), FROZEN_NORM, None, (kind, tied)))
		settings = [dict(temp=0), dict(temp=-1.0), dict(seed=1, temp=1e-45), dict(seed=2, temp=1e30, top_k=0, top_p=1.0, min_p=0.0), dict(seed=3, top_p=0.0),
			dict(seed=4, min_p=1.0), dict(seed=5, top_k=1), dict(seed=6, top_k=1000000), dict(seed=7, temp=0.1, top_k=0, min_p=0.0),
			dict(seed=8, repeat_penalty=2.0 ** 60, repeat_last_n=-1), dict(temp=0, repeat_penalty=1.5, repeat_last_n=2), dict(seed=9, repeat_penalty=2.0 ** -60, repeat_last_n=1),
			dict(seed=10, repeat_penalty=2.0, repeat_last_n=0), dict(seed=11, temp=0.9, top_p=0.5, min_p=0.0, top_k=0)]
		compare_text(p, path, model, 'ties', text, 14, settings)


def outcome(model, prompt, count):
	try:
		return sampler.generate(model, prompt, count, sampler.Sampler(temp=0))
	except container.SmolError:
		return None


def check_limit(p):
	"""Section 8's limit of 2^50: models just below and above it by every way there is."""
	rng, verdicts = np.random.default_rng(4), []
	matrix = Scheme(MATRIX, UNIT, 1, 1, 0, 0, 0, 0.5)
	lora = Scheme(MATRIX, UNIT, 1, 1, 1, 0, 0, 0.5)
	big = 2.0 ** 50

	def one(what, smol):
		path, model = put(p, smol)
		for prompt in (b'\1', b'\1\2\3'):
			want = outcome(model, prompt, 3)
			got = command(p.tools / 'smolrun', path, '--json', '--temp', '0', '-n', '3', '-p', prompt.decode())
			p.t.equal(b'"tokens"' in got.stdout, want is not None, what + ': usable')
			p.t.that(got.returncode in (0, 1) and (got.returncode == 0) == (want is not None), what + ': exit code %d' % got.returncode)
			if want is not None:
				p.t.equal(p.run(path, '--temp', 0, '-n', 3, prompt=prompt).get('tokens'), want, what)
			verdicts.append(want is not None)

	def with_norm(what, size, sigma=0.5, wte=1.0, scale=1.0, which='weight'):
		learn = lambda name, shape: size if name.endswith(which) and not name.startswith('ln_f') else 1.0
		values = wte * rng.standard_normal((12, 4))
		one(what, simple(SMALL, Scheme(MATRIX, UNIT, 1, 1, 0, 0, 0, sigma), STORED_NORM, learn, (0, values), logit_scale=scale))

	for size in (2.0 ** 30, 2.0 ** 49, float(np.nextafter(F(big), F(0))), big, 2.0 ** 70, 3e38):
		values = rng.standard_normal((12, 4)).clip(-1, 1)
		values[1:4, 0] = -1
		one('embeddings of %g' % size, simple(SMALL, matrix, FROZEN_NORM, None, (0, values * size), logit_scale=2.0 ** -60))
		one('embeddings of %g, logit scale 1' % size, simple(SMALL, matrix, FROZEN_NORM, None, (0, values * size)))
		one('positions of %g' % size, simple(SMALL, matrix, FROZEN_NORM, None, (0, values), np.full((8, 4), size) * [1, -1, 1, 1]))
		with_norm('gains of %g' % size, size)
		with_norm('biases of %g' % size, size, which='bias')
		with_norm('gains of %g, small sigma' % size, size, sigma=2.0 ** -20)
		last = lambda name, shape: size if name == 'ln_f.weight' else 0.5
		one('last gain of %g' % size, simple(SMALL, matrix, STORED_NORM, last, (0, values), logit_scale=2.0 ** -20))
		one('last gain of %g, q8' % size, simple(SMALL, matrix, STORED_NORM, last, (2, values), logit_scale=2.0 ** -20))
		for factor in 'AB':
			learn = lambda name, shape: size if name[-1] == factor else 2.0 ** -10
			one('factor %s of %g' % (factor, size), simple(SMALL, lora, FROZEN_NORM, learn, (0, values)))
		learn = lambda name, shape: size if name[-1] == 'A' else 0.0
		one('factor A of %g, B of 0' % size, simple(SMALL, lora, FROZEN_NORM, learn, (0, values)))
	for power in range(-60, 61, 6):
		one('sigma 2^%d' % power, simple(SMALL, Scheme(MATRIX, UNIT, 1, 1, 0, 0, 0, 2.0 ** power), FROZEN_NORM, None, (0, values)))
	for power in range(38, 51):		# GELU of numbers whose cube is beyond a float
		learn = lambda name, shape: 2.0 ** power if '.ln_2.' in name else 1.0
		one('GELU of 2^%d' % power, simple(SMALL, Scheme(MATRIX, UNIT, 1, 1, 0, 0, 0, 2.0 ** -4), STORED_NORM, learn, (0, values), logit_scale=2.0 ** -30))
	for scale in (2.0 ** -60, 2.0 ** 40, 2.0 ** 48, 2.0 ** 60):
		one('logit scale %g' % scale, simple(SMALL, matrix, FROZEN_NORM, None, (0, values), logit_scale=scale))
	for epsilon in (2.0 ** -60, 1.0):
		one('epsilon %g' % epsilon, simple(SMALL, matrix, FROZEN_NORM, None, (0, 0.25), epsilon=epsilon))
		one('epsilon %g, tiny embeddings' % epsilon, simple(SMALL, matrix, FROZEN_NORM, None, (0, values * 2.0 ** -120), epsilon=epsilon))
	p.t.that(min(verdicts.count(True), verdicts.count(False)) > 20, 'verdicts of both kinds: %d and %d' % (verdicts.count(True), verdicts.count(False)))


def check_bits(p):
	"""Every bit of a random f32 in a table: what the reader takes, and with what result."""
	rng, path = np.random.default_rng(6), p.folder / 'edge.smol'
	base = simple((1, 1, 2, 2, 2, 4), Scheme(MATRIX, UNIT, 0, 1, 0, 0, 0, 0.5), FROZEN_NORM, None, (2, rng.standard_normal((4, 2))))
	for bits in (0, 1, 0x80000000, 0x80000001, 0x7f800000, 0x7fc00000, 0xff800000, 0x5d800000, 0x5d800001, 0x007fffff):
		base.wte.scales[2] = np.frombuffer(struct.pack('<I', bits), '<f4')[0]
		data = container.write(base)
		path.write_bytes(data)
		try:
			good = bool(container.read(data))
		except container.SmolError:
			good = False
		p.t.equal(p.verify(path), 0 if good else 1, 'scale with the bits %08x' % bits)


def check_sums(p):
	"""Sums as large as they can be: 262,144 columns of the largest numbers of each type, times X of 32512 or -32512 each, since all inputs are alike."""
	rng, ff = np.random.default_rng(7), 1 << 18
	shape, norm = (1, 1, 3, ff, 4, 12), FROZEN_NORM
	ones, wte = np.ones((3, ff), np.int8), rng.standard_normal((12, 3))
	alike = container.Table(0, np.tile(F([1, -0.5, -0.25]), (ff, 1)))
	for name, kind, rows in (('mask', container.MASK, container.Mask(ones > 0)), ('ternary', 5, container.Table(5, ones * np.int8([[1], [-1], [1]]), F([1, 0.5, 0.25]) / ff)),
			('q8', 2, container.Table(2, ones * np.int8([[-128], [127], [-128]]), F([1, 0.5, 0.25]) / ff / 128)),
			('q4', 3, container.Table(3, ones * np.int8([[-8], [7], [-8]]), F([1, 0.5, 0.25]) / ff / 2040, np.full((3, ff // 32), 255, np.uint8)))):
		kept = lambda t: Scheme(MATRIX, container.KEPT, 0, 0, 0, t, 0, 0.0)
		down = kept(kind) if kind != container.MASK else Scheme(MATRIX, container.MASKED, 0, 1, 0, 0, 0, 2.0 ** -10)
		conf = models.build_conf(shape, [(0, 1, 1, 0, 2, 3)], 0, [norm, Scheme(MATRIX, UNIT, 0, 1, 0, 0, 0, 0.5), kept(0), down], features=container.DISTANCES)
		smol = container.Smol(conf, {'h.0.mlp.c_fc.rows': alike, 'h.0.mlp.c_proj.' + ('mask' if kind == container.MASK else 'rows'): rows}, models.table(0, wte))
		path, model = put(p, smol)
		compare_text(p, path, model, 'sums of ' + name, b'\1\2', 3, [dict(seed=1, temp=1.5)])
		(p.folder / 'text').write_bytes(bytes(range(4)))
		compare_loss(p, path, model, 'sums of ' + name, p.folder / 'text')


def check_heads(p):
	"""Factors of heads as large and as small as they can be, of either sign."""
	rng = np.random.default_rng(8)
	features = container.DISTANCES | container.SLOPE_FACTORS | container.TEMPERATURES
	(p.folder / 'text').write_bytes(bytes(rng.integers(0, 12, 40, np.uint8)))
	for kind in (0, 1, 4):
		most = 65504 if kind < 4 else 65000	# a block's scale is rounded up
		for factors in ((most, -most), (0.0, -0.0), (2.0 ** -24, 1), (-1, most), (3, -2.0 ** -14)):
			learn = lambda name, size: np.array(factors) if '.attn.' in name else 1.0
			smol = simple((2, 2, 4, 4, 5, 12), Scheme(MATRIX, UNIT, 1, 1, 0, 0, 0, 0.5), FROZEN_NORM, learn, (0, rng.standard_normal((12, 4))), features=features, head_type=kind)
			path, model = put(p, smol)
			what = 'heads of %s as type %d' % (factors, kind)
			compare_weights(p, path, model, what, model.names())
			compare_text(p, path, model, what, b'\1\2\3', 9, [dict(temp=0), dict(seed=1)])
			compare_loss(p, path, model, what, p.folder / 'text')


@pytest.mark.parametrize('compare', (check_alphas, check_vocabularies, check_pieces, check_settings, check_limit, check_bits, check_sums, check_heads), ids=lambda f: f.__name__[6:])
def test_edges(check, folder, compare):
	with np.errstate(all='ignore'):
		compare(Programs(build, folder, check))
