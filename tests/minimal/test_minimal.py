#!/usr/bin/python3
"""The minimal library: what it links to, the tokens it gives, how large it is.

Usage: test_minimal.py BUILD_DIR MINIMAL_BUILD_DIR
"""
import json
import pathlib
import subprocess
import sys
import tempfile

full, small = (pathlib.Path(p).resolve() for p in sys.argv[1:3])
models = sorted((pathlib.Path(__file__).resolve().parents[2] / 'models').glob('*.smol'))
# All that the library may ask of its surroundings: a little of the C library, libsodium's primitives, XXH3.
ALLOWED = {'memcpy', 'memset', 'memcmp', 'memmove', 'memchr', 'strlen', 'strcmp', 'strcpy', 'strncmp', 'strrchr', 'snprintf', 'vsnprintf', 'sqrt', 'sqrtf', 'sincos', 'sin', 'cos', 'fmaf', 'fmax', 'log',
           'crypto_generichash', 'crypto_generichash_init', 'crypto_generichash_update', 'crypto_generichash_final', 'crypto_stream_chacha20_ietf_xor_ic',
           'crypto_sign_verify_detached', 'XXH3_64bits', '_GLOBAL_OFFSET_TABLE_', '__stack_chk_fail'}
passed = failed = 0


def case(good, what):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good:
        print('FAILED: ' + what)


def output(*command, **more):
    return subprocess.run([str(c) for c in command], capture_output=True, check=True, timeout=120, **more).stdout


def symbols(*options):
    return {line.split()[-1].split('@')[0] for line in output('nm', *options, small / 'libsmol.a').decode().splitlines() if len(line.split()) > 1}


wanted = symbols('-u') - symbols('--defined-only') - ALLOWED
case(not wanted, 'the minimal library asks for %s' % sorted(wanted))
for model in models:
    tokens = [int(t) for t in output(small / 'tests/minimal/minimal', 50, input=model.read_bytes()).split()]
    with tempfile.NamedTemporaryFile() as prompt:
        prompt.write(b'\n')
        prompt.flush()
        done = json.loads(output(full / 'tools/smolrun', model, '-f', prompt.name, '-n', '50', '--temp', '0', '--json'))
    case(tokens == done['tokens'], '%s: other tokens than smolrun' % model.name)
case(models, 'no model to try')
sizes = [line.split() for line in output('size', '-t', small / 'libsmol.a').decode().splitlines()]
print('the minimal library: %s bytes of code and constants, %s of data' % (sizes[-1][0], int(sizes[-1][1]) + int(sizes[-1][2])))
case(int(sizes[-1][0]) < 100000, 'the minimal library has grown to %s bytes' % sizes[-1][0])
print('%d passed, %d failed' % (passed, failed))
sys.exit(1 if failed else 0)
