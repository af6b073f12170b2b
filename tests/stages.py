"""What tests/run runs: the stages, each a list of jobs over the builds that they need.

All jobs go through one queue (scheduler.py), so that no processor waits for the end of a stage. Each stage's output goes to
build/test-logs/STAGE.log, and is shown if it fails; a stage that fails does not stop the others.
"""
import os
import pathlib
import shutil
import sys
import time

from scheduler import Job, Scheduler

root = pathlib.Path(__file__).resolve().parents[1]
builds, logs = root / 'build/test', root / 'build/test-logs'
cores = len(os.sched_getaffinity(0))
limit = float(os.environ.get('SMOL_RUNNER_SECONDS', 300))  # after which a runner counts as hung
fuzz_seconds = int(os.environ.get('SMOL_FUZZ_SECONDS', 40))
PYTHON = ['/usr/bin/python3', '-B']
# Compiled modules and rewritten assertions are kept, but not among the sources: all runs share them. What pytest starts writes none.
PYTEST = ['env', 'PYTHONDONTWRITEBYTECODE=', 'PYTEST_DISABLE_PLUGIN_AUTOLOAD=1', '/usr/bin/python3', '-X', 'pycache_prefix=%s' % (root / 'build/pycache'),
          '-m', 'pytest', '-v', '-rP']

FUZZ_TARGETS = ('read', 'safetensors', 'npy', 'gguf', 'key', 'minisig', 'card', 'tokens', 'vocab', 'corpus', 'lines', 'unpack', 'delta')

# Name -> (compiler, options, targets; none for all). Each compiles no more than is run of it: what clang has to say of any file it says in
# the builds for the sanitizers and of the minimal library, the second of which is for that alone.
BUILDS = {
    'gcc': ('gcc', ['-Dwerror=true'], []),
    'sanitize': ('clang', ['-Dwerror=true', '-Doptimization=1', '-Db_sanitize=address,undefined', '-Db_lundef=false',
                           # Functions of AVX-512 with every access checked and others inlined take a minute to compile.
                           '-Dc_args=-fno-sanitize-recover=all -gline-tables-only -fno-inline-functions'], []),
    'clang': ('clang', ['-Dwerror=true', '-Dfuzz=true', '-Doptimization=0'], ['tools/smolrun', *('tests/fuzz/fuzz_' + name for name in FUZZ_TARGETS)]),
    'aarch64': (None, ['--cross-file', root / 'tests/cross/aarch64.ini', '-Dwerror=true', '-Dtrain=false'], []),
    'shared': ('gcc', ['-Dwerror=true', '-Ddefault_library=shared', '-Dtests=false', '-Dtrain=false'], []),
    'wasm32': (None, ['--cross-file', root / 'scripts/targets/wasm32.ini', '-Dwerror=true', '-Dminimal=true'], []),
    'minimal': ('gcc', ['-Dwerror=true', '-Dminimal=true', '-Dbuildtype=minsize'], []),
    'minimal-clang': ('clang', ['-Dwerror=true', '-Dminimal=true', '-Dbuildtype=minsize'], []),
    'gcc-O0': ('gcc', ['-Dtests=false', '-Doptimization=0'], ['tools/smolrun', 'tools/smoltool', 'tools/smoltrain']),
    'clang-O3': ('clang', ['-Dwerror=true', '-Dtests=false', '-Dtrain=false'], ['tools/smolrun']),
}

# With the sanitizers' build. Their guess where a library's thread-local storage lies takes any word before it for a size, and their
# search for leaks then crashes by chance of where that is (clang 14): so they do not guess. What they find ends the program by a
# signal or with 99, so that it is never mistaken for the exit code 1 of an error well reported.
SANITIZED = {'ASAN_OPTIONS': 'abort_on_error=1:exitcode=99:allocator_may_return_null=1:intercept_tls_get_addr=0',
             'UBSAN_OPTIONS': 'abort_on_error=1:print_stacktrace=1', 'SMOL_SANITIZED': '1'}

# About how many seconds of the processor the long ones take; the others take less than WEIGHT, and of drivers so many run together.
WEIGHT = 5
TOGETHER = 5
WEIGHTS = {
    ('cross', 'arithmetic'): 80, ('cross', 'programs'): 90, ('package', 'package'): 60, ('reference', 'test_models'): 60, ('matrix', 'matrix'): 50,
    ('grad', 'test_gradients'): 43, ('cli', 'test_export'): 28, ('cli-sanitize', 'test_smoltrain'): 29, ('fault', 'test_fault'): 25,
    ('python', 'test_install'): 25, ('cli-sanitize', 'test_smolrun'): 24, ('unit-sanitize', 'test_isa'): 40, ('firmware', 'test_firmware'): 20,
    ('cli', 'test_smoltrain'): 19, ('cli-sanitize', 'test_plan'): 18, ('cli', 'test_killed'): 15,
    ('cli-sanitize', 'test_architecture'): 15, ('cli-sanitize', 'test_examples'): 15, ('cli-sanitize', 'test_sweep'): 14,
    ('cli', 'test_tokenizer'): 14, ('cli-sanitize', 'test_bases'): 13, ('cli-sanitize', 'test_trust'): 13, ('cli', 'test_smoltool'): 12,
    ('unit', 'test_key'): 8, ('unit-sanitize', 'test_key'): 5.5, ('unit-sanitize', 'test_gradients'): 11,
    ('cli-sanitize', 'test_diff'): 10, ('reference', 'test_edges'): 10, ('cli', 'test_group'): 9, ('cli-sanitize', 'test_export'): 9,
    ('cli-sanitize', 'test_import_checkpoint'): 9, ('cli-sanitize', 'test_killed'): 9, ('cli-sanitize', 'test_pack'): 9, ('cli-sanitize', 'test_tokenizer'): 9,
    ('unit-sanitize', 'test_architecture'): 8, ('cli-sanitize', 'test_data'): 7, ('cli-sanitize', 'test_numbers'): 7, ('minimal', 'test_targets'): 14,
}


def build(name, processors):
    compiler, options, targets = BUILDS[name]
    if compiler and shutil.which('ccache'):
        compiler = 'ccache ' + compiler
    stage = 'build-' + name if name in ('gcc', 'clang', 'sanitize') else 'builds'
    environment = {'CC': compiler} if compiler else {}
    if name in ('clang', 'sanitize') and shutil.which('ld.lld'):
        environment['CC_LD'] = 'lld'  # their many tests take GNU's linker, which links all else, twice as long
    return Job(stage, name, [root / 'scripts/build', builds / name, *options, '--', '-k', '0', '-j', str(processors), *targets],
               environment=environment, limit=4 * limit, weight=100 - list(BUILDS).index(name), is_build=True, counts='exit')


def page():
    """The page of web/, as its users build it."""
    return Job('builds', 'web', [root / 'scripts/web', builds / 'web'], limit=4 * limit, weight=50, is_build=True, counts='exit')


def job(stage, name, command, *needs, **more):
    return Job(stage, name, command, needs, limit=more.pop('limit', limit), weight=WEIGHTS.get((stage, name), more.pop('weight', WEIGHT)), **more)


def programs(stage, folder, name='gcc', environment={}):
    """Every test program of a folder of a build, flat there; each source called test_*.c must have become one. Verbose, for then
    Criterion names what it skips."""
    for source in sorted((root / folder).rglob('test_*.c')):
        yield job(stage, source.stem, [builds / name / folder / source.stem, '--verbose'], name, environment=environment)


def drivers(stage, folder, name='gcc', *needs, options=(), environment={}):
    """Every test_*.py of a folder, for a build: the long ones one by one, of the others TOGETHER in a run, for each pytest takes a third of a
    second to start."""
    sources = sorted((root / folder).rglob('test_*.py'))
    short = [source for source in sources if (stage, source.stem) not in WEIGHTS]
    for some in [[source] for source in sources if source not in short] + [short[i:i + TOGETHER] for i in range(0, len(short), TOGETHER)]:
        names = [source.stem for source in some]
        command = [*PYTEST, '--every-file', '--continue-on-collection-errors', *some, '--build', builds / name, *options]
        yield job(stage, ', '.join(names), command, name, *needs, environment=environment, weight=WEIGHT * (len(some) + 1) / 2)


def fuzz(stage):
    """The readers against mutated files: the one of models for two thirds of a minute, the others for a twelfth of that."""
    for name in FUZZ_TARGETS:
        seconds = fuzz_seconds if name == 'read' else fuzz_seconds // 12
        yield Job(stage, name, [builds / 'sanitize/tests/fuzz/fuzz_{}_driver'.format(name), '--seconds', str(seconds), '--runs', '1000'],
                  ('sanitize',), SANITIZED, limit + seconds, seconds, counts='fuzz')


STAGES = {
    'build-gcc': lambda s: [],
    'build-clang': lambda s: [],
    'build-sanitize': lambda s: [],
    'layers': lambda s: [job(s, name, [*PYTHON, root / 'tests' / (name + '.py'), root]) for name in ('layers', 'documents')],
    'format': lambda s: [job(s, s, [root / 'scripts/format', '--check'], counts='exit')],
    'headers': lambda s: [job(s, s, [*PYTHON, root / 'tests/headers.py'])],
    'unit': lambda s: [*programs(s, 'tests/isa'), *programs(s, 'tests/unit')],
    'unit-sanitize': lambda s: [x for folder in ('isa', 'grad', 'unit') for x in programs(s, 'tests/' + folder, 'sanitize', SANITIZED)],
    'grad': lambda s: programs(s, 'tests/grad'),
    'fuzz': fuzz,
    'fault': lambda s: drivers(s, 'tests/fault'),
    'cli': lambda s: drivers(s, 'tests/cli'),
    'cli-sanitize': lambda s: drivers(s, 'tests/cli', 'sanitize', environment=SANITIZED),
    'python': lambda s: drivers(s, 'tests/python', 'shared'),
    'cookbook': lambda s: drivers(s, 'tests/cookbook'),
    'reference': lambda s: drivers(s, 'tests/reference'),
    'minimal': lambda s: drivers(s, 'tests/minimal', 'gcc', 'minimal', 'minimal-clang', options=('--minimal', builds / 'minimal')),
    'web': lambda s: drivers(s, 'tests/web', 'gcc', 'web', 'wasm32', options=('--web', builds / 'web', '--wasm32', builds / 'wasm32')),
    'firmware': lambda s: drivers(s, 'tests/firmware'),
    'cross': lambda s: [job(s, name, [*PYTEST, root / 'tests/cross', '-k', cases, '--build', builds / 'gcc', '--aarch64', builds / 'aarch64'],
                            'gcc', 'aarch64', limit=2 * limit) for name, cases in (('arithmetic', 'arithmetic'), ('programs', 'not arithmetic'))],
    'quality': lambda s: [job(s, s, [builds / 'gcc/tests/quality/stream_quality'], 'gcc')],
    'matrix': lambda s: [job(s, s, [root / 'tests/build_matrix', root / 'build/matrix', *(builds / b for b in MATRIX)], *MATRIX)],
    'package': lambda s: [job(s, s, [*PYTEST, root / 'tests/package'], limit=2 * limit)],
}
MATRIX = ('gcc-O0', 'gcc', 'clang', 'clang-O3')  # clang's first is of -O0


def quick():
    """What a change should pass before the rest is run: no driver's slow cases, no program that takes more than a few seconds."""
    for stage in ('layers', 'format', 'headers', 'unit'):
        yield from (x for x in STAGES[stage](stage) if x.weight <= WEIGHT)
    for folder in ('smolrun', 'smoltool', 'smoltrain'):
        yield job('cli', folder, [*PYTEST, '-m', 'not slow', root / 'tests/cli' / folder, '--build', builds / 'gcc'], 'gcc')
    yield job('cli', 'all programs', [*PYTEST, '-m', 'not slow', *sorted((root / 'tests/cli').glob('test_*.py')), '--build', builds / 'gcc'], 'gcc')


def with_builds(jobs, wanted):
    """The jobs, and the builds that they need or that are wanted as stages."""
    needed = {name for x in jobs for name in x.needs} | {s.removeprefix('build-') for s in wanted if s.startswith('build-')}
    # Two builds side by side keep the processors busier than one after another: each begins with Meson, on one processor.
    processors = cores if len(needed) == 1 else max(1, cores // 2)
    return [build(name, processors) for name in BUILDS if name in needed] + [page()] * ('web' in needed) + jobs


class Report:
    """Counts stage by stage; a stage is told when its last job has ended."""

    def __init__(self, jobs, wanted):
        self.jobs, self.begun, self.done, self.wanted = jobs, time.monotonic(), [], wanted
        self.passed = self.failed = 0

    def told(self, job):
        self.done.append(job)
        of_stage = [x for x in self.jobs if x.stage == job.stage]
        if all(x in self.done for x in of_stage):
            self.stage(job.stage, of_stage)

    def stage(self, name, jobs):
        # A build that is no stage of its own is a case only if it fails.
        passed = sum(x.passed for x in jobs) if name in self.wanted else 0
        failed = sum(x.failed for x in jobs)
        text = ''.join('--- %s, %.0f s, %.1f s of the processor\n%s\n' % (x.name, x.wall, x.cpu, x.output) for x in jobs)
        (logs / (name + '.log')).write_text(text, encoding='utf-8')
        if failed:
            lines = [line for line in text.splitlines() if not line.startswith('[') or 'FAIL' in line]
            print('===== %s: the end of build/test-logs/%s.log' % (name, name), *lines[-100:], '=====', sep='\n')
        for line in sorted({line for x in jobs for line in x.skipped()}):
            print(line)
        if name in self.wanted or failed:
            print('%-16s %5d passed, %d failed  %4.0f s, %4.0f s of the processor' % (
                name, passed, failed, time.monotonic() - self.begun, sum(x.cpu for x in jobs)), flush=True)
        self.passed, self.failed = self.passed + passed, self.failed + failed


def main(words):
    if words[:1] == ['--list']:
        print('quick', *STAGES, sep='\n')
        return 0
    unknown = [word for word in words if word not in STAGES and word != 'quick']
    if unknown and unknown[0].startswith('-'):
        print('usage: tests/run [--list | STAGE...]', file=sys.stderr)
        return 2
    if unknown:
        print("tests/run: no stage called '%s'; tests/run --list names them" % unknown[0], file=sys.stderr)
        return 2
    wanted = [word for word in words if word != 'quick'] or ([] if words else list(STAGES))
    jobs = [x for stage in wanted for x in STAGES[stage](stage)]
    if 'quick' in words:
        jobs += [x for x in quick() if x.stage not in wanted]
    jobs = with_builds(jobs, wanted)
    os.environ.update(PATH='/usr/bin:/bin:' + os.environ.get('PATH', ''), PYTHONDONTWRITEBYTECODE='1',
                      # What is not in the cache is compiled at once, not preprocessed for the search first. The two libraries of gcc's builds
                      # differ by nothing but a folder of generated headers, of which there are none.
                      CCACHE_DEPEND='1', CCACHE_IGNOREOPTIONS='-Ilibsmol.*',
                      OMP_WAIT_POLICY='passive')  # threads that wait by spinning crawl where cores are few or shared
    for name in ('PYTHONHOME', 'PYTHONPATH', 'CFLAGS', 'CPPFLAGS', 'LDFLAGS', 'CC', 'CC_LD', 'CXX'):
        os.environ.pop(name, None)
    logs.mkdir(parents=True, exist_ok=True)
    report = Report(jobs, {x.stage for x in jobs} - {'builds'} - ({x.stage for x in jobs if x.is_build} - set(wanted)))
    try:
        Scheduler(jobs, cores + 1, report.told, logs).run()  # one more, for some wait for disks and clocks most of the time
    except KeyboardInterrupt:
        return 130
    for stage in set(wanted) - {x.stage for x in jobs}:
        report.failed += 1
        print('%s: ran no case' % stage)
    print('%-16s %28s %4.0f s, %4.0f s of the processor' % ('all stages', '', time.monotonic() - report.begun, sum(x.cpu for x in jobs)))
    print('%d passed, %d failed' % (report.passed, report.failed))
    return 0 if report.passed and not report.failed else 1


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
