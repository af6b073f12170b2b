"""What the tests of the Python module share: the module over the build's shared library, and scripts in a process of their own, which
may crash."""
import os
import subprocess

from programs import library, root

os.environ['SMOL_LIBRARY'] = str(library)
import smol  # noqa: E402
environment = {**os.environ, 'PYTHONPATH': str(root / 'python')}

shipped = root / 'models/shakespeare-alpha.smol'


def refused(status, call, *arguments, **more):
    """The library's refusal."""
    try:
        call(*arguments, **more)
    except smol.Error as error:
        assert error.status == status, (error.status, error)
        return error
    raise AssertionError('not refused')


def raises(kind, words, call, *arguments, **more):
    """Python's own exception, with these words in it."""
    try:
        call(*arguments, **more)
    except kind as error:
        assert words in str(error), error
        return error
    raise AssertionError('%s not raised' % kind.__name__)


def script(code, *arguments, **more):
    """What a script prints that ends well, with nothing on standard error: a crash has another exit code, and so has a fault."""
    head = 'import sys, smol\nm = smol.Model.load(sys.argv[1])\n'
    done = subprocess.run(['/usr/bin/python3', '-u', '-X', 'faulthandler', '-c', head + code, str(shipped), *map(str, arguments)], capture_output=True, text=True,
                          timeout=100, env=environment, **more)
    assert done.returncode == 0 and not done.stderr, 'exit code %d\n%s\n%s' % (done.returncode, done.stdout, done.stderr)
    return done.stdout
