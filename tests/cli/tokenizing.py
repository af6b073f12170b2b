"""What the tests of tokenizers share: a text with everything in it, and a tokenizer trained on texts."""
from programs import root, run, smoltool, write

TEXT = (root / 'SPEC.md').read_bytes()[:40000] + b"\xff\xfe I'll 12\xc2\xa03\n\n\n  x <|endoftext|>It's\t" + '½ d’été 日本語 😀'.encode()


def tool(*arguments, **more):
    return run(smoltool, 'tokenizer', *arguments, **more)


def train(folder, n, *texts):
    """A tokenizer file of n tokens, of texts in files."""
    paths = [write(folder / ('text-%d' % i), text) for i, text in enumerate(texts)]
    tool('train', '--vocab', n, *paths, '-o', folder / 'trained.smoltok')
    return folder / 'trained.smoltok'
