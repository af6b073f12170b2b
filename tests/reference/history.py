"""The history: SPEC.md section 8, what followed the same tokens before, counted in the plainest way."""
import arith
import numpy as np

F = np.float32
TOKENS = 65536	# of a text that it has
LENGTHS = 5
RECENT, RECENT_TIMES = 1024, 4

# Of Cephes' logf, as printed there, highest power first.
LOG = (7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1)
LN_2 = 0.693359375, -2.12194440e-4	# which add up to it


def log(x):
	"""Of a double of 1 or more, a float; section 7."""
	m, e = np.frexp(x)	# m in 1/2..1
	m, e = 2 * m, int(e) - 1
	if m >= float.fromhex('0x1.6a09e6p0'):
		m, e = m / 2, e + 1
	t, e = F(m - 1), F(e)
	y = F(0)
	for c in LOG:
		y = arith.fma(y, t, F(c))[()]
	square = t * t
	y = y * t * square
	y = arith.fma(e, F(LN_2[1]), y)[()]
	y = arith.fma(square, F(-0.5), y)[()]
	return arith.fma(e, F(LN_2[0]), t + y)[()]


class History:
	"""The last tokens of a text."""

	def __init__(self, numbers, vocab, most):
		self.strengths = [float(a) for a in arith.exp(numbers.astype(F))]
		self.shortest = 2 if vocab <= 257 else 1
		self.most, self.tokens, self.chosen = most, [], []
		self.places = {}	# by token: where what follows it is

	def add(self, token, chosen):
		self.tokens.append(int(token))
		self.chosen.append(chosen)
		self.places.setdefault(int(token), []).append(len(self.tokens))

	def followers(self):
		"""For each length {token: how often it followed as many tokens as are the last ones now}."""
		end, counts = len(self.tokens), [{} for _ in range(LENGTHS)]
		begin = max(0, end - self.most)
		for place in self.places[self.tokens[-1]]:
			if not begin < place < end or self.chosen[place]:
				continue
			times = RECENT_TIMES if place >= end - RECENT else 1
			for k in range(LENGTHS):
				n = self.shortest + k
				if place - n < begin or self.tokens[place - n:place] != self.tokens[end - n:end]:
					break
				counts[k][self.tokens[place]] = counts[k].get(self.tokens[place], 0) + times
		return counts

	def mix(self, logits):
		"""Changes the logits (V), of the next token."""
		counts = self.followers()
		shares, rest = dict.fromkeys(counts[0], 0.0), 1.0
		for a, found in zip(self.strengths, counts):
			if not found:
				break
			n, u = sum(found.values()), len(found)
			s = 1 / 8 + a * u
			g = s + u / 8
			for v, share in shares.items():
				c = found.get(v, 0)
				shares[v] = ((c - 1 / 8 if c > 0 else 0.0) + g * share) / (n + s)
			rest = g * rest / (n + s)
		if shares:
			e = arith.exp(logits - logits.max())
			total = float(np.cumsum(e.astype(np.float64))[-1])	# one after another
			for v, share in shares.items():
				logits[v] += log(1 + share * total / (rest * float(e[v])))
