"""Tokens and the sampler: SPEC.md sections 9 and 10."""
import numpy as np

import arith
import frozen
from container import SmolError
from forward import Session
from history import TOKENS

F = np.float32


class Draws:
	def __init__(self, seed):
		self.key, self.count = frozen.blake2b_32(b'smol/1 sampler', seed), 0

	def word(self):
		block = frozen.chacha20(self.key, [self.count // 8], [(0, 0, 0)])[0]
		i = 2 * (self.count % 8)
		self.count += 1
		return int(block[i]) | int(block[i + 1]) << 32

	def next(self):
		return (self.word() >> 11) * 2.0 ** -53


class Sampler:
	def __init__(self, seed=0, temp=0.8, top_k=40, top_p=0.95, min_p=0.05, repeat_penalty=1.0, repeat_last_n=64):
		self.draws = Draws(seed)
		self.temp, self.penalty, self.min_p = F(temp), F(repeat_penalty), F(min_p)
		self.top_k, self.top_p, self.last_n = top_k, float(top_p), repeat_last_n

	def penalise(self, logits, text):
		logits = np.array(logits, F)
		if self.penalty == 1 or self.last_n == 0:
			return logits
		for t in set(text if self.last_n == -1 else text[-self.last_n:]):
			logits[t] = logits[t] / self.penalty if logits[t] > 0 else logits[t] * self.penalty
		return logits

	def pick(self, logits, text):
		l = self.penalise(logits, text)
		if self.temp <= 0:
			return int(np.argmax(l))
		order = np.argsort(-l, kind='stable')
		if self.top_k > 0:
			order = order[:self.top_k]
		with np.errstate(all='ignore'):
			gap = l[order] - l[order[0]]
			keep = self.kept(arith.exp(gap))
			weight = [float(w) for w in arith.exp(gap[:keep] / self.temp)]
		total = 0.0
		for w in weight:
			total += w
		bar, running = self.draws.next() * total, 0.0
		for i, w in enumerate(weight):
			running += w
			if running > bar:
				return int(order[i])
		return int(order[keep - 1])

	def kept(self, p):
		"""How many of the sorted candidates top-p and min-p leave."""
		n = len(p)
		if self.top_p < 1:
			running = np.cumsum(p.astype(np.float64))  # one after another
			enough = running >= self.top_p * running[-1]
			if enough.any():
				n = int(enough.argmax()) + 1
		while n > 1 and p[n - 1] < self.min_p:
			n -= 1
		return n


def advance(session, text, count, n_read):
	"""Feeds the last `count` tokens of the text, of which the first n_read were not chosen; when the context is full, and has an end, goes on from its later half. Returns the last logits."""
	fed = len(text) - count
	logits = None
	while fed < len(text):
		if not session.is_endless and session.used == session.context:
			session.reset()
			fed = fed + 1 - max(1, session.context // 2)
		end = len(text) if session.is_endless else min(len(text), fed + session.context - session.used)
		logits = session.feed(text[fed:end], last=True, chosen=[i >= n_read for i in range(fed, end)])[-1]
		fed = end
	return logits


def generate(model, prompt, n, sampler, context=None, see=None, fixed=False, looks_back=TOKENS):
	"""prompt: bytes. fixed: in a context that does not slide. Returns the list of new tokens; see(logits) is called for every position sampled."""
	text = model.tokenizer.encode(prompt) or [model.tokenizer.start()]
	session, fresh, out = Session(model, context, fixed=fixed, looks_back=looks_back), len(text), []
	n_read = len(text)
	if not session.is_endless and len(text) > session.context:
		raise SmolError('the prompt does not fit the context')
	for _ in range(n):
		logits = advance(session, text, fresh, n_read)
		if see:
			see(logits)
		out.append(sampler.pick(logits, text))
		text.append(out[-1])
		fresh = 1
	return out
