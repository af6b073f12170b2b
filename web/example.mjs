// Text from a model, in Node: node example.mjs MODEL.smol [PROMPT [TOKENS [SEED]]], beside smol.js and smol.wasm.
import { argv, exit, stderr, stdout } from 'node:process';
import { load, toText } from './smol.js';

const [path, prompt = '', n = '200', seed = '1'] = argv.slice(2);
if (!path) {
  stderr.write('usage: node example.mjs MODEL.smol [PROMPT [TOKENS [SEED]]]\n');
  exit(2);
}
try {
  const model = await load(path);
  const { method, layers, width, file_bytes: size, hash } = model.facts;
  stderr.write(`${path}: ${size} bytes, ${method}, ${layers} x ${width}, hash ${hash.slice(0, 16)}...\n`);
  let before = prompt; // shown with the first piece, once it is known that there is one
  for (const piece of model.stream(prompt, { n: Number(n), seed })) {
    stdout.write(before + piece);
    before = '';
  }
  stdout.write(before + '\n');
  const packed = model.pack(prompt);
  stderr.write(`the prompt, packed: ${toText(packed)} (${packed.length} bytes); and back: ${model.unpack(packed)}\n`);
  model.close();
} catch (error) {
  stderr.write(`${path}: ${error.message}\n`);
  exit(1);
}
