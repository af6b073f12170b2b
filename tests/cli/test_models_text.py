"""models/books_text.py: what it keeps of plays and books, and a line for what it cannot read."""
from programs import root, run, run_text

SCRIPT = root / 'models/books_text.py'
PLAYS = 'ab c\n\n\n3 ' * 10
BOOKS = '[One by A 1800]\n\n\n\na b_c3\n[Two by William Shakespeare 1599]\ncab\n[BOOK XX.  BY THE ROADSIDE]\nabc\n[Three by B 1900]\ncc\n'


def test_plays_and_books(folder):
    (folder / 'plays').write_text(PLAYS)
    (folder / 'books').write_text(BOOKS)
    run('python3', SCRIPT, folder / 'plays', folder / 'books', folder / 'train', folder / 'valid')
    learned = PLAYS[:81]
    other = ' b  \n\na bc\n b  \ncc\n'  # by hand: of titles the blanks and the b of 'by'
    assert (folder / 'valid').read_text() == PLAYS[81:]
    parts = (folder / 'train').read_text().split(learned)
    assert parts[0] == '' and len(parts) == 5 and [len(part) for part in parts[1:]] == [4, 5, 5, 5] and ''.join(parts) == other


def test_wrong(folder):
    (folder / 'plays').write_text(PLAYS)
    (folder / 'books').write_text('[Two by William Shakespeare 1599]\ncab\n')
    for books, why in (('books', 'books: no text but by Shakespeare'), ('missing', 'missing: No such file or directory')):
        done = run_text('python3', SCRIPT, folder / 'plays', folder / books, folder / 'train', folder / 'valid', code=1)
        assert done.stderr == 'books_text.py: %s/%s\n' % (folder, why) and not (folder / 'train').exists()
    assert 'PLAYS BOOKS TRAIN VALID' in run_text('python3', SCRIPT, folder / 'plays', code=1).stderr
