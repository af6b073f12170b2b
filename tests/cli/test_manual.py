"""What the programs say of themselves: --help against the manual pages and the completions, both ways; versions, exit codes.
The library's page against its headers and its example.

A new option or command fails here until docs/man and tools/completions/options have it too."""
import functools
import json
import os
import re
import shlex
import subprocess

import table
from programs import build, root, run_text

programs = ('smolrun', 'smoltool', 'smoltrain')
environment = {k: v for k, v in os.environ.items() if k not in ('COLUMNS', 'MANPATH')}
OPTION = re.compile(r'^ {2,6}(?:(-\w), )?(--[\w-]+)', re.M)


def run(*arguments, **more):
    return run_text(*arguments, env=environment, **more)


def program(name, *arguments, **more):
    return run(build / 'tools' / name, *arguments, **more)


@functools.cache
def commands():
    """Every (program, command) that there is, by smoltool's own list; None for the program itself."""
    listed = re.findall(r'^  ([a-z][\w-]*) +\S', program('smoltool', '--help').stdout, re.M)
    assert len(listed) >= 9, listed
    return [('smolrun', None), ('smolrun', '--bench'), ('smoltool', None), *(('smoltool', c) for c in listed),
            ('smoltrain', None), ('smoltrain', 'sweep')]


@functools.cache
def help_page(name, command):
    everything = '--help-all' if name == 'smoltrain' else '--help'
    return program(name, *([command] if command else []), everything).stdout


def help_options(name, command):
    if (name, command) == ('smoltool', None):
        return {'-h', '--help', '--version'}  # its page lists the commands
    found = OPTION.findall(help_page(name, command))
    assert found, (name, command)
    return {o for pair in found for o in pair if o}


def differences(where, found, expected):
    """What is wrong with the options of one place, in words; nothing if they are those of --help."""
    missing, extra = sorted(expected - found), sorted(found - expected)
    return ([where + ' lacks ' + ' '.join(missing)] if missing else []) + (
        [where + ' has what --help has not: ' + ' '.join(extra)] if extra else [])


def compare(where, options):
    """Every command's options there against --help, all told at once."""
    faults = [fault for key in commands() for fault in differences('%s, %s %s:' % (where, *key), options(*key), help_options(*key))]
    assert not faults, '\n' + '\n'.join(faults)


# ---- the manual pages ----

def page(name):
    return (root / 'docs/man' / (name + '.1')).read_text()


def page_part(name, command):
    """What a page has on one command: a subsection of COMMANDS, or a section."""
    text = page(name)
    if (name, command) == ('smolrun', '--bench'):
        # It shares the options of a session, which the page has once.
        return text[text.index('.Sh BENCHMARK'):text.index('.Sh ENVIRONMENT')] + text[text.index('.It Fl -isa'):text.index('.Sh INTER')]
    if name == 'smoltool' and command:
        parts = re.split(r'^\.Ss (\S+)\n', text, flags=re.M)
        parts = dict(zip(parts[1::2], parts[2::2]))
        return parts.get(command, '').split('\n.Sh ')[0]
    return text[text.index('.Sh OPTIONS'):text.index({'smolrun': '.Sh INTER', 'smoltool': '.Sh COMMANDS'}.get(name, '.Sh ENV'))]


def page_options(name, command):
    items = re.findall(r'^\.It (Fl .*)$', page_part(name, command), re.M)
    return {'-' + o for item in items for o in re.findall(r'\bFl (\S+)', item)}


def test_pages_have_the_options():
    compare('docs/man', page_options)


def test_pages_have_the_commands():
    """No command that is gone, and the same order."""
    listed = [c for p, c in commands() if p == 'smoltool' and c]
    text = page('smoltool')
    assert re.findall(r'^\.Ss (\S+)', text[text.index('.Sh COMMANDS'):], re.M) == listed


def test_pages_are_clean():
    for path in (root / 'docs/man').glob('*.[13]'):
        lint = run('mandoc', '-T', 'lint', '-W', 'warning', path)
        assert lint.stdout + lint.stderr == '', lint
        man = run('man', '--warnings', '-E', 'UTF-8', '-l', path)
        assert man.stderr == '' and man.stdout, man.stderr


def test_library_page_has_the_headers():
    text = (root / 'docs/man/smol.3').read_text()
    listed = re.findall(r'^\.It In (smol/\S+)$', text, re.M)
    assert sorted(listed) == sorted('smol/' + p.name for p in (root / 'include/smol').glob('*.h'))
    declared = ' '.join(p.read_text() for p in (root / 'include/smol').glob('*.h'))
    for name in re.findall(r'^\.(?:Fn|Dv|Vt) (?:struct |enum )?(smol_\w+|SMOL_E\w+|SMOL_NO\w+|SMOL_OK)', text, re.M):
        assert re.search(r'\b%s\b' % name, declared), name


def test_library_page_has_the_everyday_functions():
    """The first list names the symbols of SMOL_0, which are declared and do not exceed three dozen; all else that the headers declare is advanced."""
    text = (root / 'docs/man/smol.3').read_text()
    listed = set(re.findall(r'\bFn (smol_\w+)', text[text.index('.Ss From a path'):text.index('.Ss Headers')]))
    nodes = dict(re.findall(r'^(SMOL_\w+) \{\nglobal:\n(.*?)^\S*\}', (root / 'src/smol.map').read_text(), re.M | re.S))
    everyday, advanced = (set(re.findall(r'^\t(smol_\w+);', nodes[n], re.M)) for n in ('SMOL_0', 'SMOL_ADVANCED_0'))
    assert listed == everyday and 20 < len(everyday) <= 36, listed ^ everyday
    assert not everyday & advanced
    for header in (root / 'include/smol').glob('*.h'):
        comments = ' '.join(re.findall(r'/\*.*?\*/', header.read_text(), re.S))
        declared = set(re.findall(r'^(?:[\w ]+[ *])?(smol_\w+)\(', re.sub(r'/\*.*?\*/', '', header.read_text(), flags=re.S), re.M))
        assert not declared & advanced or re.search(r'\bAdvanced\b', comments), header.name


def test_library_page_has_the_example():
    """All of docs/examples/generate.c but its first comment, which is what the tests of the examples run."""
    shown = re.search(r'^\.Bd -literal\n(.*?)^\.Ed$', (root / 'docs/man/smol.3').read_text(), re.M | re.S).group(1)
    source = (root / 'docs/examples/generate.c').read_text()
    assert shown.replace('\\e', '\\') == source[source.index('#include'):]


# ---- the completions ----

def sections():
    return {(s.program, s.command): s for s in table.read(root / 'tools/completions/options')}


def test_table_has_the_options():
    found = sections()
    assert sorted(map(str, found)) == sorted(map(str, commands())), 'tools/completions/options: commands missing, or of the past: %s' % (
        set(found) ^ set(commands()))
    compare('tools/completions/options', lambda *key: {n for o in found[key].options for n in o.names})


def test_table_knows_values():
    """An option takes a value there if it does by --help."""
    for key, section in sections().items():
        if key == ('smoltool', None):
            continue
        text = help_page(*key)
        for option in section.options:
            takes = re.search(r'^ .*%s(=| [A-Z])' % option.names[-1], text, re.M) is not None
            assert takes == (option.value is not None), (key, option.names)


def bash_answers(line):
    """What bash offers for the last word of line."""
    script = '''
        source "$1"; shift
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=()
        "$(complete -p "$1" | sed 's/.*-F \\([^ ]*\\).*/\\1/')"
        printf '%s\\n' "${COMPREPLY[@]}"'''
    name = line[0]
    return run('bash', '-c', script, 'bash', build / 'tools/completions' / name, *line, cwd=root / 'models').stdout.split()


def test_bash():
    compare('bash', lambda name, command: set(bash_answers([name, *([command] if command else []), '-'])))
    assert set(bash_answers(['smoltool', ''])) == {c for p, c in commands() if p == 'smoltool' and c}
    assert bash_answers(['smolrun', '--kv', '=', 'f']) == ['f32', 'f16']
    assert bash_answers(['smolrun', '--kv', 'q']) == ['q8']
    assert bash_answers(['smolrun', '--bench', '-o', '']) == ['md', 'csv', 'json']
    assert sorted(bash_answers(['smolrun', 'shakes'])) == sorted(p.name for p in (root / 'models').glob('shakes*.smol'))
    assert bash_answers(['smolrun', '-n', '']) == []


def zsh_answers(name, command):
    """What its functions would hand to _arguments, the completion system's own function."""
    script = '''
        _arguments() { print -rl -- "${@:#-s}" }
        _describe() { }
        file=$1; shift
        words=("$@"); CURRENT=$#
        source $file'''
    words = [name, *([command] if command else []), '-']
    done = run('zsh', '-f', '-c', script, 'zsh', build / 'tools/completions' / ('_' + name), *words)
    return {found.group(1) for found in re.finditer(r'^(?:\(.*?\))?\*?(--?[\w-]+?)[+=]?\[', done.stdout, re.M)}


def test_zsh():
    for name in programs:
        run('zsh', '-n', build / 'tools/completions' / ('_' + name))
    compare('zsh', zsh_answers)


def fish_answers(name, command):
    """Long names are offered after two dashes, all after one."""
    line = ' '.join([name, *([command] if command else []), '-'])
    done = run('fish', '--no-config', '-c', 'source $argv[1]; complete -C $argv[2]; complete -C $argv[2]-',
               build / 'tools/completions' / (name + '.fish'), line)
    return {row.split('\t')[0] for row in done.stdout.splitlines()}


def test_fish():
    compare('fish', fish_answers)


# ---- all three alike ----

def test_versions():
    versions = {program(name, '--version').stdout.replace(name, 'NAME') for name in programs}
    assert len(versions) == 1 and re.fullmatch(r'NAME \d+\.\d+\.\d+\n', versions.pop())


# What must be given, what has no value unless it is given, and lists of files.
NO_DEFAULT = {
    'smolrun': 'model prompt file perplexity stride trust base delta', 'smolrun --bench': 'model base delta', 'smoltool inspect': 'base delta', 'smoltool diff': '', 'smoltool verify': 'pubkey base bases-dir',
    'smoltool keygen': 'password-file', 'smoltool sign': 'key password-file', 'smoltool digest': '', 'smoltool new': 'output', 'smoltool import': 'base note sign password-file output', 'smoltool merge': 'output sign password-file', 'smoltool weights': 'output base delta',
    'smoltool export': 'output base delta', 'smoltool embed-c': 'output', 'smoltool qr': 'output', 'smoltool history': 'output', 'smoltool quantize': 'embeddings matrices params text output base delta', 'smoltool tokenizer': 'vocab output',
    'smoltool pack': 'model base delta', 'smoltool unpack': 'model base delta', 'smoltool plot': 'output', 'smoltool elephant': 'output fit', 'smoltool generate-vectors': '',
    'smoltrain': 'data valid attn mlp recipe cache output note sign password-file log'}
DEFAULT = re.compile(r'\(default\)|\(default: |\(default of |, default\)|\(0, default\)|\([^()]+\)|without: ')


def help_entries(name, command):
    """The options of a page that take a value: name -> the words about it."""
    text = re.sub(r'\n {20,}', ' ', help_page(name, command))
    return dict(re.findall(r'^ {2,6}(?:-\w, )?--([\w-]+)(?:=| [A-Z])\S* +(.*)$', text, re.M))


def test_help_says_defaults():
    """Each option that takes a value and has a default names it; and the list above has no other options."""
    faults = []
    for name, command in commands():
        if (name, command) in (('smoltool', None), ('smoltrain', 'sweep')):
            continue
        key = ' '.join(filter(None, (name, command)))
        said = {option for option, text in help_entries(name, command).items() if DEFAULT.search(text)}
        lacks = set(help_entries(name, command)) - said
        faults += ['%s --%s: no default' % (key, o) for o in sorted(lacks - set(NO_DEFAULT[key].split()))]
        faults += ['%s --%s: a default after all, or gone' % (key, o) for o in sorted(set(NO_DEFAULT[key].split()) - lacks)]
    assert not faults, '\n' + '\n'.join(faults)


def test_pages_say_the_same_numbers():
    """A number that --help gives as a default stands in the option's entry of the manual page too."""
    for name, command in commands():
        if (name, command) in (('smoltool', None), ('smoltrain', 'sweep')):
            continue
        part = page_part(name, command) + (page_part('smolrun', None) if command == 'inspect' else '')  # which refers to it
        for option, text in help_entries(name, command).items():
            for number in re.findall(r'\((?:lora, nola: )?([\d.]+)[,);]', text):
                entry = re.search(r'^\.It Fl (?:\w , Fl -%s\b|-%s\b)(?:.*\n(?!\.It Fl [^\n]*\n\.It))*?[^\n]*\b%s\b' % (option, option, re.escape(number)),
                                  part, re.M)
                assert entry, (name, command, option, number)


def test_defaults_are_smoltrains(folder):
    """What --help-all gives as defaults is what a training begins with, by its log."""
    (folder / 'text').write_text('To be, or not to be.\n' * 100)
    defaults = {}
    for name in 'smol mask', 'smol ternary', 'smol full', 'smol embed', 'smol lora', 'gpt2 alpha', 'gpt2 full', 'gpt2 lora', 'gpt2 nola', 'gpt2 fastfood':
        arch, method = name.split()
        program('smoltrain', '--data', folder / 'text', '--arch', arch, '--method', method, '--steps', '1', '--batch', '1', '--eval-every', '0', '--log',
                folder / name, '-o', folder / (name + ('.safetensors' if name == 'gpt2 full' else '.smol')))
        defaults[name] = json.loads((folder / name).read_text().splitlines()[0])['options']
    said, smol, gpt2 = help_entries('smoltrain', None), defaults['smol mask'], defaults['gpt2 alpha']
    assert len(said) > 40
    for option, key in (('layers', 'n_layers'), ('width', 'width'), ('heads', 'n_heads'), ('context', 'context'), ('gain', 'gain'), ('sparse', 'sparse'),
                        ('residual-gain', 'residual_gain'), ('embedding-std', 'embedding_std'), ('logit-scale', 'logit_scale'), ('seed', 'seed'),
                        ('alpha-lr', 'alpha_lr'), ('alpha-start', 'alpha_start'), ('min-lr-fraction', 'min_lr_fraction'), ('beta1', 'beta1'),
                        ('beta2', 'beta2'), ('clip', 'clip'), ('val-fraction', 'val_fraction'), ('qat-start', 'qat_start')):
        of_smol, of_gpt2 = re.findall(r'\(([\d.]+)(?:; gpt2: ([\d.]+))?\)$', said[option])[0]
        assert float(of_smol) == float(smol.get(key, 0)), (option, said[option], smol.get(key))
        assert float(of_gpt2 or of_smol) == float(gpt2.get(key, 1 if key == 'qat_start' else 0)), (option, said[option], gpt2.get(key))
    assert len({defaults[n]['lr'] for n in ('smol mask', 'smol ternary', 'smol full', 'smol lora', 'gpt2 alpha')}) == 1
    assert said['lr'] == "learning rate (%g; smol's embed: %g, gpt2's full: %g)" % tuple(
        defaults[n]['lr'] for n in ('smol mask', 'smol embed', 'gpt2 full'))
    assert said['matrix-lr'] == 'learning rate of masks (%g), full and ternary (%g)' % (smol['matrix_lr'], defaults['smol ternary']['matrix_lr'])
    assert defaults['smol ternary']['matrix_lr'] == defaults['smol full']['matrix_lr'] and defaults['smol full']['matrix_type'] + ' (default)' in said['matrix-type']
    assert '(%d; nola: %d)' % (gpt2['d'], defaults['gpt2 nola']['d']) in said['d'] and '(%d)' % defaults['gpt2 fastfood']['d'] in said['d']
    assert defaults['gpt2 lora']['rank'] == defaults['gpt2 nola']['rank'] == defaults['smol lora']['rank'] == 4 and '(lora, nola: 4)' in said['rank']
    assert '; gpt2: %g)' % defaults['gpt2 full']['weight_decay'] in said['weight-decay']
    for options in smol, gpt2:
        assert options['embedding_type'] + ' (default)' in said['embedding-type'] and options['dist'] + ' (default)' in said['dist']


def test_help_fits_a_screen():
    for name, command in commands():
        for option in ('--help', '-h'):
            text = program(name, *([command] if command else []), option).stdout
            assert text.startswith('Usage: ' + name) and len(text.splitlines()) <= 40, (name, command, text)
            assert max(map(len, text.splitlines())) <= 80, (name, command, text)


def test_exit_codes():
    for name, command in commands():
        words = [command] if command else []
        done = program(name, *words, '--no-such-option', code=2)
        assert done.stdout == '' and done.stderr.startswith(name) and '--no-such-option' in done.stderr
        with open('/dev/full', 'w', encoding='ascii') as full:
            done = subprocess.run([build / 'tools' / name, *words, '--help'], stdout=full, stderr=subprocess.PIPE, timeout=60)
        assert done.returncode == 1 and b'standard output' in done.stderr, (name, command, done)


# ---- the README ----

def test_readme_shows_what_is_printed():
    """Every line of the excerpt comes, in this order, when its command runs."""
    excerpt = re.search(r'^```\n(\$ .*?)^```$', (root / 'README.md').read_text(), re.M | re.S).group(1)
    parts = re.split(r'^\$ build/(tools/.*)\n', excerpt, flags=re.M)[1:]
    assert len(parts) == 8
    for command, shown in zip(parts[::2], parts[1::2]):
        name, *words = shlex.split(command)
        printed = iter(run(build / name, *words, cwd=root).stdout.splitlines())
        for line in shown.splitlines():
            assert any(line == found for found in printed), (command, line)
