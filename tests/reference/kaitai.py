"""An interpreter of the part of Kaitai Struct that format/smol.ksy uses, from the user guide at doc.kaitai.io: sequences and
instances, parameters, switches, casts, repetitions, conditions, contents, valid, enums, sub-streams. It notes which bytes were read as what."""
import re
import struct

import yaml

BUILTIN = {'u1': '<B', 'u2': '<H', 'u4': '<I', 'u8': '<Q', 's1': '<b', 'f4': '<f', 'f8': '<d'}


class Error(Exception):
	pass


class Stream:
	"""Bytes with a place; base: where they begin in the file; spans: (begin, end, name) of what was read, shared by all streams."""

	def __init__(self, data, base, spans):
		self.data, self.base, self.spans, self.pos = data, base, spans, 0

	@property
	def size(self):
		return len(self.data)

	def take(self, n, name):
		if n < 0 or self.pos + n > len(self.data):
			raise Error('%s: past the end' % name)
		self.spans.append((self.base + self.pos, self.base + self.pos + n, name))
		self.pos += n
		return self.data[self.pos - n:self.pos]


class Enum(int):
	"""An enum's value: .to_i is its number."""

	@property
	def to_i(self):
		return int(self)


def python(expression):
	"""An expression in Python's words: division of whole numbers, a ? b : c."""
	text = re.sub(r'(\w+)::(\w+)', r'_enum("\1", "\2")', str(expression))
	text = re.sub(r'(?<![/])/(?![/])', '//', text)
	text = re.sub(r'\.as<\w+>', '', text)  # which a compiler needs to know the type of what refers to itself
	while '?' in text:
		# The innermost is the last: what follows its colon has no other.
		at = text.rindex('?')
		begin, depth = at, 0
		while begin > 0:
			depth += {')': 1, ']': 1, '(': -1, '[': -1}.get(text[begin - 1], 0)
			if depth < 0 or (depth == 0 and text[begin - 1] in ':?'):
				break
			begin -= 1
		colon = text.index(' : ', at)
		end, depth = colon + 3, 0
		while end < len(text):
			depth += {'(': 1, '[': 1, ')': -1, ']': -1}.get(text[end], 0)
			if depth < 0:
				break
			end += 1
		text = '%s ((%s) if (%s) else (%s))%s' % (text[:begin], text[at + 1:colon].strip(), text[begin:at].strip(), text[colon + 3:end].strip(), text[end:])
	return text.strip()


CODE = {}


class Names(dict):
	"""The names that an expression sees, looked up when they are wanted."""

	def __init__(self, obj, index):
		super().__init__()
		self.obj, self.index = obj, index

	def __missing__(self, name):
		if name == '_index':
			return self.index
		if name == '_enum':
			enums = self.obj.schema.spec['enums']
			return lambda kind, word: Enum({w: n for n, w in enums[kind].items()}[word])
		return getattr(self.obj, name)


class Object:
	"""One value of a user type; attributes are read in order, instances when they are asked for."""

	def __init__(self, schema, spec, stream, parent, root, arguments, name):
		self.schema, self.spec, self._io, self._parent, self._root = schema, spec, stream, parent, root or self
		self.values = {p['id']: a for p, a in zip(spec.get('params', []), arguments)}
		self._label = name
		for attribute in spec.get('seq', []):
			self.values[attribute['id']] = self.read(attribute, stream)

	def __getattr__(self, name):
		if name.startswith('__') or 'values' not in self.__dict__:
			raise AttributeError(name)
		if name not in self.values:
			instance = self.spec.get('instances', {}).get(name)
			if instance is None:
				raise AttributeError(name)
			self.values[name] = self.instance(name, instance)
		return self.values[name]

	def evaluate(self, expression, index=None):
		if not isinstance(expression, str):
			return expression
		if expression not in CODE:
			CODE[expression] = compile(python(expression), expression, 'eval')
		return eval(CODE[expression], {'__builtins__': {}}, Names(self, index))

	def instance(self, name, spec):
		if 'value' in spec:
			return self.evaluate(spec['value'])
		stream = self.evaluate(spec['io']) if 'io' in spec else self._io
		before, stream.pos = stream.pos, 0
		try:
			if 'if' not in spec or self.evaluate(spec['if']):
				stream.pos = self.evaluate(spec['pos'])
				return self.read(dict(spec, id=name), stream)
			return None
		finally:
			stream.pos = before

	def read(self, spec, stream):
		if 'if' in spec and not self.evaluate(spec['if']):
			return None
		if spec.get('repeat') == 'expr':
			return [self.read_one(spec, stream, i) for i in range(self.evaluate(spec['repeat-expr']))]
		return self.read_one(spec, stream, None)

	def read_one(self, spec, stream, index):
		name = '%s.%s' % (self._label, spec['id'])
		if 'contents' in spec:
			if stream.take(len(spec['contents']), name) != bytes(spec['contents']):
				raise Error(name + ': other contents')
			return bytes(spec['contents'])
		kind = spec.get('type')
		if isinstance(kind, dict):
			kind = kind['cases'][self.evaluate(kind['switch-on'])]
		size = self.evaluate(spec['size']) if 'size' in spec else None
		value = self.read_type(kind, size, stream, spec, name, index)
		self.check(spec.get('valid'), value, name)
		return value

	def read_type(self, kind, size, stream, spec, name, index):
		if kind in BUILTIN:
			value, = struct.unpack(BUILTIN[kind], stream.take(struct.calcsize(BUILTIN[kind]), name))
			return Enum(value) if 'enum' in spec else value
		if kind is None:
			return stream.take(size, name)
		if kind == 'str':
			return stream.take(size, name).decode(spec.get('encoding', self.schema.spec['meta']['encoding']))
		word, _, arguments = kind.partition('(')
		values = [self.evaluate(a, index) for a in split(arguments[:-1])] if arguments else []
		if size is not None:
			if stream.pos + size > stream.size:
				raise Error(name + ': past the end')
			base = stream.base + stream.pos
			stream, outer = Stream(stream.data[stream.pos:stream.pos + size], base, stream.spans), stream
			outer.pos += size
		return Object(self.schema, self.schema.spec['types'][word], stream, self, self._root, values, name)

	def check(self, valid, value, name):
		if valid is None:
			return
		bounds = valid if isinstance(valid, dict) else {'min': valid, 'max': valid}
		if not self.evaluate(bounds.get('min', value)) <= value <= self.evaluate(bounds.get('max', value)):
			raise Error('%s: %r is not valid' % (name, value))


def split(text):
	"""Arguments, at the commas outside all parentheses and brackets."""
	depth, last, out = 0, 0, []
	for i, c in enumerate(text):
		depth += {'(': 1, '[': 1, ')': -1, ']': -1}.get(c, 0)
		if c == ',' and depth == 0:
			out.append(text[last:i].strip())
			last = i + 1
	return out + [text[last:].strip()]


class Schema:
	def __init__(self, path):
		self.spec = yaml.safe_load(path.read_text())
		assert self.spec['meta']['endian'] == 'le'

	def read(self, data):
		"""The file as an object, and the spans of what was read of it, for all instances that have a place are asked for."""
		spans = []
		root = Object(self, self.spec, Stream(data, 0, spans), None, None, [], 'smol')
		ask(root)
		return root, spans


def ask(obj):
	"""Reads all instances, down to the last."""
	if isinstance(obj, list):
		for item in obj:
			ask(item)
	elif isinstance(obj, Object):
		for name, spec in obj.spec.get('instances', {}).items():
			getattr(obj, name)
		for name, value in list(obj.values.items()):
			if not name.startswith('_'):
				ask(value)
