"""smoltool embed-c from outside: the header's bytes, both languages, and the example program, which must write what smolrun writes."""
import json
import pathlib
import re
import shutil

import pytest
from programs import build, root, run, smolrun, smoltool

embedded = build / 'docs/examples/embedded'
model = root / 'models/shakespeare-alpha.smol'
WARNINGS = ['-Wall', '-Wextra', '-Wpedantic', '-Werror', '-fsyntax-only']


def test_bytes(folder):
    run(smoltool, 'embed-c', model, '-o', folder / 'm.h')
    text = (folder / 'm.h').read_text()
    size, numbers = re.fullmatch(r'.*static const unsigned char model\[(\d+)\] = \{\n([0-9,\n]*)\};\n\n#endif\n', text, re.S).groups()
    assert bytes(int(n) for n in numbers.replace('\n', '').rstrip(',').split(',')) == model.read_bytes() and int(size) == model.stat().st_size
    digest = run(smoltool, 'verify', model).stdout.decode().split('hash       ok: ')[1][:128]
    assert digest[:64] in text and digest[64:] in text


@pytest.mark.parametrize('compiler, standard, language', [('gcc', 'c11', 'c'), ('clang', 'c11', 'c'), ('g++', 'c++17', 'c++'), ('clang++', 'c++17', 'c++')])
def test_languages(folder, compiler, standard, language):
    """The header compiles by itself, twice over, in C11 and in C++17, next to another one."""
    if not shutil.which(compiler):
        pytest.skip('no ' + compiler)
    small = folder / 'small.smol'
    run(smoltool, 'new', '--layers', '1', '--width', '4', '--heads', '1', '--context', '2', '-o', small)
    run(smoltool, 'embed-c', small, '-o', folder / 'a.h')
    run(smoltool, 'embed-c', small, '--name', 'other_1', '-o', folder / 'b.h')
    program = '#include "a.h"\n#include "b.h"\n#include "a.h"\nint main(void) { return model[0] - other_1[sizeof other_1 - 1] > 999; }\n'
    run(compiler, '-std=' + standard, *WARNINGS, '-I', folder, '-x', language, '-', input=program.encode())


# Of the standards' lists: C11 6.4.1, C++20 [lex.key] with the alternative tokens; and what gcc defines without -std.
KEYWORDS = """auto break case char const continue default do double else enum extern float for goto if inline int long register restrict return short
signed sizeof static struct switch typedef union unsigned void volatile while _Alignas _Alignof _Atomic _Bool _Complex _Generic _Imaginary _Noreturn
_Static_assert _Thread_local
alignas alignof asm bool catch char8_t char16_t char32_t class concept consteval constexpr constinit const_cast co_await co_return co_yield decltype
delete dynamic_cast explicit export false friend mutable namespace new noexcept nullptr operator private protected public reinterpret_cast requires
static_assert static_cast template this thread_local throw true try typeid typename using virtual wchar_t
and and_eq bitand bitor compl not not_eq or or_eq xor xor_eq linux unix main""".split()


def test_names_that_are_taken(folder):
    """A keyword of either language, or a name that is reserved; one that only looks like it is taken, and compiles."""
    small, out = folder / 'small.smol', folder / 'a.h'
    run(smoltool, 'new', '--layers', '1', '--width', '4', '--heads', '1', '--context', '2', '-o', small)
    for bad in (*KEYWORDS, '_X', '__x', '_x', '_', 'a__b', 'a__'):
        message = run(smoltool, 'embed-c', small, '--name', bad, '-o', out, code=2, text=True).stderr
        assert message.startswith('smoltool embed-c: --name: is ') and message.count('\n') == 2 and not out.exists(), message
    for good in ('Int', 'int_', 'inte', 'nt', 'a_b_', 'INT', 'in', 'char1'):
        run(smoltool, 'embed-c', small, '--name', good, '-o', out)
        for compiler, language in (('gcc', 'c'), ('g++', 'c++')):
            if shutil.which(compiler):
                run(compiler, *WARNINGS, '-Wno-unused-variable', '-I', folder, '-x', language, '-', input=('#include "a.h"\nunsigned char f(void);\nunsigned char f(void) { return %s[0]; }\n' % good).encode())


def test_example(folder):
    for prompt in ('KING RICHARD:\n', 'a'):
        for seed in '0', '7':
            want = run(smolrun, model, '-p', prompt, '-n', '40', '-s', seed, '--no-display-prompt').stdout
            got = run(embedded, prompt, '40', seed).stdout
            assert len(got) == 40 and want.startswith(got), (want, got)
    run(embedded, code=2)
    assert run(embedded, 'x' * 65, '1', '1', code=1).stderr.startswith(b'embedded: ')


STATIC = '$(pkg-config --static --cflags --libs smol_lean)'


def compile_static(folder, path):
    """The command that the example names, for a model; the program."""
    source = root / 'docs/examples/embedded.c'
    command, = re.findall(r'^ \*     (cc -std=c11 -static embedded.c .*) -o embedded$', source.read_text(), re.M)
    assert command.endswith(STATIC)
    run(smoltool, 'embed-c', path, '-o', folder / 'model.h')
    sanitized = json.loads(run('meson', 'introspect', '--buildoptions', build).stdout)
    if any(o['name'] == 'b_sanitize' and o['value'] != 'none' for o in sanitized):
        pytest.skip('sanitizers make no static programs')
    flags = run('pkg-config', '--static', '--cflags', '--libs', 'libsodium', 'libxxhash').stdout.decode().split()
    run('cc', '-std=c11', '-static', '-I', folder, '-I', root / 'include', source, build / 'libsmol_lean.a', *flags, '-lm', '-o', folder / 'static')
    return folder / 'static'


def test_static_is_small(folder):
    """No FFTW, no PCRE2, which took five eighths of 4.1 MB; the same text."""
    program = compile_static(folder, model)
    run('strip', program)
    assert program.stat().st_size < 1_850_000  # 0.35 MB of them are kernels for one instruction set or another
    assert run(program, 'ROMEO:', '40', '5').stdout == run(embedded, 'ROMEO:', '40', '5').stdout


def test_static_refuses_what_needs_more(folder):
    """Fourier projections; text for BPE. Fastfood works."""
    small = ['--layers', '1', '--width', '32', '--heads', '2', '--context', '8']
    (folder / 'text').write_text('the cat and the cat and the hat and the bat\n' * 9)
    run(smoltool, 'tokenizer', 'train', '--vocab', '270', folder / 'text', '-o', folder / 't.smoltok')
    for options, lacks in ((['--method', 'fourier', '--d', '9'], b'FFTW'), (['--tokenizer', folder / 't.smoltok'], b'PCRE2'),
                           (['--method', 'fastfood', '--d', '9'], None)):
        run(smoltool, 'new', *small, *options, '-o', folder / 'm.smol')
        done = run(compile_static(folder, folder / 'm.smol'), 'the cat', '1', '1', code=1 if lacks else 0)
        if lacks:
            assert done.stdout == b'' and done.stderr.startswith(b'embedded: the model has ') and lacks in done.stderr
            assert done.stderr.count(b'\n') == 1


def test_example_is_short(folder):
    source = (pathlib.Path(__file__).resolve().parents[3] / 'docs/examples/embedded.c').read_text()
    code = re.sub(r'/\*.*?\*/', '', source, flags=re.S)
    assert sum(bool(line.strip()) for line in code.splitlines()) <= 45


def test_bad_input(folder):
    out = folder / 'm.h'
    for bad in ([], [model], ['-o', out], [model, model, '-o', out], [model, '--name', '1x', '-o', out], [model, '--name', '', '-o', out],
                [model, '--name', 'a b', '-o', out], [model, '--name', 'x' * 65, '-o', out]):
        assert run(smoltool, 'embed-c', *bad, code=2).stderr.startswith(b'smoltool embed-c: ')
    (folder / 'spoilt').write_bytes(model.read_bytes()[:-1])
    for m, o in ((folder / 'none', out), (folder / 'spoilt', out), (model, folder / 'no/such.h'), (model, folder)):
        message = run(smoltool, 'embed-c', m, '-o', o, code=1).stderr
        assert message.startswith(b'smoltool embed-c: ') and message.count(b'\n') == 1
    assert sorted(p.name for p in folder.iterdir()) == ['spoilt']
