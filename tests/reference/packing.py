"""Packed texts in plain Python, from SPEC.md section 15 alone: the counts of a position, the range coder, escapes, both forms."""
import xxhash

import arith
import forward
import numpy as np
import tokens
from tables import SmolError

F = np.float32
KINDS = {1: (0x80, 1920), 2: (0x800, 63488), 3: (0x1f000, 4096)}	# of characters: the first one, how many
TOP = 1 << 64


class Damaged(SmolError):
	"""Bytes that no writer has made with this model."""


def need(condition, what):
	if not condition:
		raise Damaged(what)


# The coder.

class Range:
	"""What writer and reader share: low and R, and what a symbol makes of them. drop() is called with each upper byte of low that goes."""

	def __init__(self, tag):
		self.low, self.range = tag << 60, 1 << 60

	def take(self, before, count, total):
		r = self.range // total
		self.low, self.range = self.low + r * before, r * count
		while self.low >> 56 == (self.low + self.range - 1) >> 56 or self.range < 1 << 48:
			if self.low >> 56 != (self.low + self.range - 1) >> 56:
				self.range = (1 << 48) - self.low % (1 << 48)
			self.drop(self.low >> 56)
			self.low, self.range = self.low * 256 % TOP, min(self.range * 256, TOP - 1)
		assert self.low + self.range <= TOP and self.range >= 1 << 48

	def ending(self):
		"""(the number that ends a text, its bytes)"""
		for k in range(9):
			step = 1 << 64 - 8 * k
			multiple = 0 if k == 0 else -(-self.low // step) * step
			if self.low <= multiple < self.low + self.range:
				return multiple, multiple.to_bytes(8, 'big')[:k]
		raise AssertionError('low itself is a multiple of 1')


class Writer(Range):
	def __init__(self, tag):
		super().__init__(tag)
		self.out = bytearray()

	def drop(self, byte):
		self.out.append(byte)

	def symbol(self, counts, k):
		self.take(sum(counts[:k]), counts[k], sum(counts))

	def uniform(self, k, n):
		self.take(k, 1, n)

	def finished(self):
		return bytes(self.out + self.ending()[1]).rstrip(b'\0')


class Reader(Range):
	def __init__(self, tag, packed):
		super().__init__(tag)
		self.packed, self.at = packed, 0
		self.z = int.from_bytes(packed[:8].ljust(8, b'\0'), 'big')

	def drop(self, byte):
		need(self.z >> 56 == byte, 'a number outside the interval')
		self.at += 1
		self.z = self.z * 256 % TOP + int.from_bytes(self.packed[self.at + 7:self.at + 8], 'big')

	def place(self, total):
		"""Where in 0..total - 1 the number is."""
		need(self.low <= self.z, 'a number below the interval')
		place = (self.z - self.low) // (self.range // total)
		need(place < total, 'a number beyond the symbols')
		return place

	def symbol(self, counts):
		place, before = self.place(sum(counts)), 0
		for k, count in enumerate(counts):
			if place < before + count:
				self.take(before, count, sum(counts))
				return k
			before += count
		raise AssertionError('a place below the sum')

	def uniform(self, n):
		k = self.place(n)
		self.take(k, 1, n)
		return k

	def is_spent(self):
		return self.z == self.low and not self.packed[self.at + 8:].strip(b'\0')

	def is_ended(self):
		multiple, tail = self.ending()
		return self.z == multiple and len(self.packed) <= self.at + len(tail) and not self.packed.endswith(b'\0')


# The model.

class Alphabet:
	"""The symbols of a model: its tokens, *end* and *escape*."""

	def __init__(self, tokenizer, vocab):
		if vocab > 1 << 20:
			raise SmolError('a vocabulary of more than 2^20')
		self.vocab, self.tokenizer = vocab, tokenizer
		is_set = isinstance(tokenizer, tokens.ByteSet)
		self.other = len(tokenizer.bytes) if is_set and tokenizer.other else None
		self.end = end_of_text(tokenizer, vocab)
		own = {tokenizer.bytes_of(v): v for v in range(vocab) if v not in (self.other, self.end)}
		self.has_count = np.array([v == self.other or v == self.end or tokenizer.bytes_of(v) != b'' for v in range(vocab)])
		self.own = {b: own[bytes([b])] for b in range(256) if bytes([b]) in own}
		self.ends = vocab if self.end is None else self.end
		self.escapes = len(self.own) < 256 and self.other is None

	def counts(self, logits):
		"""Of all symbols, as integers. The product is exact in double."""
		f = 1 + np.floor(arith.exp(logits - logits.max()).astype(np.float64) * 2.0 ** 24).astype(np.int64)
		f = np.where(self.has_count, f, 0).tolist()
		extra = 1 + sum(f) // 4096
		return f + [extra if self.end is None else 0, extra if self.escapes else 0]

	def stands_for(self, symbol):
		"""Whether what it stands for comes after it."""
		return symbol in (self.other, self.vocab + 1)

	def fed_for(self, escaped):
		"""The tokens that are fed for escaped bytes."""
		fed = (self.own.get(b, self.other) for b in escaped)
		return [v for v in fed if v is not None]

	def symbols(self, text):
		"""[(symbol, the bytes that it stands for if it is an escape)] of a text, without its end."""
		if isinstance(self.tokenizer, tokens.Tokenizer):
			return [(v, None) for part in (cut(text) if self.end is not None else [text]) for v in self.tokenizer.encode(part)]
		out, at = [], 0
		while at < len(text):
			if text[at] in self.own:
				out.append((self.own[text[at]], None))
				at += 1
			else:
				escaped = character(text, at) or text[at:at + 1]
				out.append((self.vocab + 1 if self.other is None else self.other, escaped))
				at += len(escaped)
		return out


def end_of_text(tokenizer, vocab):
	if isinstance(tokenizer, tokens.Tokenizer):
		return tokenizer.special_number(tokenizer.specials.index(tokens.END)) if tokens.END in tokenizer.specials else None
	return vocab - 1 if isinstance(tokenizer, tokens.ByteSet) and tokenizer.end else None


def cut(text):
	"""The text in parts that have no `<|endoftext|>`."""
	first, *rest = text.split(tokens.END)
	parts = [first]
	for part in rest:
		parts[-1] += b'<|endof'
		parts.append(b'text|>' + part)
	return parts


def kind_of(escaped):
	"""(kind, value) of a character or a byte."""
	if len(escaped) > 1:
		code = ord(escaped.decode())
		return next((kind, code - first) for kind, (first, n) in KINDS.items() if first <= code < first + n)
	return 0, escaped[0]


def character(text, at):
	"""The character of kind 1 to 3 that begins there, or b''."""
	found = tokens.character(text, at)
	code = ord(found.decode()) if found else 0
	return found if any(first <= code < first + n for first, n in KINDS.values()) else b''


def write_escape(coder, escaped):
	kind, value = kind_of(escaped)
	coder.uniform(kind, 4)
	coder.uniform(value, KINDS[kind][1] if kind else 256)


def read_escape(coder):
	kind = coder.uniform(4)
	if kind == 0:
		return bytes([coder.uniform(256)])
	first, n = KINDS[kind]
	code = first + coder.uniform(n)
	need(not 0xd800 <= code <= 0xdfff, 'a surrogate')
	return chr(code).encode()


class Positions:
	"""A new session that was fed the start token: the counts of one position after the other."""

	def __init__(self, model, alphabet):
		self.session, self.alphabet, self.fed = forward.Session(model), alphabet, []
		self.feed([model.tokenizer.start()])

	def feed(self, new):
		for token in new:
			self.fed.append(token)
			again = [token]
			if not self.session.is_endless and self.session.used == self.session.context:
				self.session.reset()
				again = self.fed[-max(1, self.session.context // 2):]
			self.logits = self.session.feed(again, last=True)[-1]

	def counts(self):
		return self.alphabet.counts(self.logits)


# Texts.

def tag_of(model):
	return 1 + int.from_bytes(model.smol.hash[:8], 'little') % 15


def check_byte(text):
	return xxhash.xxh3_64_intdigest(text) % 256


def coded(model, text, check):
	"""With the model, whether it is shorter or not."""
	alphabet, coder = Alphabet(model.tokenizer, model.conf.vocab), Writer(tag_of(model))
	positions = Positions(model, alphabet)
	for symbol, escaped in alphabet.symbols(text):
		coder.symbol(positions.counts(), symbol)
		if escaped:
			write_escape(coder, escaped)
		positions.feed(alphabet.fed_for(escaped) if escaped else [symbol])
	coder.symbol(positions.counts(), alphabet.ends)
	if check:
		coder.uniform(check_byte(text), 256)
	return coder.finished()


def pack(model, text, check=False):
	if not text:
		return b''
	plain = b'\1' + text + bytes([check_byte(text)]) if check else b'\0' + text
	return min(plain, coded(model, text, check), key=len)


def unpack_plain(packed, check, limit):
	need(packed[0] < 2 and (packed[0] == 1 or not check), 'no such plain form')
	text = packed[1:]
	if packed[0] == 1:
		text, told = text[:-1], text[-1:]
		need(told == bytes([check_byte(text)]), 'the check byte')
	need(text, 'an empty text in another form')
	need(len(text) <= limit, 'a text over the limit')
	return text


def unpack(model, packed, check=False, limit=1 << 20):
	if not packed:
		return b''
	if packed[0] >> 4 == 0:
		return unpack_plain(packed, check, limit)
	need(packed[0] >> 4 == tag_of(model), 'another model')
	alphabet, coder, text = Alphabet(model.tokenizer, model.conf.vocab), Reader(tag_of(model), packed), b''
	positions = Positions(model, alphabet)
	while True:
		spent, symbol = coder.is_spent(), coder.symbol(positions.counts())
		if symbol == alphabet.ends:
			break
		need(not spent, 'an end')
		escaped = read_escape(coder) if alphabet.stands_for(symbol) else b''
		text += escaped or model.tokenizer.bytes_of(symbol)
		need(len(text) <= limit, 'a text over the limit')
		positions.feed(alphabet.fed_for(escaped) if escaped else [symbol])
	if check or not coder.is_ended():
		need(coder.uniform(256) == check_byte(text), 'the check byte')
		need(coder.is_ended(), 'the ending')
	need(text, 'an empty text in another form')
	return text
