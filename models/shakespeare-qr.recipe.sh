#!/bin/sh
# Trains shakespeare-qr.smol again: shakespeare-qr.recipe.sh TEXT OUT.smol
# TEXT is tinyshakespeare's input.txt. No card and no signature: it fits into a QR code.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "${SMOLTRAIN:-$here/../build/tools/smoltrain}" --data "$1" -o "$2" \
  --method mask --layers 1 --width 24 --ff 76 --heads 2 --no-gains --history --embedding-type q4-row --no-card \
  --lr 0.02 --alpha-lr 0.01 --dropout 0.01 --qat-start 0 --batch 2 --steps 60000 --seed 1 --threads 1
