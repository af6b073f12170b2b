"""What the drivers here have in common: each test function of a module is a case, called with an empty folder."""
import pathlib
import sys
import tempfile
import traceback


def unrestarted():
    """An environment in which smoltrain has no reason to start itself anew, so that what is preloaded stays."""
    flags = pathlib.Path('/proc/cpuinfo').read_text().split()
    return {'OMP_WAIT_POLICY': 'passive', 'OPENBLAS_CORETYPE': 'Haswell' if 'avx2' in flags else 'Prescott'}


class Skipped(Exception):
    """Raised by a case that cannot run here, with the reason."""


def main(tests, **files):
    """Calls every function whose name begins with test_, with a folder that has such files. The exit code; it prints the counts."""
    passed = failed = 0
    for name, test in list(tests.items()):
        if not name.startswith('test_'):
            continue
        with tempfile.TemporaryDirectory() as folder:
            for file, content in files.items():
                (pathlib.Path(folder) / file).write_bytes(content)
            try:
                test(pathlib.Path(folder))
                passed += 1
            except Skipped as why:
                print('skipped: %s: %s' % (name, why))
            except Exception:
                failed += 1
                print('FAILED: ' + name)
                traceback.print_exc(file=sys.stdout)
    print('%d passed, %d failed' % (passed, failed))
    return 1 if failed or not passed else 0
