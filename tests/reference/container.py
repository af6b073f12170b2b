"""The .smol file: SPEC.md sections 2 to 4. read() checks everything and rejects what is not canonical; write() is its inverse."""
import dataclasses
import hashlib
import struct

import nacl.exceptions
import nacl.signing
import numpy as np
import tokens
import xxhash

MAGIC = bytes.fromhex('89534d4f4c0d0a1a')
ORDER = (b'CONF', b'LRND', b'TOKN', b'CARD', b'EMBD')
PIECE = 1 << 20
FLOATS = {0: np.dtype('<f4'), 1: np.dtype('<f2')}
BLOCKS = 4	# parameters of 8 bits; such an array is held as a Blocks
LEARNED = (0, 1, BLOCKS)
SLOTS = ('ln_1', 'attn.c_attn', 'attn.c_proj', 'ln_2', 'mlp.c_fc', 'mlp.c_proj')
NORM_SLOTS = (0, 3)
MATRIX, NORM = 1, 2
UNIT, OWN, SHARED, FASTFOOD, FASTFOOD_SHARED, FOURIER, FOURIER_SHARED = range(7)
NOLA = 8
FROZEN, STORED = 0, 2
GAINS, BIASES, SPARSE, LAYER_GAIN = 16, 32, 64, 128


class SmolError(Exception):
	pass


def need(condition, what):
	if not condition:
		raise SmolError(what)


@dataclasses.dataclass(frozen=True)
class Scheme:
	kind: int
	source: int
	dist: int
	d: int
	rank: int
	alpha_type: int
	factor_type: int
	sigma: float
	dimensions: int = 0
	terms: int = 0		# the high bits of the byte of the kind

	def pack(self):
		return struct.pack('<4BH2BfI', self.kind | self.terms, self.source, self.dist, self.d, self.rank, self.alpha_type, self.factor_type, self.sigma, self.dimensions)

	@staticmethod
	def parse(b, at):
		kind, *rest = struct.unpack_from('<4BH2BfI', b, at)
		return Scheme(kind & 15, *rest, kind & 240)

	def projects(self):
		return self.kind == MATRIX and FASTFOOD <= self.source <= FOURIER_SHARED

	def is_shared(self):
		return self.kind == MATRIX and self.source in (SHARED, FASTFOOD_SHARED, FOURIER_SHARED)

	def has_own(self):
		return self.source in (OWN, FASTFOOD, FOURIER) if self.kind == MATRIX else self.source == OWN

	def numbers(self):
		"""Of a vector of alphas or of a projection."""
		return self.dimensions if self.projects() else self.d

	def allowed_terms(self):
		if self.kind != MATRIX:
			return 0
		return GAINS | BIASES | (SPARSE if not self.projects() else LAYER_GAIN if self.is_shared() else 0)

	def check(self, raw_sigma):
		matrix = self.kind == MATRIX
		need(self.kind in (MATRIX, NORM) and self.terms & ~self.allowed_terms() == 0, 'scheme kind')
		need(self.source <= (FOURIER_SHARED if matrix else 2) or matrix and self.source == NOLA and self.rank > 0, 'scheme source')
		need(1 <= self.dimensions <= 1 << 20 if self.projects() or self.terms & SPARSE else self.dimensions == 0, 'scheme dimensions')
		learns = self.source != UNIT if matrix else self.source == OWN
		draws = matrix or learns
		extra = self.rank > 0 and self.source != NOLA or self.terms & (GAINS | BIASES | SPARSE) != 0 if matrix else self.source == STORED
		need(self.dist <= (1 if draws else 0), 'scheme distribution')
		need(1 <= self.d <= 64 if learns and not self.projects() else self.d == (1 if matrix else 0), 'scheme d')
		need(self.rank <= (4096 if matrix else 0), 'scheme rank')
		need(self.alpha_type in (LEARNED if learns else (0,)), 'scheme alpha type')
		need(self.factor_type in (LEARNED if extra else (0,)), 'scheme factor type')
		need(2.0 ** -60 <= self.sigma <= 2.0 ** 60 if draws else raw_sigma == 0, 'scheme sigma')


class Blocks:
	"""An array of parameters of type 4: scales (blocks) as bits of their upper halves, q (n) and the shape."""

	def __init__(self, scales, q, shape):
		self.scales, self.q, self.shape = np.asarray(scales, np.uint16), np.asarray(q, np.int8), shape

	@staticmethod
	def of(values):
		"""Section 12."""
		x = np.asarray(values, np.float32)
		flat = np.zeros(-(-x.size // 64) * 64, np.float32)
		flat[:x.size] = x.reshape(-1)
		blocks = flat.reshape(-1, 64)
		largest = np.abs(blocks).max(axis=1) / np.float32(127)
		scales = (largest.view(np.uint32).astype(np.uint64) + 0xffff >> 16).astype(np.uint16)
		step = (scales.astype(np.uint32) << 16).view(np.float32)[:, None]
		with np.errstate(all='ignore'):
			q = np.where(step > 0, np.clip(np.rint(blocks / step), -127, 127), 0)
		return Blocks(scales, q.reshape(-1)[:x.size], x.shape)

	@staticmethod
	def parse(b, shape, name):
		n = int(np.prod(shape))
		scales, q = [], []
		for at in range(0, len(b), 66):
			scales.append(int.from_bytes(b[at:at + 2], 'little'))
			q.append(np.frombuffer(b[at + 2:at + 66], 'i1'))
			need(scales[-1] <= 0x5d80, name + ': scale of a block')
		out = Blocks(scales, np.concatenate(q), shape)
		need(len(out.q) == n, name + ': blocks')
		return out

	def pack(self):
		return b''.join(int(s).to_bytes(2, 'little') + self.q[64 * i:64 * i + 64].tobytes() for i, s in enumerate(self.scales))

	def astype(self, t):
		scales = (self.scales.astype(np.uint32) << 16).view(np.float32)
		values = np.repeat(scales, 64)[:len(self.q)] * self.q.astype(np.float32)
		return values.reshape(self.shape).astype(t)

	def __iter__(self):
		return iter(self.astype(np.float32))


def stored_as(values, kind):
	"""An array of parameters in its stored type."""
	return Blocks.of(values) if kind == BLOCKS else np.asarray(values).astype(FLOATS[kind])


def pack_array(a):
	return a.pack() if isinstance(a, Blocks) else a.tobytes()


def array_bytes(shape, kind):
	n = int(np.prod(shape))
	return n + 2 * -(-n // 64) if kind == BLOCKS else n * FLOATS[kind].itemsize


@dataclasses.dataclass
class Table:
	"""An embedding: number type, numbers (rows, C); for types 2 and 3 one scale a row, for 3 multipliers (rows, two for each 64 columns)."""
	kind: int
	numbers: np.ndarray
	scales: np.ndarray = None
	multipliers: np.ndarray = None

	def integers(self):
		"""What the scale of a row multiplies, for types 2 and 3."""
		q = self.numbers.astype(np.int64)
		return q if self.kind == 2 else q * np.repeat(self.multipliers.astype(np.int64), 32, axis=1)[:, :q.shape[1]]

	def floats(self):
		if self.kind < 2:
			return self.numbers.astype(np.float32)
		return self.scales[:, None].astype(np.float32) * self.integers().astype(np.float32)

	def pack(self):
		if self.kind < 3:
			out = pad(self.numbers.astype(TYPES[self.kind]).tobytes(), 64)
		else:
			out = pad(pack_nibbles(self.numbers).tobytes(), 64) + pad(self.multipliers.astype(np.uint8).tobytes(), 64)
		return out + pad(self.scales.astype('<f4').tobytes(), 64) if self.kind >= 2 else out


def pack_nibbles(q):
	"""(rows, C) of -8..7 -> (rows, 32 bytes for each 64 columns)."""
	rows, cols = q.shape
	wide = np.zeros((rows, -(-cols // 64), 2, 32), np.uint8)
	wide.reshape(rows, -1)[:, :cols] = q.astype(np.int64) & 15
	return wide[:, :, 0] | wide[:, :, 1] << 4


def unpack_nibbles(b, cols):
	"""The other way; also whether all past the columns is zero."""
	b = b.reshape(len(b), -1, 1, 32)
	wide = np.concatenate([b & 15, b >> 4], axis=2).reshape(len(b), -1)
	q = wide.astype(np.int64)
	return np.where(q < 8, q, q - 16)[:, :cols].astype(np.int8), not wide[:, cols:].any()


TYPES = {0: np.dtype('<f4'), 1: np.dtype('<f2'), 2: np.dtype('i1')}


@dataclasses.dataclass
class Conf:
	layers: int
	heads: int
	width: int
	ff: int
	context: int
	vocab: int
	epsilon: float
	seed: int
	logit_scale: float
	schemes: list
	runs: list		# (number of layers, six scheme indices)
	ln_f: int

	def layer_schemes(self):
		return [run[1] for run in self.runs for _ in range(run[0])]

	def shape(self, slot):
		c, f = self.width, self.ff
		return {1: (3 * c, c), 2: (c, c), 4: (f, c), 5: (c, f)}[slot]


@dataclasses.dataclass
class Smol:
	conf: Conf
	learned: dict		# name -> array in its stored type, in the order of section 3.2
	wte: Table
	wpe: Table
	card: bytes = None
	minor: int = 0
	hints: int = 0
	hash: bytes = None
	signature: tuple = None	# (key number, public key, signature)
	tokens: bytes = None	# TOKN


def pad(b, to):
	return b + bytes(-len(b) % to)


def xxh3(b):
	return xxhash.xxh3_64_intdigest(b)


def file_hash(body):
	leaves = b''.join(hashlib.blake2b(body[i:i + PIECE]).digest() for i in range(0, len(body), PIECE))
	return hashlib.blake2b(b'smol/1 file hash' + struct.pack('<Q', len(body)) + leaves).digest()


def signed_message(digest, number, public):
	return b'smol/1 signature' + digest + number + public


def canonical(runs, ln_f):
	"""Scheme indices in the order of first use."""
	seen = []
	for i in [i for run in runs for i in run[1]] + [ln_f]:
		if i not in seen:
			seen.append(i)
	return seen


def pack_conf(c, wte_kind, wpe_kind, tokenizer=0):
	out = struct.pack('<2H6IfQ4BH2BfI', 0, 0, c.layers, c.heads, c.width, c.ff, c.context, c.vocab, c.epsilon, c.seed, wte_kind, wpe_kind, tokenizer,
		len(c.schemes), len(c.runs), c.ln_f, 0, c.logit_scale, 0)
	out += b''.join(s.pack() for s in c.schemes)
	return out + b''.join(struct.pack('<H6B', n, *slots) for n, slots in c.runs)


def parse_conf(b):
	need(len(b) >= 56, 'CONF size')
	(arch, res0, layers, heads, width, ff, context, vocab, eps, seed, wte, wpe, tok, n_schemes, n_runs, ln_f, res1, scale,
		res2) = struct.unpack_from('<2H6IfQ4BH2BfI', b)
	need(arch == 0 and res0 == 0 and res1 == 0 and res2 == 0 and tok <= 1, 'CONF architecture, tokenizer or reserved')
	limits = ((layers, 256), (heads, 1024), (width, 65536), (ff, 262144), (context, 1048576), (vocab, 16777216), (n_runs, layers))
	need(all(1 <= v <= top for v, top in limits) and width % heads == 0, 'CONF shape')
	need(2.0 ** -60 <= eps <= 1 and 2.0 ** -60 <= scale <= 2.0 ** 60 and wte <= 3 and wpe <= 3, 'CONF numbers')
	need(2 <= n_schemes <= 32 and len(b) == 56 + 16 * n_schemes + 8 * n_runs, 'CONF size')
	schemes = []
	for i in range(n_schemes):
		s = Scheme.parse(b, 56 + 16 * i)
		s.check(struct.unpack_from('<I', b, 56 + 16 * i + 8)[0])
		schemes.append(s)
	runs = []
	for i in range(n_runs):
		n, *slots = struct.unpack_from('<H6B', b, 56 + 16 * n_schemes + 8 * i)
		need(n >= 1 and all(x < n_schemes for x in slots), 'run')
		need(all((schemes[x].kind == NORM) == (j in NORM_SLOTS) for j, x in enumerate(slots)), 'run: kind of scheme')
		runs.append((n, tuple(slots)))
	for _, slots in runs:
		for j, x in enumerate(slots):
			need(not schemes[x].terms & SPARSE or schemes[x].dimensions <= (ff if j == 5 else width), 'sparse term wider than a row')
	def entries(j, x):
		outputs, inputs = {1: (3 * width, width), 2: (width, width), 4: (ff, width), 5: (width, ff)}[j]
		return schemes[x].rank * (outputs + inputs) if schemes[x].source == NOLA else 0

	need(sum(n * entries(j, x) for n, slots in runs for j, x in enumerate(slots) if j not in NORM_SLOTS) <= 1 << 28, 'factors of nola')
	need(sum(n for n, _ in runs) == layers and ln_f < n_schemes and schemes[ln_f].kind == NORM, 'runs or ln_f')
	need(all(a[1] != z[1] for a, z in zip(runs, runs[1:])), 'neighbouring runs are equal')
	need(len(set(b[56 + 16 * i:72 + 16 * i] for i in range(n_schemes))) == n_schemes, 'equal schemes')
	need(canonical(runs, ln_f) == list(range(n_schemes)), 'order of schemes')
	shared = {(s.source, s.numbers(), s.alpha_type) for s in schemes if s.is_shared()}
	need(len(shared) <= 1, 'shared alphas disagree')
	return Conf(layers, heads, width, ff, context, vocab, eps, seed, scale, schemes, runs, ln_f), wte, wpe, tok


def learned_layout(conf):
	"""(name, shape, number type) in the order of section 3.2."""
	out = [('shared.alpha', (s.numbers(),), s.alpha_type) for s in conf.schemes if s.is_shared()][:1]

	def norm(name, s):
		for half in ('weight', 'bias'):
			if s.source == OWN:
				out.append(('%s.%s.alpha' % (name, half), (s.d,), s.alpha_type))
			elif s.source == STORED:
				out.append(('%s.%s' % (name, half), (conf.width,), s.factor_type))

	for n, slots in enumerate(conf.layer_schemes()):
		for s in [conf.schemes[i] for i in slots if conf.schemes[i].terms & LAYER_GAIN][:1]:
			out.append(('h.%d.lambda.alpha' % n, (1,), s.alpha_type))
		for j, index in enumerate(slots):
			s, name = conf.schemes[index], 'h.%d.%s' % (n, SLOTS[j])
			if j in NORM_SLOTS:
				norm(name, s)
				continue
			rows, cols = conf.shape(j)
			if s.has_own():
				out.append((name + '.alpha', (s.numbers(),), s.alpha_type))
			if s.source == NOLA:
				out += [(name + '.A.alpha', (s.d,), s.alpha_type), (name + '.B.alpha', (s.d,), s.alpha_type)]
			elif s.rank:
				out.append((name + '.A', (s.rank, cols), s.factor_type))
				out.append((name + '.B', (rows, s.rank), s.factor_type))
			if s.terms & SPARSE:
				out.append((name + '.sparse', (rows, s.dimensions), s.factor_type))
			if s.terms & GAINS:
				out.append((name + '.gain', (rows,), s.factor_type))
			if s.terms & BIASES:
				out.append((name + '.bias', (rows,), s.factor_type))
	norm('ln_f', conf.schemes[conf.ln_f])
	return out


def parse_learned(conf, b):
	layout = learned_layout(conf)
	need(sum(array_bytes(shape, kind) for _, shape, kind in layout) == len(b), 'LRND size')
	out, at = {}, 0
	for name, shape, kind in layout:
		end = at + array_bytes(shape, kind)
		a = Blocks.parse(b[at:end], shape, name) if kind == BLOCKS else np.frombuffer(b[at:end], FLOATS[kind]).reshape(shape)
		at = end
		values = a.astype(np.float32)
		need(np.isfinite(values).all(), name + ' is not finite')
		need(not name.endswith('.alpha') or (np.abs(values) <= 65504).all(), name + ' is too large')
		out[name] = a
	return out


def up64(n):
	return -(-n // 64) * 64


def table_size(kind, rows, cols):
	if kind == 3:
		return up64(rows * 32 * -(-cols // 64)) + up64(rows * 2 * -(-cols // 64)) + up64(rows * 4)
	size = up64(rows * cols * TYPES[kind].itemsize)
	return size + (up64(rows * 4) if kind == 2 else 0)


def parse_scales(b, rows):
	scales = np.frombuffer(b, '<f4', rows)
	need(not (scales.view('<u4') >> 31).any() and (scales <= 2.0 ** 60).all(), 'EMBD scale')
	need(not any(b[4 * rows:]), 'EMBD padding')
	return scales


def parse_q4(b, rows, cols):
	chunks = -(-cols // 64)
	end, begin = rows * 32 * chunks, up64(rows * 32 * chunks)
	q, clean = unpack_nibbles(np.frombuffer(b, np.uint8, end).reshape(rows, 32 * chunks), cols)
	multipliers = np.frombuffer(b, np.uint8, rows * 2 * chunks, begin).reshape(rows, 2 * chunks)
	scales_at = begin + up64(rows * 2 * chunks)
	need(clean and not multipliers[:, -(-cols // 32):].any(), 'EMBD past the columns')
	need(not any(b[end:begin]) and not any(b[begin + rows * 2 * chunks:scales_at]), 'EMBD padding')
	return Table(3, q, parse_scales(b[scales_at:], rows), multipliers)


def parse_table(b, kind, rows, cols):
	if kind == 3:
		return parse_q4(b, rows, cols)
	t = TYPES[kind]
	a = np.frombuffer(b, t, rows * cols).reshape(rows, cols)
	end = rows * cols * t.itemsize
	at = -(-end // 64) * 64
	need(not any(b[end:at]), 'EMBD padding')
	if kind != 2:
		need(np.isfinite(a).all(), 'EMBD is not finite')
		return Table(kind, a)
	return Table(kind, a, parse_scales(b[at:], rows))


def check_card(b):
	need(2 <= len(b) <= 65536 and b[:1] == b'{' and b[-1:] == b'}', 'CARD')
	try:
		text = b.decode('utf-8')
	except UnicodeDecodeError as e:
		raise SmolError('CARD is not UTF-8') from e
	need(not any((ord(c) < 32 and c not in '\n\t') or 0x7f <= ord(c) <= 0x9f for c in text), 'CARD control character')


def split(b):
	"""Header, directory, gaps, trailer -> (minor, hints, sections, body size)."""
	need(len(b) >= 32 and b[:8] == MAGIC, 'magic')
	major, minor, count, hints, body_size, checksum = struct.unpack_from('<4H2Q', b, 8)
	need(major == 1 and 2 <= count <= 5 and body_size <= 1 << 48, 'header')
	need(len(b) in (body_size + 64, body_size + 168), 'file size')
	end = 32 + 24 * count
	need(end <= body_size and xxh3(b[:24] + b[32:end]) == checksum, 'header checksum')
	sections, at, last = {}, end, -1
	for i in range(count):
		kind, flags, size, check = struct.unpack_from('<4sI2Q', b, 32 + 24 * i)
		need(kind in ORDER and ORDER.index(kind) > last and flags == 0 and size > 0, 'directory')
		last = ORDER.index(kind)
		start = -(-at // 64) * 64 if kind == b'EMBD' else -(-at // 8) * 8
		need(start + size <= body_size and not any(b[at:start]), 'section outside the body or gap not zero')
		sections[kind] = b[start:start + size]
		need(xxh3(sections[kind]) == check, kind.decode() + ' checksum')
		at = start + size
	need(at == body_size and b'CONF' in sections and b'EMBD' in sections, 'sections')
	return minor, hints, sections, body_size


def read(b):
	b = bytes(b)
	minor, hints, sections, body_size = split(b)
	conf, wte, wpe, tok = parse_conf(sections[b'CONF'])
	need(tok == (b'TOKN' in sections), 'TOKN')
	if tok:
		try:
			tokens.Tokenizer(sections[b'TOKN'], conf.vocab)
		except tokens.BadTokens as e:
			raise SmolError('TOKN: %s' % e) from e
	learned = parse_learned(conf, sections.get(b'LRND', b''))
	embd = sections[b'EMBD']
	cut = table_size(wte, conf.vocab, conf.width)
	need(len(embd) == cut + table_size(wpe, conf.context, conf.width), 'EMBD size')
	tables = parse_table(embd[:cut], wte, conf.vocab, conf.width), parse_table(embd[cut:], wpe, conf.context, conf.width)
	if b'CARD' in sections:
		check_card(sections[b'CARD'])
	digest = b[body_size:body_size + 64]
	need(file_hash(b[:body_size]) == digest, 'hash')
	signature = None
	if len(b) == body_size + 168:
		number, public, sig = b[-104:-96], b[-96:-64], b[-64:]
		try:
			nacl.signing.VerifyKey(public).verify(signed_message(digest, number, public), sig)
		except (nacl.exceptions.BadSignatureError, ValueError) as e:
			raise SmolError('signature') from e
		signature = number, public, sig
	return Smol(conf, learned, *tables, sections.get(b'CARD'), minor, hints, digest, signature, sections.get(b'TOKN'))


def write(m, signer=None):
	"""signer: (key number, 32 bytes of Ed25519 secret seed); else a signature read with the model is kept."""
	learned = b''.join(pack_array(m.learned[name]) for name, _, _ in learned_layout(m.conf))
	made = {b'CONF': pack_conf(m.conf, m.wte.kind, m.wpe.kind, bool(m.tokens)), b'LRND': learned, b'TOKN': m.tokens, b'CARD': m.card, b'EMBD': m.wte.pack() + m.wpe.pack()}
	kinds = [k for k in ORDER if made.get(k)]
	directory = b''.join(struct.pack('<4sI2Q', k, 0, len(made[k]), xxh3(made[k])) for k in kinds)
	body = bytes(32) + directory
	for k in kinds:
		body = pad(body, 64 if k == b'EMBD' else 8) + made[k]
	head = MAGIC + struct.pack('<4HQ', 1, m.minor, len(kinds), m.hints, len(body))
	body = head + struct.pack('<Q', xxh3(head + directory)) + body[32:]
	digest = file_hash(body)
	if signer:
		number, secret = signer
		private = nacl.signing.SigningKey(secret)
		public = bytes(private.verify_key)
		return body + digest + number + public + private.sign(signed_message(digest, number, public)).signature
	return body + digest + (b''.join(m.signature) if m.signature else b'')
