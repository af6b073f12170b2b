"""The C programs asked, and what they say compared with the reference."""
import functools
import json

import forward
import numpy as np
import sampler
from checks import command


class Programs:
	def __init__(self, build, folder, checks):
		self.tools, self.folder, self.t = build / 'tools', folder, checks

	def weights(self, path, tensor):
		out = self.folder / 'weights.npy'
		out.unlink(missing_ok=True)
		r = command(self.tools / 'smoltool', 'weights', path, tensor, '-o', out)
		return np.load(out) if r.returncode == 0 and out.exists() else None

	def run(self, path, *words, prompt=None):
		if prompt is not None:
			(self.folder / 'prompt').write_bytes(prompt + b'\n')  # which -f drops
			words += ('-f', self.folder / 'prompt')
		r = command(self.tools / 'smolrun', path, '--json', *words)
		return json.loads(r.stdout) if r.returncode == 0 else {}

	def verify(self, path):
		return command(self.tools / 'smoltool', 'verify', path).returncode


def compare_weights(p, path, model, what, names):
	for name in names:
		got, want = p.weights(path, name), model.tensor(name)
		same = got is not None and got.dtype == np.float64 and got.size == want.size and got.tobytes() == want.tobytes()
		p.t.that(same, '%s: %s is not the same' % (what, name))


SETTINGS = [dict(temp=0), dict(seed=1), dict(seed=2, temp=1.5, top_k=0, top_p=1.0, min_p=0.0), dict(seed=3, temp=0.7, top_k=5, repeat_penalty=1.3, repeat_last_n=4),
	dict(seed=2 ** 63 - 1, temp=1.0, top_k=100, top_p=0.6, min_p=0.2, repeat_penalty=1.1, repeat_last_n=-1)]


def compare_text(p, path, model, what, prompt, count, settings=SETTINGS, context=None, fixed=False):
	for setting in settings:
		chooser = sampler.Sampler(**setting)
		words = ['--ignore-eos'] + ['--windows'] * fixed + ['-n', count, '-s', setting.get('seed', 0), '-c', context or 0]
		for key, default in (('temp', 0.8), ('top_k', 40), ('top_p', 0.95), ('min_p', 0.05), ('repeat_penalty', 1.0), ('repeat_last_n', 64)):
			words += ['--' + key.replace('_', '-'), setting.get(key, default)]
		got = p.run(path, *words, prompt=prompt).get('tokens')
		p.t.equal(got, sampler.generate(model, prompt, count, chooser, context, fixed=fixed), '%s: tokens with %s' % (what, setting))


perplexity = functools.lru_cache(8)(forward.perplexity)  # programs are asked more often, with options that change nothing


def compare_loss(p, path, model, what, text, context=None, kv='f32', words=(), windows=False, stride=None):
	got = p.run(path, '--perplexity', str(text), '-c', context or 0, '--kv', kv, *words, *['--windows'] * windows, *['--stride', stride] * (stride is not None))
	tokens = model.tokenizer.encode(text.read_bytes())
	nats, bits, _ = perplexity(model, tuple(tokens), context, kv, windows, stride)
	for key, want in (('nats_per_token', nats), ('bits_per_byte', bits)):
		p.t.that(abs(got.get(key, 1e9) - want) <= 1e-9 * want, '%s: %s is %s, want %s' % (what, key, got.get(key), want))
