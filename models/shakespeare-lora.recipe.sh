#!/bin/sh
# Trains shakespeare-lora.smol again: shakespeare-lora.recipe.sh TEXT OUT.smol
# TEXT is tinyshakespeare's input.txt. About 35 minutes on one quiet core.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
exec "${SMOLTRAIN:-$here/../build/tools/smoltrain}" --data "$1" -o "$2" \
  --arch gpt2 --method lora --rank 48 --norms stored --layers 4 --width 256 --heads 8 --context 128 --batch 16 \
  --steps 3000 --warmup 100 --lr 4e-3 --min-lr-fraction 0.05 \
  --eval-every 500 --keep best --seed 7 --threads 1
