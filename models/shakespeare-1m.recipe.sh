#!/bin/sh
# Trains shakespeare-1m.smol again: shakespeare-1m.recipe.sh PLAYS BOOKS OUT.smol
# PLAYS is tinyshakespeare's input.txt, BOOKS the texts of NLTK's corpus "gutenberg" in one file. See models/README.md. About an hour on one quiet core.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
folder=$(mktemp -d "${TMPDIR:-/tmp}/books.XXXXXX")
trap 'rm -rf "$folder"' EXIT
python3 "$here/books_text.py" "$1" "$2" "$folder/mix4.txt" "$folder/val10.txt"
"${SMOLTRAIN:-$here/../build/tools/smoltrain}" --data "$folder/mix4.txt" --valid "$folder/val10.txt" -o "$3" \
  --method full --matrix-type q4 --layers 4 --width 192 --heads 6 --dropout 0.05 --history \
  --steps 16000 --qat-start 0.75 --seed 1 --threads 1
