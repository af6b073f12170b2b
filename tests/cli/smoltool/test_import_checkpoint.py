"""smoltool import from outside: checkpoints written by checkpoints.py, GPT-2 in NumPy over them against a session's logits, what
export makes of the models, and checkpoints that are refused."""
import json

import numpy as np
import pytest

from checkpoints import DECODE, ENCODE, SHAPE, config_json, random_tensors, rounded, safetensors, tokenizer_files, write_folder
from gpt2_files import F, gpt2, read_npz
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
