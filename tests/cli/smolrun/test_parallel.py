"""smolrun -np from outside: each of several texts is what its seed alone gives; how they are printed; wrong arguments."""
import json
import signal
import subprocess
import time

import pytest
from programs import model, root, run, run_text, smolrun

BETWEEN = b'\n<|endoftext|>\n'
MODELS = root / 'models'


def shipped(name):
    return MODELS / ('shakespeare-%s.smol' % name)


def alone(m, seed, *words):
    return run(smolrun, m, '-s', seed, *words).stdout


@pytest.mark.parametrize('name, words', [
    ('qr', ['-p', 'ROMEO:', '-n', 150]),
    ('qr', ['-n', 60, '--kv', 'q8', '--repeat-penalty', 1.2, '--repeat-last-n', -1]),
    ('64k', ['-p', 'ROMEO:', '-n', 150, '-b', 3, '-t', 2]),
    ('64k', ['-p', 'First', '--windows', '--temp', 0, '--kv', 'f16']),
    ('gpt2', ['-p', 'KING', '-n', 70, '-b', 2, '-t', 1]),
    ('gpt2', ['-p', 'KING']),
    ('64k', ['-p', 'x', '-n', 0, '-b', 2])])
def test_each_is_what_its_seed_alone_gives(folder, name, words):
    """More of them than side by side, contexts that slide, turn back to their last half, or end."""
    m = model(folder) if name == 'gpt2' else shipped(name)
    texts = run(smolrun, m, '-s', 7, '-np', 5, *words).stdout.split(BETWEEN)
    assert texts == [alone(m, 7 + i, *words) for i in range(5)]


def test_texts_end_at_different_times(folder):
    """As JSON lines: the same as alone but for times, in the order of the seeds, though most are done before the first."""
    m = MODELS / 'messages-64k.smol'
    words = ['-p', 'call me', '-n', 60, '--json', '-b', 4]
    lines = [json.loads(line) for line in run(smolrun, m, '-s', 3, '-np', 9, *words).stdout.splitlines()]
    assert [line['seed'] for line in lines] == [str(3 + i) for i in range(9)]
    for i, line in enumerate(lines):
        one = json.loads(alone(m, 3 + i, *words))
        assert {**line, 'stats': 0} == {**one, 'stats': 0}
        assert line['stats']['tokens_per_second'] > 0
    assert {line['finish_reason'] for line in lines} == {'end', 'length'}
    assert len({len(line['tokens']) for line in lines}) > 3


def test_says_how_many(folder):
    done = run_text(smolrun, shipped('qr'), '-p', 'ROMEO:', '-n', 20, '-s', 1, '--parallel', 3)
    assert 'smolrun: prompt 6 tokens, ' in done.stderr and '; generated 60 tokens in 3 texts, ' in done.stderr and done.stderr.endswith('; seed 1\n')
    assert run_text(smolrun, shipped('qr'), '-n', 2, '-s', 1, '-np', 1).stderr.count(' in 1 text, ') == 1
    assert run(smolrun, shipped('qr'), '-n', 20, '-s', 1, '-np', 2, '--no-display-prompt', '-p', 'ROMEO:').stdout.count(b'ROMEO:') == 0


def test_stops_at_ctrl_c(folder):
    """Those that have begun are printed as far as they are."""
    process = subprocess.Popen([smolrun, shipped('1m'), '-p', 'a', '-n', '1000000', '-s', '1', '-np', '100', '-b', '3', '--json'], stdout=subprocess.PIPE)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=60)
    lines = [json.loads(line) for line in out.splitlines()]
    assert process.returncode == 0 and [line['seed'] for line in lines] == ['1', '2', '3']
    assert {line['finish_reason'] for line in lines} == {'interrupted'} and len({len(line['tokens']) for line in lines}) == 1
    process = subprocess.Popen([smolrun, shipped('1m'), '-p', 'a', '-n', '1000000', '-s', '1', '-np', '100', '-b', '3'], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    assert b' tokens in 3 texts, ' in process.communicate(timeout=60)[1]


def test_wrong(folder):
    m = model(folder)
    for words, why in ((['-np', 0], '-np: takes 1 to 1000000'), (['-np', 1000001], '-np: takes 1 to 1000000'), (['-np', 'x'], '-np: takes 1 to 1000000'),
                       (['--parallel', -1], '-np: takes 1 to 1000000'), (['-np', 2, '-i'], '-i, -np: exclude each other'),
                       (['-np', 2, '--perplexity', m], '--perplexity, -np: exclude each other'), (['-np'], '-np: missing argument')):
        done = run_text(smolrun, m, *words, code=2)
        assert why in done.stderr and done.stdout == '', done
    done = run_text(smolrun, m, '-np', 2, '-p', 'x' * 25, code=1)
    assert done.stderr == 'smolrun: prompt: 25 tokens after 0 do not fit the context of 24\n' and done.stdout == ''
    little = ['-p', 'x', '--mem', '4090K', '--isa', 'scalar']  # with AVX-512, 0.2 MB more are needed
    done = run_text(smolrun, m, '-np', 64, *little, code=1)
    assert 'needs ' in done.stderr and run(smolrun, m, '-np', 2, *little)
    for words in (['-np', '0'], ['-np', '4097'], ['-np', 'x'], ['-np', '']):
        assert run_text(smolrun, '--bench', m, *words, code=2).stderr.startswith('smolrun: -np: takes ')
