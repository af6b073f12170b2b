"""What the Python tests share: the programs of the build under test, running them, and a small model."""
import os
import pathlib
import shutil
import subprocess

root = pathlib.Path(__file__).resolve().parents[1]
build = pathlib.Path(os.environ.get('SMOL_BUILD', 'build')).resolve()  # conftest.py sets it to what --build says
smolrun, smoltool, smoltrain = (str(build / 'tools' / name) for name in ('smolrun', 'smoltool', 'smoltrain'))
library = build / 'libsmol.so' if (build / 'libsmol.so').is_file() else build / 'python/libsmol.so'  # which a static build has
sanitized = 'SMOL_SANITIZED' in os.environ


def run(*arguments, code=0, **more):
    """Runs a program, which must end with that exit code; what it wrote, as bytes unless told otherwise."""
    if 'input' not in more:
        more.setdefault('stdin', subprocess.DEVNULL)
    done = subprocess.run([str(a) for a in arguments], **{'capture_output': True, 'timeout': 250, **more})
    assert done.returncode == code, '%s: exit code %d, expected %d\n%.4000r\n%.4000r' % (
        arguments, done.returncode, code, done.stdout, done.stderr)
    return done


def run_text(*arguments, **more):
    return run(*arguments, text=True, **more)


def tool(*arguments, **more):
    return run(smoltool, *arguments, **more)


def tool_text(*arguments, **more):
    return run_text(smoltool, *arguments, **more)


def model(folder, *arguments, name='m.smol'):
    """A new model of two layers; options may follow, which say otherwise."""
    tool('new', '--layers', '2', '--width', '40', '--heads', '4', '--context', '24', '-o', folder / name, *arguments)
    return folder / name


def tiny_model(folder, *arguments, name='m.smol'):
    tool('new', '--layers', '1', '--width', '16', '--heads', '2', '--context', '16', '-o', folder / name, *arguments)
    return folder / name


def keys(folder, *names):
    """Key pairs without passwords, NAME.pub and NAME.key."""
    for name in names:
        tool('keygen', '-W', '-p', folder / (name + '.pub'), '-s', folder / (name + '.key'))


def write(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def unrestarted():
    """An environment in which smoltrain has no reason to start itself anew, so that what is preloaded stays."""
    flags = pathlib.Path('/proc/cpuinfo').read_text().split()
    return {'OMP_WAIT_POLICY': 'passive', 'OPENBLAS_CORETYPE': 'Haswell' if 'avx2' in flags else 'Prescott'}


def copy_sources(to):
    """What git tracks or would; every file but builds if this is no checkout."""
    listing = subprocess.run(['git', '-c', 'safe.directory=%s' % root, '-C', root, 'ls-files', '-z', '-co', '--exclude-standard'],
                             capture_output=True, check=False)
    if listing.returncode:
        shutil.copytree(root, to, ignore=lambda place, names: [
            n for n in names if n == '__pycache__' or pathlib.Path(place) == root and (n == '.git' or n.startswith('build'))])
        return
    for name in filter(None, listing.stdout.decode().split('\0')):
        if (root / name).is_file():
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, to / name)
