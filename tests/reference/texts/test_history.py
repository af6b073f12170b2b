"""Models with a history: logits to the last bit, texts, losses and packed texts against the reference."""
import dataclasses
import os

import container
import delta_cases
import forward
import golden_parts
import history
import joined
import models
import numpy as np
import packing
import pytest
import sampler
import tokens as tokens_
from checks import command
from comparing import SETTINGS, Programs, compare_loss, compare_text, compare_weights
from programs import build, library, root, run, smoltool

os.environ['SMOL_LIBRARY'] = str(library)
import smol  # noqa: E402

# layers, heads, width, feed-forward, context, vocabulary; of bytes the shortest length is two tokens, of more one.
SHAPES = [(1, 1, 3, 5, 4, 60), (2, 2, 6, 9, 8, 256), (1, 2, 8, 16, 9, 257), (1, 1, 5, 5, 6, 258), (2, 1, 17, 1, 1, 300), (1, 4, 8, 30, 40, 9), (1, 2, 6, 7, 5, 2)]
TEXT = (b'First Citizen:\nBefore we proceed any further, hear me speak.\n\nAll:\nSpeak, speak.\n\nFirst Citizen:\n'
	b'You are all resolved rather to die than to famish?\n\nAll:\nResolved. resolved.\n')


def made(number, shape, text=TEXT, numbers=None):
	smol_ = models.with_history(models.new_model(number, shape, text), number)
	if numbers is not None:
		smol_.learned['history'] = models.stored_as(np.array(numbers), smol_.conf.head_type)
	return container.write(smol_)


def known(model):
	"""What of TEXT the model has tokens for."""
	tokenizer = model.tokenizer
	return bytes(b for b in TEXT if not isinstance(tokenizer, tokens_.ByteSet) or tokenizer.other or b in tokenizer.bytes)


def repeating(rng, n, vocab):
	"""Tokens of which many came before: pieces of what was written, and new ones."""
	out = rng.integers(0, vocab, 8).tolist()
	while len(out) < n:
		begin, size = int(rng.integers(0, len(out))), int(rng.integers(1, 12))
		out += out[begin:begin + size] if rng.integers(0, 4) else [int(rng.integers(0, vocab))]
	return out[:n]


def same_bits(got, want):
	return got.dtype == want.dtype == np.float32 and got.tobytes() == want.tobytes()


@pytest.mark.parametrize('number', range(2 * len(SHAPES)))
def test_programs(check, folder, number):
	shape, p = SHAPES[number % len(SHAPES)], Programs(build, folder, check)
	data = made(number, shape)
	check.equal(container.write(container.read(data)), data, 'reading and writing gives the same')
	path, model = folder / 'm.smol', forward.Model(container.read(data))
	path.write_bytes(data)
	text = known(model)
	(folder / 'text').write_bytes(text)
	what = 'history %d %s' % (number, shape)
	check.equal(p.verify(path), 0, what + ': verify')
	check.equal(data[10], 3, what + ': minor version')
	compare_weights(p, path, model, what, model.names())
	compare_text(p, path, model, what, text, 30)
	compare_text(p, path, model, what + ', windows', text[:shape[4]], 2 * shape[4] + 8, SETTINGS[1:2], None, True)
	compare_loss(p, path, model, what, folder / 'text')
	compare_loss(p, path, model, what + ', in windows', folder / 'text', windows=True)
	compare_loss(p, path, model, what + ', in windows that overlap', folder / 'text', stride=max(1, shape[4] // 3))
	compare_loss(p, path, model, what + ', weights kept', folder / 'text', None, 'q8', ['--isa', 'scalar', '--mem', '64M'])


@pytest.mark.parametrize('number', range(2 * len(SHAPES)))
def test_logits(check, folder, number):
	"""Of every position; also over fewer of the last tokens."""
	shape = SHAPES[number % len(SHAPES)]
	data = made(number, shape, numbers=[(88, -90, 0, 3, -3), None, (-20, 20, 0, -1, 1)][number % 3])
	model, handle = forward.Model(container.read(data)), smol.Model.from_bytes(data)
	tokens = repeating(np.random.default_rng(number), 150, shape[5])
	plain = forward.Session(model, looks_back=1).feed(tokens)
	for looks_back in (None, 0, 1, 2, 3, 20, 149):
		want = forward.Session(model, looks_back=history.TOKENS if looks_back is None else looks_back or 1).feed(tokens)
		check.that(same_bits(handle.logits(tokens, each=True, history=looks_back), want), '%s: logits with a history of %s' % (shape, looks_back))
		check.that(same_bits(handle.logits(tokens, history=looks_back), want[-1]), '%s: the last ones' % (shape,))
		check.that(looks_back in (2, 3) or same_bits(plain, want) == (looks_back in (0, 1)), '%s: whether a history of %s changes anything' % (shape, looks_back))


def test_a_long_text(check):
	"""Past the tokens that count more than once, and past all that a history has."""
	shape = 1, 1, 2, 1, 3, 256
	data = made(4, shape)
	model, handle = forward.Model(container.read(data)), smol.Model.from_bytes(data)
	tokens = repeating(np.random.default_rng(5), 2600, 40)
	want = forward.Session(model).feed(tokens)
	check.that(same_bits(handle.logits(tokens, each=True), want), 'logits of 2,600 tokens')
	tokens = np.random.default_rng(6).integers(0, 256, 70000).tolist()
	tokens[-2:] = tokens[2:4]	# whose follower is out of reach
	session = forward.Session(model)
	session.history.tokens, session.history.chosen = tokens[:-9], [False] * (len(tokens) - 9)
	for place, token in enumerate(tokens[:-9]):
		session.history.places.setdefault(token, []).append(place + 1)
	want = session.feed(tokens[-9:], last=True)[-1]	# context 3, one layer: what the network says is that of the last few tokens
	check.that(same_bits(handle.logits(tokens), want), 'logits after 70,000 tokens')


@pytest.mark.parametrize('number', range(len(SHAPES)))
def test_packed_texts(check, folder, number):
	shape = SHAPES[number]
	data = made(number, shape, b'', [2, 2, 2, 2, 2])
	model = forward.Model(container.read(data))
	(folder / 'm.smol').write_bytes(data)
	for n, text in enumerate((TEXT, b'abababababababab', b'\0')):
		words = ['--check'] * ((n + number) % 2)
		(folder / 'text').write_bytes(text)
		want = packing.pack(model, text, bool(words))
		check.equal(run(smoltool, 'pack', '-m', folder / 'm.smol', *words, folder / 'text').stdout, want, '%s: text %d packed' % (shape, n))
		(folder / 'packed').write_bytes(packing.coded(model, text, bool(words)))
		check.equal(run(smoltool, 'unpack', '-m', folder / 'm.smol', *words, folder / 'packed').stdout, text, '%s: text %d unpacked' % (shape, n))


def test_texts_with_a_shorter_history(check):
	"""What a sampler chose follows nothing, however far the history looks back."""
	data = made(1, SHAPES[1], numbers=[-3, -3, -3, -3, -3])
	model, handle = forward.Model(container.read(data)), smol.Model.from_bytes(data)
	prompt = TEXT + TEXT
	for looks_back in (None, 0, 60):
		for options in (dict(seed=1), dict(seed=2, temp=0.5)):
			want = sampler.generate(model, prompt, 60, sampler.Sampler(**options), looks_back=history.TOKENS if looks_back is None else looks_back or 1)
			check.equal(list(handle.tokens(prompt, n=60, ignore_eos=True, history=looks_back, **options)), want, 'a history of %s, %s' % (looks_back, options))


@pytest.mark.parametrize('number', range(4))
def test_deltas(check, folder, number):
	"""The numbers are sums of those of models and differences."""
	of = container.read(made(number, SHAPES[number], numbers=[0.5, -1, 2, 1, 0]))
	parts = [container.write(of)]
	if number % 2:
		parts.append(container.write(dataclasses.replace(of, learned={**of.learned, 'history': models.stored_as(np.arange(5.0), of.conf.head_type)})))
	for i, part in enumerate(parts):
		(folder / ('%d.smol' % i)).write_bytes(part)
	layers = of.conf.layers
	smol_ = delta_cases.delta(of, [golden_parts.FROZEN_NORM, delta_cases.NOTHING], [(layers, delta_cases.ALIKE)], 0, list(zip(parts, (0.75, 0.5))), len(parts),
		head_type=of.conf.head_type)
	smol_.learned['history'] = models.stored_as(np.array([1.5, -2, 0, 0.25, 3]), of.conf.head_type)
	data = container.write(smol_)
	check.equal(container.read(data).minor, 3, 'minor version')
	(folder / 'd.smol').write_bytes(data)
	model = joined.Joined(container.read(data), {container.read(part).hash: container.read(part) for part in parts})
	handle = smol.Model.load(folder / 'd.smol', base=[folder / ('%d.smol' % i) for i in range(len(parts))])
	check.that(handle.weights('history').tobytes() == model.tensor('history').tobytes(), 'numbers %s, not %s' % (handle.weights('history'), model.tensor('history')))
	tokens = repeating(np.random.default_rng(number), 80, of.conf.vocab)
	check.that(same_bits(handle.logits(tokens, each=True), forward.Session(model).feed(tokens)), 'logits')


def test_of_a_shipped_model(check, folder):
	"""A model that knows its language, with numbers chosen for a text."""
	path, p = folder / 'm.smol', Programs(build, folder, check)
	(folder / 'text').write_bytes(TEXT * 4)
	check.equal(command(smoltool, 'history', root / 'models/shakespeare-qr.smol', folder / 'text', '-o', path).returncode, 0, 'smoltool history')
	model = forward.Model(container.read(path.read_bytes()))
	compare_weights(p, path, model, 'shipped', ['history'])
	compare_text(p, path, model, 'shipped', TEXT[:60], 40, [SETTINGS[0], SETTINGS[3]])
	compare_loss(p, path, model, 'shipped', folder / 'text')
