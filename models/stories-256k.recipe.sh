#!/bin/sh
# Trains stories-256k.smol again: stories-256k.recipe.sh TEXT OUT.smol
# TEXT is the TinyStories sample. About 50 minutes on one quiet core.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "${SMOLTRAIN:-$here/../build/tools/smoltrain}" --data "$1" -o "$2" \
  --val-fraction 0.05 --vocab used+other --method ternary --layers 3 --width 168 --heads 4 --history \
  --batch 4 --steps 24000 --seed 1 --threads 1
