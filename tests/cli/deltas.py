"""Deltas for tests, written by the reference from SPEC.md 16: random differences of whatever kind is asked for."""
import numpy as np

import container
from container import MATRIX, NORM, FROZEN, STORED, UNIT, Scheme, Smol, learned_layout, rows_as, stored_as
from models import build_conf

from programs import write

NOTHING = Scheme(MATRIX, UNIT, 0, 1, 0, 0, 0, 0.0)
NO_NORM, NORMS = Scheme(NORM, FROZEN, 0, 0, 0, 0, 0, 0.0), Scheme(NORM, STORED, 0, 0, 0, 0, 1, 0.0)


def lora(rank, kind=1, terms=0):
    """Factors of numbers of that kind, and maybe terms."""
    return Scheme(MATRIX, UNIT, 0, 1, rank, 0, kind, 0.0, 0, terms)


def read(path):
    return container.read(path.read_bytes())


def delta(path, models, matrices=NOTHING, norms=NO_NORM, seed=1, deltas=(), rows=((), ()), row_kind=1, logit_scale=0.0, ln_f=None, spread=0.1, **more):
    """models, deltas: (path, factor) each. matrices: a scheme, or four of a layer, or a list of such for each layer. rows: tokens of wte and of the
    output table."""
    rng, base = np.random.default_rng(seed), read(models[0][0])
    c = base.conf
    layers = matrices if isinstance(matrices, list) else [matrices] * c.layers
    layers = [m if isinstance(m, tuple) else (m,) * 4 for m in layers]
    schemes = [norms, ln_f or norms]
    schemes += [s for layer in layers for s in layer]
    first = {s: i for i, s in reversed(list(enumerate(schemes)))}  # equal ones are one
    slots = [[first[norms], first[m[0]], first[m[1]], first[norms], first[m[2]], first[m[3]]] for m in layers]
    conf = build_conf((c.layers, c.heads, c.width, c.ff, c.context, c.vocab), slots, first[ln_f or norms], schemes, c.epsilon, seed, logit_scale,
        c.features, 1 if c.has_head_factors() else 0)
    conf.models, conf.deltas, conf.input_rows, conf.output_rows = len(models), len(deltas), len(rows[0]), len(rows[1])
    learned = {name: stored_as(spread * rng.standard_normal(size), kind) for name, size, kind in learned_layout(conf)}
    tables = [container.Rows(sorted(t), rows_as(row_kind, spread * rng.standard_normal((len(t), c.width)))) if t else None for t in rows]
    names = [(read(p).hash, factor) for p, factor in (*models, *deltas)]
    smol = Smol(conf, learned, base=names, input_rows=tables[0], output_rows=tables[1], tokenizer=base.kind_of_tokens(), **more)
    return write(path, container.write(smol))
