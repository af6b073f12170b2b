"""smoltool's packed texts against the reference: random models of odd shapes, with every kind of tokenizer, and texts that they lack tokens for."""
import dataclasses
import itertools

import container
import forward
import models
import packing
import pytest
import tokens
from programs import smoltool, run

# layers, heads, width, feed-forward, context, vocabulary
SHAPES = [(1, 1, 3, 5, 4, 60), (2, 2, 6, 9, 8, 256), (1, 3, 9, 16, 20, 257), (2, 1, 17, 1, 1, 300), (1, 4, 8, 30, 40, 50), (1, 2, 10, 31, 7, 120)]
SCRIPTS = 'Aé ßĄ Ωж אع अआ 中文 日本 한글 ไทย ≠→ 😀🜚𐍈'.encode()
TEXTS = [b'hello hello', SCRIPTS, b'\xff\xc3\xe2\x82\xed\xa0\x80\xf0\x9f\x98', b'a<|endoftext|>b', b'\0']


def with_tokens(smol, number):
    """A random model, which may have a set of bytes with and without `other` and an end of text, or merges."""
    vocab = smol.conf.vocab
    if vocab >= 280:
        merges = [(71, 68), (256, 75), (257, 75), (258, 78)]	# "he", "hel", "hell", "hello"
        return dataclasses.replace(smol, tokens=tokens.pack(merges, [tokens.END][:number % 2], number % 2), tokenizer=1)
    if vocab > 255:
        return dataclasses.replace(smol, tokens=None, tokenizer=0)
    other, end = number % 2, number // 2 % 2
    members = list(itertools.islice(dict.fromkeys(b'hello ' + bytes(range(10, 256))), vocab - other - end))
    return dataclasses.replace(smol, tokens=tokens.ByteSet.pack(members, other, end), tokenizer=2)


@pytest.mark.parametrize('number', range(12))
def test_random_models(check, folder, number):
    shape = SHAPES[number % len(SHAPES)]
    smol = with_tokens(models.new_model(number, shape), number // 2)
    (folder / 'm.smol').write_bytes(container.write(smol))
    model = forward.Model(container.read(container.write(smol)))
    for n, text in enumerate(TEXTS):
        has_check = (n + number) % 2
        words = ['--check'] * has_check
        (folder / 'text').write_bytes(text)
        packed = run(smoltool, 'pack', '-m', folder / 'm.smol', *words, folder / 'text').stdout
        want = packing.pack(model, text, has_check)
        check.equal(packed, want, 'model %d %s, text %d packed' % (number, shape, n))
        (folder / 'packed').write_bytes(want if n else packing.coded(model, text, has_check))	# also where it is no shorter
        check.equal(run(smoltool, 'unpack', '-m', folder / 'm.smol', *words, folder / 'packed').stdout, text, 'model %d %s, text %d unpacked' % (number, shape, n))
