#!/bin/sh
# messages-64k.smol: short messages. See models/README.md. MESSAGES: train.jsonl, WEB: pages as JSON lines.
#   models/messages-64k.recipe.sh MESSAGES WEB OUT.smol
set -eu
here=$(cd "$(dirname "$0")" && pwd)
text=$(mktemp "${TMPDIR:-/tmp}/messages.XXXXXX.jsonl")
trap 'rm -f "$text"' EXIT
python3 "$here/messages_text.py" "$1" "$2" "$text"
"${SMOLTRAIN:-$here/../build/tools/smoltrain}" --data "$text" -o "$3" \
  --note 'learned from the NUS SMS Corpus: Tao Chen and Min-Yen Kan (2013), Language Resources and Evaluation 47(2), 299-355; and from sentences of C4 (ODC-BY)' \
  --documents --val-fraction 0.02 --vocab used+other+end --vocab-min 170 \
  --method mask --layers 2 --width 128 --ff 448 --embedding-type q4-row --qat-start 0 --batch 4 \
  --steps 40000 --seed 1 --threads 1
