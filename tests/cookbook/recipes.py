"""The recipes of docs/cookbook.md, taken from the document itself, and a folder in which they are typed in: one that looks like the top of a
checkout with a build in it, and is home as well."""
import os
import re
import signal
import subprocess

import sessions
from programs import build, root

DOCUMENT = root / 'docs/cookbook.md'

# What the tests do less of than the document.
LESS = {
    '--minutes 10': '--minutes 10 --steps 6 --val-fraction 0.005',
    '--steps 100': '--steps 3 --batch 4 --val-fraction 0.005',
    '--steps 400': '--steps 40 --val-fraction 0.01 --print-every 1',
}


def recipes():
    """Title -> text of those in the document, which are numbered."""
    parts = re.split(r'^## (\d+)\. (.*)\n', DOCUMENT.read_text(), flags=re.M)
    assert parts[1::3] == [str(i + 1) for i in range(len(parts) // 3)]
    return dict(zip(parts[2::3], parts[3::3]))


def blocks(text):
    """Those without a language."""
    found = re.findall(r'^```(\w*)\n(.*?)^```$', text, flags=re.S | re.M)
    return [block for language, block in found if not language]


def preface():
    """The commands before the first recipe."""
    block, = blocks(DOCUMENT.read_text().split('\n## 1. ')[0])
    return block.splitlines()


class Kitchen:
    """A folder, and what has been exported in it. instead: commands that a test does in another way."""

    def __init__(self, folder, **instead):
        self.folder, self.exports, self.used, self.instead = folder, [], set(), {**LESS, **instead}
        for name in ('docs', 'models', 'scripts'):
            (folder / name).symlink_to(root / name)
        (folder / 'build').symlink_to(build)
        self.environment = {'PATH': '/usr/bin:/bin:' + os.environ['PATH'], 'HOME': str(folder), 'LC_ALL': 'C.UTF-8', 'OMP_WAIT_POLICY': 'passive'}
        for line in preface():
            self.do(sessions.Step(line))

    def do(self, step):
        command = step.command
        for words, others in self.instead.items():
            if words in command:
                command = command.replace(words, others)
                self.used.add(words)
        if command.startswith('export '):
            self.exports.append(command)
        script = '\n'.join([*self.exports, command])
        shown, code = self.stopped(script) if command.endswith('# and Ctrl-C') else sessions.run(script, self.folder, self.environment)
        assert code == step.code and sessions.matches(step.expected, shown, any_lines=True), '$ %s\n%s[%d]\nexpected:\n%s\n[%d]' % (
            command, shown, code, '\n'.join(step.expected), step.code)

    def stopped(self, script):
        """What it shows until its first line of a step, and Ctrl-C."""
        process = subprocess.Popen(['sh', '-c', script.replace('\nsmoltrain', '\nexec smoltrain')], cwd=self.folder, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=self.environment)
        shown, begun = '', False
        for line in process.stdout:
            shown += line
            if line.startswith('step ') and not begun:
                process.send_signal(signal.SIGINT)
                begun = True
        return shown, process.wait(100)

    def cook(self, title):
        """Types a recipe in."""
        steps = [step for block in blocks(recipes()[title]) for step in sessions.steps(block)]
        assert steps, 'no command in it'
        for step in steps:
            self.do(step)
