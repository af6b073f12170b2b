"""A delta and its parts, run together: SPEC.md section 16."""
import numpy as np

import arith
import forward
import frozen
from container import BIASES, GAINS, HALF_SHIFT, NOLA, NORM_SLOTS, OUTPUT_TABLE, OWN, SLOTS, SPARSE, UNIT, need

F = np.float32
ALIKE = 'layers heads width ff context vocab epsilon features'.split()


class Term:
    """What a delta adds to a matrix: a product, without gains and biases, which stand beside it."""

    def __init__(self, matrix, scheme):
        self.matrix, self.gain, self.bias = matrix, matrix.gain, matrix.bias
        matrix.gain = matrix.bias = None
        if scheme.source in (UNIT, NOLA) or scheme.projects():
            shape = len(matrix.as_double), matrix.as_double.shape[1]
            matrix.plain = lambda x: np.zeros((len(x), shape[0]), F)
            matrix.weights = lambda: np.zeros(shape)
        self.is_there = scheme.source != UNIT or scheme.rank > 0 or scheme.terms & (SPARSE | GAINS | BIASES) != 0

    def times(self, x, base):
        t = self.matrix.times(x)
        if self.gain is not None:
            t = arith.fma(self.gain, base, t)
        return t if self.bias is None else t + self.bias


class Delta(forward.Model):
    """The differences alone."""

    def __init__(self, smol, fast):
        self.is_fast, self.smol, self.conf = fast, smol, smol.conf
        self.key = frozen.key(self.conf.seed)
        self.layers = self._layers()
        self.ln_f = self._norm('ln_f', self.conf.ln_f, 4 * self.conf.layers)

    def _matrix(self, n, slot, index):
        return Term(super()._matrix(n, slot, index), self.conf.schemes[index])

    def _norm(self, name, index, number):
        """(None, None) where there is no difference."""
        s = self.conf.schemes[index]
        if s.source != OWN:
            return super()._norm(name, index, number)
        return tuple(self._vector(number + i, s, self.smol.learned['%s.%s.alpha' % (name, half)]) for i, half in enumerate(('weight', 'bias')))

    def beta(self, digest, n, slot):
        """Its number for a model, or None."""
        numbers = self.smol.learned.get('h.%d.%s.models' % (n, SLOTS[slot]))
        at = [d for d, _ in self.smol.base[:self.conf.models]]
        return None if numbers is None or digest not in at else numbers.astype(F)[at.index(digest)]


class Mixed:
    """A matrix of several models, with the terms of deltas."""

    def __init__(self, factors, matrices, scaled_terms):
        self.factors, self.matrices = factors, matrices
        self.terms = [(g, t) for g, t in scaled_terms if t.is_there]
        has_bias = any(m.bias is not None for m in matrices) or any(t.bias is not None for _, t in self.terms)
        self.bias = self._exact_bias() if has_bias else None

    def times(self, x):
        y = total(self.factors, [m.times(x) for m in self.matrices], ())
        base = y
        for g, term in self.terms:
            y = arith.fma(g, term.times(x, base), y)
        return y

    def _scale(self):
        out = np.float64(1)
        for g, term in self.terms:
            if term.gain is not None:
                out = out + np.float64(g) * term.gain.astype(np.float64)
        return out

    def exact(self):
        out = sum_doubles(self.factors, [m.exact() for m in self.matrices])
        out = out * np.reshape(self._scale(), (-1, 1))
        for g, term in self.terms:
            out = out + np.float64(g) * term.matrix.exact()
        return out

    def _exact_bias(self):
        size = next(len(p.bias) for p in [*self.matrices, *(t for _, t in self.terms)] if p.bias is not None)
        out = sum_doubles(self.factors, [np.zeros(size) if m.bias is None else m.bias.astype(np.float64) for m in self.matrices]) * self._scale()
        for g, term in self.terms:
            out = out + np.float64(g) * (np.zeros(size) if term.bias is None else term.bias.astype(np.float64))
        return out


def sum_doubles(factors, values):
    out = np.float64(factors[0]) * values[0]
    for f, v in zip(factors[1:], values[1:]):
        out = out + np.float64(f) * v
    return out


def total(factors, values, differences):
    """A sum over models, and (g, difference) of deltas."""
    x = F(factors[0]) * values[0]
    for f, v in zip(factors[1:], values[1:]):
        x = arith.fma(F(f), v, x)
    for g, v in differences:
        x = arith.fma(F(g), v, x)
    return x


def check_alike(a, b, what):
    need(all(getattr(a, name) == getattr(b, name) for name in ALIKE), 'another shape than the %s' % what)


class Joined(forward.Model):
    """smol, a delta, with the files by hash that it names. factors: others by hash; added: (Smol, factor) of deltas that it does not name; own: the
    factor of its own differences."""

    def __init__(self, smol, by_hash, factors=None, added=(), own=1.0, fast=False):
        self.is_fast, self.smol = fast, smol
        count = smol.conf.models
        parts = [(by_hash[digest], F((factors or {}).get(digest, f))) for digest, f in smol.base]
        self.models = [(forward.Model(part, fast), f) for part, f in parts[:count]]
        self.deltas = [(Delta(part, fast), F(f)) for part, f in [*parts[count:], *added, (smol, own)]]
        self._check([digest for digest, _ in smol.base[:count]])
        first = self.models[0][0]
        self.conf, self.key, self.tokenizer, self.is_endless, self.shifts = first.conf, first.key, first.tokenizer, first.is_endless, first.shifts
        f = [f for _, f in self.models]
        self.wte = self._table([m.wte for m, _ in self.models], lambda d: d.smol.input_rows)
        self.wpe = None if first.wpe is None else total(f, [m.wpe for m, _ in self.models], ())
        self.output = None if first.smol.output is None else self._table([m.smol.output.floats() for m, _ in self.models], lambda d: d.smol.output_rows)
        self.layers = [[self._sum_norms([p.layers[n][j] for p, _ in [*self.models, *self.deltas]]) if j in NORM_SLOTS else self._mix(n, j) for j in range(len(SLOTS))]
            for n in range(self.conf.layers)]
        self.ln_f = self._sum_norms([p.ln_f for p, _ in [*self.models, *self.deltas]])

    def _check(self, names):
        """What must agree."""
        conf = self.models[0][0].conf
        for m, _ in self.models:
            check_alike(m.conf, conf, 'first model')
            need(m.smol.tokens == self.models[0][0].smol.tokens and m.smol.kind_of_tokens() == self.smol.kind_of_tokens(), 'another tokenizer')
            need(not conf.has(HALF_SHIFT) or m.conf.seed == conf.seed, 'half-shifts with different seeds')
        for d, _ in self.deltas:
            check_alike(d.conf, conf, 'models')
            need(d.smol is self.smol or d.conf.deltas == 0, 'a part that adds deltas')
            need({digest for digest, _ in d.smol.base[:d.conf.models]} <= set(names), 'a delta of another model')

    def _factors(self):
        return [f for _, f in self.models]

    def _table(self, tables, rows_of):
        """Rows as floats, those that deltas change among them."""
        out = total(self._factors(), tables, ())
        for d, g in self.deltas:
            rows = rows_of(d)
            if rows is not None:
                out[rows.tokens] = arith.fma(g, rows.table.floats(), out[rows.tokens])
        return out

    def _sum_norms(self, pairs):
        if all(gain is None for gain, _ in pairs):
            return None, None
        count, ones = len(self.models), np.ones(self.conf.width, F)
        out = []
        for half, frozen_one in enumerate((ones, 0 * ones)):
            values = [frozen_one if p[half] is None else p[half] for p in pairs[:count]]
            out.append(total(self._factors(), values, [(g, p[half]) for (_, g), p in zip(self.deltas, pairs[count:]) if p[half] is not None]))
        return tuple(out)

    def _mix(self, n, slot):
        factors = []
        for (m, f), (digest, _) in zip(self.models, self.smol.base):
            for d, g in self.deltas:
                beta = d.beta(digest, n, slot)
                f = f if beta is None else arith.fma(g, beta, f)
            factors.append(F(f))
        return Mixed(factors, [m.layers[n][slot] for m, _ in self.models], [(g, d.layers[n][slot]) for d, g in self.deltas])

    def _heads(self, n, what):
        return self._sum([p._heads(n, what) for p, _ in [*self.models, *self.deltas]])

    def history_numbers(self):
        return self._sum([p.history_numbers() for p, _ in [*self.models, *self.deltas]])

    def _sum(self, values):
        """Of models and deltas; None if they have none."""
        if values[0] is None:
            return None
        count = len(self.models)
        return total(self._factors(), values[:count], list(zip([g for _, g in self.deltas], values[count:])))

    def _scale_of(self, m):
        s = F(m.conf.logit_scale)
        for d, g in self.deltas:
            s = arith.fma(g, F(d.conf.logit_scale), s)
        return F(s)

    def logits(self, x):
        x = self.normed(x, self.ln_f)
        out = None
        for m, f in self.models:
            part = forward.table_product(m.smol.output or m.smol.wte, x) * (f * self._scale_of(m))
            out = part if out is None else out + part
        first = self._scale_of(self.models[0][0])
        for d, g in self.deltas:
            rows = d.smol.output_rows if self.conf.has(OUTPUT_TABLE) else d.smol.input_rows
            if rows is not None:
                out[:, rows.tokens] = out[:, rows.tokens] + forward.table_product(rows.table, x) * (g * first)
        return forward.usable(out)

    def tensor(self, name):
        tables = {'wte.weight': self.wte, 'wpe.weight': self.wpe, 'lm_head.weight': self.output}
        if name in tables:
            return tables[name].astype(np.float64)
        if name.endswith(('.attn.temperature', '.attn.slope_factor')):
            return self._heads(int(name.split('.')[1]), name.rpartition('.')[2]).astype(np.float64)
        if name == 'history':
            return self.history_numbers().astype(np.float64)
        return super().tensor(name)

    def names(self):
        first = self.models[0][0]
        out = [name for name in first.names() if not name.endswith('.bias') or name.split('.')[-2] in ('ln_1', 'ln_2', 'ln_f')]
        for n in range(self.conf.layers):
            out += ['h.%d.%s.bias' % (n, slot) for j, slot in enumerate(SLOTS) if j not in NORM_SLOTS and self.layers[n][j].bias is not None]
        return out
