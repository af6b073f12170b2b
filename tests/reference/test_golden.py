#!/usr/bin/python3
"""tests/golden is what its generator writes, and the reference reads it as the library must: every good file, no bad one."""
import pathlib
import sys

sys.dont_write_bytecode = True
folder = pathlib.Path(__file__).resolve().parents[1] / 'golden'
sys.path.insert(0, str(folder))
import container
import make_golden
from checks import Checks

check = Checks()
files = make_golden.every_file()
there = sorted(str(p.relative_to(folder)) for p in folder.glob('*/*.smol'))
check.equal(there, sorted(files), 'the files of tests/golden')
for name, data in files.items():
	check.that((folder / name).read_bytes() == data, name + ' is not what make_golden.py writes')
	try:
		again = container.write(container.read(data))
	except container.SmolError:
		again = None
	check.that((again == data) if name.startswith('good/') else again is None, name + ' read by the reference')
check.done()
