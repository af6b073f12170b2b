"""A model with a history: what it is, the option `history`, and scores."""
import json
import shutil

import numpy as np
import pytest
from module import raises, refused, smol
from programs import root, run, smolrun, smoltool

PLAIN = root / 'models/messages-64k.smol'
TEXT = 'First Citizen:\nWe are accounted poor citizens.\n\nSecond Citizen:\nWe are accounted poor citizens.\n' * 3


@pytest.fixture
def path(folder):
    (folder / 'text').write_text(TEXT)
    run(smoltool, 'history', PLAIN, folder / 'text', '-o', folder / 'm.smol')
    return folder / 'm.smol'


def test_facts(path):
    model, plain = smol.Model.load(path), smol.Model.load(PLAIN)
    assert model.facts['features'] == plain.facts['features'] + ('history',)
    assert model.facts['parameters'] == plain.facts['parameters'] + 5
    assert list(model.tensors().items()) == [*plain.tensors().items(), ('history', (5,))]
    assert model.weights('history').shape == (5,) and np.isfinite(model.weights('history')).all()


def test_none_of_it(path):
    """As the model that has none."""
    model, plain = smol.Model.load(path), smol.Model.load(PLAIN)
    for none in (0, 1):
        assert model.logits(TEXT, history=none).tobytes() == plain.logits(TEXT).tobytes() != model.logits(TEXT).tobytes()
        assert model.score(TEXT, history=none) == plain.score(TEXT)
        assert model.perplexity(TEXT, history=none) == plain.perplexity(TEXT)
        assert model.generate(TEXT, n=30, seed=2, history=none) == plain.generate(TEXT, n=30, seed=2)
    assert plain.score(TEXT, history=9) == plain.score(TEXT)  # which has none


def test_all_of_it(path, folder):
    """By default, as smolrun has it; as much as the text has is all."""
    model = smol.Model.load(path)
    wanted = json.loads(run(smolrun, path, '-f', shutil.copy(folder / 'text', folder / 'prompt'), '-n', 40, '-s', 5, '--json').stdout)['tokens']
    for options in ({}, {'history': None}, {'history': 65536}, {'history': np.int64(1000)}):
        assert list(model.tokens(TEXT[:-1], n=40, seed=5, **options)) == wanted[-40:]  # -f drops the last line feed
        assert model.score(TEXT, **options) == model.score(TEXT)
    said = json.loads(run(smolrun, path, '--perplexity', folder / 'text', '--json').stdout)
    assert abs(model.score(TEXT).nats_per_token - said['nats_per_token']) < 1e-12


def test_some_of_it(path):
    """A text that comes again is likelier, the more so the further one looks back."""
    model = smol.Model.load(path)
    nats = [model.score(TEXT, history=n).nats for n in (0, 20, 60, 120, 65536)]
    assert sorted(nats, reverse=True) == nats and nats[-1] < 0.6 * nats[0], nats
    some = TEXT[-50:]
    assert model.logits(TEXT, history=50, ctx_size=8).tobytes() == model.logits(some, history=50, ctx_size=8).tobytes()


def test_several_texts(path):
    """Side by side as one by one."""
    model = smol.Model.load(path)
    assert list(model.generate_many(3, TEXT, n=30, seed=4, history=70)) == [model.generate(TEXT, n=30, seed=seed, history=70) for seed in (4, 5, 6)]


def test_refused(path):
    model = smol.Model.load(path)
    for call in (model.generate, model.score, model.logits):
        for value in (-1, 65537, 2**32 + 5, 2**64, -2**64):
            assert raises(ValueError, 'history=%d is not in 0..65536' % value, call, TEXT, history=value).status == 1
        for value in (True, '5', 5.0, [5]):
            raises(TypeError, 'history takes an integer', call, TEXT, history=value)
    refused(40, model.decode, [2**31])  # no token, though C marks those that it chose so
