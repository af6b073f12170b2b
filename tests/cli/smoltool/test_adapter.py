"""smoltool export --peft and --gguf-lora: low-rank deltas, read by independent readers (gpt2_files.py) as PEFT and llama.cpp read them, against
the factors of the reference's reader; and what has no place there."""
import dataclasses
import json
import re

import numpy as np
import pytest

import container
from container import BIASES, GAINS, KEPT, MATRIX, MODELS, NORM, OWN, SLOTS, SPARSE, Scheme
from deltas import NORMS, NOTHING, delta, lora, read
from gpt2_files import Gguf, gguf_name, read_safetensors

from programs import model, tool, tool_text

F = np.float32
MATRICES = ('attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj')
GGUF_NAMES = dict(zip(MATRICES, ('attn_qkv', 'attn_output', 'ffn_up', 'ffn_down')))


def floats(array):
    return array.astype(F)  # also of blocks


def factors(path):
    """Name -> (A, B) as the file has them."""
    learned = read(path).learned
    return {name[:-2]: (floats(value), floats(learned[name[:-2] + '.B'])) for name, value in learned.items() if name.endswith('.A')}


# ---- as PEFT reads it ----

def matching(patterns, name):
    """The key of a pattern for a module: PEFT's get_pattern_key, of the older releases and of the newer ones."""
    old = next((k for k in patterns if re.match(r'.*\.%s$' % k, name)), name)
    new = next((k for k in patterns if re.match(r'(.*\.)?(%s)$' % k, name)), name)
    assert old == new, (old, new, name)
    return new


def peft(path, conf):
    """What is added to each module's weight, inputs x outputs: lora's Linear.get_delta_weight, of the modules that PEFT would find."""
    config, tensors = json.loads((path / 'adapter_config.json').read_text()), read_safetensors(path / 'adapter_model.safetensors')
    assert config['peft_type'] == 'LORA' and config['task_type'] == 'CAUSAL_LM' and config['bias'] == 'none' and config['fan_in_fan_out'] is True
    assert not config['use_rslora'] and not config['use_dora'] and config['modules_to_save'] is None
    out = {}
    for n in range(conf.layers):
        for slot in MATRICES:
            name = 'transformer.h.%d.%s' % (n, slot)
            if not any(name == t or name.endswith('.' + t) for t in config['target_modules']):
                continue
            rank = config['rank_pattern'].get(matching(config['rank_pattern'], name), config['r'])
            alpha = config['alpha_pattern'].get(matching(config['alpha_pattern'], name), config['lora_alpha'])
            a, b = (tensors.pop('base_model.model.%s.lora_%s.weight' % (name, x)) for x in 'AB')
            rows, cols = conf.shape(SLOTS.index(slot))
            assert a.shape == (rank, cols) and b.shape == (rows, rank) and alpha / rank == 1
            out[name[len('transformer.'):]] = (b.astype(np.float64) @ a).T * (alpha / rank)
    assert not tensors
    return out


def test_peft(folder):
    """Of every type of numbers; in all layers alike, in some slots and layers only, with ranks that differ."""
    base = model(folder, '--layers', '12', name='base.smol')
    some = [(lora(2), NOTHING, lora(3), NOTHING)] * 6 + [(lora(2), NOTHING, lora(1), lora(5))] * 6
    for i, (matrices, modules) in enumerate([
            (lora(4, 0), ['attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj']),
            (lora(4, 4), None),
            ((NOTHING, lora(1), NOTHING, NOTHING), ['attn.c_proj']),
            (some, ['attn.c_attn', 'mlp.c_fc', *('h.%d.mlp.c_proj' % n for n in range(6, 12))])]):
        d, out = delta(folder / 'd.smol', [(base, 1.0)], matrices, seed=i), folder / ('out%d' % i)
        tool('export', '--peft', d, '-o', out)
        got, expected = peft(out, read(d).conf), factors(d)
        config = json.loads((out / 'adapter_config.json').read_text())
        assert modules is None or config['target_modules'] == modules
        assert sorted(got) == sorted(expected) and len(got) > 0
        for name, (a, b) in expected.items():
            assert np.array_equal(got[name], (b.astype(np.float64) @ a).T), name
    assert config['r'] == 2 and len(config['rank_pattern']) == 18 and sorted(p.name for p in out.iterdir()) == ['adapter_config.json', 'adapter_model.safetensors']


# ---- as llama.cpp reads it ----

def test_gguf_lora(folder):
    """Keys as llama_adapter_lora_init demands them; scale alpha / rank, or 1 without an alpha."""
    base = model(folder, name='base.smol')
    for kind, dtype in (('f32', '<f4'), ('f16', '<f2')):
        for matrices, alpha in ((lora(3), 3), ([lora(1), (lora(2), NOTHING, NOTHING, lora(7))], 0)):
            d = delta(folder / 'd.smol', [(base, 1.0)], matrices)
            tool('export', '--gguf-lora', '--type', kind, d, '-o', folder / 'lora.gguf')
            g, expected = Gguf(folder / 'lora.gguf'), factors(d)
            assert g.keys == {'general.architecture': 'gpt2', 'general.type': 'adapter', 'general.name': 'smol', 'general.alignment': 32,
                              'general.file_type': int(kind == 'f16'), 'adapter.type': 'lora', 'adapter.lora.alpha': alpha}
            for name, pair in expected.items():
                n, slot = re.fullmatch(r'h\.(\d+)\.(.*)', name).groups()
                for letter, value in zip('ab', pair):
                    number, ne, data = g.tensors.pop('blk.%s.%s.weight.lora_%s' % (n, GGUF_NAMES[slot], letter))
                    assert number == int(kind == 'f16') and ne == value.shape[::-1]
                    assert np.array_equal(np.frombuffer(data[:value.size * np.dtype(dtype).itemsize], dtype).reshape(value.shape), value.astype(dtype))
            assert not g.tensors


def test_names_of_both():
    """The names of a base that is exported, with what llama.cpp puts behind them."""
    assert [gguf_name('h.3.%s.weight' % s) for s in MATRICES] == ['blk.3.%s.weight' % GGUF_NAMES[s] for s in MATRICES]


# ---- what has no place ----

def refused(folder, path, message, option='--peft', code=1, *more):
    out = folder / 'refused'
    lines = tool_text('export', option, *more, path, '-o', out, code=code).stderr.splitlines()
    assert lines[0] == 'smoltool export: %s: %s' % (path, message) and len(lines) == 1 and not out.exists(), lines


def test_refusals(folder):
    base, other = model(folder, name='base.smol'), model(folder, '--seed', '5', name='other.smol')
    smol = model(folder, '--arch', 'smol', name='smol.smol')
    one = [(base, 1.0)]
    alphas = Scheme(MATRIX, OWN, 0, 3, 0, 1, 0, 0.1)
    low = lora(2)
    for i, (made, what) in enumerate([
            (dict(models=[(base, 0.5)], matrices=low), 'a factor of its model'),
            (dict(models=[(base, 0.5), (other, 0.5)], matrices=low), 'a mix of models'),
            (dict(models=one, matrices=low, rows=((3, 4), ())), 'rows of embeddings'),
            (dict(models=one, matrices=low, logit_scale=0.5), 'a logit scale'),
            (dict(models=[(smol, 1.0)], matrices=low), "a model of another architecture than GPT-2's")]):
        d = delta(folder / ('d%d.smol' % i), **made)
        for option, name in (('--peft', 'an adapter of PEFT'), ('--gguf-lora', 'an adapter of llama.cpp')):
            refused(folder, d, 'has %s, which %s has no place for' % (what, name), option)
    d = delta(folder / 'sum.smol', one, low, deltas=[(delta(folder / 'part.smol', one, low), 1.0)])
    refused(folder, d, 'has a sum of deltas, which an adapter of PEFT has no place for')
    for i, (scheme, what) in enumerate([(alphas, 'numbers that are no low-rank factors'), (dataclasses.replace(alphas, rank=2, factor_type=1), 'numbers that are no low-rank factors'),
                                        (Scheme(MATRIX, KEPT, 0, 0, 0, 2, 0, 0.0), 'numbers that are no low-rank factors'),
                                        (lora(2, 1, GAINS), 'gains'), (lora(2, 1, BIASES), 'biases'), (lora(2, 1, MODELS), 'a factor of its model'),
                                        (dataclasses.replace(lora(2, 1, SPARSE), dimensions=3), 'a sparse term')]):
        d = delta(folder / ('s%d.smol' % i), one, [low, (low, low, scheme, low)])
        refused(folder, d, 'h.1.mlp.c_fc has %s, which an adapter of PEFT has no place for' % what)
    d = delta(folder / 'n.smol', one, low, norms=NORMS)
    refused(folder, d, 'h.0.ln_1 has gains and biases of a norm, which an adapter of PEFT has no place for')
    d = delta(folder / 'f.smol', one, low, ln_f=Scheme(NORM, OWN, 0, 2, 0, 1, 0, 0.5))
    refused(folder, d, 'ln_f has gains and biases of a norm, which an adapter of PEFT has no place for')
    tool('merge', base, '-o', folder / 'mix.smol')
    refused(folder, folder / 'mix.smol', 'has no low-rank factors, of which an adapter of llama.cpp consists', '--gguf-lora')
    refused(folder, base, 'is no delta; --safetensors, --npz and --gguf export models')


def test_usage(folder):
    base = model(folder, name='base.smol')
    d = delta(folder / 'd.smol', [(base, 1.0)], lora(2))
    for arguments, says in ((('--gguf-lora', '--type', 'q8_0'), '--type: takes f32 or f16 with --gguf-lora'),
                            (('--peft', '--gguf-lora'), '--safetensors, --npz, --gguf, --peft, --gguf-lora: one of them must be given'),
                            (('--peft', '--type', 'f16'), '--type: is for GGUF; the others write f32')):
        line = tool_text('export', *arguments, d, '-o', folder / 'out', code=2).stderr.splitlines()[0]
        assert line == 'smoltool export: ' + says and not (folder / 'out').exists()


@pytest.mark.parametrize('option', ['--peft', '--gguf-lora'])
def test_whole_or_not_at_all(folder, option):
    """A damaged delta leaves nothing; one that is exported again replaces what was there."""
    base = model(folder, name='base.smol')
    d, out = delta(folder / 'd.smol', [(base, 1.0)], lora(2)), folder / 'out'
    tool('export', option, d, '-o', out)
    tool('export', option, d, '-o', out)
    bad = bytearray(d.read_bytes())
    bad[300] ^= 4
    (folder / 'bad.smol').write_bytes(bad)
    tool('export', option, folder / 'bad.smol', '-o', folder / 'none', code=1)
    assert not (folder / 'none').exists() and container.read(d.read_bytes()).conf.models == 1
