"""What the tests of tokenizers share: programs run, files written, a tokenizer trained."""
import pathlib
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(root / 'tests' / folder) for folder in ('reference', 'golden')]

build = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else 'build').resolve()
smoltool, smolrun, smoltrain = (str(build / 'tools' / name) for name in ('smoltool', 'smolrun', 'smoltrain'))
TEXT = (root / 'SPEC.md').read_bytes()[:40000] + b"\xff\xfe I'll 12\xc2\xa03\n\n\n  x <|endoftext|>It's\t" + '½ d’été 日本語 😀'.encode()


def run(*arguments, code=0, text=b''):
    done = subprocess.run([str(a) for a in arguments], input=text, capture_output=True, timeout=250)
    assert done.returncode == code, '%s: exit code %d, expected %d\n%r\n%r' % (
        arguments, done.returncode, code, done.stdout[-500:], done.stderr)
    return done


def tool(*arguments, **more):
    return run(smoltool, 'tokenizer', *arguments, **more)


def write(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def train(folder, n, *texts):
    """A tokenizer file of n tokens, of texts in files."""
    paths = [write(folder / ('text-%d' % i), text) for i, text in enumerate(texts)]
    tool('train', '--vocab', n, *paths, '-o', folder / 'trained.smoltok')
    return folder / 'trained.smoltok'
