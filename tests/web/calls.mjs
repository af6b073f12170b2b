// Calls of smol.js that a test asks for: node calls.mjs PAGE, with a JSON list of [model, method, arguments] on standard input, of which
// arguments {"bytes": "hex"} are bytes. Prints the list of what came back: {value}, or {error, status, offset}; bytes as "hex".
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

const smol = await import(pathToFileURL(`${process.argv[2]}/smol.js`));
const models = new Map();

async function open(path) {
  if (!models.has(path))
    models.set(path, await smol.load(path));
  return models.get(path);
}

const isBytes = (x) => x !== null && typeof x === 'object' && 'bytes' in x;

async function call([path, name, ...args]) {
  const given = args.map((x) => isBytes(x) ? Uint8Array.from(Buffer.from(x.bytes, 'hex')) : x);
  if (path === null)
    return smol[name](...given);
  const model = await open(path);
  if (name === 'facts')
    return model.facts;
  if (name.startsWith('stream'))
    return name === 'stream' ? [...model.stream(...given)].join('') : Buffer.concat([...model.streamBytes(...given)]);
  if (name === 'finish') {
    for (const _ of model.stream(...given));
    return model.finish;
  }
  if (name === 'closed') {
    models.delete(path);
    model.close();
    return model.pack('x');
  }
  return model[name](...given);
}

const answers = [];
for (const asked of JSON.parse(readFileSync(0, 'utf8')))
  try {
    const value = await call(asked);
    answers.push({ value: value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value });
  } catch (error) {
    answers.push({ error: error.message, status: error.status ?? null, offset: error.offset ?? null });
  }
console.log(JSON.stringify(answers));
