"""smoltool import of adapters as PEFT writes them (by hand, in every type of number): the factors by the reference's reader, their product in
weights by name, and what is refused."""
import json
import re

import numpy as np
import pytest

from checkpoints import ENCODE, rounded, safetensors
from deltas import delta, lora, read

from programs import keys, model, tool, tool_text

F = np.float32
SHAPES = {'attn.c_attn': (120, 40), 'attn.c_proj': (40, 40), 'mlp.c_fc': (160, 40), 'mlp.c_proj': (40, 160)}


def config(**more):
    return {'peft_type': 'LORA', 'task_type': 'CAUSAL_LM', 'r': 2, 'lora_alpha': 2, 'bias': 'none', 'fan_in_fan_out': True, 'lora_dropout': 0.1,
            'target_modules': ['c_attn', 'c_fc'], 'modules_to_save': None, 'use_dora': False, 'use_rslora': False, 'rank_pattern': {},
            'alpha_pattern': {}, 'layer_replication': None, 'init_lora_weights': True, 'base_model_name_or_path': 'gpt2', **more}


def factors(ranks, seed=0):
    """Module -> (A, B), of (layer, slot) -> rank."""
    rng = np.random.default_rng(seed)
    return {'h.%d.%s' % at: (rng.standard_normal((r, SHAPES[at[1]][1])).astype(F), rng.standard_normal((SHAPES[at[1]][0], r)).astype(F))
            for at, r in ranks.items()}


def tensors(pairs):
    return {'%s.lora_%s.weight' % (name, x): value for name, pair in pairs.items() for x, value in zip('AB', pair)}


def adapter(folder, pairs, kind='F32', prefix='base_model.model.transformer.', others=None, **more):
    folder.mkdir(exist_ok=True)
    (folder / 'adapter_config.json').write_text(json.dumps(config(**more)))
    (folder / 'adapter_model.safetensors').write_bytes(safetensors(tensors(pairs), kind, prefix, others))
    return folder


ALL = {(n, slot): 2 for n in range(2) for slot in SHAPES}
SOME = {(0, 'attn.c_attn'): 1, (0, 'mlp.c_fc'): 4, (1, 'mlp.c_proj'): 4}


@pytest.fixture
def base(folder):
    return model(folder, '--seed', '1', name='base.smol')


def bring(folder, base, *more, out='d.smol', **code):
    return tool_text('import', folder, '--base', base, '-o', folder.parent / out, *more, **code)


def check(path, base, pairs, scale, kind=np.float16):
    d = read(path)
    assert d.base == [(read(base).hash, 1)] and (d.conf.models, d.conf.deltas) == (1, 0)
    assert sorted(d.learned) == sorted(n + '.' + x for n in pairs for x in 'AB')
    for name, (a, b) in pairs.items():
        assert np.array_equal(d.learned[name + '.A'].astype(F), a.astype(kind).astype(F)), name
        assert np.array_equal(d.learned[name + '.B'].astype(F), (b.astype(np.float64) * scale(name, len(a))).astype(F).astype(kind).astype(F)), name


def test_types_of_numbers(folder, base):
    """All that safetensors has; stored as f16, or as asked for."""
    for kind in ENCODE:
        pairs = factors(ALL, 3)
        bring(adapter(folder / 'a', pairs, kind), base)
        pairs = {n: tuple(rounded({'x': v}, kind)['x'] for v in pair) for n, pair in pairs.items()}
        check(folder / 'd.smol', base, pairs, lambda name, r: 1)
    bring(adapter(folder / 'a', pairs, 'F64'), base, '--type', 'f32', '--no-card')
    check(folder / 'd.smol', base, pairs, lambda name, r: 1, F)
    assert read(folder / 'd.smol').card is None
    bring(folder / 'a', base, '--type', 'q8', '--note', 'CC0')
    assert json.loads(read(folder / 'd.smol').card) == {'made_by': 'smoltool import', 'source': 'a', 'note': 'CC0'}
    w = read(folder / 'd.smol').learned['h.1.mlp.c_fc.A'].astype(F)
    assert np.abs(w - pairs['h.1.mlp.c_fc'][0]).max() < np.abs(w).max() / 100


def test_alphas(folder, base):
    """alpha / r, or alpha / sqrt(r); patterns by the end of a module's name; ranks that differ, matrices that have none."""
    pairs = factors(SOME)
    for more, scale in ((dict(lora_alpha=16), lambda name, r: 16 / r), (dict(lora_alpha=0.5, use_rslora=True), lambda name, r: 0.5 / r ** 0.5),
                        (dict(lora_alpha=3, alpha_pattern={'mlp.c_fc': 8, 'h.1.mlp.c_proj': 1}),
                         lambda name, r: {'h.0.mlp.c_fc': 8, 'h.1.mlp.c_proj': 1}.get(name, 3) / r),
                        (dict(lora_alpha=3, alpha_pattern={'transformer.h.0.attn.c_attn': 5, 'c_attn': 9}, rank_pattern={'c_fc': 4}),
                         lambda name, r: (5 if 'c_attn' in name else 3) / r)):
        bring(adapter(folder / 'a', pairs, prefix='base_model.model.', **more), base, '--type', 'f32')
        check(folder / 'd.smol', base, pairs, scale, F)


def test_weights(folder, base):
    """What PEFT adds: B A times the scale, to each matrix as outputs x inputs."""
    pairs = factors(SOME)
    bring(adapter(folder / 'a', pairs, lora_alpha=2), base, '--type', 'f32')
    for name in ('h.0.mlp.c_fc', 'h.1.mlp.c_fc'):
        w = []
        for path in (base, folder / 'd.smol'):
            tool('weights', path, name + '.weight', '-o', folder / 'w.npy')
            w.append(np.load(folder / 'w.npy'))
        a, b = pairs.get(name, (np.zeros((1, 40)), np.zeros((160, 1))))
        assert np.abs(w[0] + 2 / len(a) * b.astype(np.float64) @ a - w[1]).max() < 1e-5, name


def test_there_and_back(folder, base):
    """What export --peft wrote comes back, number by number."""
    for kind, word in ((0, 'f32'), (1, 'f16')):
        d = delta(folder / 'in.smol', [(base, 1.0)], [lora(3, kind), (lora(1, kind), lora(2, kind), lora(3, kind), lora(5, kind))])
        tool('export', '--peft', d, '-o', folder / 'a')
        bring(folder / 'a', base, '--type', word, out='out.smol')
        x, y = read(d), read(folder / 'out.smol')
        assert x.conf.runs == y.conf.runs and x.conf.schemes == y.conf.schemes and sorted(x.learned) == sorted(y.learned)
        assert all(np.array_equal(x.learned[n], y.learned[n]) for n in x.learned)


def test_signed(folder, base):
    keys(folder, 'k')
    bring(adapter(folder / 'a', factors(SOME)), base, '--sign', folder / 'k.key')
    tool('verify', folder / 'd.smol', '--pubkey', folder / 'k.pub', '--base', base)


def refused(folder, base, message, *more, code=1):
    lines = bring(folder / 'a', base, *more, code=code, out='x.smol').stderr.splitlines()
    assert re.fullmatch('smoltool import: ' + message, lines[0]) and len(lines) == code and not (folder / 'x.smol').exists(), lines


def test_refused_configurations(folder, base):
    pairs, path = factors(SOME), re.escape(str(folder / 'a/adapter_config.json'))
    for more, says in ((dict(peft_type='IA3'), "peft_type is 'IA3', not LORA"), (dict(use_dora=True), 'has use_dora, which a delta cannot express'),
                       (dict(modules_to_save=['lm_head']), 'has modules_to_save, .*'), (dict(bias='all'), 'bias is not none; .*'),
                       (dict(lora_alpha=None), 'lora_alpha is not a number'), (dict(layer_replication=[[0, 1]]), 'has layer_replication, .*'),
                       (dict(alpha_pattern={'h.*.attn': 2}), r'alpha_pattern: h\.\*\.attn is no module.s name with a number')):
        adapter(folder / 'a', pairs, **more)
        refused(folder, base, path + ': ' + says)
    for text, says in (('[]', 'is no JSON object'), ('{', '.*not JSON.*')):
        (folder / 'a/adapter_config.json').write_text(text)
        refused(folder, base, path + ': ' + says)
    (folder / 'a/adapter_config.json').unlink()
    refused(folder, base, path + ': cannot open: No such file or directory')


def test_refused_tensors(folder, base):
    path, good = re.escape(str(folder / 'a/adapter_model.safetensors')), factors(SOME)
    stem = r'base_model\.model\.transformer\.'
    zeros = np.zeros((2, 40), '<f4')
    for name, array, says in (('base_model.model.transformer.wte.lora_embedding_A', zeros, 'is no low-rank factor of a matrix of GPT-2'),
                              ('base_model.model.transformer.h.01.attn.c_attn.lora_A.weight', zeros, 'is no low-rank factor of a matrix of GPT-2'),
                              ('base_model.model.transformer.h.7.attn.c_attn.lora_A.weight', zeros, 'the base has fewer layers'),
                              ('base_model.model.transformer.h.1.attn.c_attn.lora_A.weight', zeros, 'comes without the other factor'),
                              ('base_model.model.h.0.attn.c_attn.lora_A.weight', zeros, 'is there twice'),
                              ('base_model.model.transformer.h.1.attn.c_attn.lora_A.weight', np.zeros((2, 41), '<f4'), 'is no table of floats with 40 columns')):
        adapter(folder / 'a', good, others={name: ('F32', array)})
        refused(folder, base, '%s: tensor %s: %s' % (path, re.escape(name), says))
    odd = {**good, 'h.1.mlp.c_proj': (good['h.1.mlp.c_proj'][0], good['h.1.mlp.c_proj'][1][:, :2].copy())}
    adapter(folder / 'a', odd)
    refused(folder, base, path + ': tensor %sh.1.mlp.c_proj.lora_A.weight: its rank is not that of the other factor, or over 4096' % stem)
    adapter(folder / 'a', {'h.0.mlp.c_fc': (good['h.0.mlp.c_fc'][0] * 1e6, good['h.0.mlp.c_fc'][1])})
    refused(folder, base, path + ': tensor %sh.0.mlp.c_fc.lora_A.weight: a number is too large for f16' % stem)
    adapter(folder / 'a', {'h.0.mlp.c_fc': (good['h.0.mlp.c_fc'][0] * np.nan, good['h.0.mlp.c_fc'][1])})
    refused(folder, base, path + ': .*')
    adapter(folder / 'a', {})
    refused(folder, base, path + ': has no factors')
    (folder / 'a/adapter_model.safetensors').write_bytes(b'x')
    refused(folder, base, path + ': .*')


def test_refused_bases(folder, base):
    adapter(folder / 'a', factors(SOME))
    d = delta(folder / 'in.smol', [(base, 1.0)], lora(1))
    refused(folder, d, re.escape(str(d)) + ': is a delta; an adapter is of a model')
    s = model(folder, '--arch', 'smol', name='s.smol')
    refused(folder, s, re.escape(str(s)) + ": is of another architecture than GPT-2's")
    wide = model(folder, '--width', '44', name='wide.smol')
    refused(folder, wide, '.*: is no table of floats with .*')
    refused(folder, base, '--type: takes f32, f16 or q8 for an adapter', '--type', 'q4', code=2)
    refused(folder, base, '--embedding-type, --tokenizer, --heads: are not for an adapter, .*', '--heads', '4', code=2)
    line = tool_text('import', folder / 'a', '-o', folder / 'x', code=2).stderr.splitlines()[0]
    assert line == 'smoltool import: --base: is missing, the model that the adapter is of'
