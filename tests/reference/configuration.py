"""The section CONF: SPEC.md section 3.1."""
import dataclasses
import struct

from tables import EMBEDDINGS, LEARNED, Q4_ROW, ROWS, TERNARY, need

SLOTS = ('ln_1', 'attn.c_attn', 'attn.c_proj', 'ln_2', 'mlp.c_fc', 'mlp.c_proj')
NORM_SLOTS = (0, 3)
MATRIX, NORM = 1, 2
UNIT, OWN, SHARED, FASTFOOD, FASTFOOD_SHARED, FOURIER, FOURIER_SHARED = range(7)
NOLA, MASKED, KEPT = 8, 9, 10	# KEPT: every weight is in the file
FROZEN, STORED = 0, 2
MODELS, GAINS, BIASES, SPARSE, LAYER_GAIN = 8, 16, 32, 64, 128	# MODELS: in a delta, a number for each model
DISTANCES, SLOPE_FACTORS, TEMPERATURES, HALF_SHIFT, RELU2, OUTPUT_TABLE, HISTORY = 1, 2, 4, 8, 16, 32, 64
HISTORY_LENGTHS = 5
FIXED = '<2H6IfQ4BH2Bf2BH'
DELTA = 2


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
		return Scheme(kind & 7, *rest, kind & 248)

	def projects(self):
		return self.kind == MATRIX and FASTFOOD <= self.source <= FOURIER_SHARED

	def is_shared(self):
		return self.kind == MATRIX and self.source in (SHARED, FASTFOOD_SHARED, FOURIER_SHARED)

	def has_own(self):
		return self.source in (OWN, FASTFOOD, FOURIER) if self.kind == MATRIX else self.source == OWN

	def numbers(self):
		"""Of a vector of alphas or of a projection."""
		return self.dimensions if self.projects() else self.d

	def allowed_terms(self, in_delta):
		if self.kind != MATRIX:
			return 0
		return (MODELS if in_delta else 0) | GAINS | BIASES | (SPARSE if not self.projects() else LAYER_GAIN if self.is_shared() else 0)

	def check(self, raw_sigma, in_delta=False):
		matrix = self.kind == MATRIX
		nothing = in_delta and matrix and self.source == UNIT
		need(self.kind in (MATRIX, NORM) and self.terms & ~self.allowed_terms(in_delta) == 0, 'scheme kind')
		need(self.source <= (KEPT if matrix else 2) and not (matrix and self.source == 7), 'scheme source')
		need(1 <= self.dimensions <= 1 << 20 if self.projects() or self.terms & SPARSE else self.dimensions == 0, 'scheme dimensions')
		masked, kept = matrix and self.source == MASKED, matrix and self.source == KEPT
		learns = self.source not in (UNIT, MASKED, KEPT) if matrix else self.source == OWN
		draws = matrix and not kept or learns
		extra = self.rank > 0 and self.source != NOLA or self.terms & (MODELS | GAINS | BIASES | SPARSE) != 0 if matrix else self.source == STORED
		need(self.dist <= (1 if draws and not masked and not nothing else 0), 'scheme distribution')
		need(1 <= self.d <= 64 if learns and not self.projects() else self.d == (1 if draws else 0), 'scheme d')
		need((self.source == NOLA and matrix) <= self.rank <= (4096 if matrix else 0), 'scheme rank')
		need(self.alpha_type in (ROWS if kept else LEARNED if learns else (0,)), 'scheme alpha type')
		need(self.factor_type in (LEARNED if extra else (0,)), 'scheme factor type')
		need(2.0 ** -60 <= self.sigma <= 2.0 ** 60 if draws and not nothing else raw_sigma == 0, 'scheme sigma')

	def is_new(self):
		"""Whether it takes version 1.1."""
		return self.kind == MATRIX and self.source in (MASKED, KEPT)


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
	features: int = 0	# architecture 1 if there are any
	head_type: int = 0
	models: int = 0		# of a delta: how many it mixes, and how many deltas it adds
	deltas: int = 0
	input_rows: int = 0
	output_rows: int = 0

	def layer_schemes(self):
		return [run[1] for run in self.runs for _ in range(run[0])]

	def shape(self, slot):
		c, f = self.width, self.ff
		return {1: (3 * c, c), 2: (c, c), 4: (f, c), 5: (c, f)}[slot]

	def has(self, feature):
		return self.features & feature != 0

	def has_head_factors(self):
		return self.has(TEMPERATURES | SLOPE_FACTORS)

	def has_head_type(self):
		return self.has_head_factors() or self.has(HISTORY)

	def architecture(self):
		return DELTA if self.models else int(self.features != 0)

	def minor(self, types, tokenizer):
		"""The lowest minor version; types: of the embeddings."""
		if self.has(HISTORY):
			return 3
		return 2 if self.models else int(self.features != 0 or tokenizer == 2 or not {TERNARY, Q4_ROW}.isdisjoint(types) or any(s.is_new() for s in self.schemes))


def canonical(runs, ln_f):
	"""Scheme indices in the order of first use."""
	seen = []
	for i in [i for run in runs for i in run[1]] + [ln_f]:
		if i not in seen:
			seen.append(i)
	return seen


def pack_conf(c, wte_kind, wpe_kind, tokenizer=0, output_kind=0):
	out = struct.pack(FIXED, c.architecture(), c.features, c.layers, c.heads, c.width, c.ff, c.context, c.vocab, c.epsilon, c.seed, wte_kind, wpe_kind, tokenizer,
		len(c.schemes), len(c.runs), c.ln_f, c.head_type, c.logit_scale, output_kind, c.models, c.deltas)
	if c.models:
		out += struct.pack('<2I', c.input_rows, c.output_rows)
	out += b''.join(s.pack() for s in c.schemes)
	return out + b''.join(struct.pack('<H6B', n, *slots) for n, slots in c.runs)


def check_features(c, arch, wte, wpe, output):
	need(arch <= DELTA and (arch == DELTA or (c.features != 0) == (arch == 1)) and c.features < 128, 'CONF architecture or features')
	need((arch == DELTA) == (c.models > 0) and c.models <= 8 and c.deltas <= (8 if arch == DELTA else 0), 'CONF models or deltas')
	need(c.has(DISTANCES) or not c.has(SLOPE_FACTORS), 'CONF: slope factors without distances')
	need(not c.has(HISTORY) or c.has(DISTANCES) and c.vocab <= 65536, 'CONF: a history without distances or with too many tokens')
	need(wpe == 0 or not (c.has(DISTANCES) or c.models), 'CONF: type of no wpe')
	need(c.head_type in (LEARNED if c.has_head_type() else (0,)), 'CONF: type of the factors of heads')
	need(output == 0 or c.has(OUTPUT_TABLE), 'CONF: type of no output table')
	if c.models:
		need(c.input_rows <= c.vocab and c.output_rows <= (c.vocab if c.has(OUTPUT_TABLE) else 0), 'CONF: rows')
		need((wte == 0 or c.input_rows) and (output == 0 or c.output_rows), 'CONF: type of no rows')


def check_runs(c):
	"""The layer spans, and what schemes say of the matrices that use them."""
	for _, slots in c.runs:
		for j, x in enumerate(slots):
			need(not c.schemes[x].terms & SPARSE or c.schemes[x].dimensions <= c.shape(j)[1], 'sparse term wider than a row')

	def entries(j, x):
		return c.schemes[x].rank * sum(c.shape(j)) if c.schemes[x].source == NOLA else 0

	need(sum(n * entries(j, x) for n, slots in c.runs for j, x in enumerate(slots) if j not in NORM_SLOTS) <= 1 << 28, 'factors of nola')
	need(sum(n for n, _ in c.runs) == c.layers, 'layers of the runs')
	need(all(a[1] != z[1] for a, z in zip(c.runs, c.runs[1:])), 'neighbouring runs are equal')
	need(canonical(c.runs, c.ln_f) == list(range(len(c.schemes))), 'order of schemes')
	shared = {(s.source, s.numbers(), s.alpha_type) for s in c.schemes if s.is_shared()}
	need(len(shared) <= 1, 'shared alphas disagree')


def parse_conf(b):
	"""(Conf, types of wte, wpe and the output table, tokenizer)"""
	need(len(b) >= 56, 'CONF size')
	(arch, features, layers, heads, width, ff, context, vocab, eps, seed, wte, wpe, tok, n_schemes, n_runs, ln_f, head_type, scale, output, models,
		deltas) = struct.unpack_from(FIXED, b)
	need(tok <= 2, 'CONF tokenizer')
	limits = ((layers, 256), (heads, 1024), (width, 65536), (ff, 262144), (context, 1048576), (vocab, 16777216), (n_runs, layers))
	need(all(1 <= v <= top for v, top in limits) and width % heads == 0, 'CONF shape')
	is_delta, start = arch == DELTA, 64 if arch == DELTA else 56
	need(abs(scale) <= 2.0 ** 60 and b[48:52] != bytes(3) + b'\x80' if is_delta else 2.0 ** -60 <= scale <= 2.0 ** 60, 'CONF logit scale')
	need(2.0 ** -60 <= eps <= 1 and {wte, wpe, output} <= set(EMBEDDINGS), 'CONF numbers')
	need(2 <= n_schemes <= 32 and len(b) == start + 16 * n_schemes + 8 * n_runs, 'CONF size')
	rows = struct.unpack_from('<2I', b, 56) if is_delta else (0, 0)
	schemes = []
	for i in range(n_schemes):
		s = Scheme.parse(b, start + 16 * i)
		s.check(struct.unpack_from('<I', b, start + 16 * i + 8)[0], is_delta)
		schemes.append(s)
	need(len(set(b[start + 16 * i:start + 16 + 16 * i] for i in range(n_schemes))) == n_schemes, 'equal schemes')
	runs = []
	for i in range(n_runs):
		n, *slots = struct.unpack_from('<H6B', b, start + 16 * n_schemes + 8 * i)
		need(n >= 1 and all(x < n_schemes for x in slots), 'run')
		need(all((schemes[x].kind == NORM) == (j in NORM_SLOTS) for j, x in enumerate(slots)), 'run: kind of scheme')
		runs.append((n, tuple(slots)))
	need(ln_f < n_schemes and schemes[ln_f].kind == NORM, 'ln_f')
	conf = Conf(layers, heads, width, ff, context, vocab, eps, seed, scale, schemes, runs, ln_f, features, head_type, models, deltas, *rows)
	check_features(conf, arch, wte, wpe, output)
	check_runs(conf)
	return conf, wte, wpe, output, tok
