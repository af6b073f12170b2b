"""The minimal library: what it links to, the tokens it gives, how large it is.

    pytest tests/minimal --build BUILD_DIR --minimal MINIMAL_BUILD_DIR"""
import json
import subprocess

import pytest
from programs import root, smolrun

MODELS = sorted((root / 'models').glob('*.smol'))
# All that the library may ask of its surroundings: a little of the C library, libsodium's primitives, XXH3.
ALLOWED = {'memcpy', 'memset', 'memcmp', 'memmove', 'memchr', 'strlen', 'strcmp', 'strcpy', 'strncmp', 'strrchr', 'snprintf', 'vsnprintf', 'sqrt', 'sqrtf', 'sincos', 'sin', 'cos', 'fmaf', 'fmax', 'log',
           'crypto_generichash', 'crypto_generichash_init', 'crypto_generichash_update', 'crypto_generichash_final', 'crypto_stream_chacha20_ietf_xor_ic',
           'crypto_sign_verify_detached', 'XXH3_64bits', '_GLOBAL_OFFSET_TABLE_', '__stack_chk_fail'}


def output(*command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, check=True, timeout=120, **more).stdout


def test_symbols(minimal):
    def symbols(*options):
        return {line.split()[-1].split('@')[0] for line in output('nm', *options, minimal / 'libsmol.a').decode().splitlines() if len(line.split()) > 1}
    wanted = symbols('-u') - symbols('--defined-only') - ALLOWED
    assert not wanted, 'the minimal library asks for %s' % sorted(wanted)


def test_there_are_models():
    assert MODELS


@pytest.mark.parametrize('model', MODELS, ids=lambda path: path.stem)
def test_tokens_are_smolruns(folder, minimal, model):
    tokens = [int(t) for t in output(minimal / 'tests/minimal/minimal', 50, input=model.read_bytes()).split()]
    (folder / 'prompt').write_bytes(b'\n\n')  # the last of which -f drops
    done = json.loads(output(smolrun, model, '-f', folder / 'prompt', '-n', '50', '--temp', '0', '--json'))
    assert tokens == done['tokens']


def test_another_rounding_is_refused(minimal):
    """The library cannot set the environment, so it looks: before anything is computed there is an error."""
    done = subprocess.run([minimal / 'tests/minimal/minimal', '5', 'upward'], input=MODELS[0].read_bytes(), capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (1, b'')
    assert done.stderr == b"minimal: floats are not rounded to nearest, or subnormals not kept: the floating-point environment is not SPEC.md 7's\n"


def test_size(minimal):
    sizes = [line.split() for line in output('size', '-t', minimal / 'libsmol.a').decode().splitlines()]
    print('the minimal library: %s bytes of code and constants, %s of data' % (sizes[-1][0], int(sizes[-1][1]) + int(sizes[-1][2])))
    assert int(sizes[-1][0]) < 100000
