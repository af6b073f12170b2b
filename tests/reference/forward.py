"""The forward pass: SPEC.md sections 6 to 8, bit for bit, and the perplexity of section 11."""
import math

import numpy as np

import arith
import frozen
import history
import tokens
from container import (DISTANCES, FOURIER, FOURIER_SHARED, FROZEN, HALF_SHIFT, HISTORY, KEPT, LAYER_GAIN, MASKED, NOLA, NORM_SLOTS, RELU2, SLOTS, SPARSE, STORED,
	UNIT, SmolError)

F = np.float32
LIMIT = F(2.0 ** 50)


class Matrix:
	"""A matrix (R, K): integers w, sigma s, and float factors if there are any."""

	def __init__(self, w, s, sigma, a=None, b=None):
		self.s, self.scale = s, float(sigma) * s
		self.as_double = w.astype(np.float64)
		self.fast = self.projection = self.gain = self.bias = self.sparse = None
		self.a = None if a is None else a.astype(F)
		self.b = None if b is None else b.astype(F)

	def weights(self):
		return self.scale * self.as_double

	def plain(self, x):
		"""Without anything that is added. The integer sums stay below 2^53, so a product of doubles in any order is exact."""
		big, t = arith.quantise(x)
		sums = big @ self.as_double.T if self.fast is None else 65536 * (arith.high_bytes(big) @ self.fast.T)
		return ((self.scale * t.astype(np.float64))[:, None] * sums).astype(F)

	def exact(self):
		"""The matrix as doubles; B A is added term by term, lowest rank first, and then the projection."""
		out = self.weights()
		for j in range(0 if self.a is None else len(self.a)):
			out = out + self.b[:, j:j + 1].astype(np.float64) * self.a[j].astype(np.float64)
		if self.sparse is not None:
			out = out.copy()
			np.put_along_axis(out, self.columns, np.take_along_axis(out, self.columns, 1) + self.sparse.astype(np.float64), 1)
		if self.projection is not None:
			out = out + self.projection.astype(np.float64)
		return out if self.gain is None else out * self.gain[:, None].astype(np.float64)

	def times(self, x):
		"""x (n, K) -> (n, R)."""
		y = self.plain(x)
		if self.a is not None:
			y = y + arith.dot16(self.b, arith.dot16(self.a, x[:, None])[:, None])
		if self.sparse is not None:
			y = y + arith.dot16(self.sparse, x[:, self.columns])
		if self.projection is not None:
			y = y + arith.dot16(self.projection, x[:, None])
		if self.gain is not None:
			y = y * self.gain
		return y if self.bias is None else y + self.bias


class Rows(Matrix):
	"""A matrix whose rows are in the file."""

	def __init__(self, table, a=None, b=None):
		super().__init__(np.zeros((1, 1)), 0.0, 0.0, a, b)
		self.table = table

	def weights(self):
		return self.table.floats().astype(np.float64)

	def plain(self, x):
		return table_product(self.table, x)


def table_product(table, x):
	"""x (n, K) -> (n, rows): what section 7 says of stored matrices and of logits."""
	if table.kind < 2:
		return arith.dot16(table.floats(), x[:, None])
	big, t = arith.quantise(x)
	sums = big @ table.integers().astype(np.float64).T
	return ((table.scales.astype(np.float64) * t.astype(np.float64)[:, None]) * sums).astype(F)


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
		self.wte, self.wpe = smol.wte.floats(), smol.wpe and smol.wpe.floats()
		self.tokenizer = tokens.of_model(smol)
		self.is_endless = self.conf.has(DISTANCES)
		self.layers = self._layers()
		self.ln_f = self._norm('ln_f', self.conf.ln_f, 4 * self.conf.layers)
		self.shifts = [[frozen.shifted_channels(self.key, 4 * n + k, self.conf.width) for k in (0, 2)] for n in range(self.conf.layers)]

	def _layers(self):
		return [[self._norm('h.%d.%s' % (n, SLOTS[j]), i, 4 * n + (0 if j == 0 else 2)) if j in NORM_SLOTS else self._matrix(n, j, i)
			for j, i in enumerate(slots)] for n, slots in enumerate(self.conf.layer_schemes())]

	def _heads(self, n, what):
		"""Factors of the heads of a layer, or None."""
		a = self.smol.learned.get('h.%d.attn.%s' % (n, what))
		return None if a is None else a.astype(F)

	def history_numbers(self):
		"""Or None."""
		a = self.smol.learned.get('history')
		return None if a is None else a.astype(F)

	def scales(self, n):
		"""What the products of a layer's heads are multiplied with, (H)."""
		scale = np.full(self.conf.heads, F(1) / np.sqrt(F(self.conf.width // self.conf.heads)), F)
		factors = self._heads(n, 'temperature')
		return scale if factors is None else scale * factors

	def slopes(self, n):
		"""(H), 0 without distances."""
		if not self.is_endless:
			return np.zeros(self.conf.heads, F)
		factors = self._heads(n, 'slope_factor')
		return slopes(self.conf.heads) if factors is None else slopes(self.conf.heads) * factors

	def _matrix(self, n, slot, index):
		s, name = self.conf.schemes[index], 'h.%d.%s' % (n, SLOTS[slot])
		learned = self.smol.learned
		vector = learned['shared.alpha'] if s.is_shared() else learned.get(name + '.alpha')
		alphas = [1.0] if s.source in (UNIT, NOLA) or s.projects() else vector
		number = 4 * n + {1: 0, 2: 1, 4: 2, 5: 3}[slot]
		factors = learned.get(name + '.A'), learned.get(name + '.B')
		if s.source == KEPT:
			matrix = Rows(learned[name + '.rows'], *factors)
		elif s.source == MASKED:
			matrix = Matrix(frozen.mask_signs(self.key, number, *self.conf.shape(slot)) * learned[name + '.mask'].bits, 1.0, s.sigma, *factors)
		else:
			matrix = Matrix(*frozen.integer_weights(self.key, number, 0, *self.conf.shape(slot), s.dist, alphas), s.sigma, *factors)
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
		if self.is_fast and s.source not in (MASKED, KEPT):
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
		embeddings = {'wte.weight': self.smol.wte, 'wpe.weight': self.smol.wpe, 'lm_head.weight': self.smol.output}
		if name in embeddings:
			return embeddings[name].floats().astype(np.float64)
		if name in self.smol.learned and name.endswith(('.attn.temperature', '.attn.slope_factor', 'history')):
			return self.smol.learned[name].astype(np.float64)
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
		out = ['wte.weight', 'ln_f.weight', 'ln_f.bias'] + ['wpe.weight'] * (self.smol.wpe is not None) + ['lm_head.weight'] * (self.smol.output is not None)
		out += [name for name in self.smol.learned if name.endswith(('.attn.temperature', '.attn.slope_factor', 'history'))]
		for n in range(self.conf.layers):
			for j, slot in enumerate(SLOTS):
				out += ['h.%d.%s.%s' % (n, slot, half) for half in (('weight', 'bias') if j in NORM_SLOTS or self.layers[n][j].bias is not None else ('weight',))]
		return out

	def normed(self, x, pair):
		return usable(arith.layernorm(x, self.conf.epsilon, *pair))

	def logits(self, x):
		"""x (n, C), the output of the last layer -> (n, V)."""
		x = self.normed(x, self.ln_f)
		return usable(table_product(self.smol.output or self.smol.wte, x) * F(self.conf.logit_scale))

	def activation(self, x):
		return usable(arith.relu2(x) if self.conf.has(RELU2) else arith.gelu(x))


def slopes(heads):
	"""s_h of section 8."""
	y = np.array([(heads - 1 - 6 * h) / (heads - 1) if heads > 1 else -1.0 for h in range(heads)])
	return arith.exp((y * float.fromhex('0x1.62e42fefa39efp-1')).astype(F))


class Session:
	"""The positions of a text over one model: feed() evaluates tokens at the next ones. kv: what the cache holds, f32, f16 or q8. Of a model
	with distances the text has no end, and only the last `context` positions are seen; fixed holds it to `context` positions, like the others.
	looks_back: how many of the last tokens a history has."""

	def __init__(self, model, context=None, kv='f32', fixed=False, looks_back=history.TOKENS):
		self.model, self.kv = model, kv
		self.looks_back = looks_back	# over how many tokens, with a history
		self.is_endless = model.is_endless and not fixed
		self.context = context or model.conf.context
		self.reset()

	def reset(self):
		"""A new text."""
		conf = self.model.conf
		shape = conf.layers, 0, conf.heads, conf.width // conf.heads
		self.k, self.v = list(np.zeros(shape, F)), list(np.zeros(shape, F))
		self.before = np.zeros((conf.layers, 2, conf.width), F)	# a and b of the last position
		self.used = 0
		self.history = history.History(self.model.history_numbers(), conf.vocab, self.looks_back) if conf.has(HISTORY) else None

	def feed(self, tokens, last=False, chosen=None):
		"""Returns the logits (n, V) after each of the tokens, or (1, V) after the last; the others are then not computed. chosen: (n), which of
		the tokens a sampler chose; none, unless it says so."""
		m, q0, n = self.model, self.used, len(tokens)
		assert n and (self.is_endless or q0 + n <= self.context)
		with np.errstate(all='ignore'):
			x = m.wte[np.asarray(tokens)]
			x = usable(x if m.wpe is None else x + m.wpe[q0:q0 + n])
			for layer in range(m.conf.layers):
				x = self._layer(layer, x, q0)
			self.used += n
			return self._remember(tokens, m.logits(x[-1:] if last else x), chosen or [False] * n)

	def _remember(self, tokens, logits, chosen):
		"""The logits with what the history makes of them."""
		first, out = len(tokens) - len(logits), logits
		if self.history:
			out = logits.copy()
			for i, token in enumerate(tokens):
				self.history.add(token, chosen[i])
				if i >= first:
					self.history.mix(out[i - first])
		return out

	def _shift(self, layer, half, x):
		"""The input of c_attn (half 0) or of c_fc (1), from the vectors of these positions."""
		if not self.model.conf.has(HALF_SHIFT):
			return x
		before = np.concatenate([self.before[layer, half:half + 1], x[:-1]])
		self.before[layer, half] = x[-1]
		return np.where(self.model.shifts[layer][half], before, x)

	def _layer(self, layer, x, q0):
		m, (ln_1, c_attn, c_proj, ln_2, c_fc, c_down) = self.model, self.model.layers[layer]
		n, heads = len(x), m.conf.heads
		a = self._shift(layer, 0, m.normed(x, ln_1))
		q, k, v = (part.reshape(n, heads, -1) for part in np.split(usable(c_attn.times(a)), 3, axis=1))
		self.k[layer] = np.concatenate([self.k[layer], stored(k, self.kv)])
		self.v[layer] = np.concatenate([self.v[layer], stored(v, self.kv)])
		o = attention(q, self.k[layer], self.v[layer], q0, m.scales(layer), m.slopes(layer), self.context).reshape(n, -1)
		x = usable(x + c_proj.times(o))
		f = m.activation(usable(c_fc.times(self._shift(layer, 1, m.normed(x, ln_2)))))
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


def attention(q, k, v, q0, scales, slopes, window):
	"""q (n, H, D) at positions q0.., k and v (q0 + n, H, D), scales and slopes (H) -> (n, H, D). Position p sees the window's last positions up to itself."""
	n, p = len(q), q0 + np.arange(len(q))
	first = np.maximum(0, p - window + 1)
	at = first[:, None] + np.arange(min(window, q0 + n))		# (n, keys): term i is the i-th of those that are seen
	seen, at = (at <= p[:, None])[:, None], np.minimum(at, q0 + n - 1)
	e = arith.dot16(q[:, :, None], k[at].transpose(0, 2, 1, 3)) * scales[:, None]
	if slopes.any():
		e = arith.fma(slopes[:, None], (at - p[:, None]).astype(F)[:, None], e)
	peak = np.where(seen, e, F(-np.inf)).max(axis=-1)
	weight = np.where(seen, arith.exp(e - peak[..., None]), F(0))
	total = arith.sum16(weight)
	products = np.multiply(weight.transpose(2, 0, 1)[..., None], v[at.T], dtype=np.float64)
	products[~seen.transpose(2, 0, 1)[:, :, 0]] = -0.0	# which changes no sum
	o = arith.sums(products, np.zeros(q.shape, F))
	return usable(o * (F(1) / total)[..., None])


def losses(logits, targets):
	"""Nats of each prediction, from logits (n, V)."""
	m = logits.max(axis=1)
	totals = np.cumsum(arith.exp(logits - m[:, None]).astype(np.float64), axis=1)[:, -1]	# one after another
	return [math.log(total) + float(most) - float(row[target]) for total, most, row, target in zip(totals, m, logits, targets)]


def perplexity(model, tokens, context=None, kv='f32', windows=False, stride=None, looks_back=history.TOKENS):
	"""(mean nats a token, bits per byte, number of predicted tokens). A model with distances reads the text as one, unless asked for windows."""
	context = context or model.conf.context
	n, nats = len(tokens), 0.0
	if n < 2:
		raise SmolError('perplexity needs at least two tokens')
	session, most = Session(model, context, kv, looks_back=looks_back), context if windows or stride or not model.is_endless else n
	told = 0  # tokens, with the first, that need no prediction any more
	for i in range(0, n - 1, stride or most):
		session.reset()
		end = min(i + most, n - 1)
		logits = session.feed(tokens[i:end])
		first = max(i, told)
		for nats_of_one in losses(logits[first - i:], tokens[first + 1:end + 1]):
			nats += nats_of_one
		told = end
	stood_for = sum(len(model.tokenizer.bytes_of(t)) for t in tokens[1:])
	return nats / (n - 1), nats / math.log(2) / stood_for, n - 1
