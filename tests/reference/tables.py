"""Numbers in a file: arrays of parameters, masks, and tables of rows: SPEC.md sections 3.2 and 3.3. What is read is checked, and refused if it is not canonical."""
import dataclasses

import numpy as np


class SmolError(Exception):
	pass


def need(condition, what):
	if not condition:
		raise SmolError(what)


FLOATS = {0: np.dtype('<f4'), 1: np.dtype('<f2')}
Q8, Q4, BLOCKS, TERNARY, Q4_ROW = 2, 3, 4, 5, 6	# arrays of type 4 are held as Blocks
LEARNED = (0, 1, BLOCKS)
ROWS = (0, 1, Q8, Q4, TERNARY)
EMBEDDINGS = ROWS + (Q4_ROW,)
SCALED = (Q8, Q4, TERNARY)
MASK = 'mask'			# in place of the number type of an array: bits
TYPES = {0: np.dtype('<f4'), 1: np.dtype('<f2'), 2: np.dtype('i1')}


def pad(b, to):
	return b + bytes(-len(b) % to)


def up(n, to):
	return -(-n // to) * to


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


class Mask:
	"""A bit for each weight: bits (R, K)."""

	def __init__(self, bits):
		self.bits = np.asarray(bits, bool)

	@staticmethod
	def parse(b, shape, name):
		rows, cols = shape
		bits = unpack_bits(np.frombuffer(b, np.uint8).reshape(rows, -1))
		need(not bits[:, cols:].any(), name + ': bits past the last column')
		return Mask(bits[:, :cols])

	def pack(self):
		"""Column c of a row is bit c mod 8 of byte floor(c / 8)."""
		rows, cols = self.bits.shape
		wide = np.zeros((rows, up(cols, 8) // 8, 8), np.uint8)
		wide.reshape(rows, -1)[:, :cols] = self.bits
		return (wide << np.arange(8, dtype=np.uint8)).sum(axis=2).astype(np.uint8).tobytes()


def unpack_bits(b):
	"""(..., n) bytes -> (..., 8 n) bits, lowest first."""
	return (b[..., None] >> np.arange(8, dtype=np.uint8) & 1).reshape(b.shape[:-1] + (-1,)).astype(bool)


@dataclasses.dataclass
class Table:
	"""Rows: number type, numbers (rows, cols); for types 2, 3 and 5 one scale a row, for 3 multipliers (rows, two for each 64 columns); for 6 one scale (1) and multipliers (rows, 1)."""
	kind: int
	numbers: np.ndarray
	scales: np.ndarray = None
	multipliers: np.ndarray = None

	def integers(self):
		"""What the scale of a row or of the table multiplies, for types from 2."""
		q = self.numbers.astype(np.int64)
		if self.kind == Q4_ROW:
			return q * self.multipliers.astype(np.int64)
		return q if self.kind != Q4 else q * np.repeat(self.multipliers.astype(np.int64), 32, axis=1)[:, :q.shape[1]]

	def floats(self):
		if self.kind < 2:
			return self.numbers.astype(np.float32)
		return self.scales[:, None].astype(np.float32) * self.integers().astype(np.float32)

	def packed(self):
		"""The rows alone."""
		pack = {Q4: pack_nibbles, TERNARY: pack_trits, Q4_ROW: pack_halves}.get(self.kind)
		return pack(self.numbers).tobytes() if pack else self.numbers.astype(TYPES[self.kind]).tobytes()

	def pack(self, to=64):
		"""With each part padded to a multiple of so many bytes."""
		if self.kind == Q4_ROW:
			return pad(self.scales.astype('<f4').tobytes() + self.multipliers.astype(np.uint8).tobytes() + self.packed(), to)
		out = pad(self.packed(), to)
		if self.kind == Q4:
			out += pad(self.multipliers.astype(np.uint8).tobytes(), to)
		return out + pad(self.scales.astype('<f4').tobytes(), to) if self.kind in SCALED else out


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


def pack_halves(q):
	"""(rows, C) of -8..7 -> (rows, B): byte i has columns i and B + i."""
	rows, cols = q.shape
	wide = np.zeros((rows, 2, -(-cols // 2)), np.uint8)
	wide.reshape(rows, -1)[:, :cols] = q.astype(np.int64) & 15
	return wide[:, 0] | wide[:, 1] << 4


def parse_halves(b, rows, cols, to, name):
	n = rows * -(-cols // 2)
	need(len(b) == up(4 + rows + n, to) and not any(b[4 + rows + n:]), name + ': padding')
	scale = np.frombuffer(b[:4], '<f4')
	need(not scale.view('<u4')[0] >> 31 and scale[0] <= 2.0 ** 60, name + ': scale')
	data = np.frombuffer(b[4 + rows:4 + rows + n], np.uint8).reshape(rows, -1)
	wide = np.concatenate([data & 15, data >> 4], axis=1).astype(np.int64)
	need(not wide[:, cols:].any(), name + ': past the columns')
	return Table(Q4_ROW, np.where(wide < 8, wide, wide - 16)[:, :cols].astype(np.int8), scale, np.frombuffer(b[4:4 + rows], np.uint8).reshape(rows, 1))


def pack_trits(q):
	"""(rows, C) of -1..1 -> (rows, B): byte i has columns i, B + i, 2 B + i, 3 B + i and 4 B + i."""
	rows, cols = q.shape
	wide = np.zeros((rows, 5, -(-cols // 5)), np.int64)
	wide.reshape(rows, -1)[:, :cols] = q
	v = ((wide + 1) * np.array([81, 27, 9, 3, 1])[None, :, None]).sum(axis=1)
	return ((256 * v + 242) // 243).astype(np.uint8)


V_OF = {-(-256 * v // 243): v for v in range(243)}


def unpack_trits(b, cols, name):
	v = np.array([V_OF.get(byte, -1) for byte in range(256)])[b]
	need((v >= 0).all(), name + ': a byte that stands for no five ternary numbers')
	q = np.stack([v // p % 3 - 1 for p in (81, 27, 9, 3, 1)], axis=1).reshape(len(b), -1)
	need(not q[:, cols:].any(), name + ': a ternary number past the last column')
	return q[:, :cols].astype(np.int8)


def row_bytes(kind, cols):
	return {Q4: 32 * -(-cols // 64), TERNARY: -(-cols // 5), Q4_ROW: -(-cols // 2)}.get(kind) or cols * TYPES[kind].itemsize


def table_size(kind, rows, cols, to=64):
	if kind == Q4_ROW:
		return up(4 + rows + rows * row_bytes(kind, cols), to)
	size = up(rows * row_bytes(kind, cols), to)
	if kind == Q4:
		size += up(rows * 2 * -(-cols // 64), to)
	return size + (up(4 * rows, to) if kind in SCALED else 0)


def parse_table(b, kind, rows, cols, to=64, name='EMBD'):
	if kind == Q4_ROW:
		return parse_halves(b, rows, cols, to, name)
	parts, at = [], 0
	for wanted, n in ((True, rows * row_bytes(kind, cols)), (kind == Q4, rows * 2 * -(-cols // 64)), (kind in SCALED, 4 * rows)):
		parts.append(b[at:at + n] if wanted else b'')
		need(not wanted or not any(b[at + n:at + up(n, to)]), name + ': padding')
		at += up(n, to) if wanted else 0
	need(at == len(b), name + ': size')
	data, multipliers, scales = parts
	if kind not in SCALED:
		a = np.frombuffer(data, TYPES[kind]).reshape(rows, cols)
		need(np.isfinite(a).all(), name + ' is not finite')
		return Table(kind, a)
	data, scales = np.frombuffer(data, np.uint8).reshape(rows, -1), np.frombuffer(scales, '<f4')
	need(not (scales.view('<u4') >> 31).any() and (scales <= 2.0 ** 60).all(), name + ': scale')
	if kind == Q8:
		return Table(kind, data.view('i1'), scales)
	if kind == TERNARY:
		return Table(kind, unpack_trits(data, cols, name), scales)
	q, clean = unpack_nibbles(data, cols)
	multipliers = np.frombuffer(multipliers, np.uint8).reshape(rows, -1)
	need(clean and not multipliers[:, -(-cols // 32):].any(), name + ': past the columns')
	return Table(kind, q, scales, multipliers)


def ternary(values):
	"""Rows of floats as a table of type 5, as section 12 rounds what no trainer has learned."""
	x = np.asarray(values, np.float32)
	scales, q = np.zeros(len(x), np.float32), np.zeros(x.shape, np.int8)
	for i, row in enumerate(x):
		best = total = 0.0
		for k, size in enumerate(sorted((float(v) for v in np.abs(row) if v > 0), reverse=True), 1):
			total += size
			if total * total / k > best:
				best, scales[i] = total * total / k, np.float32(total / k)
				q[i] = np.where(np.abs(row) >= size, np.sign(row), 0)
	return Table(TERNARY, q, scales)


def rows_as(kind, values):
	"""Rows of floats as a table, rounded as section 12 says."""
	import arith

	if kind == TERNARY:
		return ternary(values)
	if kind == Q4_ROW:
		return Table(kind, *arith.to_q4_row(values))
	if kind in SCALED:
		return Table(kind, *(arith.to_q8 if kind == Q8 else arith.to_q4)(values))
	return Table(kind, arith.to_f16(values) if kind == 1 else np.asarray(values, np.float32))


# Arrays of LRND. A kind is a number type of LEARNED, MASK, or ('rows', number type).

def stored_as(values, kind):
	"""An array of parameters in its stored type; a mask has a weight where the value is over 0."""
	if kind == MASK:
		return Mask(np.asarray(values) > 0)
	if isinstance(kind, tuple):
		return rows_as(kind[1], values)
	return Blocks.of(values) if kind == BLOCKS else np.asarray(values).astype(FLOATS[kind])


def pack_array(a):
	return a.pack(1) if isinstance(a, Table) else a.tobytes() if isinstance(a, np.ndarray) else a.pack()


def array_bytes(shape, kind):
	if kind == MASK:
		return shape[0] * -(-shape[1] // 8)
	if isinstance(kind, tuple):
		return table_size(kind[1], *shape, 1)
	n = int(np.prod(shape))
	return n + 2 * -(-n // 64) if kind == BLOCKS else n * FLOATS[kind].itemsize


def parse_array(b, shape, kind, name, largest):
	"""Checked: finite, and of magnitude at most largest unless that is None."""
	if kind == MASK:
		return Mask.parse(b, shape, name)
	if isinstance(kind, tuple):
		return parse_table(b, kind[1], *shape, 1, name)
	a = Blocks.parse(b, shape, name) if kind == BLOCKS else np.frombuffer(b, FLOATS[kind]).reshape(shape)
	values = a.astype(np.float32)
	need(np.isfinite(values).all(), name + ' is not finite')
	need(largest is None or (np.abs(values) <= largest).all(), name + ' is too large')
	return a
