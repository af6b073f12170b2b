#!/bin/sh
# Trains shakespeare-1m.smol again: shakespeare-1m.recipe.sh TEXT OUT.smol
# TEXT is tinyshakespeare's input.txt. About 50 minutes on one quiet core.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "${SMOLTRAIN:-$here/../build/tools/smoltrain}" --data "$1" -o "$2" \
  --method full --matrix-type q4 --layers 4 --width 192 --heads 6 --dropout 0.1 \
  --steps 13000 --qat-start 0.75 --seed 1 --threads 1
