// Packs each message of a file of JSON lines with coders of npm that use tables, and checks that it comes back.
// Usage: node tables.js TRAIN.jsonl HELDOUT.jsonl; prints a line of JSON for each coder: its name, bytes, seconds, bytes of its table.
const fs = require('fs');
const { Smaz, compress, decompressRaw } = require('@remusao/smaz');
const { generate } = require('@remusao/smaz-generate');
const unishox2 = require('unishox2.siara.cc');

const read = (path) => fs.readFileSync(path, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line).text);
const [train, heldout] = process.argv.slice(2, 4).map(read);

function measure(name, table, pack, unpack) {
  const begun = process.hrtime.bigint();
  const packed = heldout.map(pack);
  const seconds = Number(process.hrtime.bigint() - begun) / 1e9;
  heldout.forEach((text, i) => {
    if (unpack(packed[i]) !== text) throw new Error(`${name} lost ${JSON.stringify(text)}`);
  });
  print(JSON.stringify({ name, table, seconds, bytes: packed.reduce((n, p) => n + p.length, 0) }));
}

const print = console.log;
console.log = () => {}; // Unishox2 prints some numbers
const room = new Uint8Array(65536);
measure('Unishox2', 0,
  (text) => room.slice(0, unishox2.unishox2_compress_simple(text, text.length, room)),
  (packed) => unishox2.unishox2_decompress_simple(packed, packed.length));

const encode = (text) => new TextEncoder().encode(text);
const decode = (bytes) => new TextDecoder().decode(bytes);
measure('smaz', 0, (text) => compress(encode(text)), (packed) => decode(decompressRaw(packed)));

// Its search for words takes long on many strings.
const words = generate(train.slice(0, 3000));
const own = new Smaz(words);
measure('smaz, words of these messages', words.join('').length, (text) => own.compress(encode(text)), (packed) => decode(own.decompressRaw(packed)));
