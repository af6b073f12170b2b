"""tests/golden is what its generator writes, and the reference reads it as the library must: every good file, no bad one."""
import pathlib

import container
import golden_joined
import golden_logits
import golden_packed
import make_golden
import pytest

folder = pathlib.Path(make_golden.__file__).resolve().parent
FILES = make_golden.every_file()


def test_there_are_these_files():
	assert sorted(str(p.relative_to(folder)) for p in folder.glob('*/*.smol')) == sorted(FILES)


@pytest.mark.parametrize('name', FILES)
def test_is_what_make_golden_writes(name):
	assert (folder / name).read_bytes() == FILES[name]


def test_logits_are_what_make_golden_writes():
	assert (folder / golden_logits.NAME).read_text() == golden_logits.text(FILES)


def test_logits_of_deltas_are_what_make_golden_writes():
	assert (folder / golden_joined.NAME).read_text() == golden_joined.text(FILES, make_golden.parts_of_deltas(FILES))


def test_packed_texts_are_what_make_golden_writes():
	assert (folder / golden_packed.NAME).read_text() == golden_packed.text(FILES)


@pytest.mark.parametrize('name', FILES)
def test_read_by_the_reference(name):
	try:
		again = container.write(container.read(FILES[name]))
	except container.SmolError:
		again = None
	assert (again is None) if name.startswith('bad/') else again == FILES[name]
