"""The section TOKN and BPE in plain Python, from SPEC.md 3.4, 9 and appendix D alone: written to be read, not to be fast.

Tokens are counted from the first byte token on, as in the section; specials are bytes.
"""
import struct
import unicodedata

import xxhash
from tables import SmolError

MAGIC = b'\x89SMT\r\n\x1a\n'
ORDER = [*range(33, 127), *range(161, 173), *range(174, 256), *range(33), *range(127, 161), 173]
assert sorted(ORDER) == list(range(256))
END = b'<|endoftext|>'
CONTRACTIONS = [b"'s", b"'t", b"'re", b"'ve", b"'m", b"'ll", b"'d"]


class BadTokens(SmolError):
	"""A section that breaks a rule."""


def need(condition, what):
	if not condition:
		raise BadTokens(what)


def width(n_merges):
	return (255 + n_merges).bit_length()


def pack(merges, specials=(), n_before=0):
	"""The section."""
	bits = width(len(merges))
	number = sum(k << i * bits for i, k in enumerate(k for pair in merges for k in pair))
	out = struct.pack('<2B3HI', 0, 0, len(specials), n_before, 0, len(merges))
	out += number.to_bytes((2 * len(merges) * bits + 7) // 8, 'little')
	return out + b''.join(bytes([len(s)]) + s for s in specials)


class Tokenizer:
	"""A section that has been read, with every rule checked."""

	def __init__(self, section, vocab=None):
		need(len(section) >= 12, 'size')
		pattern, res0, n_specials, self.n_before, res1, n = struct.unpack_from('<2B3HI', section)
		need(pattern == 0 and res0 == 0 and res1 == 0, 'pattern or reserved')
		need(n_specials <= 256 and self.n_before <= n_specials and n <= 1048576, 'counts')
		self.n_tokens = n_specials + 256 + n
		need(vocab is None or self.n_tokens <= vocab, 'more tokens than the vocabulary')
		bits = width(n)
		end = 12 + (2 * n * bits + 7) // 8
		need(end <= len(section), 'size of the merges')
		packed = int.from_bytes(section[12:end], 'little')
		need(packed >> 2 * n * bits == 0, 'bits after the merges')
		text = bin(packed)[2:].zfill(2 * n * bits) if n else ''
		numbers = [int(text[len(text) - (k + 1) * bits:len(text) - k * bits], 2) for k in range(2 * n)]
		self.merges = list(zip(numbers[::2], numbers[1::2]))
		need(all(max(pair) < 256 + i for i, pair in enumerate(self.merges)), 'a merge of a later token')
		self.specials = []
		for _ in range(n_specials):
			need(end < len(section) and section[end] > 0 and end + 1 + section[end] <= len(section), 'a special')
			self.specials.append(section[end + 1:end + 1 + section[end]])
			end += 1 + section[end]
		need(end == len(section), 'size')
		self.check_texts()

	def check_texts(self):
		for s in self.specials:
			try:
				text = s.decode()
			except UnicodeDecodeError as e:
				raise BadTokens('a special that is not UTF-8') from e
			need(not any((ord(c) < 32 and c not in '\n\t') or 0x7f <= ord(c) <= 0x9f for c in text), 'a control character')
		self.text = [bytes([b]) for b in ORDER]
		for a, b in self.merges:
			self.text.append(self.text[a] + self.text[b])
			need(len(self.text[-1]) <= 1024, 'a long token')
		need(len(set(self.text + self.specials)) == self.n_tokens, 'two tokens alike')
		self.rank = {pair: i for i, pair in enumerate(self.merges)}

	def bytes_of(self, token):
		if token < self.n_before:
			return self.specials[token]
		token -= self.n_before
		return (self.text + self.specials[self.n_before:] + [b''] * (token + 1))[token]

	def decode(self, tokens):
		return b''.join(self.bytes_of(t) for t in tokens)

	def special_number(self, i):
		return i if i < self.n_before else 256 + len(self.merges) + i

	def encode(self, data):
		out = []
		for special, part in split_specials(data, self.specials):
			if special is None:
				for piece in pieces(part):
					out += [k + self.n_before for k in self.merge([ORDER.index(b) for b in piece])]
			else:
				out.append(self.special_number(special))
		return out

	def start(self):
		"""The token of an empty prompt."""
		return self.special_number(self.specials.index(END)) if END in self.specials else self.n_before + ORDER.index(10)

	def merge(self, tokens):
		while True:
			ranks = [(self.rank[pair], i) for i, pair in enumerate(zip(tokens, tokens[1:])) if pair in self.rank]
			if not ranks:
				return tokens
			rank, i = min(ranks)
			tokens = tokens[:i] + [256 + rank] + tokens[i + 2:]


class ByteSet:
	"""A section of tokenizer 2 that has been read, with every rule checked."""

	def __init__(self, section, vocab):
		need(len(section) == 33, 'size')
		self.bytes = [b for b in range(256) if section[b // 8] >> b % 8 & 1]
		need(section[32] < 4, 'reserved bits')
		self.other, self.end = section[32] & 1, section[32] >> 1
		need(self.bytes and self.other <= (len(self.bytes) < 256), 'an empty set, or other')
		need(vocab == len(self.bytes) + self.other + self.end, 'vocabulary')
		self.vocab = vocab

	@staticmethod
	def pack(members, other, end=0):
		bitmap = bytearray(32)
		for b in members:
			bitmap[b // 8] |= 1 << b % 8
		return bytes(bitmap) + bytes([other | end << 1])

	def bytes_of(self, token):
		return (bytes(self.bytes) + b'?'[:self.other])[token:token + 1]

	def decode(self, tokens):
		return b''.join(self.bytes_of(t) for t in tokens)

	def encode(self, data):
		need(self.other or set(data) <= set(self.bytes), 'a byte has no token')
		return [self.bytes.index(b) if b in self.bytes else len(self.bytes) for b in data]

	def start(self):
		"""The token of an empty prompt."""
		return self.bytes.index(10) if 10 in self.bytes and not self.end else self.vocab - 1


class Bytes:
	"""Tokenizer 0."""

	def __init__(self, vocab):
		self.vocab = vocab

	def bytes_of(self, token):
		return bytes([token]) if token < 256 else b''

	def decode(self, tokens):
		return b''.join(self.bytes_of(t) for t in tokens)

	def encode(self, data):
		need(all(b < self.vocab for b in data), 'a byte has no token')
		return list(data)

	def start(self):
		return 10 if self.vocab > 10 else self.vocab - 1


def of_model(smol):
	"""The tokenizer of a model that has been read."""
	kind = smol.kind_of_tokens()
	return Bytes(smol.conf.vocab) if kind == 0 else (Tokenizer if kind == 1 else ByteSet)(smol.tokens, smol.conf.vocab)


def split_specials(data, specials):
	"""(index of a special or None, bytes)"""
	out, begin, at = [], 0, 0
	while at < len(data):
		found = [s for s in specials if data.startswith(s, at)]
		if not found:
			at += 1
			continue
		s = max(found, key=len)
		out += [(None, data[begin:at]), (specials.index(s), s)]
		begin = at = at + len(s)
	return out + [(None, data[begin:])]


def character(data, at):
	"""The bytes of the character that begins there, or b''."""
	for n in (1, 2, 3, 4):
		try:
			data[at:at + n].decode()
			return data[at:at + n]
		except UnicodeDecodeError:
			pass
	return b''


def pieces(data):
	"""The pieces of bytes without specials."""
	runs, at = [], 0
	while at < len(data):
		c = character(data, at)
		if not runs or runs[-1][0] != bool(c):
			runs.append((bool(c), []))
		runs[-1][1].append(c or data[at:at + 1])
		at += len(c) or 1
	out = []
	for is_text, units in runs:
		out += split(''.join(u.decode() for u in units)) if is_text else [b''.join(units)]
	return out


def kind(c):
	"""L, N, W or O."""
	category = unicodedata.category(c)[0]
	if category in 'LN':
		return category
	return 'W' if category == 'Z' or c in '\t\n\v\f\r\x85' else 'O'


def split(text):
	out, at = [], 0
	kinds = [kind(c) for c in text]

	def run(begin, k):
		end = begin
		while end < len(text) and kinds[end] == k:
			end += 1
		return end

	while at < len(text):
		end = 0
		for c in CONTRACTIONS:
			if not end and text.startswith(c.decode(), at):
				end = at + len(c)
		for k in 'LNO':
			for begin in (at + 1, at) if text[at] == ' ' else (at,):
				if not end and run(begin, k) > begin:
					end = run(begin, k)
		if not end:
			end = run(at, 'W')
			if end < len(text) and end - at > 1:
				end -= 1
		out.append(text[at:end].encode())
		at = end
	return out


def train(texts, n_tokens, specials=(END,)):
	"""The section that training gives."""
	counts = {}
	for text in texts:
		for special, part in split_specials(text, list(specials)):
			for piece in pieces(part) if special is None else ():
				word = tuple(ORDER.index(b) for b in piece)
				counts[word] = counts.get(word, 0) + 1
	merges, lengths = [], [1] * 256
	while len(merges) + 256 + len(specials) < n_tokens:
		pairs = {}
		for word, n in counts.items():
			for pair in zip(word, word[1:]):
				pairs[pair] = pairs.get(pair, 0) + n
		pairs = {p: n for p, n in pairs.items() if lengths[p[0]] + lengths[p[1]] <= 1024}
		best = min(pairs, key=lambda p: (-pairs[p], p), default=None)
		if best is None or pairs[best] < 2:
			break
		lengths.append(lengths[best[0]] + lengths[best[1]])
		new, merges, old, counts = 256 + len(merges), merges + [best], counts, {}
		for word, n in old.items():
			out, i = [], 0
			while i < len(word):
				joined = word[i:i + 2] == best
				out.append(new if joined else word[i])
				i += 1 + joined
			counts[tuple(out)] = counts.get(tuple(out), 0) + n
	return pack(merges, specials)


def file_of(section):
	return MAGIC + struct.pack('<Q', xxhash.xxh3_64_intdigest(section)) + section
