"""What docs/python.md and docs/examples/python/tour.py show: each is run as it stands, from the top of a checkout, and says what the document says."""
import doctest
import re

import module
from programs import root, run_text, smolrun, tool_text

DOCUMENT, TOUR = root / 'docs/python.md', root / 'docs/examples/python/tour.py'


def test_the_page(monkeypatch, capsys):
    """Every session in it, as one."""
    monkeypatch.chdir(root)
    sessions = '\n'.join(re.findall(r'^```python\n(.*?)^```', DOCUMENT.read_text(), flags=re.S | re.M))
    test = doctest.DocTestParser().get_doctest(sessions, {}, 'python.md', str(DOCUMENT), 0)
    runner = doctest.DocTestRunner(verbose=False)
    runner.run(test)
    assert len(test.examples) > 35 and runner.failures == 0, capsys.readouterr().out


def test_the_page_is_true():
    """What it shows of texts, scores and packed messages, by the programs."""
    text = re.search(r'flush=True\)\n(.*?)```', DOCUMENT.read_text(), flags=re.S).group(1).replace('<BLANKLINE>', '')
    assert 'ROMEO:' + text == run_text(smolrun, root / 'models/shakespeare-64k.smol', '-p', 'ROMEO:', '-n', 61, '-s', 1).stdout + '\n'
    said = run_text(smolrun, root / 'models/shakespeare-64k.smol', '--perplexity', '/dev/stdin', '--json', input='To be, or not to be').stdout
    assert '"perplexity": 4.1123' in said and '"bits_per_byte": 2.0399' in said, said
    packed = tool_text('pack', '-m', root / 'models/messages-64k.smol', '--text', input='Running late, see you at the pier at 6').stdout
    assert packed == '4oz@D@1Vvzr6b{e\n'  # of docs/messages.md, where it is 12 bytes


def test_the_tour():
    """It prints what its comments say, and the parts that other programs print too are theirs."""
    source = TOUR.read_text()
    shown = re.findall(r'^#>(?: (.*))?$', source, flags=re.M)
    done = run_text('/usr/bin/python3', TOUR, cwd=root, env=module.environment)
    assert [line.rstrip() for line in done.stdout.splitlines()] == shown and not done.stderr
    text = run_text(smolrun, root / 'models/shakespeare-64k.smol', '-p', 'ROMEO:', '-n', 150, '-s', 1, '--no-display-prompt').stdout
    assert text in done.stdout
    cells = re.split(r'^# %% ', source, flags=re.M)[1:]
    assert len(cells) >= 8 and all(re.search(r'^#>', cell, re.M) for cell in cells), 'a cell that shows nothing'
