#!/usr/bin/python3
"""smol in Python, written from SPEC.md alone: an independent check of the C programs, exact and slow.

    smolref.py MODEL.smol --prompt TEXT -n N [--greedy | --seed S --temp T ...]    prints the continuation's bytes
    smolref.py MODEL.smol --weights TENSOR OUT.npy | --perplexity FILE | --logits OUT.npy
"""
import argparse
import pathlib
import sys

import numpy as np

import container
import forward
import sampler


def load(path):
	return forward.Model(container.read(pathlib.Path(path).read_bytes()))


def arguments():
	p = argparse.ArgumentParser(description='runs a .smol model by the letter of SPEC.md')
	p.add_argument('model')
	p.add_argument('--prompt', default='')
	p.add_argument('-n', type=int, default=0, help='tokens to add')
	p.add_argument('-c', type=int, default=0, help='context in use, 0 = all')
	p.add_argument('--greedy', action='store_true')
	p.add_argument('--seed', type=int, default=0)
	p.add_argument('--temp', type=float, default=0.8)
	p.add_argument('--top-k', type=int, default=40)
	p.add_argument('--top-p', type=float, default=0.95)
	p.add_argument('--min-p', type=float, default=0.05)
	p.add_argument('--repeat-penalty', type=float, default=1.0)
	p.add_argument('--repeat-last-n', type=int, default=64)
	p.add_argument('--logits', metavar='OUT.npy', help='logits (n, V) of the positions sampled')
	p.add_argument('--weights', nargs=2, metavar=('TENSOR', 'OUT.npy'))
	p.add_argument('--perplexity', metavar='FILE')
	p.add_argument('--windows', action='store_true', help='not as one text, of a model that sees distances')
	return p.parse_args()


def run(a):
	model = load(a.model)
	if a.weights:
		np.save(a.weights[1], model.tensor(a.weights[0]))
	if a.perplexity:
		tokens = model.tokenizer.encode(pathlib.Path(a.perplexity).read_bytes())
		print('%.9f nats a token, %.9f bits per byte, %d tokens' % forward.perplexity(model, tokens, a.c or None, windows=a.windows))
	if a.n > 0:
		chooser = sampler.Sampler(a.seed, 0 if a.greedy else a.temp, a.top_k, a.top_p, a.min_p, a.repeat_penalty, a.repeat_last_n)
		seen = []
		tokens = sampler.generate(model, a.prompt.encode('utf-8', 'surrogateescape'), a.n, chooser, a.c or None, seen.append)
		sys.stdout.buffer.write(model.tokenizer.decode(tokens))
		if a.logits:
			np.save(a.logits, np.array(seen))


def main():
	try:
		run(arguments())
	except (container.SmolError, OSError, KeyError) as e:
		sys.exit('smolref: %s' % e)


if __name__ == '__main__':
	main()
