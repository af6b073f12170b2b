"""smolrun on models of architecture 1 from outside: what it says of them, texts past the context, --windows, --bench."""
import json

import pytest
from programs import model, run, smolrun, smoltool

CONTEXT = 12


@pytest.fixture
def m(folder):
    run(smoltool, 'new', '--arch', 'smol', '--method', 'mask', '--gains', '--layers', 2, '--width', 24, '--heads', 2, '--context', CONTEXT, '--seed', 6,
        '-o', folder / 'm.smol')
    return folder / 'm.smol'


def generate(m, *words):
    return json.loads(run(smolrun, m, '--json', '-s', 1, *words).stdout)


def test_says_the_architecture(m, folder):
    said = run(smolrun, m, '-p', 'abc', '-n', 1).stderr.decode()
    line = 'smolrun: architecture smol: distances, slope-factors, temperatures, half-shift, relu2, output-table; %s of %d tokens\n'
    assert line % ('a sliding context', CONTEXT) in said
    assert line % ('a context', 5) in run(smolrun, m, '-p', 'abc', '-n', 1, '-c', 5, '--windows').stderr.decode()
    assert generate(m, '-n', 1)['model']['architecture'] == 'smol'
    assert generate(model(folder), '-n', 1)['model']['architecture'] == 'gpt2'


def test_a_text_has_no_end(m):
    """Nor does a prompt; by itself a text goes on for as many tokens as the context has."""
    long = generate(m, '-p', 'abcdefg' * 9, '-n', 100)
    assert len(long['tokens']) == 100 and len(long['prompt_tokens']) == 63 and long['finish_reason'] == 'length'
    some = generate(m, '-p', 'abcdefg' * 9)
    assert some['tokens'] == long['tokens'][:CONTEXT] and some['finish_reason'] == 'length'


def test_the_text_depends_on_nothing(m):
    texts = [generate(m, '-p', 'abcdefg' * 9, '-n', 60, *words)['tokens'] for words in (
        (), ('-t', 1), ('-b', 1), ('-b', 7), ('--isa', 'scalar'), ('--mem', '64M'), ('--fast',))]
    assert texts == [texts[0]] * len(texts)


def test_windows(m):
    done = generate(m, '-p', 'abc', '--windows')
    assert len(done['tokens']) == CONTEXT - 3 + 1 and done['finish_reason'] == 'context'
    assert run(smolrun, m, '-p', 'abcdefg' * 9, '--windows', code=1).stderr.decode() == (
        'smolrun: prompt: 63 tokens after 0 do not fit the context of %d\n' % CONTEXT)


def test_turns_see_what_came_before(m, folder):
    """Line after line, past the context: each turn as in one text."""
    lines = [b'the first line\n', b'the second line\n', b'and a third\n']
    done = run(smolrun, m, '-i', '--temp', 0, '--json', '-n', 9, input=b''.join(lines))
    text = []
    for line, turn in zip(lines, [json.loads(x) for x in done.stdout.splitlines()]):
        text += list(line)
        (folder / 'text').write_bytes(bytes(text) + b'\n')  # which -f drops
        alone = generate(m, '-n', 9, '--temp', 0, '-f', folder / 'text')
        assert turn['tokens'] == alone['tokens'] and turn['prompt_tokens'] == list(line)
        text += turn['tokens']


def test_bench_goes_past_the_context(m):
    done = run(smolrun, '--bench', m, '-p', 50, '-n', 40, '-r', 1, '-t', 1, '-o', 'json')
    assert [(r['n_prompt'], r['n_gen']) for r in json.loads(done.stdout)] == [(50, 0), (0, 40)] and not done.stderr
    done = run(smolrun, '--bench', m, '-p', 50, '-n', 4, '-r', 1, '-t', 1, '-o', 'json', '--windows')
    assert json.loads(done.stdout)[0]['n_prompt'] == CONTEXT and b'over the model' in done.stderr


def test_perplexity_says_how(m, folder):
    (folder / 'text').write_bytes(bytes(range(32, 127)))
    said = run(smolrun, m, '--perplexity', folder / 'text').stdout.decode()
    assert said.endswith('over 94 tokens in one text, with a sliding context of 12\n')
    said = run(smolrun, m, '--perplexity', folder / 'text', '--windows').stdout.decode()
    assert said.endswith('over 94 tokens in windows of 12\n')


def test_windows_that_overlap(m, folder):
    """A stride of the context is windows side by side. With one of 1 each token is predicted after all that fits before it: the mean is that
    of the last token of every text of one window, predicted by itself."""
    text = bytes(range(32, 62))
    (folder / 'text').write_bytes(text)

    def nats(name, *words):
        return json.loads(run(smolrun, m, '--perplexity', folder / name, '--json', *words).stdout)

    side_by_side = nats('text', '--stride', CONTEXT)
    assert side_by_side['nats_per_token'] == nats('text', '--windows')['nats_per_token']
    assert side_by_side['windows'] and side_by_side['stride'] == CONTEXT and 'stride' not in nats('text', '--windows')
    alone = []
    for end in range(2, len(text) + 1):
        (folder / 'long').write_bytes(text[max(0, end - CONTEXT - 1):end])
        (folder / 'short').write_bytes(text[max(0, end - CONTEXT - 1):end - 1])
        scores = [nats(name, '--windows') if (folder / name).stat().st_size > 1 else {'nats_per_token': 0, 'tokens': 0} for name in ('long', 'short')]
        alone.append(scores[0]['nats_per_token'] * scores[0]['tokens'] - scores[1]['nats_per_token'] * scores[1]['tokens'])
    assert abs(nats('text', '--stride', 1)['nats_per_token'] - sum(alone) / len(alone)) < 1e-9
    said = run(smolrun, m, '--perplexity', folder / 'text', '--stride', 4).stdout.decode()
    assert said.endswith('over 29 tokens in windows of 12, each 4 after the one before\n')


def test_threads_have_windows_of_their_own(m, folder):
    """The same digits from any number of them, more than there are windows too, and from one session that all share."""
    (folder / 'text').write_bytes(bytes(32 + i * i % 90 for i in range(400)))
    for words in (), ('--stride', 5), ('--ctx-size', 3):
        said = {run(smolrun, m, '--perplexity', folder / 'text', '--windows', *words, '-t', threads, *limit).stdout
                for threads in (1, 2, 3, 7) for limit in ((), ('--mem', '64M'))}
        assert len(said) == 1


def test_strides_that_cannot_be(m, folder):
    (folder / 'text').write_bytes(b'some text')
    for words, code, message in (
            (('--perplexity', folder / 'text', '--stride', CONTEXT + 1), 1, '%s: windows of 12 tokens cannot be 13 apart' % (folder / 'text')),
            (('--perplexity', folder / 'text', '--stride', 0), 2, '--stride: takes 1 or more'),
            (('--perplexity', folder / 'text', '--stride', -1), 2, '--stride: takes 1 or more'),
            (('-p', 'a', '--stride', 3), 2, '--stride: needs --perplexity')):
        assert run(smolrun, m, *words, code=code).stderr.decode().splitlines()[0] == 'smolrun: ' + message
