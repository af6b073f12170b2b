// What computes for the page, so that the page answers meanwhile: one model, and one text at a time, made in slices between which messages
// are read. Each request has a number, which is in all that answers it.
import { SmolError, fromText, load, toText } from './smol.js';

const SLICE_MS = 12; // of writing, between looks at the messages
const MOST_BYTES = 8192; // of a text that is unpacked: a few bytes from a stranger may stand for many

/** @type {Awaited<ReturnType<typeof load>> | null} */
let model = null;
let opening = 0; // the newest request to open: what an older one finds is dropped
/** @type {{id: number, pieces: Generator<string, void>, tokens: number, first: number} | null} */
let writing = null;

const channel = new MessageChannel(); // its messages come without the delay of a timer
channel.port1.onmessage = ({ data }) => data === writing?.id && writeSlice(); // or it is of a text that is written no more

/** @param {unknown} error */
const lineOf = (error) => error instanceof RangeError || error instanceof WebAssembly.RuntimeError ? `not enough memory for it in this browser (${error.message})` : error.message;

function stop() {
  writing?.pieces.return();
  writing = null;
}

async function open({ id, source }) {
  opening = id;
  let next;
  try {
    next = await load(source);
  } catch (error) {
    if (id === opening)
      postMessage({ id, kind: 'refused', line: lineOf(error), status: error instanceof SmolError ? error.status : null, size: source.size });
    return;
  }
  if (id !== opening)
    return;
  stop();
  model?.close();
  model = next;
  postMessage({ id, kind: 'opened', facts: model.facts });
}

function write({ id, prompt, options }) {
  stop();
  writing = { id, pieces: model.stream(prompt, options), tokens: 0, first: performance.now() };
  writeSlice();
}

/** Some tokens, and the next slice's turn after all messages that wait. */
function writeSlice() {
  const w = writing, end = performance.now() + SLICE_MS;
  let text = '', done = false;
  try {
    do {
      const piece = w.pieces.next();
      done = Boolean(piece.done);
      text += piece.value ?? '';
      if (w.tokens === 0 && model.tokens > 0)
        w.first = performance.now(); // what came before was the prompt's work
      w.tokens = model.tokens;
    } while (!done && performance.now() < end);
  } catch (error) {
    writing = null;
    postMessage({ id: w.id, kind: 'failed', text, line: lineOf(error) });
    return;
  }
  const seconds = (performance.now() - w.first) / 1000;
  postMessage({ id: w.id, kind: done ? 'done' : 'text', text, tokens: w.tokens, rate: w.tokens > 1 ? (w.tokens - 1) / seconds : 0, finish: done ? model.finish : null });
  if (done)
    writing = null;
  else
    channel.port2.postMessage(w.id);
}

function pack({ id, text, check }) {
  const packed = model.pack(text, { check });
  postMessage({ id, kind: 'packed', packed: toText(packed), bytes: packed.length, of: new TextEncoder().encode(text).length });
}

function unpack({ id, packed, check }) {
  const bytes = fromText(packed);
  postMessage({ id, kind: 'unpacked', text: model.unpack(bytes, { check, max: MOST_BYTES }), bytes: bytes.length });
}

const requests = { open, write, stop, pack, unpack };

onmessage = ({ data }) => {
  try {
    if (!model && data.kind !== 'open' && data.kind !== 'stop')
      throw new Error('no model is open');
    requests[data.kind](data);
  } catch (error) {
    postMessage({ id: data.id, kind: 'failed', text: '', line: lineOf(error) });
  }
};
