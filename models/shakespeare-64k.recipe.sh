#!/bin/sh
# Trains shakespeare-64k.smol again: shakespeare-64k.recipe.sh TEXT OUT.smol
# TEXT is tinyshakespeare's input.txt. It learns from shakespeare-1m.smol too, which is beside this script.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "${SMOLTRAIN:-$here/../build/tools/smoltrain}" --data "$1" -o "$2" \
  --method mask --layers 2 --width 128 --heads 4 --embedding-type q4 --history --teacher "$here/shakespeare-1m.smol" \
  --teacher-weight 0.7 --steps 20000 --seed 1 --threads 1
