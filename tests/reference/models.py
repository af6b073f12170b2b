"""Models for tests: random ones of any shape and mixture of schemes, and section 12's untrained ones rebuilt from their configuration."""
import dataclasses
import math

import numpy as np

import arith
import frozen
import tokens
from container import (BIASES, DISTANCES, FASTFOOD, FASTFOOD_SHARED, GAINS, HISTORY, HISTORY_LENGTHS, KEPT, LAYER_GAIN, LEARNED, MASKED, MATRIX, NOLA, NORM, OUTPUT_TABLE, OWN, RELU2, SHARED,
	SLOPE_FACTORS, SLOTS, SPARSE, STORED, UNIT, Conf, Scheme, Smol, canonical, learned_layout, rows_as, stored_as)
from tables import EMBEDDINGS, ROWS

F = np.float32


def build_conf(shape, layer_slots, ln_f, schemes, epsilon=1e-5, seed=0, logit_scale=1.0, features=0, head_type=0):
	"""shape: (L, H, C, F, T, V). Puts schemes and runs into their one encoding; unused schemes are dropped."""
	runs = []
	for slots in layer_slots:
		if runs and runs[-1][1] == tuple(slots):
			runs[-1] = runs[-1][0] + 1, tuple(slots)
		else:
			runs.append((1, tuple(slots)))
	order = canonical(runs, ln_f)
	place = {old: new for new, old in enumerate(order)}
	runs = [(n, tuple(place[i] for i in slots)) for n, slots in runs]
	layers, heads, width, ff, context, vocab = shape
	return Conf(layers, heads, width, ff, context, vocab, float(F(epsilon)), seed, float(F(logit_scale)), [schemes[i] for i in order], runs, place[ln_f],
		features, head_type)


table = rows_as


def with_terms(rng, scheme, kind, most):
	"""Half of the schemes get gains, biases or both, some a sparse term of at most that many numbers a row."""
	terms = int(rng.choice([0, 0, 0, GAINS, BIASES, GAINS | BIASES]))
	scheme = dataclasses.replace(scheme, terms=terms, factor_type=kind) if terms else scheme
	if not scheme.projects() and rng.integers(0, 3) == 0:
		return dataclasses.replace(scheme, terms=terms | SPARSE, factor_type=kind, dimensions=int(rng.integers(1, most + 1)))
	if scheme.projects() and scheme.is_shared() and rng.integers(0, 2):
		return dataclasses.replace(scheme, terms=terms | LAYER_GAIN)
	return scheme


def random_schemes(rng, width, most):
	"""Matrix schemes 0..2 and norm schemes 3..4, all different."""
	dist = int(rng.integers(0, 2))
	alpha_type, other_type = (int(v) for v in rng.permutation(LEARNED)[:2])
	d, shared_d = (int(rng.choice([1, 2, 5, 8, 9, 17, 33, 64])) for _ in range(2))
	sigma = float(F(rng.uniform(0.5, 2) / math.sqrt(width)))
	rank = int(rng.integers(0, 4))
	f, other_f = (int(v) for v in rng.permutation(LEARNED)[:2])
	second = [Scheme(MATRIX, UNIT, 1 - dist, 1, 2, 0, f, 2 * sigma), Scheme(MATRIX, SHARED, dist, shared_d, 1, other_type, f, sigma)][rng.integers(0, 2)]
	norms = [Scheme(NORM, 0, 0, 0, 0, 0, 0, 0.0), Scheme(NORM, STORED, 0, 0, 0, 0, other_f, 0.0), Scheme(NORM, OWN, dist, d, 0, alpha_type, 0, 0.5)]
	first, last = rng.permutation(3)[:2]
	third = Scheme(MATRIX, SHARED, 1 - dist, shared_d, 0, other_type, 0, sigma)
	if rng.integers(0, 2):
		kind = FASTFOOD if second.is_shared() else (FASTFOOD, FASTFOOD_SHARED)[rng.integers(0, 2)]
		third = Scheme(MATRIX, kind, dist, 1, rank, alpha_type, f if rank else 0, sigma, int(rng.choice([1, 3, 64, 65, 200, 500])))
	first_matrix = Scheme(MATRIX, OWN, dist, d, rank, alpha_type, f if rank else 0, sigma)
	if rng.integers(0, 3) == 0:
		first_matrix = Scheme(MATRIX, NOLA, dist, d, rank + 1, alpha_type, 0, sigma)
	return [with_terms(rng, s, f, most) for s in (first_matrix, second, third)] + [norms[first], norms[last]]


def new_schemes(rng, width, most):
	"""The same, but of what version 1.1 added: masks and stored rows of every type, also beside another kind."""
	kinds, factors = [int(v) for v in rng.permutation(ROWS)], int(rng.choice(LEARNED))
	sigma, rank = float(F(rng.uniform(0.5, 2) / math.sqrt(width))), int(rng.integers(0, 3))
	other = random_schemes(rng, width, most)
	mask, low_rank = (Scheme(MATRIX, MASKED, 0, 1, r, 0, factors if r else 0, sigma) for r in (0, rank + 1))
	first, second = (Scheme(MATRIX, KEPT, 0, 0, r, kind, factors if r else 0, 0.0) for kind, r in zip(kinds, (0, rank)))
	some = [[mask, low_rank, first], [mask, first, second], [first, second, other[0]], [mask, other[1], first]][rng.integers(0, 4)]
	return [with_terms(rng, s, factors, most) for s in some[:2]] + some[2:] + other[3:]


def new_features(rng):
	"""(features, number type of the factors of heads)"""
	features = int(rng.integers(0, 64)) | (DISTANCES if rng.integers(0, 2) else 0)
	features &= ~0 if features & DISTANCES else ~SLOPE_FACTORS
	return features, int(rng.choice(LEARNED)) if Conf.has_head_factors(Conf(*[0] * 12, features)) else 0


def new_model(seed, shape, text=b'', spread=1.0):
	"""A random one of version 1.1. Half of them have a set of bytes, which has those of the text."""
	rng = np.random.default_rng(seed)
	features, head_type = new_features(rng)
	smol = random_model(seed, shape, spread, new_schemes(rng, shape[2], min(shape[2], shape[3])), features, head_type, [int(v) for v in rng.choice(EMBEDDINGS, 3)])
	vocab = shape[5]
	if vocab < 256 or vocab == 256 and rng.integers(0, 2):
		end = int(seed % 3 == 1)
		n = vocab - end - int(rng.integers(0, 2))
		members = sorted(set(text))[:n]
		members += [int(b) for b in rng.permutation(256) if b not in members][:n - len(members)]
		smol = dataclasses.replace(smol, tokens=tokens.ByteSet.pack(members, vocab - end - n, end), tokenizer=2)
	return smol


def with_history(smol, seed):
	"""The same with a history of random numbers, and so with distances."""
	rng, conf = np.random.default_rng(seed), smol.conf
	conf = dataclasses.replace(conf, features=conf.features | DISTANCES | HISTORY, head_type=conf.head_type if conf.has_head_factors() else int(rng.choice(LEARNED)))
	learned = {**smol.learned, 'history': stored_as(2 * rng.standard_normal(HISTORY_LENGTHS) - 1, conf.head_type)}
	return dataclasses.replace(smol, conf=conf, learned=learned, wpe=None)


def random_model(seed, shape, spread=1.0, schemes=None, features=0, head_type=0, kinds=None):
	rng = np.random.default_rng(seed)
	layers, _, width, _, context, vocab = shape
	schemes = schemes or random_schemes(rng, width, min(width, shape[3]))
	slots = []
	for n in range(layers):
		m, z = rng.integers(0, 3, 4).tolist(), (3 + rng.integers(0, 2, 2)).tolist()
		slots.append([z[0], m[0], m[1], z[1], m[2], m[3]])
		if n and rng.integers(0, 2):
			slots[n] = slots[n - 1]
	conf = build_conf(shape, slots, 3 + int(rng.integers(0, 2)), schemes, rng.uniform(1e-6, 1e-3), int(rng.integers(0, 1 << 63)), rng.uniform(0.5, 2),
		features, head_type)
	learned = {}
	for name, size, kind in learned_layout(conf):
		centre = 1.0 if name.endswith(('.weight', '.gain', '.temperature', '.slope_factor')) else 0.0
		learned[name] = stored_as(centre + 0.3 * rng.standard_normal(size), kind)
	kinds = kinds or rng.integers(0, 4, 2).tolist()
	wte = table(kinds[0], spread * rng.standard_normal((vocab, width)))
	wpe = None if conf.has(DISTANCES) else table(kinds[1], 0.3 * rng.standard_normal((context, width)))
	output = table(kinds[2], rng.standard_normal((vocab, width))) if conf.has(OUTPUT_TABLE) else None
	return Smol(conf, learned, wte, wpe, b'{"name": "random"}' if seed % 2 else None, output=output)


def untrained(smol):
	"""The model that section 12 makes of another's configuration: its parameters and embeddings from the seed."""
	conf, key = smol.conf, frozen.key(smol.conf.seed)

	def drawn(number, purpose, rows, cols, scale):
		return (scale(frozen.G[frozen.weight_bytes(key, number, 1, purpose, rows, cols)[0]])).astype(F)

	projected = {'h.%d.%s.alpha' % (n, SLOTS[j]) for n, slots in enumerate(conf.layer_schemes()) for j, i in enumerate(slots) if conf.schemes[i].projects()}
	projected |= {'shared.alpha' for s in conf.schemes if s.projects() and s.is_shared()}
	learned = {}
	for name, size, kind in learned_layout(conf):
		value = np.zeros(size)
		if name.endswith(('.A', '.mask', '.rows')):
			stem, half = name.rsplit('.', 1)
			_, n, slot = stem.split('.', 2)
			number = 4 * int(n) + ('attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj').index(slot)
			if half == 'rows':
				w, s = frozen.integer_weights(key, number, 0, *size, frozen.SIGN, [1.0])
				value = frozen.weights(w, s, default_sigma(conf, SLOTS.index(slot)))
			elif half == 'mask':
				value = drawn(number, 3, *size, lambda g: mask_scores(g))
			else:
				value = drawn(number, 3, *size, lambda g: g / math.sqrt(float(size[1])))
		elif name.endswith('.alpha') and not ('ln_' in name or name.endswith('.B.alpha')) and not (name in projected):
			value[0] = 1
		elif name.endswith(('.weight', '.gain', '.temperature', '.slope_factor')):
			value[:] = 1
		learned[name] = stored_as(value, kind)
	std = lambda g: 0.02 * g
	wte, wpe, output = (t and table(t.kind, drawn(number, 2, *t.numbers.shape, std)) for number, t in enumerate((smol.wte, smol.wpe, smol.output)))
	return Smol(conf, learned, wte, wpe, smol.card, smol.minor, smol.hints, tokens=smol.tokens, output=output, tokenizer=smol.tokenizer)


def mask_scores(g):
	"""Over 0 where a mask begins with a bit, from the normal numbers of its scores."""
	scores, mean = np.abs(g), 0.0
	for value in frozen.G[128:]:
		mean += value * np.count_nonzero(scores == value)
	return np.where(scores >= 2 / 3 * (mean / g.size), 1.0, 0.0)


def default_sigma(conf, slot):
	"""Of a matrix slot, as a float."""
	cols = conf.shape(slot)[1]
	return float(F((0.8 if slot == 5 and conf.has(RELU2) else 1) / math.sqrt(cols if slot in (1, 4) else 2 * conf.layers * cols)))
