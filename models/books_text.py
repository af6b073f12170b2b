#!/usr/bin/env python3
"""The text that models/shakespeare-1m.smol learns: the training part of tinyshakespeare four times, and a quarter of other books after each.

books_text.py PLAYS BOOKS TRAIN VALID

PLAYS is tinyshakespeare's input.txt: its first 90 % are for training, the rest goes to VALID. BOOKS has the texts of NLTK's corpus "gutenberg", each of which begins with
"[TITLE by AUTHOR YEAR]". Left out are those by Shakespeare, whose spelling is that of 1623, characters that the plays lack, the digit 3, the only one that they have, and all but two
of newlines in a row.
"""

import re
import sys

TIMES = 4
BY_SHAKESPEARE = re.compile(r'^\[[^\n]* by William Shakespeare \d{4}\].*?(?=^\[[^\n]* by [^\n]* \d{4}\]|\Z)', re.MULTILINE | re.DOTALL)


def read(path):
    try:
        with open(path, encoding='utf-8', errors='ignore') as file:
            return file.read()
    except OSError as fault:
        sys.exit(f'books_text.py: {path}: {fault.strerror}')


def cleaned(books, alphabet):
    return re.sub('\n{3,}', '\n\n', ''.join(c for c in BY_SHAKESPEARE.sub('', books) if c in alphabet))


def write(path, text):
    with open(path, 'w', encoding='utf-8') as file:
        file.write(text)


def main():
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    plays, books = read(sys.argv[1]), read(sys.argv[2])
    learned = plays[:len(plays) * 9 // 10]
    other = cleaned(books, set(learned) - {'3'})
    if not other:
        sys.exit(f'books_text.py: {sys.argv[2]}: no text but by Shakespeare')
    write(sys.argv[3], ''.join(learned + other[len(other) * i // TIMES:len(other) * (i + 1) // TIMES] for i in range(TIMES)))
    write(sys.argv[4], plays[len(learned):])


if __name__ == '__main__':
    main()
