"""SPEC.md's worked examples against the reference, and against the C programs where these can be asked."""
import base64
import json

import numpy as np

import arith
import container
import examples
import frozen
import sampler
from checks import command
from programs import build

F = np.float32


def check_reference(t, blocks):
	t.equal(sorted(blocks), sorted(examples.ALL), 'names of the examples')
	for name, (inputs, results) in blocks.items():
		if name not in examples.ALL:
			continue
		got = examples.evaluate(name, inputs, {name: given for name, (given, _) in blocks.items()})
		t.equal(list(got), list(results), 'keys of ' + name)
		for key, want in results.items():
			t.that(got.get(key) == want, 'example %s: %s is %.200r, the reference has %.200r' % (name, key, want, got.get(key)))


def ask(t, words, what, want=0):
	r = command(*words)
	t.equal(r.returncode, want, what + ': exit code; ' + r.stderr.decode(errors='replace')[:200])
	return r


def ask_json(t, words, what):
	r = ask(t, words, what)
	try:
		return json.loads(r.stdout)
	except ValueError:
		t.that(False, what + ': no JSON')
		return {}


def public_key(folder, number, public):
	path = folder / 'key.pub'
	path.write_text('untrusted comment: minisign public key %016X\n%s\n' % (int.from_bytes(number, 'little'),
		base64.b64encode(b'Ed' + number + public).decode()))
	return path


def check_file(t, tools, folder, blocks, tiny):
	"""The example file, as the programs see it."""
	results = blocks['file'][1]
	path = folder / 'tiny.smol'
	path.write_bytes(tiny)
	ask(t, [tools / 'smoltool', 'verify', path], 'verify the example file')
	key = public_key(folder, tiny[-104:-96], results['public_bytes'])
	ask(t, [tools / 'smoltool', 'verify', '--pubkey', key, path], 'verify its signer')
	ask(t, [tools / 'smolrun', '--trust', key, '-p', '\1', '-n', '0', path], 'trust its signer')
	other = public_key(folder, tiny[-104:-96], bytes(reversed(results['public_bytes'])))
	ask(t, [tools / 'smoltool', 'verify', '--pubkey', other, path], 'refuse another signer', 1)
	seen = ask_json(t, [tools / 'smoltool', 'inspect', '--json', path], 'inspect')
	conf = results['conf']
	names = ('layers', 'heads', 'width', 'feed_forward', 'context', 'vocab', 'seed')
	t.equal([seen.get(k) for k in names], conf[:7], 'inspect: shape')
	t.equal([seen.get(k) for k in ('hash', 'ln_epsilon', 'logit_scale', 'wte_type', 'wpe_type', 'signed', 'file_bytes')],
		[results['hash_bytes'].hex(), results['epsilon'][0], results['logit_scale'][0], 'q8', 'f16', True, len(tiny)], 'inspect')
	check_run(t, tools, folder, path, blocks)


def check_run(t, tools, folder, path, blocks):
	inputs, results = blocks['model']
	for name, key in (('h.0.ln_1.weight', 'h_0_ln_1_weight'), ('h.0.attn.c_proj.weight', 'h_0_attn_c_proj_weight'), ('ln_f.bias', 'ln_f_bias')):
		if ask(t, [tools / 'smoltool', 'weights', path, name, '-o', folder / 'w.npy'], 'weights ' + name).returncode:
			continue
		t.equal(np.load(folder / 'w.npy').ravel().tolist(), results[key], 'weights ' + name)
	prompt = folder / 'prompt'
	prompt.write_bytes(bytes(inputs['tokens']) + b'\n')  # which -f drops
	run = [tools / 'smolrun', path, '--json', '-f', prompt, '-n', len(results['greedy'])]
	t.equal(ask_json(t, run + ['--temp', '0'], 'greedy').get('tokens'), results['greedy'], 'greedy')
	plain = ['--temp', '0.8', '--top-k', '40', '--top-p', '0.95', '--min-p', '0.05', '--repeat-penalty', '1', '-s', inputs['seed'][0]]
	t.equal(ask_json(t, run + plain, 'seeded').get('tokens'), results['seeded'], 'seeded')
	inputs, results = blocks['perplexity']
	prompt.write_bytes(bytes(inputs['tokens']))
	seen = ask_json(t, [tools / 'smolrun', path, '--json', '--perplexity', prompt, '-c', inputs['context'][0]], 'perplexity')
	for key in ('nats_per_token', 'bits_per_byte'):
		t.that(abs(seen.get(key, 1e9) - results[key][0]) < 1e-6, 'perplexity: ' + key)


def check_smol(t, tools, folder, blocks):
	"""The example file of architecture 1."""
	data, results = blocks['smol-file'][0]['file_bytes'], blocks['smol-file'][1]
	path, prompt = folder / 'smol.smol', folder / 'prompt'
	path.write_bytes(data)
	ask(t, [tools / 'smoltool', 'verify', path], 'verify the file of architecture 1')
	seen = ask_json(t, [tools / 'smoltool', 'inspect', '--json', path], 'inspect')
	t.equal([seen.get(k) for k in ('layers', 'heads', 'width', 'feed_forward', 'context', 'vocab', 'seed')], results['conf'][:7], 'inspect: shape')
	t.equal(seen.get('hash'), results['hash_bytes'].hex(), 'inspect: hash')
	inputs, results = blocks['smol-model']
	for name, key in (('h.0.attn.temperature', 'h_0_attn_temperature'), ('h.0.attn.slope_factor', 'h_0_attn_slope_factor'), ('h.0.attn.c_attn.weight', 'c_attn_row0'),
			('h.0.attn.c_proj.weight', 'c_proj_row0'), ('h.0.mlp.c_fc.weight', 'c_fc_row0')):
		if ask(t, [tools / 'smoltool', 'weights', path, name, '-o', folder / 'w.npy'], 'weights ' + name).returncode == 0:
			t.equal(np.load(folder / 'w.npy').ravel()[:len(results[key])].tolist(), results[key], 'weights ' + name)
	tokens = container.tokens.ByteSet(blocks['smol-file'][1]['set_bytes'], 6)
	prompt.write_bytes(tokens.decode(inputs['tokens']) + b'\n')
	run = [tools / 'smolrun', path, '--json', '-f', prompt, '-n', len(results['greedy'])]
	t.equal(ask_json(t, run + ['--temp', '0'], 'greedy').get('tokens'), results['greedy'], 'greedy, past the context')
	plain = ['--temp', '0.8', '--top-k', '40', '--top-p', '0.95', '--min-p', '0.05', '--repeat-penalty', '1', '-s', inputs['seed'][0]]
	t.equal(ask_json(t, run + plain, 'seeded').get('tokens'), results['seeded'], 'seeded, past the context')
	inputs, results = blocks['smol-perplexity']
	prompt.write_bytes(tokens.decode(inputs['tokens']))
	seen = ask_json(t, [tools / 'smolrun', path, '--json', '--perplexity', prompt], 'perplexity')
	for key in ('nats_per_token', 'bits_per_byte'):
		t.that(abs(seen.get(key, 1e9) - results[key][0]) < 1e-6, 'perplexity by stream: %s is %s' % (key, seen.get(key)))


def check_vectors(t, tools):
	"""What smoltool generate-vectors prints, against the reference."""
	v = ask_json(t, [tools / 'smoltool', 'generate-vectors'], 'generate-vectors')
	for k in v.get('keys', ()):
		t.equal(k['key'], frozen.key(int(k['seed'])).hex(), 'vector: key')
	for s in v.get('streams', ()):
		words = frozen.stream_start(frozen.key(int(s['seed'])), s['tensor'], s['plane'] + 1, s['purpose'], s['row_block'] + 1)[s['plane'], s['row_block']]
		state, emitted = [words[16 * k:16 * k + 16].copy() for k in range(4)], b''
		while len(emitted) < len(s['bytes']) // 2:
			emitted += frozen.step(state).astype('<u4').tobytes()
		t.equal(s['bytes'], emitted.hex(), 'vector: stream')
	for table in v.get('tables', ()):
		q, s = frozen.integer_tables(frozen.tables(('sign', 'gauss').index(table['dist']), [float.fromhex(a) for a in table['alpha']]))
		t.equal((float.fromhex(table['s']), table['table']), (s, q.ravel().tolist()), 'vector: table')
	for name, function in (('exp', arith.exp), ('gelu', arith.gelu)):
		for x, y in v.get(name, ()):
			t.equal(float.fromhex(y), float(function(F(float.fromhex(x)))), 'vector: %s(%s)' % (name, x))
	draws = sampler.Draws(int(v.get('sampler', {}).get('seed', 0)))
	for row in v.get('ternary', ()):
		t.equal(row['row'], container.Table(5, np.array([row['numbers']])).packed().hex(), 'vector: ternary numbers')
	for d in v.get('sampler', {}).get('draws', ()):
		t.equal(float.fromhex(d), draws.next(), 'vector: draw')
	t.that({'keys', 'streams', 'tables', 'exp', 'gelu', 'ternary', 'sampler'} <= set(v) and {8, 9} <= {s['purpose'] for s in v['streams']}, 'vectors of every kind')


BLOCKS = examples.parse(frozen.SPEC.read_text())
TINY = BLOCKS['file'][0]['file_bytes']


def test_reference(check):
	check_reference(check, BLOCKS)


def test_a_changed_byte(check):
	for byte in range(len(TINY)):
		broken = bytearray(TINY)
		broken[byte] ^= 1 << byte % 8
		try:
			container.read(broken)
			check.that(False, 'the reference took a file with byte %d changed' % byte)
		except container.SmolError:
			check.that(True, '')


def test_the_programs(check, folder):
	check_file(check, build / 'tools', folder, BLOCKS, TINY)


def test_the_programs_on_architecture_1(check, folder):
	check_smol(check, build / 'tools', folder, BLOCKS)


def test_vectors(check):
	check_vectors(check, build / 'tools')
