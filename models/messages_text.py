#!/usr/bin/env python3
"""The text that models/messages-*.smol learn: short messages, and sentences of the web between them, as JSON lines.

messages_text.py MESSAGES.jsonl WEB.json OUT.jsonl

MESSAGES.jsonl has {"text": a message} a line, WEB.json {"text": a page}. Of the pages come sentences and pairs of sentences of 20 to 200 bytes, one for every three
messages, spread evenly: so that the models know English beyond that of one place.
"""

import json
import re
import sys

SHARE = 3  # messages for each sentence


def lines(path):
    with open(path, encoding='utf-8') as file:
        return [json.loads(line)['text'] for line in file if line.strip()]


def sentences(pages):
    """Sentences, and every third time two of them, as a message often has more than one."""
    for page in pages:
        parts = [s for s in re.split(r'(?<=[.!?])\s+|\n+', page) if s]
        i = n = 0
        while i < len(parts):
            take = 2 if n % 3 == 2 else 1
            text = ' '.join(parts[i:i + take])
            i, n = i + take, n + 1
            if 20 <= len(text.encode()) <= 200:
                yield text


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    messages, web = lines(sys.argv[1]), list(sentences(lines(sys.argv[2])))
    web = web[:len(messages) // SHARE]
    step = len(messages) / len(web)
    with open(sys.argv[3], 'w', encoding='utf-8') as out:
        k = 0
        for i, text in enumerate(messages):
            out.write(json.dumps({'text': text}, ensure_ascii=False) + '\n')
            if i + 1 >= (k + 1) * step and k < len(web):
                out.write(json.dumps({'text': web[k]}, ensure_ascii=False) + '\n')
                k += 1


if __name__ == '__main__':
    main()
