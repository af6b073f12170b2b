"""smoltool import from outside: checkpoints written by checkpoints.py, GPT-2 in NumPy over them against a session's logits, what
export makes of the models, and checkpoints that are refused."""
import json
import struct

import numpy as np
import pytest

from checkpoints import (DECODE, ENCODE, SHAPE, config_json, gguf, gguf_decoded, gguf_keys, gguf_string, gguf_value, random_tensors, rounded,
                         safetensors, tokenizer_files, write_folder)
from gpt2_files import F, gguf_name, gpt2, read_npz
from programs import build, run, tool

logits_program = str((build / 'tests/cli/logits').resolve())
TENSORS = random_tensors()


def import_model(source, *arguments, name='m.smol', folder=None):
    out = (folder or source.parent) / name
    tool('import', source, '-o', out, *arguments)
    tool('verify', out)
    return out


def refused(source, *arguments, code=1):
    """The one line that says why; nothing is left behind."""
    out = source.parent / 'refused.smol'
    message = tool('import', source, '-o', out, *arguments, code=code).stderr.decode()
    assert message.startswith('smoltool import: ') and not out.exists(), message
    return message


def exported(model):
    tool('export', '--npz', model, '-o', model.parent / 'exported')
    return read_npz(model.parent / 'exported/model.npz')


def difference(model, tensors, n_prompts=20, **config):
    c, rng = config_json(**config), np.random.default_rng(3)
    worst = 0
    for _ in range(n_prompts):
        tokens = rng.integers(0, c['vocab_size'], rng.integers(1, c['n_ctx'] + 1)).tolist()
        got = np.frombuffer(run(logits_program, model, *tokens).stdout, F)
        worst = max(worst, np.abs(got - gpt2(tensors, c, tokens)).max())
    return worst


def equal(a, b):
    return set(a) == set(b) and all(np.array_equal(a[k], b[k]) for k in a)


# Tests.

def test_logits(folder):
    """Whole numbers and halves are the checkpoint's own; of those in fewer bits the model is what export says."""
    source = write_folder(folder / 'hf', TENSORS)
    for kind, tolerance in (('f32', 1e-4), ('f16', 1e-3), ('q8', 1e-3), ('q4', 1e-3)):
        m = import_model(source, '--type', kind)
        weights = exported(m)
        if kind == 'f32':
            assert equal(weights, TENSORS)
        assert difference(m, weights) < tolerance


def test_types_of_tensors(folder):
    """Each type that safetensors hold: what is a half or can be a float stays."""
    for kind in ENCODE:
        source = write_folder(folder / kind, TENSORS, kind=kind)
        assert equal(exported(import_model(source, '--type', 'f32')), rounded(TENSORS, kind)), kind
    source = folder / 'F16'
    m = import_model(source, '--type', 'f16')
    assert equal(exported(m), rounded(TENSORS, 'F16'))
    assert difference(m, rounded(TENSORS, 'F16')) < 1e-3


def write_gguf(path, tensors, **more):
    path.write_bytes(gguf(tensors, **more))
    return path


def test_gguf(folder):
    """Each type, as NumPy decodes it; matrices are not transposed there."""
    for kind in ('F32', 'F16', 'BF16', 'Q8_0', 'Q4_0', 'F64'):
        source = write_gguf(folder / 'm.gguf', TENSORS, kind=kind)
        want = {name: x if kind in ('Q8_0', 'Q4_0') and (x.ndim == 1 or name == 'wpe.weight') else
                np.ascontiguousarray(gguf_decoded(np.ascontiguousarray(x.T), kind).T) if name.startswith('h.') and x.ndim == 2 else gguf_decoded(x, kind)
                for name, x in TENSORS.items()}
        m = import_model(source, '--type', 'f32')
        assert equal(exported(m), want), kind
        assert difference(m, want, 5) < 1e-4


def test_gguf_of_six_bits(folder):
    """Of a width of 256: what llama.cpp makes of the embeddings when it stores the rest as Q4_0."""
    more = {'n_embd': 256, 'n_head': 4, 'n_inner': 32, 'n_layer': 1, 'vocab_size': 3, 'n_ctx': 4}
    tensors, rng = random_tensors(1, **more), np.random.default_rng(1)
    block = rng.integers(0, 256, (3, 210)).astype(np.uint8)
    block[:, 208:] = np.array([[0.5], [-1e-3], [6e-8]], '<f2').view(np.uint8)
    low = np.concatenate([x for half in (0, 64) for x in np.hsplit(block[:, half:half + 64], 2) + np.hsplit(block[:, half:half + 64], 2)], axis=1)
    low = np.where(np.arange(256) % 128 < 64, low & 15, low >> 4)
    high = np.concatenate([block[:, 128 + 32 * half:160 + 32 * half] >> shift & 3 for half in (0, 1) for shift in (0, 2, 4, 6)], axis=1)
    scale = np.repeat(block[:, 192:208].view(np.int8), 16, axis=1).astype(np.float64)
    want = block[:, 208:].copy().view('<f2').astype(np.float64) * scale * ((low | high << 4).astype(np.float64) - 32)
    data = bytearray(gguf(tensors, 'Q4_0', gguf_keys(**more)))
    # The table's type, and its data in the place of Q4_0's, which needs less room: at the end.
    at = data.index(b'token_embd.weight') + len('token_embd.weight') + 4 + 16
    begin = len(gguf({}, 'F32', gguf_keys(**more)))
    infos = sum(8 + len(gguf_name(n)) + 4 + 8 * x.ndim + 12 for n, x in tensors.items())
    begin = -(-(len(b'GGUF') + 20 + sum(len(gguf_string(k) + gguf_value(*v)) for k, v in gguf_keys(**more).items()) + infos) // 32) * 32
    data[at:at + 12] = struct.pack('<IQ', 14, len(data) - begin)
    (folder / 'm.gguf').write_bytes(bytes(data) + block.tobytes())
    got = exported(import_model(folder / 'm.gguf', '--type', 'f32'))['wte.weight']
    assert np.array_equal(got, want.astype(F)) and np.abs(got).max() > 100


def test_gguf_own(folder):
    """What export writes: the same model comes back, its tokenizer too, of bytes or of merges."""
    (folder / 'text').write_text('to be or not to be, that is the question ' * 3)
    tool('tokenizer', 'train', folder / 'text', '--vocab', '270', '-o', folder / 't.smoltok')
    for tokens in ([], ['--tokenizer', folder / 't.smoltok'], ['--bytes-of', folder / 'text', '--end', '--other'], ['--vocab', '100']):
        tool('new', '--layers', '2', '--width', '64', '--heads', '2', '--context', '16', '--method', 'full', '--matrix-type', 'f32', '--bias',
             '--norms', 'stored', '--param-type', 'f32', '--embedding-type', 'f32', *tokens, '-o', folder / 'new.smol')
        tool('export', '--gguf', folder / 'new.smol', '-o', folder / 'm.gguf')
        tool('export', '--safetensors', folder / 'new.smol', '-o', folder / 'hf')
        for source in ('m.gguf', 'hf'):
            m = import_model(folder / source, '--type', 'f32', '--no-card')
            assert m.read_bytes() == (folder / 'new.smol').read_bytes(), (source, tokens)
