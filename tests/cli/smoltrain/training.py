"""What the tests of smoltrain share: a small model's options, a training, and what it says of itself."""
import json

from programs import root, run_text, smoltrain

FILES = {'text': (root / 'SPEC.md').read_bytes()[:20000]}  # of every test, for the fixture `folder`
small = ['--arch', 'gpt2', '--layers', '2', '--width', '32', '--heads', '2', '--context', '16', '--batch', '4', '--threads', '2',
         '--eval-every', '10']


def train(folder, *arguments, code=0, **more):
    return run_text(smoltrain, '--data', folder / 'text', *small, *arguments, code=code, **more)


def stored_loss(log):
    records = [json.loads(line) for line in log.read_text().splitlines()]
    assert records[-1]['event'] == 'model'
    last = records[-2]
    assert last['event'] == 'validation' and last['stored'] is True
    return last['nats_per_token']


def validation_text(folder):
    text = (folder / 'text').read_bytes()
    return text[int(len(text) * (1 - 0.1)):]
