#!/bin/sh
# Trains shakespeare-alpha.smol again: shakespeare-alpha.recipe.sh TEXT OUT.smol
# TEXT is tinyshakespeare's input.txt. About 20 minutes on one quiet core.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "${SMOLTRAIN:-$here/../build/tools/smoltrain}" --data "$1" -o "$2" \
  --arch gpt2 --method alpha --d 8 --norms alpha --layers 2 --width 512 --heads 8 --context 64 --batch 16 \
  --steps 2000 --warmup 100 --lr 1e-2 --alpha-lr 2e-2 --min-lr-fraction 0.05 \
  --eval-every 500 --keep best --seed 11 --threads 1
