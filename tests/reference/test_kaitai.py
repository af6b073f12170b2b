"""format/smol.ksy against golden files and models of the reference: it reads the same values, every byte exactly once, and refuses
what its ranges say. And format/smol.magic, by file(1)."""
import shutil
import subprocess

import numpy as np

import container
import kaitai
import models
import pytest
from programs import root

schema = kaitai.Schema(root / 'format/smol.ksy')


def numbers(value, kind):
	"""Of a numbers object, in the reference's type: halves are bits."""
	if kind == 4:
		return container.Blocks([b.scale for b in value.blocks], [q for b in value.blocks for q in b.q], None)
	a = value.value if value is not None else []
	return np.array(a, '<f4') if kind == 0 else np.array(a, '<u2').view('<f2')


def learned(s):
	"""All parameters in order, by the reference's names."""
	out = {}

	def norm(name, n):
		own = s.conf.schemes[n.scheme].source == 1
		for half, value in (('weight', n.gain), ('bias', n.bias)):
			if n.num_numbers:
				out['%s.%s%s' % (name, half, '.alpha' if own else '')] = numbers(value, n.number_type)

	if s.lrnd is None:
		return out
	if s.lrnd.shared is not None:
		out['shared.alpha'] = numbers(s.lrnd.shared, s.lrnd.shared.number_type)
	for i, layer in enumerate(l for span in s.lrnd.spans for l in span.layers):
		if layer.layer_gain is not None:
			out['h.%d.lambda.alpha' % i] = numbers(layer.layer_gain, layer.layer_gain.number_type)
		for name, factors in (('temperature', layer.temperatures), ('slope_factor', layer.slope_factors)):
			if factors is not None:
				out['h.%d.attn.%s' % (i, name)] = numbers(factors, factors.number_type)
		for slot, place in zip(container.SLOTS, ('ln_1', 'attn_c_attn', 'attn_c_proj', 'ln_2', 'mlp_c_fc', 'mlp_c_proj')):
			name, value = 'h.%d.%s' % (i, slot), getattr(layer, place)
			if slot.startswith('ln'):
				norm(name, value)
				continue
			scheme = s.conf.schemes[value.scheme]
			if value.mask is not None:
				out[name + '.mask'] = b''.join(value.mask)
			if value.stored is not None:
				out[name + '.rows'] = value.stored
			for suffix, part, kind in (
					('alpha', value.own, scheme.alpha_type), ('A.alpha', value.nola_a, scheme.alpha_type), ('B.alpha', value.nola_b, scheme.alpha_type),
					('A', value.factor_a, scheme.value_type), ('B', value.factor_b, scheme.value_type), ('sparse', value.sparse, scheme.value_type),
					('gain', value.gains, scheme.value_type), ('bias', value.biases, scheme.value_type),
					('models', value.models, scheme.value_type)):
				if part is not None:
					out['%s.%s' % (name, suffix)] = numbers(part, kind)
	norm('ln_f', s.lrnd.ln_f)
	if s.lrnd.history is not None:
		out['history'] = numbers(s.lrnd.history, s.conf.head_type)
	return out


def same_array(a, b):
	if isinstance(b, (container.Mask, container.Table)):
		return a == b.pack() if isinstance(b, container.Mask) else same_table(a, b)
	if isinstance(a, container.Blocks) or isinstance(b, container.Blocks):
		return type(a) is type(b) and a.pack() == b.pack()
	return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def same_learned(s, m):
	found = learned(s)
	return list(found) == list(m.learned) and all(same_array(found[n], m.learned[n]) for n in found)


def same_table(t, table):
	if t is None or table is None:
		return t is table
	kinds = {0: '<f4', 1: '<u2', 2: 'i1', 3: 'u1', 5: 'u1', 6: 'u1'}
	scales, multipliers = ([t.scale], t.row_multipliers) if table.kind == 6 else (t.scales, t.multipliers)
	return t.number_type == table.kind and np.array(t.numbers, kinds[t.number_type]).tobytes() == table.packed() and \
		(table.scales is None or np.array(scales, '<f4').tobytes() == table.scales.astype('<f4').tobytes()) and \
		(table.multipliers is None or multipliers == table.multipliers.ravel().tolist())


def same_rows(s, m):
	if s is None:
		return m.input_rows is None and m.output_rows is None
	pairs = (s.input_tokens, s.input, m.input_rows), (s.output_tokens, s.output, m.output_rows)
	return all(same_table(table, r.table) and tokens == r.tokens if r else table is None for tokens, table, r in pairs)


def same_conf(c, m):
	want = m.conf
	delta = want.models, want.deltas, [want.input_rows, want.output_rows] if want.models else []
	return (c.architecture, c.features, c.head_type) == (want.architecture(), want.features, want.head_type) and c.tokenizer == m.tokenizer and (
		c.num_models, c.num_deltas, c.num_rows) == delta and (
		c.num_layers, c.num_heads, c.width, c.num_ff, c.context, c.vocab, c.ln_epsilon, c.seed, c.logit_scale, c.ln_f) == (
		want.layers, want.heads, want.width, want.ff, want.context, want.vocab, want.epsilon, want.seed, want.logit_scale, want.ln_f) and [
		(s.kind_and_terms, s.source, s.dist, s.d, s.rank, s.alpha_type, s.value_type, s.sigma, s.dimensions) for s in c.schemes] == [
		(s.kind | s.terms, s.source, s.dist, s.d, s.rank, s.alpha_type, s.factor_type, s.sigma, s.dimensions) for s in want.schemes] and [
		(r.num_layers, tuple(r.slots)) for r in c.spans] == want.runs


def covered(spans, size):
	"""Whether what was read lies side by side from the first byte to the last."""
	at = 0
	for begin, end, name in sorted(set(spans)):
		if begin != at:
			return '%s begins at %d, not at %d' % (name, begin, at)
		at = end
	return '' if at == size else 'ends at %d of %d' % (at, size)


def compare(check, data, what):
	s, spans = schema.read(data)
	m = container.read(data)
	check.that(same_conf(s.conf, m), what + ': configuration')
	check.that(same_learned(s, m), what + ': parameters')
	if s.base is None:
		check.that(all(same_table(getattr(s.embd, name), getattr(m, name)) for name in ('wte', 'wpe', 'output')), what + ': embeddings')
	else:
		check.that(same_rows(s.rows, m), what + ': rows')
		check.that([(p.hash, p.factor) for p in s.base.parts] == m.base, what + ': parts')
	check.that(s.byte_set is None if m.tokenizer != 2 or m.base else s.byte_set.bitmap + bytes([s.byte_set.bits]) == m.tokens, what + ': set of bytes')
	check.that((s.minor_version, s.hints, s.hash) == (m.minor, m.hints, m.hash) and (s.card or '').encode() == (m.card or b''), what + ': header, hash, card')
	found = s.signature and (s.signature.key_number, s.signature.public_key, s.signature.signature)
	check.equal(found, m.signature, what + ': signature')
	check.equal(covered(spans, len(data)), '', what + ': every byte once')


def refused(check, data, what):
	try:
		schema.read(bytes(data))
		check.that(False, what + ' is accepted')
	except kaitai.Error:
		check.that(True, what)


GOLDEN = sorted(p for folder in ('good', 'deltas') for p in (root / 'tests/golden' / folder).rglob('*.smol') if p.stat().st_size < 300000)
GOOD = container.write(models.random_model(1, (2, 2, 8, 12, 6, 20)))


def test_there_are_golden_files():
	assert len(GOLDEN) > 5


@pytest.mark.parametrize('path', GOLDEN, ids=lambda path: path.stem)
def test_golden(check, path):
	compare(check, path.read_bytes(), path.name)


@pytest.mark.parametrize('seed', range(14))
def test_random_model(check, seed):
	compare(check, container.write(models.random_model(seed, (3, 2, 8, 12, 6, 20))), 'random model %d' % seed)


@pytest.mark.parametrize('seed', range(20))
def test_random_model_of_version_1_1(check, seed):
	compare(check, container.write(models.new_model(seed, (3, 2, 8, 12, 6, 20))), 'new model %d' % seed)


@pytest.mark.parametrize('seed', range(9))
def test_random_model_with_a_history(check, seed):
	compare(check, container.write(models.with_history(models.new_model(seed, (3, 2, 8, 12, 6, 20)), seed)), 'model with a history %d' % seed)


def test_refused(check):
	for offset, value in ((0, 1), (8, 2), (12, 1), (12, 7)):
		data = bytearray(GOOD)
		data[offset] = value
		refused(check, data, 'byte %d as %d' % (offset, value))
	for n in (31, 60, len(GOOD) - 65):
		refused(check, GOOD[:n], 'cut to %d bytes' % n)


def test_file(check, folder):
	"""What file(1) says."""
	if not shutil.which('file'):
		pytest.skip('no file(1) here')
	magic, path = root / 'format/smol.magic', folder / 'm'

	def said(*words):
		return subprocess.run(['file', '-b', *words, '-m', magic], capture_output=True, timeout=60).stdout.decode().strip()

	for data, want in ((GOOD, 'smol language model, version 1.0'), (GOOD[:8] + b'\1\0\7\0' + GOOD[12:], 'smol language model, version 1.7'),
			(b'\x89SMC\r\n\x1a\n' + b'\1\0' + bytes(200), 'smol corpus, version 1'), (b'untrusted comment: x', None), (GOOD[1:], None)):
		path.write_bytes(data)
		text = said(path)
		check.that(text.startswith(want) if want else 'smol' not in text, 'file says %r, not %r' % (text, want))
	shipped = root / 'models/shakespeare-alpha.smol'
	check.that(said('-i', shipped).startswith('application/x-smol;'), 'type %r' % said('-i', shipped))
	check.equal(said(shipped), 'smol language model, version 1.0, 2 layers x 512, 8 heads, context 64, vocabulary 256', 'the shipped model')
	check.equal(said(root / 'tests/golden/deltas/lora.smol'), 'smol language model, version 1.2, delta, 2 layers x 6, 2 heads, context 5, vocabulary 9', 'a delta')
	for name, want in (('smol', '2 layers x 8, 2 heads, context 6, vocabulary 6'), ('relu2', '1 layers x 6, 2 heads, context 4, vocabulary 256')):
		check.equal(said(root / ('tests/golden/good/%s.smol' % name)), 'smol language model, version 1.1, architecture smol, ' + want, name)
	path.write_bytes(container.write(models.with_history(models.new_model(1, (3, 2, 8, 12, 6, 20)), 1)))
	check.equal(said(path), 'smol language model, version 1.3, architecture smol, 3 layers x 8, 2 heads, context 6, vocabulary 20', 'a history')
	check.equal(said(root / 'tests/golden/good/masks.smol'), 'smol language model, version 1.1, 2 layers x 22, 1 heads, context 3, vocabulary 256', 'masks')
	done = subprocess.run(['file', '-C', '-m', magic], capture_output=True, timeout=60, cwd=folder)
	check.that(done.returncode == 0 and not done.stderr, 'it compiles: %r' % done.stderr)
