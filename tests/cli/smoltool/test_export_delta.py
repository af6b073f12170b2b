"""smoltool export and weights of deltas with their parts: W as SPEC.md 16 has it, in NumPy, of models by the reference and terms by hand; GPT-2 over
what was exported against a session; and what cannot be."""
import dataclasses
import json

import numpy as np
import pytest

import container
import forward
import frozen
from container import BIASES, GAINS, KEPT, MATRIX, MODELS, OWN, SLOTS, UNIT, Scheme
from deltas import NORMS, NOTHING, delta, lora, read
from gpt2_files import Gguf, gguf_name, gpt2, read_npz, read_safetensors

from programs import build, model, run, tool, tool_text

F, D = np.float32, np.float64
MATRICES = ('attn.c_attn', 'attn.c_proj', 'mlp.c_fc', 'mlp.c_proj')
logits_program = str((build / 'tests/cli/logits').resolve())


# ---- SPEC.md 16, for those that show W ----

class Delta:
    """A delta's differences, in double."""

    def __init__(self, path):
        self.smol = read(path)
        self.conf, self.learned = self.smol.conf, self.smol.learned

    def get(self, name):
        return self.learned[name].astype(F).astype(D) if name in self.learned else None

    def term(self, n, slot):
        """T (R, K): a low-rank product, alphas over seeded bases, stored rows."""
        name, shape = 'h.%d.%s' % (n, slot), self.conf.shape(SLOTS.index(slot))
        s = self.conf.schemes[self.conf.layer_schemes()[n][SLOTS.index(slot)]]
        t = np.zeros(shape)
        if s.source == OWN:
            w, scale = frozen.integer_weights(frozen.key(self.conf.seed), 4 * n + MATRICES.index(slot), 0, *shape, s.dist, self.learned[name + '.alpha'])
            t = frozen.weights(w, scale, s.sigma)
        elif s.source == KEPT:
            t = self.learned[name + '.rows'].floats().astype(D)
        else:
            assert s.source == UNIT
        return t + self.get(name + '.B') @ self.get(name + '.A') if s.rank else t

    def rows(self, table, shape):
        """The differences of wte, or of the output table."""
        rows, out = (self.smol.input_rows if table == 'wte.weight' else self.smol.output_rows), np.zeros(shape)
        if rows:
            out[rows.tokens] = rows.table.floats()
        return out


class Joined:
    """models: (path, f) each, deltas: (path, g), the file itself last."""

    def __init__(self, models, deltas):
        self.models = [(forward.Model(read(p)), float(F(f))) for p, f in models]
        self.deltas = [(Delta(p), float(F(g))) for p, g in deltas]

    def mixed(self, name, zero=0):
        return sum(f * (m.tensor(name) if name in m.names() else zero) for m, f in self.models)

    def matrix(self, n, slot):
        """(W, bias): F_m is a float, what follows is not."""
        name = 'h.%d.%s' % (n, slot)
        w, bias = 0.0, 0.0
        for i, (m, f) in enumerate(self.models):
            factor = F(f)
            for d, g in self.deltas:
                beta = d.get(name + '.models')
                factor = factor if beta is None else F(g * beta[i] + float(factor))
            w = w + float(factor) * m.tensor(name + '.weight')
            bias = bias + float(factor) * (m.tensor(name + '.bias') if name + '.bias' in m.names() else np.zeros(len(w)))
        gains = sum(g * d.get(name + '.gain') for d, g in self.deltas if name + '.gain' in d.learned)
        w, bias = w * (1 + gains * np.ones(len(w)))[:, None], bias * (1 + gains)
        for d, g in self.deltas:
            w = w + g * d.term(n, slot)
            bias = bias + g * (d.get(name + '.bias') if name + '.bias' in d.learned else 0)
        return w, bias

    def tensor(self, name):
        stem, _, half = name.rpartition('.')
        if 'ln_' in name:
            return self.mixed(name) + sum(g * d.get(name) for d, g in self.deltas if name in d.learned)
        if name in ('wte.weight', 'lm_head.weight', 'wpe.weight'):
            w = self.mixed(name)
            return w if name == 'wpe.weight' else w + sum(g * d.rows(name, w.shape) for d, g in self.deltas)
        _, n, slot = stem.split('.', 2)
        return self.matrix(int(n), slot)[half == 'bias']


def close(got, want, what):
    assert got.shape == want.shape and np.abs(got - want).max() <= 3e-7 * max(1, np.abs(want).max()), (what, np.abs(got - want).max())


def check(folder, path, joined, *more):
    """Safetensors, .npz and weights by name; the logit scale is in ln_f."""
    tool('export', '--safetensors', path, *more, '-o', folder / 'st')
    tool('export', '--npz', path, *more, '-o', folder / 'npz')
    got, config = read_safetensors(folder / 'st/model.safetensors'), json.loads((folder / 'st/config.json').read_text())
    npz = read_npz(folder / 'npz/model.npz')
    assert sorted(got) == sorted(npz) and all(np.array_equal(got[n], npz[n]) for n in got)
    scale = float(joined.models[0][0].conf.logit_scale) + sum(g * float(d.conf.logit_scale) for d, g in joined.deltas)
    for name, value in got.items():
        if not name.endswith(('.temperature', '.slope_factor', '.shifted')):
            w = joined.tensor(name)
            close(value, (w.T if name.startswith('h.') else w) * (scale if name.startswith('ln_f') else 1), name)
    for name in ('h.1.mlp.c_fc.weight', 'wte.weight', 'h.0.ln_2.weight'):
        tool('weights', path, name, *more, '-o', folder / 'w.npy')
        w = np.load(folder / 'w.npy')
        close(w if w.shape[0] > 1 else w[0], joined.tensor(name), name)
    return got, config


def session_logits(path, tokens):
    return np.frombuffer(run(logits_program, path, *tokens).stdout, F)


def compare_logits(path, tensors, config):
    """A session rounds the inputs of matrices to 16 bits; what was exported does not."""
    for seed in range(3):
        tokens = np.random.default_rng(seed).integers(0, config['vocab_size'], 20).tolist()
        a, b = gpt2(tensors, config, tokens), session_logits(path, tokens)
        assert np.abs(a - b).max() < 1e-3 * max(1, np.abs(b).max()), (np.abs(a - b).max(), np.abs(b).max())


# ---- tests ----

ALPHAS = Scheme(MATRIX, OWN, 0, 5, 0, 1, 0, 0.02)


@pytest.fixture
def parts(folder):
    """Two models, one with biases and norms; and a delta."""
    a = model(folder, '--seed', '1', '--norms', 'stored', '--bias', '--embedding-type', 'f16', name='a.smol')
    smol = read(a)  # with biases and norms that are something
    rng = np.random.default_rng(3)
    for name, value in smol.learned.items():
        if name.endswith(('.bias', '.weight')):
            smol.learned[name] = (value.astype(F) + 0.2 * rng.standard_normal(value.shape)).astype(value.dtype)
    a.write_bytes(container.write(smol))
    b = model(folder, '--seed', '2', '--method', 'lora', name='b.smol')
    e = delta(folder / 'e.smol', [(a, 7.0)], (lora(2, 1, GAINS), NOTHING, lora(1, 0, BIASES), NOTHING), NORMS, seed=5, rows=((1, 2, 99), ()), logit_scale=0.25)
    return folder, a, b, e


def test_everything(parts):
    """A mix of two models with numbers of its own, and a delta that it adds."""
    folder, a, b, e = parts
    d = delta(folder / 'd.smol', [(a, 0.6), (b, 0.4)],
              [(ALPHAS, lora(3, 1, MODELS), lora(1, 1, GAINS | BIASES), Scheme(MATRIX, KEPT, 0, 0, 0, 2, 0, 0.0)),
               (dataclasses.replace(ALPHAS, rank=2, factor_type=1, terms=MODELS | GAINS), NOTHING, ALPHAS, lora(2))],
              NORMS, seed=4, deltas=[(e, 0.5)], rows=((0, 2, 200), ()), row_kind=2, logit_scale=-0.125)
    got, config = check(folder, d, Joined([(a, 0.6), (b, 0.4)], [(e, 0.5), (d, 1.0)]), '--base', a, '--base', b, '--base', e)
    assert config['model_type'] == 'gpt2'
    compare_logits(d, got, config)


def test_base_and_deltas(parts):
    """Deltas from the line, times a factor, over a model; parts that are found by their hashes."""
    folder, a, _, e = parts
    d = delta(folder / 'd.smol', [(a, 1.0)], (ALPHAS, NOTHING, NOTHING, lora(2)), seed=6)
    check(folder, a, Joined([(a, 1.0)], [(e, 0.25), (d, 1.0)]), '--delta', '%s=0.25' % e, '--delta', d)
    check(folder, d, Joined([(a, 1.0)], [(d, 1.0)]))


def test_smol(folder):
    """Architecture smol: an output table of its own, factors of heads, the channels of the models' seed."""
    base = model(folder, '--arch', 'smol', '--seed', '3', name='base.smol')
    d = delta(folder / 'd.smol', [(base, 1.0)], lora(2), rows=((5,), (7, 8)), seed=9, logit_scale=0.5)
    got, config = check(folder, d, Joined([(base, 1.0)], [(d, 1.0)]))
    learned = read(d).learned
    for n in range(2):
        for what in ('temperature', 'slope_factor'):
            name = 'h.%d.attn.%s' % (n, what)
            close(got[name], read(base).learned[name].astype(D) + learned[name].astype(D), name)
    tool('export', '--npz', base, '-o', folder / 'alone')
    alone = read_npz(folder / 'alone/model.npz')
    assert all(np.array_equal(got[n], alone[n]) for n in got if n.endswith('.shifted'))
    compare_logits(d, got, config)
    line = tool_text('export', '--gguf', d, '-o', folder / 'x.gguf', code=1).stderr
    assert 'GGUF has no architecture smol' in line and not (folder / 'x.gguf').exists()


def test_gguf(parts):
    """The same numbers in the other order."""
    folder, a, b, e = parts
    tool('merge', '%s=0.5' % a, '%s=0.5' % b, '%s=2' % e, '-o', folder / 'mix.smol')
    got, _ = check(folder, folder / 'mix.smol', Joined([(a, 0.5), (b, 0.5)], [(e, 2.0)]))
    tool('export', '--gguf', folder / 'mix.smol', '-o', folder / 'mix.gguf')
    g = Gguf(folder / 'mix.gguf')
    assert g.keys['general.architecture'] == 'gpt2' and len(g.tensors) == len(got)
    for name, value in got.items():
        w = value.T if name.startswith('h.') and value.ndim == 2 else value
        assert np.array_equal(np.frombuffer(g.tensors[gguf_name(name)][2], '<f4')[:w.size].reshape(w.shape), w), name


def test_refusals(parts):
    folder, a, b, e = parts
    alone = folder / 'alone'
    alone.mkdir()
    (alone / 'e.smol').write_bytes(e.read_bytes())
    for command in (('export', '--safetensors', alone / 'e.smol', '-o', folder / 'x'), ('weights', alone / 'e.smol', 'wte.weight', '-o', folder / 'x'),
                    ('weights', '--list', alone / 'e.smol')):
        line = tool_text(*command, code=1).stderr
        assert read(a).hash.hex()[:16] in line and line.count('\n') == 1 and not (folder / 'x').exists(), line
        line = tool_text(*command, '--base', b, code=1).stderr
        assert read(a).hash.hex()[:16] in line and read(b).hash.hex()[:16] in line and line.count('\n') == 1, line
    other = read(b)
    other.conf.logit_scale = 2.0
    (folder / 'c.smol').write_bytes(container.write(other))
    tool('merge', '%s=0.5' % a, '%s=0.5' % (folder / 'c.smol'), '-o', folder / 'mix.smol')
    line = tool_text('export', '--npz', folder / 'mix.smol', '-o', folder / 'x', code=1).stderr
    assert line.endswith(': mixes models whose logits have different scales, which the format cannot say\n') and not (folder / 'x').exists()
    for option in ('--base', '--bases-dir', '--delta'):
        assert tool_text('export', '--peft', option, a, e, '-o', folder / 'x', code=2).stderr.startswith(
            'smoltool export: --base, --bases-dir, --delta: are not for adapters, which are of one delta alone\n')
