"""Reads the table of options that generate.py and the tests use; see the file `options`."""
import re


class Option:
    def __init__(self, names, value, text):
        self.names, self.value, self.text = names, value, text  # value: None if it takes none

    @property
    def words(self):
        """What the value may be; none if it is no choice."""
        return self.value.split('|') if self.value and '|' in self.value else []

    @property
    def files(self):
        """The pattern of the files that the value may be, or None."""
        return self.value if self.value and '*' in self.value else None


class Section:
    """A program, or a command of one."""

    def __init__(self, program, command, argument, text):
        self.program, self.command, self.argument, self.text = program, command, argument, text
        self.options = []


def parse_option(line):
    match = re.match(r'((?:-\w )?--[\w-]+)(?:=(\S+))?\s+(\S.*)$', line)
    if not match:
        raise ValueError('no option: ' + line)
    return Option(match.group(1).split(), match.group(2), match.group(3))


def parse_heading(line):
    head, text = line.split(': ', 1)
    words = head.split()
    argument = words.pop() if '*' in words[-1] else None
    return Section(words[0], words[1] if len(words) > 1 else None, argument, text)


def read(path):
    """All sections, in the order of the file."""
    sections, groups, options = [], {}, None
    with open(path, encoding='utf-8') as file:
        lines = [line.rstrip() for line in file if line.strip() and not line.startswith('#')]
    for line in lines:
        if line.startswith('@'):
            options = groups[line] = []
        elif not line.startswith(' '):
            sections.append(parse_heading(line))
            options = sections[-1].options
        elif line.strip() in groups:
            options.extend(groups[line.strip()])
        else:
            options.append(parse_option(line.strip()))
    return sections
