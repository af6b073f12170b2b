"""Sessions at the shell as they are written down: a line '$ COMMAND', the lines that it prints, and '[N]' for an exit code that is not 0."""
import re
import subprocess


class Step:
    """A command, the lines expected of it, standard output and standard error together, and its exit code."""

    def __init__(self, command):
        self.command, self.expected, self.code = command, [], 0


def steps(text):
    """One by one; a here-document belongs to its command. Lines that begin with '#' do not count."""
    found, end = [], None
    for line in text.splitlines():
        if end:
            found[-1].command += '\n' + line
            end = None if line == end else end
        elif line.startswith('$ '):
            found.append(Step(line[2:]))
            end = (re.findall(r"<<'(\w+)'", line) or [None])[0]
        elif re.fullmatch(r'\[\d+\]', line):
            found[-1].code = int(line[1:-1])
        elif found and not line.startswith('#'):
            found[-1].expected.append(line)
    return found


def matches(expected, shown, any_lines=False):
    """Whether lines are what was shown: '...' stands for anything within a line and, if any_lines, alone for lines, or none. Blank lines at the
    end do not count."""
    pattern = ''.join('(.*\n)*' if any_lines and line == '...' else '.*'.join(map(re.escape, line.split('...'))) + '\n' for line in expected)
    return re.fullmatch(pattern.rstrip('\n') + '\n*', shown.rstrip('\n') + '\n' if any_lines else shown) is not None


def run(command, folder, environment):
    """What sh prints of a command, and its exit code."""
    done = subprocess.run(['sh', '-c', command], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          env=environment, timeout=100)
    return done.stdout.decode(errors='replace'), done.returncode
