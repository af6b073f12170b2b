#!/bin/sh
# Trains shakespeare-16k.smol again: shakespeare-16k.recipe.sh TEXT OUT.smol
# TEXT is tinyshakespeare's input.txt. About 3 minutes on one quiet core. c_fc stays frozen, so its rows cost nothing.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
rules=$(mktemp "${TMPDIR:-/tmp}/rules.XXXXXX.json")
trap 'rm -f "$rules"' EXIT
echo '[{"tensors": "h.*.mlp.c_fc.weight", "method": "embed", "gains": false}]' >"$rules"
"${SMOLTRAIN:-$here/../build/tools/smoltrain}" --data "$1" -o "$2" --size 16384 \
  --method mask --layers 2 --width 64 --ff 440 --heads 4 --context 256 --embedding-type q4-row --no-gains --history \
  --qat-start 0 --recipe "$rules" --batch 4 --steps 8000 --dropout 0.01 --seed 1 --threads 1
