"""The floating-point environment: libraries compiled with -Ofast change it when they are loaded (crtfastmath.o does that), and no
program's numbers may depend on it. Compilers that round otherwise are refused. SPEC.md 7."""
import json
import os
import platform
import random
import struct
import subprocess

import pytest
from programs import root, run, sanitized, smolrun, smoltool, smoltrain, tool, unrestarted

LIBRARY = r'''
#include <fenv.h>
#ifdef __x86_64__
#include <immintrin.h>
#endif
__attribute__((constructor)) static void change(void)
{
#ifdef UPWARD
    fesetround(FE_UPWARD);
#elif defined __x86_64__
    _mm_setcsr(_mm_getcsr() | 0x8040); /* flush to zero, denormals are zero */
#endif
}
'''


def preloaded(folder):
    """Environments for programs: the usual one, and with each library."""
    (folder / 'change.c').write_text(LIBRARY)
    yield {}
    for name, options in (('flush', []), ('upward', ['-DUPWARD'])):
        library = folder / (name + '.so')
        run('gcc', '-shared', '-fPIC', *options, folder / 'change.c', '-o', library, '-lm')
        yield {'LD_PRELOAD': str(library)}


def subnormal_model(folder):
    """Embeddings some of which are below 2^-126, and so are the logits of many tokens."""
    draw = random.Random(1)
    header = json.dumps({'wte.weight': {'dtype': 'F32', 'shape': [256, 16], 'data_offsets': [0, 256 * 64]}}).encode()
    numbers = [draw.uniform(-1, 1) * draw.choice((1, 1e-38, 1e-39)) for _ in range(256 * 16)]
    (folder / 'e.safetensors').write_bytes(struct.pack('<Q', len(header)) + header + struct.pack('<4096f', *numbers))
    tool('new', '--embeddings', folder / 'e.safetensors', '--layers', '2', '--heads', '2', '--context', '32', '--embedding-type', 'f32', '-o', folder / 's.smol')
    return folder / 's.smol'


@pytest.mark.slow
@pytest.mark.skipif(sanitized, reason='the sanitizers want to be loaded first')
def test_preloaded_libraries(folder):
    model = subnormal_model(folder)
    (folder / 'text').write_bytes(b'to be, or not to be: that is the question. ' * 30)
    commands = {
        'text': [smolrun, model, '-p', 'KING:', '-n', '60', '-s', '1', '--temp', '2', '-t', '2'],
        'perplexity': [smolrun, model, '--perplexity', folder / 'text', '--json'],
        'weights': [smoltool, 'weights', model, 'h.0.attn.c_attn.weight', '-o', '-'],
        'quantize': [smoltool, 'quantize', '--embeddings', 'q8', model, '-o', folder / 'made'],
        'new': [smoltool, 'new', '--layers', '1', '--width', '16', '--heads', '2', '--context', '8', '-o', folder / 'made'],
        'training': [smoltrain, '--data', folder / 'text', '--arch', 'gpt2', '--method', 'lora', '--layers', '1', '--width', '16', '--heads', '2', '--context', '16', '--batch', '2',
                     '--steps', '3', '-t', '2', '-o', folder / 'made'],
    }
    told = []
    for environment in preloaded(folder):
        results = {}
        for name, command in commands.items():
            done = run(*command, env={**os.environ, **unrestarted(), **environment})
            results[name] = (folder / 'made').read_bytes() if folder / 'made' in command else done.stdout
            if name == 'perplexity':
                results[name] = json.loads(done.stdout)['nats_per_token']
        told.append(results)
    for name in commands:
        assert told[0][name] == told[1][name], '%s depends on subnormals' % name
        assert told[0][name] == told[2][name], '%s depends on the rounding' % name


@pytest.mark.parametrize('option', ['-mfpmath=387', '-ffast-math', '-Ofast'])
@pytest.mark.parametrize('source', ['src/model/session.c', 'src/base/number.c', 'format/read.c'])
def test_compilers_that_round_otherwise(option, source):
    if option == '-mfpmath=387' and platform.machine() != 'x86_64':
        pytest.skip('this processor has no x87')
    command = ['gcc', '-std=c11', '-fsyntax-only', '-D_POSIX_C_SOURCE=200809L', '-Iinclude', '-Isrc', '-I.', source]
    assert subprocess.run(command, cwd=root, check=False).returncode == 0
    done = subprocess.run([*command, option], cwd=root, capture_output=True, check=False)
    assert done.returncode == 1 and b'#error "SPEC.md 7: ' in done.stderr, done
