/**
 * Language models of a few kilobytes, in JavaScript: in pages, workers and Node. The same file, text, options and seed give the same bytes
 * as smolrun on the desktop does.
 *
 *     import { load } from './smol.js';
 *     const model = await load(new URL('shakespeare-64k.smol', import.meta.url));
 *     for (const piece of model.stream('ROMEO:', { n: 100, seed: 1 }))
 *       process.stdout.write(piece);
 *     model.close();
 *
 * smol.wasm lies beside this file. Everything computes in the thread that calls it: pages had better call from a Worker.
 * @module smol
 */

/**
 * How a text is made: smolrun's options and defaults, which are llama.cpp's.
 * @typedef {object} StreamOptions
 * @property {number} [n=-1] tokens at most; -1: until the context is full or, of a model that slides, as many as that has
 * @property {number | bigint} [seed=0] of the sampler, 0..2^64-1 (smolrun draws one unless it is told)
 * @property {number} [temp=0.8] temperature; 0: always the likeliest token
 * @property {number} [topK=40] sample among the best K; 0: off
 * @property {number} [topP=0.95] sample among the best, of P in all; 1: off
 * @property {number} [minP=0.05] drop what is under P times the best; 0: off
 * @property {number} [repeatPenalty=1] divides the logits of recent tokens; 1: off
 * @property {number} [repeatLastN=64] how many tokens are recent; -1: all
 * @property {number} [context=0] tokens held at once; 0: the model's limit
 * @property {'f32' | 'f16' | 'q8'} [kvType='f32'] of the cache; the others are smaller, and change the text
 * @property {boolean} [fast=false] approximate products, which change the text
 * @property {boolean} [ignoreEos=false] go on after the token that ends a text
 */

/**
 * What a model is: the members that `smoltool inspect --json` has by the same names, and some more.
 * @typedef {object} Facts
 * @property {number} file_bytes
 * @property {number} embedding_bytes
 * @property {number} non_embedding_bytes
 * @property {number} non_embedding_params
 * @property {number} learned_bytes of parameters
 * @property {number} tokenizer_bytes
 * @property {number} card_bytes
 * @property {number} padding_bytes
 * @property {number} directory_bytes header and directory
 * @property {number} config_bytes
 * @property {number} base_bytes of a delta, the names of its parts
 * @property {number} hash_bytes
 * @property {number} signature_bytes
 * @property {string} architecture 'gpt2', 'smol' or 'delta'
 * @property {string} method how its matrices are made: 'mask', 'ternary', 'alpha'...
 * @property {string} seed of the weights, a decimal number up to 2^64-1
 * @property {number} layers
 * @property {number} width
 * @property {number} heads
 * @property {number} feed_forward
 * @property {number} context
 * @property {number} vocab
 * @property {string[]} features
 * @property {number} ln_epsilon
 * @property {number} logit_scale
 * @property {string} wte_type
 * @property {string | null} wpe_type
 * @property {string | null} output_type
 * @property {number} dense_numbers that the same shape would have if nothing were regenerated
 * @property {string} tokenizer 'bytes', 'byte set' or 'bpe'
 * @property {number} [tokens]
 * @property {number} [merges]
 * @property {number | null} [end_token]
 * @property {number | null} session_bytes of memory that a text takes, in the whole context
 * @property {string} hash BLAKE2b of the file, which has been checked
 * @property {boolean} signed whether there is a signature; then it has been checked too
 * @property {string | null} signer the number of the key that signed it, as minisign writes it
 * @property {string} [public_key] that key, in hexadecimal
 * @property {object | null} card what its maker says of it; null if it says nothing, or nothing that is JSON
 */

/** What the library says, of a file or of a call: `message` is one line, which names the byte of the file if there is one. */
export class SmolError extends Error {
  /**
   * @param {string} rule what was broken
   * @param {number} status enum smol_status of smol/status.h
   * @param {number | null} offset byte of the file, or of the text
   */
  constructor(rule, status, offset = null) {
    super(offset === null ? rule : `byte ${offset}: ${rule}`);
    this.name = 'SmolError';
    this.rule = rule;
    this.status = status;
    this.offset = offset;
  }
}

const ARGUMENT = 1, MEMORY = 2;
/** Beyond that a WebAssembly module cannot have it in memory beside what it needs to run it. */
export const MAX_FILE_BYTES = 3 * 2 ** 30;
const NO_OFFSET = 2n ** 64n - 1n;
const FINISH = [null, 'length', 'end', 'context'];
const KV_TYPES = { f32: 0, f16: 1, q8: 2 };
const OPTIONS_BYTES = 72;

/** @type {Promise<WebAssembly.Module> | undefined} */
let compiled;

const inNode = typeof process === 'object' && Boolean(process.versions?.node);

/**
 * The bytes at a place. Files too in Node.
 * @param {URL | string} place
 * @returns {Promise<Uint8Array>}
 */
async function read(place) {
  if (inNode && !/^https?:/.test(String(place))) {
    const { readFile } = await import('node:fs/promises');
    const isURL = place instanceof URL || String(place).startsWith('file:');
    return new Uint8Array(await readFile(isURL ? new URL(place) : place));
  }
  const response = await fetch(place);
  if (!response.ok)
    throw new Error(`${place}: ${response.status} ${response.statusText}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** Once for all models. From bytes, because not every server says that they are application/wasm. */
async function compile() {
  compiled ??= read(new URL('smol.wasm', import.meta.url)).then((bytes) => WebAssembly.compile(bytes));
  return compiled;
}

/**
 * @param {string} name
 * @param {unknown} value
 * @param {number} least
 * @param {number} most
 */
function whole(name, value, least, most) {
  if (!Number.isInteger(value) || value < least || value > most)
    throw new SmolError(`${name}: ${value} is no whole number from ${least} to ${most}`, ARGUMENT);
  return value;
}

/** @param {unknown} seed */
function seedOf(seed) {
  let value;
  try {
    value = BigInt(seed);
  } catch {
    value = -1n;
  }
  if (value < 0n || value > NO_OFFSET)
    throw new SmolError(`seed: ${seed} is no whole number from 0 to 2^64-1`, ARGUMENT);
  return value;
}

/**
 * A text's bytes, or bytes as they are.
 * @param {string} name
 * @param {unknown} given
 */
function bytesOf(name, given) {
  if (typeof given === 'string')
    return new TextEncoder().encode(given);
  if (given instanceof Uint8Array)
    return given;
  throw new SmolError(`${name}: neither text nor a Uint8Array`, ARGUMENT);
}

/** A model that is open, and has been checked. */
class Model {
  #exports;
  /** @type {Facts} */
  facts;
  /** How the last text that was streamed to its end ended: 'length', 'end' (of text) or 'context' (which is full). */
  finish = null;
  /** How many tokens that text has so far, besides the prompt. */
  tokens = 0;

  /**
   * @param {any} exports
   * @param {Uint8Array} bytes
   */
  constructor(exports, bytes) {
    this.#exports = exports;
    exports._initialize?.();
    const at = this.#put(bytes); // stays there
    this.#check(exports.web_open(at, bytes.length));
    this.facts = this.#readFacts();
  }

  /** @returns {any} */
  get #wasm() {
    if (!this.#exports)
      throw new SmolError('the model has been closed', ARGUMENT);
    return this.#exports;
  }

  #view() {
    return new DataView(this.#wasm.memory.buffer);
  }

  /** @param {number} size */
  #alloc(size) {
    const at = size < 2 ** 32 - 64 ? this.#wasm.web_alloc(size) >>> 0 : 0;
    if (at === 0)
      throw new SmolError('out of memory', MEMORY);
    return at;
  }

  /** A copy in the module's memory, for web_free. @param {Uint8Array} bytes */
  #put(bytes) {
    const at = this.#alloc(bytes.length);
    new Uint8Array(this.#wasm.memory.buffer).set(bytes, at);
    return at;
  }

  /** Throws what the library says. @param {number} status */
  #check(status) {
    if (status === 0)
      return;
    const at = this.#wasm.web_result() >>> 0, offset = this.#view().getBigUint64(at, true);
    const text = new Uint8Array(this.#wasm.memory.buffer, at + 36, 200);
    throw new SmolError(new TextDecoder().decode(text.subarray(0, text.indexOf(0))), status, offset === NO_OFFSET ? null : Number(offset));
  }

  /** The bytes that a call has left. */
  #data() {
    const view = this.#view(), at = this.#wasm.web_result() >>> 0;
    return new Uint8Array(this.#wasm.memory.buffer, view.getUint32(at + 16, true), view.getUint32(at + 20, true)).slice();
  }

  /** @param {number} place in struct web_result */
  #number(place) {
    return this.#view().getUint32((this.#wasm.web_result() >>> 0) + place, true);
  }

  /** Calls with bytes in the module's memory. @param {Uint8Array} bytes @param {(at: number) => number} call */
  #with(bytes, call) {
    const at = this.#put(bytes);
    try {
      this.#check(call(at));
    } finally {
      this.#wasm.web_free(at);
    }
  }

  #readFacts() {
    this.#check(this.#wasm.web_facts());
    const { ln_epsilon_bits, logit_scale_bits, ...facts } = JSON.parse(new TextDecoder().decode(this.#data()));
    const floats = new Float32Array(new Uint32Array([ln_epsilon_bits, logit_scale_bits]).buffer);
    this.#check(this.#wasm.web_card());
    let card = null;
    try {
      card = JSON.parse(new TextDecoder().decode(this.#data()));
    } catch { /* none, or no JSON */ }
    return { ...facts, ln_epsilon: floats[0], logit_scale: floats[1], card };
  }

  /** @param {StreamOptions} options */
  #options(options) {
    const { n = -1, seed = 0, temp = 0.8, topK = 40, topP = 0.95, minP = 0.05, repeatPenalty = 1, repeatLastN = 64, context = 0,
      kvType = 'f32', fast = false, ignoreEos = false, ...unknown } = options;
    const [stranger] = Object.keys(unknown);
    if (stranger)
      throw new SmolError(`${stranger}: no such option`, ARGUMENT);
    if (!Object.keys(KV_TYPES).includes(kvType))
      throw new SmolError(`kvType: ${kvType} is none of ${Object.keys(KV_TYPES).join(', ')}`, ARGUMENT);
    const bytes = new Uint8Array(OPTIONS_BYTES), view = new DataView(bytes.buffer);
    view.setBigUint64(0, seedOf(seed), true);
    [temp, topP, minP, repeatPenalty].forEach((value, i) => view.setFloat64(8 + 8 * i, value, true));
    view.setUint32(40, whole('topK', topK, 0, 2 ** 31 - 1), true);
    view.setInt32(44, whole('repeatLastN', repeatLastN, -1, 2 ** 31 - 1), true);
    view.setInt32(48, whole('n', n, -1, 2 ** 31 - 1), true);
    view.setUint32(52, whole('context', context, 0, 2 ** 31 - 1), true);
    [KV_TYPES[kvType], Number(fast), Number(ignoreEos)].forEach((value, i) => view.setUint32(56 + 4 * i, value, true));
    return bytes;
  }

  /**
   * The tokens that follow a prompt, as bytes; a token may end within a character. Some are empty: those that stand for nothing, and what comes
   * while a long prompt is read, so that the caller may look at the clock. The loop may be left at any time.
   * @param {string | Uint8Array} prompt
   * @param {StreamOptions} [options]
   * @returns {Generator<Uint8Array, void>}
   */
  *streamBytes(prompt = '', options = {}) {
    const wasm = this.#wasm, bytes = bytesOf('prompt', prompt);
    const o = this.#put(this.#options(options));
    let text = 0;
    try {
      this.#with(bytes, (at) => wasm.web_text_open(o, at, bytes.length));
      text = this.#number(16);
      this.tokens = 0;
      for (;;) {
        this.#check(this.#wasm.web_text_next(text));
        const finish = FINISH[this.#number(32)];
        this.tokens += this.#number(24);
        if (finish) {
          this.finish = finish;
          return;
        }
        yield this.#data();
      }
    } finally {
      wasm.web_text_close(text);
      wasm.web_free(o);
    }
  }

  /**
   * The same as text: whole characters, as they are made. Pieces may be empty.
   * @param {string | Uint8Array} prompt
   * @param {StreamOptions} [options]
   * @returns {Generator<string, void>}
   */
  *stream(prompt = '', options = {}) {
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    for (const bytes of this.streamBytes(prompt, options))
      yield decoder.decode(bytes, { stream: true });
    const rest = decoder.decode();
    if (rest)
      yield rest;
  }

  /**
   * How well the model predicts a text, which is encoded as at least two tokens.
   * @param {string | Uint8Array} text
   * @param {{context?: number}} [options]
   */
  score(text, { context = 0 } = {}) {
    const bytes = bytesOf('text', text);
    this.#with(bytes, (at) => this.#wasm.web_score(at, bytes.length, whole('context', context, 0, 2 ** 31 - 1)));
    const nats = this.#view().getFloat64((this.#wasm.web_result() >>> 0) + 8, true);
    const tokens = this.#number(24), n = this.#number(28);
    return { nats, tokens, bytes: n, natsPerToken: nats / tokens, bitsPerByte: nats / Math.LN2 / n, perplexity: Math.exp(nats / tokens) };
  }

  /**
   * A text in few bytes, which this very model unpacks, here, by `smoltool unpack` and wherever else smol is. See docs/messages.md.
   * @param {string | Uint8Array} text
   * @param {{check?: boolean}} [options] check: a byte at the end by which damage is found
   * @returns {Uint8Array}
   */
  pack(text, { check = false } = {}) {
    const bytes = bytesOf('text', text);
    this.#with(bytes, (at) => this.#wasm.web_pack(at, bytes.length, Number(check)));
    return this.#data();
  }

  /**
   * The bytes that were packed.
   * @param {Uint8Array} packed
   * @param {{check?: boolean, max?: number}} [options] max: bytes of the text at most
   * @returns {Uint8Array}
   */
  unpackBytes(packed, { check = false, max = 65536 } = {}) {
    whole('max', max, 0, 2 ** 31 - 1);
    if (!(packed instanceof Uint8Array))
      throw new SmolError('packed: no Uint8Array, which fromText makes of printable text', ARGUMENT);
    this.#with(packed, (at) => this.#wasm.web_unpack(at, packed.length, max, Number(check)));
    return this.#data();
  }

  /**
   * The text that was packed.
   * @param {Uint8Array} packed
   * @param {{check?: boolean, max?: number}} [options] as of unpackBytes
   * @returns {string}
   */
  unpack(packed, options = {}) {
    return new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.unpackBytes(packed, options));
  }

  /** Lets its memory go. Texts that still stream end with an error. */
  close() {
    this.#exports = null;
  }
}

/**
 * Opens a model and checks all of it: structure, checksums, hash and, if there is one, the signature. Throws a SmolError with the library's
 * line. A delta opens, so that its facts can be seen, but does not run.
 * @param {Uint8Array | ArrayBuffer | Blob | URL | string} source bytes, a file, or where they are; in Node, a path too
 * @returns {Promise<Model>}
 */
export async function load(source) {
  const size = source.size ?? source.byteLength ?? 0;
  if (size > MAX_FILE_BYTES)
    throw new SmolError(`${size} bytes are more than WebAssembly can hold (${MAX_FILE_BYTES})`, MEMORY);
  const bytes = source instanceof URL || typeof source === 'string' ? await read(source)
    : source instanceof Uint8Array ? source : new Uint8Array(source instanceof ArrayBuffer ? source : await source.arrayBuffer());
  const module = await compile();
  return new Model((await WebAssembly.instantiate(module, {})).exports, bytes);
}

// ---- packed bytes as text (SPEC.md 15): 75 of 91 printable characters for 61 bytes, as `smoltool pack --text` writes them ----

const ALPHABET = '!#$%&()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcdefghijklmnopqrstuvwxyz{|}~';
const BLOCK_BYTES = 61, BLOCK_DIGITS = 75, PACKED = 42;

/** @param {number} bytes */
const digitsFor = (bytes) => Math.ceil(bytes * BLOCK_DIGITS / BLOCK_BYTES);

/**
 * Packed bytes as printable text.
 * @param {Uint8Array} packed
 * @returns {string}
 */
export function toText(packed) {
  let text = '';
  for (let at = 0; at < packed.length; at += BLOCK_BYTES) {
    const block = packed.subarray(at, at + BLOCK_BYTES);
    let value = block.reduce((sum, byte) => sum * 256n + BigInt(byte), 0n), digits = '';
    for (let i = digitsFor(block.length); i > 0; i--, value /= 91n)
      digits = ALPHABET[Number(value % 91n)] + digits;
    text += digits;
  }
  return text;
}

/**
 * The packed bytes of a text, which white space may fold.
 * @param {string} text
 * @returns {Uint8Array}
 */
export function fromText(text) {
  const digits = [...text].map((c, i) => ({ i, value: ALPHABET.indexOf(c), white: ' \t\r\n'.includes(c) })).filter((c) => !c.white);
  const wrong = digits.find((c) => c.value < 0), bytes = [];
  if (wrong)
    throw new SmolError('no character of a packed text', PACKED, wrong.i);
  for (let at = 0; at < digits.length; at += BLOCK_DIGITS) {
    const block = digits.slice(at, at + BLOCK_DIGITS), n = Math.floor(block.length * BLOCK_BYTES / BLOCK_DIGITS);
    let value = block.reduce((sum, c) => sum * 91n + BigInt(c.value), 0n);
    if (digitsFor(n) !== block.length || value >= 256n ** BigInt(n))
      throw new SmolError('a packed text that is damaged, or cut short', PACKED, text.length);
    for (let i = n; i > 0; i--, value /= 256n)
      bytes[at / BLOCK_DIGITS * BLOCK_BYTES + i - 1] = Number(value % 256n);
  }
  return Uint8Array.from(bytes);
}
