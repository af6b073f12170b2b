"""The worked examples of SPEC.md's appendix B: how a block is read and written, and what the reference makes of each one's inputs.

An example's values are words: decimal integers, numbers with a point or in hex notation (exact), or bytes as pairs of hex digits
(keys ending in _bytes). A key that comes again goes on with the value. Inputs come first, a line `gives = 0` parts them from results.
"""
import math
import re
import textwrap

import nacl.signing
import numpy as np

import arith
import container
import forward
import frozen
import history
import models
import packing
import sampler
import tokens

F = np.float32


def number(word):
	if 'x' in word:
		return float.fromhex(word)
	return float(word) if '.' in word else int(word)


def parse(text):
	"""{name: (inputs, results)} of the blocks, both {key: list of numbers, or bytes}."""
	out = {}
	for name, block in re.findall(r'^```example (\S+)\n(.*?)^```$', text, re.S | re.M):
		parts = {}, {}
		side = 0
		for line in block.splitlines():
			key, value = re.fullmatch(r'(\S+) = (.*)', line).groups()
			if key == 'gives':
				side = 1
				continue
			read = bytes.fromhex(value) if key.endswith('_bytes') else [number(w) for w in value.split()]
			parts[side][key] = parts[side][key] + read if key in parts[side] else read
		assert name not in out
		out[name] = parts
	return out


def word(value):
	if isinstance(value, (int, np.integer)):
		return str(int(value))
	value = float(value)
	if value * 1024 == round(value * 1024) and abs(value) < 100000:
		return repr(value)
	mantissa, e = value.hex().split('p')
	return re.sub(r'\.?0*$', '', mantissa) + 'p' + e if '.' in mantissa else value.hex()


def lines(key, value):
	if isinstance(value, bytes):
		chunks = [value[i:i + 64].hex() for i in range(0, len(value), 64)]
	else:
		chunks = textwrap.wrap(' '.join(word(v) for v in value), 140 - len(key), break_on_hyphens=False)
	return ['%s = %s' % (key, c) for c in chunks]


def block(name, inputs, results):
	out = ['```example ' + name]
	for side in (inputs, {'gives': [0]}, results):
		for key, value in side.items():
			out += lines(key, value)
	return '\n'.join(out + ['```'])


def one(values):
	return values[0]


def f32(values):
	return np.array(values, F)


def key(i):
	return {'key_bytes': frozen.key(one(i['seed']))}


def stream(i):
	tensor, plane, purpose, b = i['coordinates']
	start = frozen.stream_start(frozen.key(one(i['seed'])), tensor, plane + 1, purpose, b + 1)[plane, b]
	state = [start[16 * k:16 * k + 16].copy() for k in range(4)]
	return {'start_bytes': start.astype('<u4').tobytes(), **{'step%d_bytes' % n: frozen.step(state).astype('<u4').tobytes() for n in (0, 1)}}


def table(i):
	t = frozen.tables(one(i['dist']), i['alpha'])
	q, s = frozen.integer_tables(t)
	out = {}
	for p in range(len(t)):
		out.update({'T%d' % p: t[p][i['u']], 'Q%d' % p: q[p][i['u']]})
	return {**out, 's': [s]}


def _matrix(i):
	tensor, purpose, rows, cols, dist = i['matrix']
	return frozen.integer_weights(frozen.key(one(i['seed'])), tensor, purpose, rows, cols, dist, i['alpha'])


def weights(i):
	w, s = _matrix(i)
	at = list(zip(i['row'], i['col']))
	full = frozen.weights(w, s, one(i['sigma']))
	return {'s': [s], 'w': [w[a] for a in at], 'W': [full[a] for a in at]}


def mask(i):
	tensor, rows, cols = i['matrix']
	signs = frozen.mask_signs(frozen.key(one(i['seed'])), tensor, rows, cols)[i['row']]
	bits = container.Mask.parse(i['mask_bytes'], signs.shape, 'mask').bits
	return {'sign_bytes': container.Mask(signs < 0).pack(), 'W': np.where(bits, one(i['sigma']) * signs, 0.0).ravel()}


def mask_product(i):
	tensor, rows, cols = i['matrix']
	w = frozen.mask_signs(frozen.key(one(i['seed'])), tensor, rows, cols) * container.Mask.parse(i['mask_bytes'], (rows, cols), 'mask').bits
	x = f32(i['x'])
	big, t = arith.quantise(x)
	return {'w': w.ravel(), 't': [t], 'X': big.astype(int), 'N': w @ big.astype(int), 'y': forward.Matrix(w, 1.0, F(one(i['sigma']))).times(x[None])[0]}


def ternary(i):
	q = np.array([i['q']])
	table = container.Table(5, q, f32(i['scale']))
	return {'row_bytes': table.packed(), 'x': table.floats()[0]}


def stored_products(i):
	x = f32(i['x'])
	big, t = arith.quantise(x)
	rows = {kind: container.parse_table(i[kind + '_bytes'] + extra + f32(i[kind + '_scale']).tobytes(), number, 1, len(x), 1)
		for kind, number, extra in (('ternary', 5, b''), ('q4', 3, i['multiplier_bytes']))}
	out = {'t': [t], 'X': big.astype(int)}
	for kind, table in rows.items():
		out.update({'N_' + kind: table.integers() @ big.astype(int), 'y_' + kind: forward.table_product(table, x[None])[0]})
	return out


def half_shift(i):
	return {'shifted': np.flatnonzero(frozen.shifted_channels(frozen.key(one(i['seed'])), one(i['tensor']), one(i['width'])))}


def head_slopes(i):
	s = forward.slopes(len(i['factor']))
	return {'s': s, 'slope': s * f32(i['factor'])}


def attention(i):
	"""Of one head at the last of the positions."""
	q = f32(i['Q'])
	k, v = (f32(i[name]).reshape(-1, len(q)) for name in 'KV')
	scale, slope = F(1) / np.sqrt(F(len(q))) * F(one(i['temperature'])), F(one(i['slope']))
	n = len(k)
	e = arith.fma(slope, np.arange(1 - n, 1).astype(F), arith.dot16(q, k) * scale)
	o = forward.attention(q[None, None], k[:, None], v[:, None], n - 1, f32([scale]), f32([slope]), n)
	return {'scale': [scale], 'e': e, 'p': arith.exp(e - e.max()), 'o': o.ravel()}


def f16(i):
	return {'bits': arith.to_f16(i['x']).view(np.uint16)}


def q8(i):
	q, scale = arith.to_q8([i['x']])
	return {'scale': scale, 'q': q[0]}


def q8_blocks(i):
	blocks = container.Blocks.of(i['x'])
	return {'scales': blocks.scales, 'q': blocks.q, 'x8': blocks.astype(np.float32)}


def q4(i):
	q, scale, multipliers = arith.to_q4([i['x']])
	return {'scale': scale, 'multipliers': multipliers[0], 'q': q[0]}


def q4_row(i):
	table = container.Table(6, *arith.to_q4_row(np.array(i['x'], np.float32).reshape(-1, one(i['width']))))
	return {'scale': table.scales, 'multipliers': table.multipliers.ravel(), 'q': table.numbers.ravel(), 'table_bytes': table.pack(1)}


def fast_product(i):
	tensor, purpose, rows, cols, dist = i['matrix']
	weights = frozen.fast_weights(frozen.key(one(i['seed'])), tensor, purpose, rows, cols, dist, i['alpha'], arith.high_bytes)
	return {'N': (65536 * (weights @ arith.high_bytes(i['X']))).astype(int)}


def quantise(i):
	big, t = arith.quantise(i['x'])
	return {'t': [t], 'X': big.astype(int)}


def functions(i):
	return {'exp': arith.exp(i['x']), 'gelu': arith.gelu(i['x'])}


def logarithm(i):
	return {'log': [history.log(x) for x in i['x']]}


def with_history(i):
	"""The logits after a text, some of whose tokens were chosen."""
	h, logits = history.History(np.array(i['numbers']), len(i['logits']), history.TOKENS), f32(i['logits']).copy()
	for place, token in enumerate(i['tokens']):
		h.add(token, place in i['chosen'])
	h.mix(logits)
	return {'changed': logits}


def squared(i):
	return {'relu2': arith.relu2(i['x'])}


def lanes(i):
	return {'sum16': [arith.sum16(i['x'])], 'dot16': [arith.dot16(i['x'], i['y'])]}


def layernorm(i):
	eps = F(one(i['epsilon']))
	return {'z': arith.layernorm(i['x'], eps), 'out': arith.layernorm(i['x'], eps, f32(i['gain']), f32(i['bias']))}


def product(i):
	w, s = _matrix(i)
	x = f32(i['x'])
	rank = one(i['rank'])
	a, b = f32(i['A']).reshape(rank, -1), f32(i['B']).reshape(-1, rank)
	big, t = arith.quantise(x)
	plain, full = forward.Matrix(w, s, F(one(i['sigma']))), forward.Matrix(w, s, F(one(i['sigma'])), a, b)
	return {'w': w.ravel(), 's': [s], 't': [t], 'X': big.astype(int), 'N': (w @ big.astype(int)), 'y': plain.times(x[None])[0],
		'z': arith.dot16(a, x), 'y_factors': full.times(x[None])[0]}


def tiny_file(i):
	m = container.read(i['file_bytes'])
	body_size = len(i['file_bytes']) - 168
	c = m.conf
	out = {'body_size': [body_size], 'conf': [c.layers, c.heads, c.width, c.ff, c.context, c.vocab, c.seed, m.wte.kind, m.wpe.kind, len(c.schemes), len(c.runs)],
		'epsilon': [c.epsilon], 'logit_scale': [c.logit_scale],
		'hash_bytes': m.hash, 'public_bytes': m.signature[1]}
	private = nacl.signing.SigningKey(i['secret_bytes'])
	assert private.sign(container.signed_message(m.hash, *m.signature[:2])).signature == m.signature[2]
	assert container.write(m) == i['file_bytes']
	return out


def tiny_model(i, tiny):
	model = forward.Model(container.read(tiny))
	out = {name.replace('.', '_'): model.tensor(name).ravel() for name in ('h.0.ln_1.weight', 'h.0.attn.c_proj.weight', 'ln_f.bias')}
	out['c_attn_row0'] = model.tensor('h.0.attn.c_attn.weight')[0]
	return {**out, 'logits': forward.Session(model).feed(i['tokens'])[-1],
		'greedy': sampler.generate(model, bytes(i['tokens']), 12, sampler.Sampler(temp=0)),
		'seeded': sampler.generate(model, bytes(i['tokens']), 12, sampler.Sampler(one(i['seed'])))}


def tiny_perplexity(i, tiny):
	nats, bits, n = forward.perplexity(forward.Model(container.read(tiny)), i['tokens'], one(i['context']))
	return {'nats_per_token': [nats], 'bits_per_byte': [bits], 'predicted': [n]}


def smol_file(i):
	m = container.read(i['file_bytes'])
	c = m.conf
	assert container.write(m) == i['file_bytes']
	return {'minor': [m.minor], 'conf': [c.layers, c.heads, c.width, c.ff, c.context, c.vocab, c.seed, m.wte.kind, m.output.kind, c.head_type, len(c.schemes), len(c.runs)],
		'features': [c.features], 'set_bytes': bytes(m.tokens), 'hash_bytes': m.hash}


def smol_model(i, tiny):
	model = forward.Model(container.read(tiny))
	out = {name.replace('.', '_'): model.tensor(name).ravel() for name in ('h.0.attn.temperature', 'h.0.attn.slope_factor')}
	out.update({name.rsplit('.', 2)[1] + '_row0': model.tensor(name)[0] for name in ('h.0.attn.c_attn.weight', 'h.0.attn.c_proj.weight', 'h.0.mlp.c_fc.weight')})
	prompt = model.tokenizer.decode(i['tokens'])
	assert model.tokenizer.encode(prompt) == i['tokens']
	return {**out, 'logits': forward.Session(model).feed(i['tokens'])[-1], 'greedy': sampler.generate(model, prompt, 12, sampler.Sampler(temp=0)),
		'seeded': sampler.generate(model, prompt, 12, sampler.Sampler(one(i['seed'])))}


def smol_perplexity(i, tiny):
	model = forward.Model(container.read(tiny))
	nats, bits, n = forward.perplexity(model, i['tokens'])
	return {'nats_per_token': [nats], 'bits_per_byte': [bits], 'predicted': [n], 'in_windows': [forward.perplexity(model, i['tokens'], windows=True)[0]]}


def byte_set(i):
	section = tokens.ByteSet.pack(i['member_bytes'], one(i['other']), one(i['end']))
	t = tokens.ByteSet(section, len(i['member_bytes']) + one(i['other']) + one(i['end']))
	ids = t.encode(i['text_bytes'])
	return {'section_bytes': section, 'tokens': ids, 'back_bytes': t.decode(ids), 'start': [t.start()]}


def coder(i):
	"""What of each symbol its predecessors have in sum, it has itself, all have; then the bytes."""
	writer, low, range_ = packing.Writer(one(i['tag'])), [], []
	for symbol in zip(i['before'], i['count'], i['total']):
		writer.take(*symbol)
		low.append(writer.low)
		range_.append(writer.range)
	reader = packing.Reader(one(i['tag']), writer.finished())
	for before, count, total in zip(i['before'], i['count'], i['total']):
		assert before <= reader.place(total) < before + count
		reader.take(before, count, total)
	assert reader.is_ended()
	return {'low': low, 'R': range_, 'packed_bytes': writer.finished()}


def counts(i, data):
	"""Of the start token and of a text's first bytes."""
	model = forward.Model(container.read(data))
	alphabet = packing.Alphabet(model.tokenizer, model.conf.vocab)
	positions = packing.Positions(model, alphabet)
	out = {'start': [model.tokenizer.start()], 'f': positions.counts()}
	positions.feed(model.tokenizer.encode(i['text_bytes']))
	return {**out, 'f_after': positions.counts()}


def packed(i, data):
	model, text = forward.Model(container.read(data)), i['text_bytes']
	alphabet = packing.Alphabet(model.tokenizer, model.conf.vocab)
	fed = [v for symbol, escaped in alphabet.symbols(text) for v in (alphabet.fed_for(escaped) if escaped else [symbol])]
	out = {'tag': [packing.tag_of(model)], 'symbols': [symbol for symbol, _ in alphabet.symbols(text)] + [alphabet.ends], 'fed': [model.tokenizer.start()] + fed}
	for name, check in (('packed', False), ('checked', True)):
		out[name + '_bytes'] = packing.pack(model, text, check)
		assert packing.unpack(model, out[name + '_bytes'], check) == packing.unpack(model, out[name + '_bytes']) == text
	return out


def draws(i):
	d = sampler.Draws(one(i['seed']))
	words = [d.word() for _ in range(9)]
	return {'word': words, 'number': [(v >> 11) * 2.0 ** -53 for v in words]}


def pick(i):
	s = sampler.Sampler(one(i['seed']), one(i['temperature']), one(i['top_k']), one(i['top_p']), one(i['min_p']), one(i['penalty']), one(i['last_n']))
	logits = s.penalise(f32(i['logits']), i['text'])
	return {'penalised': logits, 'picks': [s.pick(f32(i['logits']), i['text']) for _ in range(8)]}


def initial(i):
	key_, c = frozen.key(one(i['seed'])), one(i['width'])
	g = lambda number, purpose: frozen.G[frozen.weight_bytes(key_, number, 1, purpose, 1, c)[0, 0]]
	return {'wte_row0': (0.02 * g(0, 2)).astype(F), 'wpe_row0': (0.02 * g(1, 2)).astype(F), 'A_row0': (g(one(i['tensor']), 3) / math.sqrt(float(c))).astype(F)}


def tokenizer(i):
	section = tokens.pack(list(zip(i['merges'][::2], i['merges'][1::2])), [i['special_bytes']], one(i['before']))
	t = tokens.Tokenizer(section)
	return {'section_bytes': section, 'tokens': t.encode(i['text_bytes'])}


ALL = {'key': key, 'stream': stream, 'sign-table': table, 'gauss-table': table, 'sign-weights': weights, 'gauss-weights': weights,
	'f16': f16, 'q8': q8, 'q8-blocks': q8_blocks, 'q4': q4, 'q4-row': q4_row, 'approximate-product': fast_product, 'quantisation': quantise, 'exp-and-gelu': functions, 'lanes': lanes, 'one-rounding': lanes,
	'layernorm': layernorm, 'exact-product': product, 'file': tiny_file, 'model': tiny_model, 'perplexity': tiny_perplexity, 'draws': draws,
	'pick': pick, 'initial-values': initial, 'tokenizer': tokenizer, 'mask': mask, 'mask-product': mask_product, 'ternary': ternary,
	'stored-products': stored_products, 'half-shift': half_shift, 'slopes': head_slopes, 'attention': attention, 'logarithm': logarithm, 'history': with_history, 'relu2': squared, 'smol-file': smol_file,
	'smol-model': smol_model, 'smol-perplexity': smol_perplexity, 'byte-set': byte_set, 'byte-set-end': byte_set, 'range-coder': coder, 'counts': counts,
	'packed-text': packed, 'packed-escapes': packed, 'packed-tokens': packed, 'text-as-it-is': packed}
ON_FILE = {'model': 'file', 'perplexity': 'file', 'smol-model': 'smol-file', 'smol-perplexity': 'smol-file',
	'counts': 'smol-file', 'packed-text': 'smol-file', 'packed-escapes': 'smol-file', 'packed-tokens': 'file', 'text-as-it-is': 'smol-file'}


def evaluate(name, inputs, given):
	"""Results of an example; given: the inputs of all."""
	out = ALL[name](inputs, given[ON_FILE[name]]['file_bytes']) if name in ON_FILE else ALL[name](inputs)
	return {k: v if isinstance(v, bytes) else list(v) for k, v in out.items()}


def tiny_model_bytes(secret):
	"""The smallest file shown: every kind of number type, alphas, factors and stored vectors once."""
	S = container.Scheme
	schemes = [S(2, 1, 1, 2, 0, 1, 0, 0.5), S(1, 1, 0, 5, 0, 1, 0, 0.5), S(1, 2, 1, 2, 1, 0, 1, 0.25), S(2, 2, 0, 0, 0, 0, 1, 0.0)]
	conf = models.build_conf((1, 2, 4, 6, 8, 16), [(0, 1, 1, 0, 2, 2)], 3, schemes, 2.0 ** -16, 42, 0.25)
	rng = np.random.default_rng(5)
	learned = {}
	for name, shape, kind in container.learned_layout(conf):
		around = 1 if name.endswith('.weight') else 0
		learned[name] = container.stored_as(around + np.round(rng.standard_normal(shape) * 16) / 32, kind)
	wte, wpe = (np.round(rng.standard_normal((n, 4)) * 64) / 32 for n in (16, 8))
	return container.write(container.Smol(conf, learned, models.table(2, wte), models.table(1, wpe / 4), b'{"name": "tiny"}'), (bytes(range(1, 9)), secret))


__all__ = ['ALL', 'block', 'evaluate', 'parse', 'tiny_model_bytes']
