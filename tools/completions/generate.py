#!/usr/bin/python3
"""Makes the completion of one program for one shell out of the table of options.

Usage: generate.py bash|zsh|fish PROGRAM TABLE OUTPUT
"""
import sys

import table

NOTE = '# Generated from tools/completions/options; change that.\n'


def quoted(text):
    return "'" + text.replace("'", "'\\''") + "'"


# ---- bash ----

def bash_value(section, option):
    names = '|'.join('"%s %s"' % (section.command or '', name) for name in option.names)
    if option.words:
        what = 'words=' + quoted(' '.join(option.words))
    elif option.files:
        what = 'files=' + quoted(option.files)
    else:
        what = 'folders=yes' if option.value == 'FOLDER' else ':'
    return '  %s) %s ;;\n' % (names, what)


def bash(program, sections):
    commands = [s.command for s in sections if s.command]
    chosen = ''.join('    %s) command=%s ;;\n' % (c, c) for c in commands)
    values = ''.join(bash_value(s, o) for s in sections for o in s.options if o.value)
    rest = ''
    for s in sections:
        words = [name for o in s.options for name in o.names]
        first = ' '.join(c for c in commands if not s.command and not c.startswith('-'))
        rest += '    %s) options=%s words=%s files=%s ;;\n' % (
            quoted(s.command or ''), quoted(' '.join(words)), quoted(first), quoted(s.argument or ''))
    return NOTE + r'''_PROGRAM() {
  local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command= options= words= files= folders= word
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
'''.replace('PROGRAM', program) + chosen + r'''    esac
  done
  if [[ $current == "=" ]]; then # bash takes --name=value apart
    current=
  elif [[ $previous == "=" ]]; then
    previous=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  COMPREPLY=()
  case "$command $previous" in
''' + values + r'''  *)
    case $command in
''' + rest + r'''    esac
    [[ $current != -* ]] || words=$options files=
    ;;
  esac
  local IFS=$'\n'
  [[ -z $words ]] || COMPREPLY=($(IFS=' ' && compgen -W "$words" -- "$current"))
  if [[ -n $files$folders ]]; then
    compopt -o filenames 2>/dev/null
    [[ -z $files ]] || COMPREPLY+=($(compgen -f -X "!$files" -- "$current"))
    [[ $files == "*" ]] || COMPREPLY+=($(compgen -d -- "$current"))
  fi
}
complete -F _PROGRAM PROGRAM
'''.replace('PROGRAM', program)


# ---- zsh ----

def zsh_text(text):
    return text.replace('\\', '\\\\').replace('[', '\\[').replace(']', '\\]').replace(':', '\\:')


def zsh_action(value):
    if '|' in value:
        return 'value:(%s)' % ' '.join(value.split('|'))
    if value == 'FOLDER':
        return 'folder:_files -/'
    if value == '*':
        return 'file:_files'
    if '*' in value:
        return 'file:_files -g "%s"' % value
    return zsh_text(value) + ': '


def zsh_option(option):
    end = '[%s]' % zsh_text(option.text) + (':' + zsh_action(option.value) if option.value else '')
    names = [name + ('' if not option.value else '=' if name.startswith('--') else '+') for name in option.names]
    if len(names) == 1:
        return '    ' + quoted(('*' if option.names[0] in ('--data', '--valid') else '') + names[0] + end)
    return '    %s{%s}%s' % (quoted('(%s)' % ' '.join(option.names)), ','.join(names), quoted(end))


def zsh_name(section):
    return section.command.strip('-') if section.command else 'itself'


def zsh_section(section):
    lines = [zsh_option(o) for o in section.options]
    if section.argument:
        lines.append('    ' + quoted('*:' + zsh_action(section.argument)))
    return ' \\\n'.join(['  _arguments -s'] + lines) + '\n'


def zsh(program, sections):
    commands = [s for s in sections if s.command]
    plain = [s for s in commands if not s.command.startswith('-')]
    out = '#compdef %s\n%s' % (program, NOTE)
    for s in sections:
        out += '\n_%s_%s() {\n%s}\n' % (program, zsh_name(s), zsh_section(s))
    out += '\n_%s() {\n' % program
    if plain:
        out += '  local -a commands=(\n'
        out += ''.join('    %s\n' % quoted('%s:%s' % (s.command, s.text)) for s in plain) + '  )\n'
        out += '  (( CURRENT == 2 )) && _describe command commands\n'
    for s in commands:
        function = '_%s_%s' % (program, zsh_name(s))
        if s in plain:
            out += '  if [[ CURRENT -gt 2 && $words[2] == %s ]]; then\n    shift words\n    (( CURRENT-- ))\n' % s.command
        else:
            out += '  if (( ${words[(I)%s]} )); then\n' % s.command
        out += '    %s\n    return\n  fi\n' % function
    return out + '  _%s_%s\n}\n\n_%s "$@"\n' % (program, zsh_name(sections[0]), program)


# ---- fish ----

def fish_condition(section, sections):
    def seen(commands):
        if commands[0].startswith('--'):
            return '__fish_contains_opt ' + ' '.join(c[2:] for c in commands)
        return '__fish_seen_subcommand_from ' + ' '.join(commands)
    if section.command:
        return '-n %s ' % quoted(seen([section.command]))
    commands = [s.command for s in sections if s.command]
    return '-n %s ' % quoted('not ' + seen(commands)) if commands else ''


def fish_option(option):
    out = ''
    for name in option.names:
        out += '-l %s ' % name[2:] if name.startswith('--') else '-s %s ' % name[1:]
    if option.words:
        out += '-x -a %s ' % quoted(' '.join(option.words))
    elif option.value == 'FOLDER':
        out += "-x -a '(__fish_complete_directories)' "
    elif option.files:
        out += '-r -F '
    elif option.value:
        out += '-x '
    return out + '-d ' + quoted(option.text)


def fish(program, sections):
    lines = [NOTE.rstrip(), 'complete -c %s -f' % program]
    for s in sections:
        condition = fish_condition(s, sections)
        if s.command and not s.command.startswith('-'):
            lines.append('complete -c %s %s-a %s -d %s' % (program, fish_condition(sections[0], sections), s.command, quoted(s.text)))
        if s.argument:
            lines.append('complete -c %s %s-F' % (program, condition))
        lines += ['complete -c %s %s%s' % (program, condition, fish_option(o)) for o in s.options]
    return '\n'.join(lines) + '\n'


def main():
    shell, program, path, output = sys.argv[1:]
    sections = [s for s in table.read(path) if s.program == program]
    text = {'bash': bash, 'zsh': zsh, 'fish': fish}[shell](program, sections)
    with open(output, 'w', encoding='utf-8') as file:
        file.write(text)


main()
