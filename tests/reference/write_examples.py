#!/usr/bin/python3
"""Writes appendix B of SPEC.md, the worked examples, from the reference and from no C program: run it when the inputs below change."""
import contextlib
import io

import examples
import frozen

TITLE = '## Appendix B. Worked examples\n'
AFTER = '## Appendix C.'
SECRET = bytes(range(32))
GIVEN = examples.parse(frozen.SPEC.read_text())	# the file of architecture 1 stays what it is: a trainer's rounding may change
X19 = [(7 * n * n % 41 - 20) / 8 for n in range(19)]
LOGITS = [1.5, -0.25, 2.0, 2.0, 0.0, -3.0, 1.0, 0.5]

INPUTS = {
	'key': {'seed': [1]},
	'stream': {'seed': [1], 'coordinates': [5, 1, 0, 2]},
	'sign-table': {'dist': [0], 'alpha': [1.0, 0.5, -0.25, 0.125, -2.0], 'u': [0, 1, 2, 16, 31, 32, 255]},
	'gauss-table': {'dist': [1], 'alpha': [1.0, -0.375], 'u': [0, 1, 127, 128, 200, 255]},
	'sign-weights': {'seed': [1], 'matrix': [6, 0, 66, 65, 0], 'alpha': [1.0, 0.5, -0.25, 0.125, -2.0, 0.75, 0.0, 3.0, 0.375, -1.5], 'sigma': [0.125],
		'row': [0, 0, 0, 1, 63, 64, 65], 'col': [0, 1, 64, 0, 64, 0, 64]},
	'gauss-weights': {'seed': [1], 'matrix': [6, 0, 66, 65, 1], 'alpha': [1.0, -0.375, 0.25], 'sigma': [0.125], 'row': [0, 0, 0, 1, 63, 64, 65],
		'col': [0, 1, 64, 0, 64, 0, 64]},
	'mask': {'seed': [1], 'matrix': [6, 66, 11], 'sigma': [0.125], 'row': [0, 63, 65], 'mask_bytes': bytes.fromhex('b503ff07a204')},
	'half-shift': {'seed': [1], 'tensor': [6], 'width': [21]},
	'f16': {'x': [1.0, float.fromhex('0x1.99999ap-4'), 1 + 2.0 ** -11, 1 + 3 * 2.0 ** -11, 65504.0, -2.0 ** -14, 2.0 ** -24, 2.0 ** -25, 3 * 2.0 ** -25]},
	'q8': {'x': [0.5, -1.0, 0.25, 127 / 1024, float.fromhex('0x1.8p-8')]},
	'q8-blocks': {'x': [v * 2.0 ** (n % 5 - 4) for n, v in enumerate(X19)] * 3 + [0.0] * 7 + [1.0, -0.75]},
	'q4': {'x': [0.5, -1.0, 0.25, 127 / 1024, float.fromhex('0x1.8p-8')] + [0.0] * 28 + [-0.1875, 0.0625]},
	'q4-row': {'width': [5], 'x': [0.5, -1.0, 0.25, 127 / 1024, float.fromhex('0x1.8p-8'), -0.1875, 0.0625, 0.125, 0.25, -0.375, 0.0, 2.0 ** -10, 0.0, -2.0 ** -11, 2.0 ** -12]},
	'ternary': {'q': [1, 0, -1, -1, 0, 1, 1, 1, 0, -1, 0, 1], 'scale': [0.375]},
	'approximate-product': {'seed': [7], 'matrix': [0, 0, 3, 5, 0], 'alpha': [1.0, -0.5, 0.25, 0.125, 0.5, 0.5, -0.75, 1.0, 0.375], 'X': [5419, -13547, 32512, -128, 127]},
	'quantisation': {'x': [0.5, -1.25, 0.0, float.fromhex('0x1.99999ap-4'), 3.0, float.fromhex('0x1p-13')]},
	'exp-and-gelu': {'x': [0.0, 1.0, -1.0, 0.5, -0.125, 10.5, -20.25, 88.5, -90.0, float.fromhex('0x1.99999ap-4')]},
	'logarithm': {'x': [1.0, 1 + 2.0 ** -30, 1.25, 1.4142135623730949, 1.4142135623730951, 2.0, 10.0, 12345.678, 2.0 ** 52 + 0.5, 1e60]},
	'relu2': {'x': [1.5, -1.0, 0.0, -0.0, float.fromhex('0x1.99999ap-4'), float.fromhex('0x1p-80'), 2.0 ** 40]},
	'lanes': {'x': [v + 2.0 ** -20 * (n % 3) for n, v in enumerate(X19)], 'y': [(11 * n % 17 - 8) / 4 for n in range(19)]},
	'one-rounding': {'x': [1 + 2.0 ** -23] + [0.0] * 15 + [2.0 ** -24 - 2.0 ** -47], 'y': [1.0] + [0.0] * 15 + [1 + 2.0 ** -23]},
	'layernorm': {'x': X19, 'epsilon': [float.fromhex('0x1.4f8b58p-17')], 'gain': [1.0, 1.25, 0.75] * 6 + [1.0], 'bias': [0.0, -0.5, 0.125] * 6 + [2.0]},
	'exact-product': {'seed': [7], 'matrix': [0, 0, 3, 5, 0], 'alpha': [1.0, -0.5], 'sigma': [float.fromhex('0x1.c9f25cp-2')], 'x': [0.5, -1.25, 3.0, 0.0, 0.75],
		'rank': [2], 'A': [0.5, -0.25, 1.0, 0.75, -1.0, 0.125, 2.0, -0.5, 0.0, 1.5], 'B': [0.25, -1.0, 0.5, 0.5, -0.75, 1.25]},
	'mask-product': {'seed': [7], 'matrix': [0, 3, 11], 'sigma': [float.fromhex('0x1.c9f25cp-2')], 'mask_bytes': bytes.fromhex('ff05b2010007'), 'x': X19[:11]},
	'stored-products': {'x': X19 + X19[:16], 'ternary_bytes': bytes((256 * v + 242) // 243 for v in (0, 242, 121, 17, 200, 99, 180)), 'ternary_scale': [0.15625],
		'q4_bytes': bytes(range(0x10, 0x13)) + bytes((29 * n + 5) % 16 for n in range(29)), 'multiplier_bytes': bytes((200, 3)), 'q4_scale': [float.fromhex('0x1.3p-12')]},
	'slopes': {'factor': [1.0, 0.5, 2.0, float.fromhex('0x1.99999ap-4'), 0.0]},
	'attention': {'Q': [1.0, -0.5, 0.25], 'K': [0.5, 1.0, -2.0, 1.5, -0.25, 0.75, -1.0, 2.0, 0.125, 0.5, 0.5, -0.5], 'V': [1.0, 0.0, -1.0, 0.5, 2.0, 0.25, -0.75, 1.0, 3.0, 1.0, -1.0, 0.5],
		'temperature': [1.75], 'slope': [float.fromhex('0x1.99999ap-2')]},
	'history': {'numbers': [2.5, 1.25, 0.5, 0.25, -0.5], 'tokens': [0, 1, 2, 3, 0, 1, 2, 4, 0, 1, 2, 3, 1, 2, 5, 3, 0, 1, 2, 3, 0, 1, 2], 'chosen': [14, 19], 'logits': [0.5, -1.25, 0.75, 2.0, -3.0, 0.0]},
	'initial-values': {'seed': [3], 'width': [5], 'tensor': [2]},
	'file': {'secret_bytes': SECRET, 'file_bytes': examples.tiny_model_bytes(SECRET)},
	'model': {'tokens': [1, 5, 10], 'seed': [9]},
	'perplexity': {'tokens': [1, 5, 10, 3, 3, 15, 0, 8, 2, 7, 11], 'context': [4]},
	'smol-file': {'file_bytes': GIVEN['smol-file'][0]['file_bytes']},
	'smol-model': {'tokens': [3, 2, 5, 0, 1, 4, 2, 2, 5, 3], 'seed': [9]},
	'smol-perplexity': {'tokens': [3, 2, 5, 0, 1, 4, 2, 2, 5, 3, 0]},
	'draws': {'seed': [42]},
	'pick': {'seed': [42], 'logits': LOGITS, 'text': [2, 7, 2, 5, 5], 'temperature': [0.75], 'top_k': [6], 'top_p': [0.9375], 'min_p': [0.0625], 'penalty': [1.25],
		'last_n': [3]},
	'tokenizer': {'merges': [83, 68, 256, 68, 220, 256, 258, 256], 'special_bytes': b'<|endoftext|>', 'before': [1],
		'text_bytes': b" tetee teete<|endoftext|>It's\n\n  te1\xff\xc3\xa9 tetete"},
	'byte-set': {'member_bytes': b'\n abc', 'other': [1], 'end': [0], 'text_bytes': b'a cab?\n\xc3\xa9'},
	'byte-set-end': {'member_bytes': b'\n abc', 'other': [1], 'end': [1], 'text_bytes': b'a cab?\n\xc3\xa9'},
	'range-coder': {'tag': [5], 'before': [2 ** 31 + 7, 3, 0, 255, 2 ** 44, 1, 0], 'count': [2, 2, 1, 1, 1, 4095, 1], 'total': [2 ** 32 + 1, 7, 4, 256, 2 ** 45, 4096, 3]},
	'counts': {'text_bytes': b'be a'},
	'packed-text': {'text_bytes': b'aba baba\nabababaaba, baeaba,\naba\naba'},
	'packed-escapes': {'text_bytes': 'aba é\naba… bae\naba 😀\naba\n'.encode() + b'\xff'},
	'packed-tokens': {'text_bytes': bytes((1, 6, 6, 6, 14, 6, 14, 14, 6, 14, 6, 16, 14))},
	'text-as-it-is': {'text_bytes': b'xyz'},
}

NOTES = {
	'key': '**Frozen weights.** Coordinates are tensor, plane, purpose, row block. `dist` 0 is sign, 1 gauss; T and Q are shown at the given u, plane by plane.',
	'sign-weights': 'A matrix is tensor number, purpose, R, K, distribution; w and W are shown at the rows and columns given.',
	'mask': 'Of a mask: tensor number, R, K; the stored bits, the signs and W of the rows given.',
	'half-shift': 'The channels of 21 that come from the position before, in the input of the matrix of that tensor number.',
	'f16': '**Numbers and functions.** The bits of f16 are shown as an integer.',
	'q8-blocks': 'Two blocks: the scales are shown as the integers that are stored, x8 are the values that the file then has.',
	'q4-row': 'A table of three rows, rounded to one scale; its bytes are shown without the padding.',
	'ternary': 'One row of ternary numbers.',
	'one-rounding': 'An fma computed as a double sum rounded to float would give 0x1.000004p+0 here.',
	'exact-product': '`w` is the whole matrix by rows, `y` the product without factors, `y_factors` with A and B.',
	'mask-product': 'The same with a mask; `matrix` is tensor number, R, K.',
	'stored-products': 'One row of ternary numbers and one of q4, as stored.',
	'slopes': '**Attention.** Slopes of five heads, then one head at the last of four positions: K and V are position by position, e the scores, p = exp(e - m).',
	'history': '**A history.** The logits after a text, and what its history makes of them. The tokens at these places, counted from 0, were chosen: they are nobody\'s follower.',
	'file': '**A file.** One layer, width 4, 16 tokens, signed with the Ed25519 secret (the 32 bytes of RFC 8032) given; its key number is 01..08. The results\nrepeat what stands in it; `conf` is L, H, C, F, T, V, seed, types of wte and wpe, S, N.',
	'model': 'What this file makes of tokens: some tensors, the logits after the last, then twelve more tokens, chosen greedily (the context of 8 overflows) and\nby the sampler: temperature 0.8, top-k 40, top-p 0.95, min-p 0.05, penalty 1.',
	'smol-file': '**A file of architecture 1.** Every feature but a history; c_attn is a mask with gains, c_fc is stored as q4, the other two as ternary; five bytes and a token for all others.\n'
		'`conf` is L, H, C, F, T, V, seed, types of wte, of the output table and of the factors of heads, S, N.',
	'smol-model': 'The same of it: ten tokens slide through a context of 3, and the text goes on.',
	'smol-perplexity': 'Read as one text, and for comparison the nats of a token in windows of 3.',
	'draws': '**Sampling.** Eight picks from the same logits.',
	'byte-set': 'A set of bytes; then one with an end of text. `start` is what an empty prompt stands for.',
	'range-coder': '**Packed texts.** The coder alone: of each symbol, what its predecessors have in sum, it has itself, and all have. After the first one, low and low + R - 1 differ in their upper\n'
		'bytes, and R is cut.',
	'counts': 'Counts, with the file of architecture 1: of the start token, and after a text; *end* is the last but one, and it has no *escape*.',
	'packed-text': 'Packed with it: the symbols, what is fed, the text without and with a check byte. A comma is `other`.',
	'packed-escapes': 'Characters and a byte that it has no tokens for.',
	'packed-tokens': 'With the file of architecture 0, which has tokens for bytes 0..15, *end* and *escape*, and continues beyond its context of 8.',
	'text-as-it-is': 'A text that the model makes longer.',
	'tokenizer': '**Tokens.** A section TOKN of four merges and one special token, which is numbered before the bytes; a text with a stray byte, and its tokens.',
}


def appendix():
	print('Numbers are exact: integers, decimal fractions, or hex notation; bytes are hex, in keys that end in `_bytes`. A repeated key continues\n'
		'its value. What stands before `gives` is given, the rest follows from it.')
	for name, inputs in INPUTS.items():
		if name in NOTES:
			print('\n' + NOTES[name] + '\n')
		print(examples.block(name, inputs, examples.evaluate(name, inputs, INPUTS)))


def main():
	kept, title, old = frozen.SPEC.read_text().partition(TITLE)
	_, next_title, rest = old.partition('\n## ')
	made = io.StringIO()
	with contextlib.redirect_stdout(made):
		appendix()
	frozen.SPEC.write_text(kept + title + '\n' + made.getvalue() + next_title + rest)


if __name__ == '__main__':
	main()
