"""The C programs against the reference, on shipped models, on `smoltool new` and on random models of odd shapes.

Weights must be equal to the last bit, greedy and sampled tokens the same, losses equal to a relative 1e-9. Files are also compared the other way round: what
the reference writes the programs must take, what smoltool makes from a seed the reference must rebuild byte for byte, and both must give the same
verdict on files with one bit wrong and every checksum made good again.
"""
import functools
import struct

import container
import forward
import models
import numpy as np
import pytest
from checks import command
from comparing import SETTINGS, Programs, compare_loss, compare_text, compare_weights
from programs import build, root

SHIPPED = sorted((root / 'models').glob('*.smol'))
TEXT = b'First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n'

# layers, heads, width, feed-forward, context, vocabulary
SHAPES = [(1, 1, 1, 1, 1, 256), (1, 1, 3, 5, 7, 256), (2, 2, 6, 9, 8, 256), (2, 3, 33, 70, 16, 300), (1, 5, 65, 64, 20, 256), (3, 4, 64, 256, 24, 256),
	(2, 1, 17, 1, 9, 1000), (1, 16, 16, 130, 40, 256), (4, 2, 10, 31, 12, 257), (1, 2, 130, 67, 11, 256)]

# Of version 1.1, with sets of bytes (but for 256 sometimes, and 300).
NEW_SHAPES = [(1, 1, 3, 5, 4, 60), (2, 2, 6, 9, 8, 256), (2, 3, 33, 70, 9, 64), (1, 5, 65, 64, 20, 257), (3, 4, 64, 130, 24, 100), (2, 1, 17, 1, 1, 300), (1, 16, 16, 130, 40, 50),
	(4, 2, 10, 31, 7, 256), (1, 2, 130, 67, 11, 200)]

NEW = ['--method embed', '--method alpha --d 1', '--method alpha --d 8 --dist gauss --norms stored', '--method alpha --d 9 --norms stored --numbers q8', '--method lora --rank 5 --numbers q8', '--method alpha --d 64',
	'--method alpha --d 64 --dist gauss', '--method alpha-global --d 5 --norms frozen', '--method alpha-global --d 3 --dist gauss', '--method lora --rank 3',
	'--method lora --rank 1 --dist gauss --norms stored', '--method fastfood --d 1000', '--method fastfood-global --d 10 --norms alpha --layer-gains',
	'--method fourier --d 65', '--method alpha --gains --bias', '--method nola --rank 3', '--method nola --d 20 --dist gauss --rank 70 --numbers q8 --bias', '--method lora --gains --numbers q8', '--method fourier-global --d 64 --dist gauss', '--method alpha --width 65 --heads 5 --ff 31', '--method alpha --width 7 --heads 7 --layers 3 --vocab 300',
	'--arch smol --method mask', '--arch smol --method ternary --gains', '--arch smol --without output-table,slope-factors --method full --matrix-type q4',
	'--arch smol --features relu2,temperatures --method full --matrix-type q8 --param-type q8', '--method mask --gains --bias --param-type f32', '--method ternary --embedding-type ternary',
	'--arch smol --method embed --norms stored --embedding-type ternary', '--method full', '--arch smol --method mask --embedding-type q4-row', '--method embed --embedding-type q4-row --width 21 --heads 3', '--arch smol --features half-shift --method full --matrix-type f32']


def check_random(p, numbers):
	text = p.folder / 'text'
	text.write_bytes(TEXT)
	for n in numbers:
		shape = SHAPES[n % len(SHAPES)]
		data = container.write(models.random_model(n, shape, 1.0 if n % 3 else 0.2))
		p.t.equal(container.write(container.read(data)), data, 'random %d: reading and writing gives the same' % n)
		path, model = p.folder / 'random.smol', forward.Model(container.read(data))
		path.write_bytes(data)
		what = 'random %d %s' % (n, shape)
		p.t.equal(p.verify(path), 0, what + ': verify')
		compare_weights(p, path, model, what, model.names())
		compare_text(p, path, model, what, b'' if n % 5 == 0 else TEXT[:min(shape[4], 6)], 18)
		compare_loss(p, path, model, what, text)
		compare_loss(p, path, model, what + ', cache of f16', text, None, 'f16')
		compare_loss(p, path, model, what + ', cache of q8', text, None, 'q8')
		compare_loss(p, path, forward.Model(container.read(data), fast=True), what + ', fast', text, None, 'f32', ['--fast'])
		compare_loss(p, path, model, what + ', weights kept', text, None, 'f32', ['--isa', 'scalar', '--mem', '64M'])
		if shape[4] > 5:
			compare_loss(p, path, model, what + ', context 5', text, 5)
			stride = (1, 3, 5)[n % 3]
			compare_loss(p, path, model, what + ', windows %d apart' % stride, text, 5, stride=stride)
			compare_text(p, path, model, what + ', context 5', b'abc', 12, SETTINGS[:2], 5)


def check_features(p, n):
	"""A random model of version 1.1: weights, texts and losses, past the context too."""
	text, shape = p.folder / 'text', NEW_SHAPES[n % len(NEW_SHAPES)]
	text.write_bytes(TEXT)
	data = container.write(models.new_model(n, shape, TEXT, 1.0 if n % 3 else 0.2))
	p.t.equal(container.write(container.read(data)), data, 'new %d: reading and writing gives the same' % n)
	path, model = p.folder / 'random.smol', forward.Model(container.read(data))
	path.write_bytes(data)
	what = 'new %d %s, features %d' % (n, shape, model.conf.features)
	p.t.equal(p.verify(path), 0, what + ': verify')
	compare_weights(p, path, model, what, model.names())
	compare_text(p, path, model, what, b'' if n % 5 == 0 else TEXT[:min(shape[4], 6)], 18)
	if model.is_endless:
		compare_text(p, path, model, what + ', a long prompt', TEXT[:3 * shape[4]], 2 * shape[4], SETTINGS[1:3])
		compare_text(p, path, model, what + ', in windows', TEXT[:shape[4]], 2 * shape[4], SETTINGS[1:2], None, True)
		compare_loss(p, path, model, what + ', in windows', text, windows=True)
		compare_loss(p, path, model, what + ', in windows that overlap', text, stride=max(1, shape[4] // 3))
	compare_loss(p, path, model, what, text)
	compare_loss(p, path, model, what + ', cache of f16', text, None, 'f16')
	compare_loss(p, path, model, what + ', cache of q8', text, None, 'q8')
	compare_loss(p, path, forward.Model(container.read(data), fast=True), what + ', fast', text, None, 'f32', ['--fast'])
	compare_loss(p, path, model, what + ', weights kept', text, None, 'f32', ['--isa', 'scalar', '--mem', '64M'])
	if shape[4] > 3:
		compare_loss(p, path, model, what + ', context 3', text, 3)
		compare_text(p, path, model, what + ', context 3', TEXT[:3], 12, SETTINGS[:2], 3)


def check_fourier(p):
	"""Its entries within what single precision may do, and a text's loss; bits may differ (SPEC.md 5.8)."""
	for n, (shape, numbers, kind) in enumerate(zip(SHAPES[2:], (1, 64, 65, 300, 1000, 3, 100, 512), (container.FOURIER, container.FOURIER_SHARED) * 4)):
		matrix = container.Scheme(container.MATRIX, kind, n % 2, 1, n % 3, n % 2, 0, 0.125, numbers)
		norm = container.Scheme(container.NORM, container.FROZEN, 0, 0, 0, 0, 0, 0.0)
		smol = models.random_model(n, shape)
		conf = models.build_conf(shape, [(0, 1, 1, 0, 1, 1)] * shape[0], 0, [norm, matrix], seed=n)
		rng = np.random.default_rng(n)
		learned = {name: container.stored_as(0.3 * rng.standard_normal(size), t) for name, size, t in container.learned_layout(conf)}
		data = container.write(container.Smol(conf, learned, smol.wte, smol.wpe, None))
		path, model = p.folder / 'fourier.smol', forward.Model(container.read(data))
		path.write_bytes(data)
		for name in model.names():
			got, want = p.weights(path, name), model.tensor(name)
			p.t.that(got is not None and np.abs(got.reshape(want.shape) - want).max() < 3e-6, 'fourier %s: %s' % (shape, name))
		(p.folder / 'text').write_bytes(TEXT)
		got = p.run(path, '--perplexity', p.folder / 'text').get('nats_per_token', 1e9)
		want = forward.perplexity(model, model.tokenizer.encode(TEXT), None, 'f32')[0]
		p.t.that(abs(got - want) < 1e-4, 'fourier %s: loss %s, want %s' % (shape, got, want))


def check_new(p):
	"""smoltool new, rebuilt from its configuration by section 12."""
	for n, words in enumerate(NEW):
		path, kind = p.folder / 'new.smol', ('q8', 'f16', 'f32', 'q4')[n % 4]
		small = [] if '--width' in words else ['--width', 24, '--heads', 3, '--layers', 2]
		r = command(p.tools / 'smoltool', 'new', '--context', 10, '--seed', 1000 + n, '--embedding-type', kind, *small, *words.split(), '-o', path)
		if not p.t.equal(r.returncode, 0, 'smoltool new %s: %s' % (words, r.stderr[:200])):
			continue
		data = path.read_bytes()
		try:
			smol = container.read(data)
		except container.SmolError as e:
			p.t.that(False, 'new %s: the reference refuses it: %s' % (words, e))
			continue
		p.t.that(container.write(models.untrained(smol)) == data, 'new %s: section 12 gives another file' % words)
		for slots in smol.conf.layer_schemes():
			for slot in (1, 2, 4, 5):
				scheme = smol.conf.schemes[slots[slot]]
				p.t.equal(scheme.sigma, 0 if scheme.source == container.KEPT else models.default_sigma(smol.conf, slot), 'new %s: sigma' % words)
		model = forward.Model(smol)
		names = ['wte.weight', 'wpe.weight', 'lm_head.weight', 'h.0.attn.c_attn.weight', 'h.0.ln_1.weight', 'h.1.mlp.c_proj.weight']
		compare_weights(p, path, model, 'new ' + words, [name for name in names if name in model.names()])
		compare_text(p, path, model, 'new ' + words, b'ab', 12, SETTINGS[:2])


def repaired(body):
	"""A body with one thing wrong, given good checksums where the directory still leads to the sections, and a good hash."""
	body = bytearray(body)
	count = min(struct.unpack_from('<H', body, 12)[0], 5)
	at = end = 32 + 24 * count
	if end > len(body):
		return bytes(body) + container.file_hash(bytes(body))
	for i in range(count):
		kind, _, size = struct.unpack_from('<4sIQ', body, 32 + 24 * i)
		align = 64 if kind == b'EMBD' else 8
		start = -(-at // align) * align
		if size <= len(body):
			struct.pack_into('<Q', body, 32 + 24 * i + 16, container.xxh3(bytes(body[start:start + size])))
		at = start + size
	struct.pack_into('<Q', body, 24, container.xxh3(bytes(body[:24] + body[32:end])))
	return bytes(body) + container.file_hash(bytes(body))


@functools.cache
def unsigned(n, is_new, shape):
	"""The bytes of a random model before its hash; there are only some dozens of them."""
	return container.write(models.new_model(n, NEW_SHAPES[shape]) if is_new else models.random_model(n, SHAPES[1 + shape]))[:-64]


def check_verdicts(p, tries=1500):
	rng = np.random.default_rng(11)
	path, took = p.folder / 'mutant.smol', 0
	for n in range(tries):
		body = bytearray(unsigned(n % 19 if n % 3 else n % 9, n % 3 > 0, n % 2))
		bits = int(rng.integers(0, 8 * min(len(body), 800 if n % 4 else len(body))))
		body[bits // 8] ^= 1 << bits % 8
		data = repaired(body)
		path.write_bytes(data)
		try:
			container.read(data)
			good = True
		except container.SmolError:
			good = False
		took += good
		p.t.equal(p.verify(path), 0 if good else 1, 'verdict on model %d with bit %d of byte %d changed' % (n, bits % 8, bits // 8))
	p.t.that(tries // 20 < took < tries, 'verdicts of both kinds: %d of %d taken' % (took, tries))


def check_shipped(p, path):
	text = p.folder / 'text'
	text.write_bytes(TEXT * 2)
	smol, what = container.read(path.read_bytes()), path.name
	model = forward.Model(smol)
	p.t.that(container.write(smol) == path.read_bytes(), what + ': reading and writing gives the same')
	p.t.equal(p.verify(path), 0, what + ': verify')
	compare_weights(p, path, model, what, model.names())
	compare_text(p, path, model, what, b'ROMEO:', 40, [SETTINGS[0], SETTINGS[3]])
	compare_loss(p, path, model, what, text)


@pytest.mark.parametrize('number', range(2 * len(SHAPES)))
def test_random(check, folder, number):
	check_random(Programs(build, folder, check), [number])


@pytest.mark.parametrize("number", range(len(NEW_SHAPES)))
def test_features(check, folder, number):
	check_features(Programs(build, folder, check), number)


def test_fourier(check, folder):
	check_fourier(Programs(build, folder, check))


def test_new(check, folder):
	check_new(Programs(build, folder, check))


def test_verdicts(check, folder):
	check_verdicts(Programs(build, folder, check))


@pytest.mark.parametrize('path', SHIPPED, ids=lambda path: path.stem)
def test_shipped(check, folder, path):
	check_shipped(Programs(build, folder, check), path)
