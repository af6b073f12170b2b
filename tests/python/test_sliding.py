"""Models of architecture 1: what they are, texts that slide past the context, and losses in one text or in windows."""
import json

import numpy as np
import pytest
from module import refused, shipped, smol
from programs import run, smolrun, smoltool

CONTEXT = 10
FEATURES = ('distances', 'slope-factors', 'temperatures', 'half-shift', 'relu2', 'output-table')


@pytest.fixture
def path(folder):
    run(smoltool, 'new', '--arch', 'smol', '--method', 'mask', '--layers', 2, '--width', 24, '--heads', 2, '--context', CONTEXT, '--seed', 6, '-o',
        folder / 'm.smol')
    return folder / 'm.smol'


def smolruns(path, *words):
    return json.loads(run(smolrun, path, '--json', *words).stdout)


def test_facts(path):
    facts = smol.Model.load(path).facts
    assert (facts['architecture'], facts['features']) == ('smol', FEATURES)
    facts = smol.Model.load(shipped).facts
    assert (facts['architecture'], facts['features']) == ('gpt2', ())


def test_tensors(path):
    model = smol.Model.load(path)
    shapes = model.tensors()
    assert 'wpe.weight' not in shapes and shapes['lm_head.weight'] == (256, 24) == model.weights('lm_head.weight').shape
    assert shapes['h.1.attn.temperature'] == shapes['h.0.attn.slope_factor'] == (2,)
    assert (model.weights('h.1.attn.temperature') == 1).all()
    sigma = np.float32(1 / np.sqrt(24))
    assert sorted(set(model.weights('h.0.attn.c_attn.weight').ravel())) == [-sigma, 0, sigma]


def test_a_text_goes_on_past_the_context(path):
    """Also after a prompt that is longer; by itself for as many tokens as the context has."""
    model = smol.Model.load(path)
    for prompt in ('abc', 'abc' * 20):
        tokens = list(model.tokens(prompt, n=40, seed=3))
        assert len(tokens) == 40 and tokens == smolruns(path, '-p', prompt, '-n', '40', '-s', '3')['tokens']
        assert list(model.tokens(prompt, seed=3)) == tokens[:CONTEXT] == smolruns(path, '-p', prompt, '-s', '3')['tokens']
    assert len(list(model.tokens('abc', ctx_size=4))) == 4


def test_greedy_tokens_are_the_largest_logits(path):
    model = smol.Model.load(path)
    text = model.encode('abc')
    for token in model.tokens('abc', n=25, temp=0):
        assert token == int(model.logits(text).argmax())
        text.append(token)


def test_windows(path):
    """As every other model: a text ends with the context, or goes on from its last half."""
    model = smol.Model.load(path)
    assert len(list(model.tokens('abc', windows=True))) == CONTEXT - 3 + 1
    assert list(model.tokens('abc', n=30, seed=3, windows=True)) == smolruns(path, '-p', 'abc', '-n', '30', '-s', '3', '--windows')['tokens']
    refused(5, list, model.tokens('abc' * 20, n=1, windows=True))


def nats(model, tokens, start):
    """Of tokens from start + 1 on, by the logits after all from start on."""
    found = []
    for i in range(start + 1, len(tokens)):
        logits = model.logits(tokens[start:i]).astype(float)
        found.append(np.log(np.exp(logits - logits.max()).sum()) + logits.max() - logits[tokens[i]])
    return found


def test_scores(path, folder):
    model = smol.Model.load(path)
    text = 'It was the best of times, it was'
    tokens = model.encode(text)
    (folder / 'text').write_text(text)
    stream = model.score(text)
    assert abs(stream.nats - sum(nats(model, tokens, 0))) < 1e-3 and stream.n_tokens == stream.n_bytes == len(text) - 1
    windows = model.score(text, windows=True)
    wanted = sum(sum(nats(model, tokens[i:i + CONTEXT + 1], 0)) for i in range(0, len(tokens) - 1, CONTEXT))
    assert abs(windows.nats - wanted) < 1e-3 and abs(windows.nats - stream.nats) > 1e-3
    for found, words, in_windows in ((stream, (), False), (windows, ('--windows',), True)):
        said = smolruns(path, '--perplexity', folder / 'text', *words)
        assert said['windows'] is in_windows and said['context'] == CONTEXT and abs(said['nats_per_token'] - found.nats_per_token) < 1e-12
    said = run(smolrun, path, '--perplexity', folder / 'text').stdout.decode()
    assert said.endswith('over %d tokens in one text, with a sliding context of %d\n' % (len(text) - 1, CONTEXT)), said
