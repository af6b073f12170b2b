"""The forward pass: SPEC.md sections 6 to 8, bit for bit, and the perplexity of section 11."""
import math

import numpy as np

import arith
import frozen
from container import FOURIER, FOURIER_SHARED, FROZEN, LAYER_GAIN, NOLA, NORM_SLOTS, SLOTS, SPARSE, STORED, UNIT, SmolError

F = np.float32
LIMIT = F(2.0 ** 50)


class Matrix:
	"""A frozen matrix (R, K): integers w, sigma s, and float factors if there are any."""

	def __init__(self, w, s, sigma, a=None, b=None):
		self.integers, self.s, self.sigma = w, s, sigma
		self.scale = float(sigma) * s
		self.as_double = w.astype(np.float64)
		self.fast = self.projection = self.gain = self.bias = self.sparse = None
		self.a = None if a is None else a.astype(F)
		self.b = None if b is None else b.astype(F)

	def exact(self):
		"""The matrix as doubles; B A is added term by term, lowest rank first, and then the projection."""
		out = self.scale * self.as_double
		for j in range(0 if self.a is None else len(self.a)):
			out = out + self.b[:, j:j + 1].astype(np.float64) * self.a[j].astype(np.float64)
		if self.sparse is not None:
			out = out.copy()
			np.put_along_axis(out, self.columns, np.take_along_axis(out, self.columns, 1) + self.sparse.astype(np.float64), 1)
		if self.projection is not None:
			out = out + self.projection.astype(np.float64)
		return out if self.gain is None else out * self.gain[:, None].astype(np.float64)

	def times(self, x):
		"""x (n, K) -> (n, R). The integer sums stay below 2^53, so a product of doubles in any order is exact."""
		big, t = arith.quantise(x)
		sums = big @ self.as_double.T if self.fast is None else 65536 * (arith.high_bytes(big) @ self.fast.T)
		y = ((self.scale * t.astype(np.float64))[:, None] * sums).astype(F)
		if self.a is not None:
			y = y + arith.dot16(self.b, arith.dot16(self.a, x[:, None])[:, None])
		if self.sparse is not None:
			y = y + arith.dot16(self.sparse, x[:, self.columns])
		if self.projection is not None:
			y = y + arith.dot16(self.projection, x[:, None])
		if self.gain is not None:
			y = y * self.gain
		return y if self.bias is None else y + self.bias


def usable(x):
	"""The check that section 8 demands of a runtime; not a number fails it too."""
	if not (np.abs(x) < LIMIT).all():
		raise SmolError('the model is not usable: a value is 2^50 or more')
	return x


class Model:
	"""With fast, products are the approximate ones."""

	def __init__(self, smol, fast=False):
		self.is_fast = fast
		self.smol, self.conf = smol, smol.conf
		self.key = frozen.key(self.conf.seed)
		self.wte, self.wpe = smol.wte.floats(), smol.wpe.floats()
		self.layers = []
		for n, slots in enumerate(self.conf.layer_schemes()):
			parts = [self._norm('h.%d.%s' % (n, SLOTS[j]), i, 4 * n + (0 if j == 0 else 2)) if j in NORM_SLOTS else self._matrix(n, j, i)
				for j, i in enumerate(slots)]
			self.layers.append(parts)
		self.ln_f = self._norm('ln_f', self.conf.ln_f, 4 * self.conf.layers)

	def _matrix(self, n, slot, index):
		s, name = self.conf.schemes[index], 'h.%d.%s' % (n, SLOTS[slot])
		learned = self.smol.learned
		vector = learned['shared.alpha'] if s.is_shared() else learned.get(name + '.alpha')
		alphas = [1.0] if s.source in (UNIT, NOLA) or s.projects() else vector
		number = 4 * n + {1: 0, 2: 1, 4: 2, 5: 3}[slot]
		w, scale = frozen.integer_weights(self.key, number, 0, *self.conf.shape(slot), s.dist, alphas)
		matrix = Matrix(w, scale, s.sigma, learned.get(name + '.A'), learned.get(name + '.B'))
		if s.source == NOLA:
			rows, cols = self.conf.shape(slot)
			matrix.a = self._factor(5, number, s.rank, cols, s, s.sigma, learned[name + '.A.alpha'])
			matrix.b = self._factor(6, number, rows, s.rank, s, F(1) / np.sqrt(F(s.rank)), learned[name + '.B.alpha'])
		if s.projects():
			theta = vector.astype(F)
			if s.terms & LAYER_GAIN:
				theta = theta * learned['h.%d.lambda.alpha' % n].astype(F)
			project = frozen.fourier if s.source in (FOURIER, FOURIER_SHARED) else frozen.fastfood
			matrix.projection = project(self.key, number, *self.conf.shape(slot), theta, s.sigma).astype(F)
		if s.terms & SPARSE:
			matrix.sparse = learned[name + '.sparse'].astype(F)
			matrix.columns = frozen.sparse_columns(self.key, number, *self.conf.shape(slot), s.dimensions)
		matrix.gain, matrix.bias = (learned[name + half].astype(F) if name + half in learned else None for half in ('.gain', '.bias'))
		if self.is_fast:
			matrix.fast = frozen.fast_weights(self.key, number, 0, *self.conf.shape(slot), s.dist, alphas, arith.high_bytes)
		return matrix

	def _factor(self, purpose, number, rows, cols, s, sigma, alphas):
		w, scale = frozen.integer_weights(self.key, number, purpose, rows, cols, s.dist, alphas)
		return frozen.weights(w, scale, sigma).astype(F)

	def _norm(self, name, index, number):
		"""(gain, bias) as floats, or (None, None)."""
		s = self.conf.schemes[index]
		if s.source == FROZEN:
			return None, None
		if s.source == STORED:
			return tuple(self.smol.learned['%s.%s' % (name, half)].astype(F) for half in ('weight', 'bias'))
		gain, bias = (self._vector(number + i, s, self.smol.learned['%s.%s.alpha' % (name, half)]) for i, half in enumerate(('weight', 'bias')))
		return F(1) + gain, bias

	def _vector(self, number, s, alphas):
		w, scale = frozen.integer_weights(self.key, number, 1, 1, self.conf.width, s.dist, alphas)
		return frozen.weights(w, scale, s.sigma)[0].astype(F)

	def tensor(self, name):
		"""A tensor by name as doubles, outputs x inputs."""
		if name in ('wte.weight', 'wpe.weight'):
			return (self.wte if name[1] == 't' else self.wpe).astype(np.float64)
		stem, _, half = name.rpartition('.')
		if stem == 'ln_f':
			pair = self.ln_f
		else:
			_, n, slot = stem.split('.', 2)
			part = self.layers[int(n)][SLOTS.index(slot)]
			if SLOTS.index(slot) not in NORM_SLOTS:
				return part.bias.astype(np.float64) if half == 'bias' else part.exact()
			pair = part
		if pair[0] is None:
			return np.full(self.conf.width, 1.0 if half == 'weight' else 0.0)
		return pair[0 if half == 'weight' else 1].astype(np.float64)

	def names(self):
		out = ['wte.weight', 'wpe.weight', 'ln_f.weight', 'ln_f.bias']
		for n in range(self.conf.layers):
			for j, slot in enumerate(SLOTS):
				out += ['h.%d.%s.%s' % (n, slot, half) for half in (('weight', 'bias') if j in NORM_SLOTS or self.layers[n][j].bias is not None else ('weight',))]
		return out

	def normed(self, x, pair):
		return usable(arith.layernorm(x, self.conf.epsilon, *pair))

	def logits(self, x):
		"""x (n, C), the output of the last layer -> (n, V)."""
		x = self.normed(x, self.ln_f)
		if self.smol.wte.kind >= 2:
			big, t = arith.quantise(x)
			sums = big @ self.smol.wte.integers().astype(np.float64).T
			v = ((self.smol.wte.scales.astype(np.float64) * t.astype(np.float64)[:, None]) * sums).astype(F)
		else:
			v = arith.dot16(self.wte, x[:, None])
		return usable(v * F(self.conf.logit_scale))


class Session:
	"""A KV cache over one model: feed() evaluates tokens at the next positions. kv: what the cache holds, f32, f16 or q8."""

	def __init__(self, model, context=None, kv='f32'):
		self.model, self.kv = model, kv
		self.context = context or model.conf.context
		shape = model.conf.layers, self.context, model.conf.heads, model.conf.width // model.conf.heads
		self.k, self.v = np.zeros(shape, F), np.zeros(shape, F)
		self.used = 0

	def feed(self, tokens, last=False):
		"""Returns the logits (n, V) after each of the tokens, or (1, V) after the last; the others are then not computed."""
		m, q0, n = self.model, self.used, len(tokens)
		assert n and q0 + n <= self.context
		with np.errstate(all='ignore'):
			x = usable(m.wte[np.asarray(tokens)] + m.wpe[q0:q0 + n])
			for layer in range(m.conf.layers):
				x = self._layer(layer, x, q0)
			self.used += n
			return m.logits(x[-1:] if last else x)

	def _layer(self, layer, x, q0):
		m, (ln_1, c_attn, c_proj, ln_2, c_fc, c_down) = self.model, self.model.layers[layer]
		n, heads = len(x), m.conf.heads
		q, k, v = (part.reshape(n, heads, -1) for part in np.split(usable(c_attn.times(m.normed(x, ln_1))), 3, axis=1))
		self.k[layer, q0:q0 + n], self.v[layer, q0:q0 + n] = stored(k, self.kv), stored(v, self.kv)
		o = attention(q, self.k[layer, :q0 + n], self.v[layer, :q0 + n], q0).reshape(n, -1)
		x = usable(x + c_proj.times(o))
		f = usable(arith.gelu(usable(c_fc.times(m.normed(x, ln_2)))))
		return usable(x + c_down.times(f))


def stored(rows, kind):
	"""rows (n, H, D) as a cache gives them back."""
	if kind == 'f16':
		if not (np.abs(rows) <= 65504).all():
			raise SmolError('the model is not usable: a key or value is over 65504')
		return arith.to_f16(rows).astype(F)
	if kind == 'q8':
		q, scale = arith.to_q8(rows.reshape(-1, rows.shape[-1]))
		return (scale[:, None] * q.astype(F)).reshape(rows.shape)
	return rows


def attention(q, k, v, q0):
	"""q (n, H, D) at positions q0.., k and v (q0 + n, H, D) -> (n, H, D)."""
	n, _, width = q.shape
	scale = F(1) / np.sqrt(F(width))
	e = arith.dot16(q[:, :, None], k.transpose(1, 0, 2)[None]) * scale
	seen = np.arange(len(k))[None, None] <= (q0 + np.arange(n))[:, None, None]
	peak = np.where(seen, e, F(-np.inf)).max(axis=-1)
	p = np.where(seen, arith.exp(e - peak[..., None]), F(0))
	total = arith.sum16(p)
	o = np.zeros(q.shape, F)
	for j in range(len(k)):
		first = max(0, j - q0)
		o[first:] = arith.fma(p[first:, :, j, None], v[j], o[first:])
	return usable(o * (F(1) / total)[..., None])


def loss(logits, target):
	"""Nats of one prediction."""
	m = logits.max()
	total = 0.0
	for term in arith.exp(logits - m):
		total += float(term)
	return math.log(total) + float(m) - float(logits[target])


def perplexity(model, tokens, context=None, kv='f32'):
	"""(mean nats a token, bits per byte, number of predicted tokens)."""
	context = context or model.conf.context
	n, nats = len(tokens), 0.0
	if n < 2:
		raise SmolError('perplexity needs at least two tokens')
	for i in range(0, n - 1, context):
		end = min(i + context, n - 1)
		logits = Session(model, context, kv).feed(tokens[i:end])
		for j in range(end - i):
			nats += loss(logits[j], tokens[i + j + 1])
	stood_for = sum(1 for t in tokens[1:] if t < 256)
	return nats / (n - 1), nats / math.log(2) / stood_for, n - 1
