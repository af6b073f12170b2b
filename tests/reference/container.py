"""The .smol file: SPEC.md sections 2 to 4. read() checks everything and rejects what is not canonical; write() is its inverse."""
import dataclasses
import hashlib
import struct

import nacl.exceptions
import nacl.signing
import numpy as np
import tokens
import xxhash
from configuration import (BIASES, DISTANCES, FASTFOOD, FASTFOOD_SHARED, FOURIER, FOURIER_SHARED, FROZEN, GAINS, HALF_SHIFT, HISTORY, HISTORY_LENGTHS, KEPT, LAYER_GAIN, MASKED,
	MATRIX, MODELS, NOLA, NORM, NORM_SLOTS, OUTPUT_TABLE, OWN, RELU2, SHARED, SLOPE_FACTORS, SLOTS, SPARSE, STORED, TEMPERATURES, UNIT, Conf, Scheme, canonical,
	pack_conf, parse_conf)
from tables import (BLOCKS, FLOATS, LEARNED, MASK, TYPES, Blocks, Mask, SmolError, Table, array_bytes, need, pack_array, pack_nibbles, pack_trits, pad,
	parse_array, parse_table, rows_as, stored_as, table_size, up)

MAGIC = bytes.fromhex('89534d4f4c0d0a1a')
ORDER = (b'CONF', b'BASE', b'LRND', b'TOKN', b'CARD', b'EMBD')
PIECE = 1 << 20


@dataclasses.dataclass
class Rows:
	"""Some rows of a table, in a delta."""
	tokens: list
	table: Table


@dataclasses.dataclass
class Smol:
	conf: Conf
	learned: dict		# name -> array in its stored type, in the order of section 3.2
	wte: Table = None	# none in a delta
	wpe: Table = None	# none with distances
	card: bytes = None
	minor: int = None	# None: the lowest that it may have
	hints: int = 0
	hash: bytes = None
	signature: tuple = None	# (key number, public key, signature)
	tokens: bytes = None	# TOKN
	output: Table = None
	tokenizer: int = None	# None: 1 with TOKN, 0 without
	base: list = None	# (hash, factor) of a delta's parts, models first
	input_rows: Rows = None
	output_rows: Rows = None

	def tables(self):
		rows = [r.table for r in (self.input_rows, self.output_rows) if r is not None]
		return rows + [t for t in (self.wte, self.wpe, self.output) if t is not None]

	def pack_tokens(self):
		numbers = [t for r in (self.input_rows, self.output_rows) if r is not None for t in r.tokens]
		return pad(np.array(numbers, '<u4').tobytes(), 64)

	def kind_of_tokens(self):
		return int(self.tokens is not None) if self.tokenizer is None else self.tokenizer

	def minor_version(self):
		lowest = self.conf.minor([t.kind for t in self.tables()], self.kind_of_tokens())
		return lowest if self.minor is None else self.minor


def xxh3(b):
	return xxhash.xxh3_64_intdigest(b)


def file_hash(body):
	leaves = b''.join(hashlib.blake2b(body[i:i + PIECE]).digest() for i in range(0, len(body), PIECE))
	return hashlib.blake2b(b'smol/1 file hash' + struct.pack('<Q', len(body)) + leaves).digest()


def signed_message(digest, number, public):
	return b'smol/1 signature' + digest + number + public


def learned_layout(conf):
	"""(name, shape, kind) in the order of section 3.2; kinds are those of tables.stored_as."""
	out = [('shared.alpha', (s.numbers(),), s.alpha_type) for s in conf.schemes if s.is_shared()][:1]

	def norm(name, s):
		for half in ('weight', 'bias'):
			if s.source == OWN:
				out.append(('%s.%s.alpha' % (name, half), (s.d,), s.alpha_type))
			elif s.source == STORED:
				out.append(('%s.%s' % (name, half), (conf.width,), s.factor_type))

	def matrix(name, s, rows, cols):
		if s.has_own():
			out.append((name + '.alpha', (s.numbers(),), s.alpha_type))
		if s.source == MASKED:
			out.append((name + '.mask', (rows, cols), MASK))
		if s.source == KEPT:
			out.append((name + '.rows', (rows, cols), ('rows', s.alpha_type)))
		if s.source == NOLA:
			out.extend([(name + '.A.alpha', (s.d,), s.alpha_type), (name + '.B.alpha', (s.d,), s.alpha_type)])
		elif s.rank:
			out.append((name + '.A', (s.rank, cols), s.factor_type))
			out.append((name + '.B', (rows, s.rank), s.factor_type))
		if s.terms & SPARSE:
			out.append((name + '.sparse', (rows, s.dimensions), s.factor_type))
		if s.terms & GAINS:
			out.append((name + '.gain', (rows,), s.factor_type))
		if s.terms & BIASES:
			out.append((name + '.bias', (rows,), s.factor_type))
		if s.terms & MODELS:
			out.append((name + '.models', (conf.models,), s.factor_type))

	for n, slots in enumerate(conf.layer_schemes()):
		for s in [conf.schemes[i] for i in slots if conf.schemes[i].terms & LAYER_GAIN][:1]:
			out.append(('h.%d.lambda.alpha' % n, (1,), s.alpha_type))
		for feature, what in ((TEMPERATURES, 'temperature'), (SLOPE_FACTORS, 'slope_factor')):
			if conf.has(feature):
				out.append(('h.%d.attn.%s' % (n, what), (conf.heads,), conf.head_type))
		for j, index in enumerate(slots):
			name = 'h.%d.%s' % (n, SLOTS[j])
			if j in NORM_SLOTS:
				norm(name, conf.schemes[index])
			else:
				matrix(name, conf.schemes[index], *conf.shape(j))
	norm('ln_f', conf.schemes[conf.ln_f])
	if conf.has(HISTORY):
		out.append(('history', (HISTORY_LENGTHS,), conf.head_type))
	return out


def parse_learned(conf, b):
	layout = learned_layout(conf)
	need(sum(array_bytes(shape, kind) for _, shape, kind in layout) == len(b), 'LRND size')
	out, at = {}, 0
	for name, shape, kind in layout:
		end = at + array_bytes(shape, kind)
		limited = name.endswith(('.alpha', '.attn.temperature', '.attn.slope_factor', 'history'))
		out[name] = parse_array(b[at:end], shape, kind, name, 65504 if limited else None)
		at = end
	return out


def parse_tables(conf, kinds, b):
	"""wte, wpe and the output table of EMBD."""
	rows = conf.vocab, 0 if conf.has(DISTANCES) else conf.context, conf.vocab if conf.has(OUTPUT_TABLE) else 0
	sizes = [table_size(kind, n, conf.width) for kind, n in zip(kinds, rows)]
	need(len(b) == sum(sizes), 'EMBD size')
	ends = [sum(sizes[:i + 1]) for i in range(3)]
	return [parse_table(b[end - size:end], kind, n, conf.width) if n else None for kind, n, size, end in zip(kinds, rows, sizes, ends)]


def parse_base(conf, b):
	need(len(b) == 68 * (conf.models + conf.deltas), 'BASE size')
	out = [(b[at:at + 64], struct.unpack_from('<f', b, at + 64)[0]) for at in range(0, len(b), 68)]
	need(all(abs(factor) <= 2.0 ** 60 for _, factor in out), 'BASE factor')
	need(len({digest for digest, _ in out}) == len(out), 'BASE: the same file twice')
	return out


def parse_rows(conf, kinds, b):
	"""A delta's rows of wte and of the output table."""
	counts = conf.input_rows, conf.output_rows
	sizes = [table_size(kind, n, conf.width) if n else 0 for kind, n in zip(kinds, counts)]
	head = up(4 * sum(counts), 64)
	need(len(b) == head + sum(sizes) and not any(b[4 * sum(counts):head]), 'EMBD size or padding')
	numbers, out, at = np.frombuffer(b[:4 * sum(counts)], '<u4').tolist(), [], head
	for kind, n, size in zip(kinds, counts, sizes):
		mine, numbers = numbers[:n], numbers[n:]
		need(all(a < z for a, z in zip(mine, mine[1:])) and all(t < conf.vocab for t in mine), 'tokens of rows')
		out.append(Rows(mine, parse_table(b[at:at + size], kind, n, conf.width)) if n else None)
		at += size
	return out


def check_tokens(kind, section, vocab):
	if kind:
		(tokens.Tokenizer if kind == 1 else tokens.ByteSet)(section, vocab)


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
	need(major == 1 and 2 <= count <= 6 and body_size <= 1 << 48, 'header')
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
	need(at == body_size and b'CONF' in sections and (b'EMBD' in sections or b'BASE' in sections), 'sections')
	return minor, hints, sections, body_size


def read(b):
	b = bytes(b)
	minor, hints, sections, body_size = split(b)
	conf, wte, wpe, output, tok = parse_conf(sections[b'CONF'])
	need(minor >= conf.minor((wte, wpe, output), tok), 'minor version')
	need((conf.models > 0) == (b'BASE' in sections), 'BASE')
	need((tok > 0 and not conf.models) == (b'TOKN' in sections), 'TOKN')
	if not conf.models:
		check_tokens(tok, sections.get(b'TOKN'), conf.vocab)
	learned = parse_learned(conf, sections.get(b'LRND', b''))
	base = input_rows = output_rows = None
	if conf.models:
		base = parse_base(conf, sections[b'BASE'])
		input_rows, output_rows = parse_rows(conf, (wte, output), sections.get(b'EMBD', b''))
		wte = wpe = output = None
	else:
		wte, wpe, output = parse_tables(conf, (wte, wpe, output), sections[b'EMBD'])
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
	return Smol(conf, learned, wte, wpe, sections.get(b'CARD'), minor, hints, digest, signature, sections.get(b'TOKN'), output, tok, base, input_rows, output_rows)


def write(m, signer=None):
	"""signer: (key number, 32 bytes of Ed25519 secret seed); else a signature read with the model is kept."""
	learned = b''.join(pack_array(m.learned[name]) for name, _, _ in learned_layout(m.conf))
	tables = (m.input_rows and m.input_rows.table, None, m.output_rows and m.output_rows.table) if m.base else (m.wte, m.wpe, m.output)
	wte, wpe, output = (t.kind if t else 0 for t in tables)
	conf = pack_conf(m.conf, wte, wpe, m.kind_of_tokens(), output)
	embeddings = m.pack_tokens() + b''.join(t.pack() for t in m.tables())
	base = b''.join(digest + struct.pack('<f', factor) for digest, factor in m.base or [])
	made = {b'CONF': conf, b'BASE': base, b'LRND': learned, b'TOKN': m.tokens, b'CARD': m.card, b'EMBD': embeddings}
	kinds = [k for k in ORDER if made.get(k)]
	directory = b''.join(struct.pack('<4sI2Q', k, 0, len(made[k]), xxh3(made[k])) for k in kinds)
	body = bytes(32) + directory
	for k in kinds:
		body = pad(body, 64 if k == b'EMBD' else 8) + made[k]
	head = MAGIC + struct.pack('<4HQ', 1, m.minor_version(), len(kinds), m.hints, len(body))
	body = head + struct.pack('<Q', xxh3(head + directory)) + body[32:]
	digest = file_hash(body)
	if signer:
		number, secret = signer
		private = nacl.signing.SigningKey(secret)
		public = bytes(private.verify_key)
		return body + digest + number + public + private.sign(signed_message(digest, number, public)).signature
	return body + digest + (b''.join(m.signature) if m.signature else b'')
