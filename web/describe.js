// What a model is, in words and numbers for a person: what `smoltool inspect` tells.

const whole = (n) => n.toLocaleString('en');

/** 62.7 kB. @param {number} bytes */
export function sizeOf(bytes) {
  const units = ['bytes', 'kB', 'MB', 'GB'];
  let unit = 0, n = bytes;
  for (; n >= 1000 && unit < units.length - 1; unit++)
    n /= 1000;
  return unit ? `${n.toFixed(n < 100 ? 1 : 0)} ${units[unit]}` : `${whole(n)} bytes`;
}

const METHODS = {
  mask: 'every weight is a sign from the seed, and a stored bit says whether it is there',
  ternary: 'every weight is stored as -1, 0 or 1',
  full: 'every weight is stored',
  mixed: 'some matrices from the seed, some stored',
  embed: 'every matrix comes from the seed, nothing of it is learned',
  alpha: 'every matrix comes from the seed, times a few learned numbers',
  'alpha-global': 'every matrix comes from the seed, times a few learned numbers for all',
  lora: 'every matrix comes from the seed, plus a small learned one',
};

/** The bytes of a file by what they are for, the largest first. @param {import('./smol.js').Facts} f */
export function parts(f) {
  return [
    { name: 'parameters', bytes: f.learned_bytes, colour: 'p0' },
    { name: 'embeddings', bytes: f.embedding_bytes, colour: 'p1' },
    { name: 'card', bytes: f.card_bytes, colour: 'p2' },
    { name: 'hash and signature', bytes: f.hash_bytes + f.signature_bytes, colour: 'p3' },
    { name: 'header and the rest', bytes: f.directory_bytes + f.config_bytes + f.base_bytes + f.tokenizer_bytes + f.padding_bytes, colour: 'p4' },
  ].filter((part) => part.bytes > 0);
}

const tokensOf = (f) => f.tokenizer === 'bytes' ? 'bytes' : f.tokens === undefined ? 'its model\'s'
  : `${f.tokenizer === 'bpe' ? `pieces of text, ${whole(f.merges)} merges` : 'characters'}, ${whole(f.tokens)} in all`;

export const describe = {
  /** A sentence or two. */
  sum(f, name) {
    const shape = `${whole(f.layers)} layer${f.layers === 1 ? '' : 's'} of ${whole(f.width)}`;
    const method = METHODS[f.method] ? `: ${METHODS[f.method]}` : '';
    return `${name} has ${whole(f.file_bytes)} bytes, in which there is a transformer of ${shape}. Its method is ${f.method}${method}. Stored in the usual way, 32 bits a weight, `
      + `it would take ${sizeOf(4 * f.dense_numbers)}.`
      + (f.features.includes('history') ? ' What followed the same tokens earlier in a text is likelier.' : '');
  },

  /** @returns {[string, string][]} */
  facts(f, name) {
    return [
      ['Name', name],
      ['File', `${whole(f.file_bytes)} bytes, ${whole(f.non_embedding_bytes)} of them without embeddings, tokens and card`],
      ['Architecture', f.architecture + (f.features.length ? `: ${f.features.join(', ')}` : '')],
      ['Shape', `${whole(f.layers)} × ${whole(f.width)}, ${f.heads} heads, feed-forward ${whole(f.feed_forward)}, context ${whole(f.context)}, vocabulary ${whole(f.vocab)}`],
      ['Method', f.method],
      ['Seed of the weights', f.seed],
      ['Parameters', `${whole(f.non_embedding_params)} besides the embeddings`],
      ['Number types', [`embeddings ${f.wte_type}`, f.wpe_type && `positions ${f.wpe_type}`, f.output_type && `output table ${f.output_type}`].filter(Boolean).join(', ')],
      ['Tokens', tokensOf(f)],
      ['Memory for a text', f.session_bytes === null ? 'depends on its base' : sizeOf(f.session_bytes)],
      ['Hash', f.hash],
      ['Signature', f.signed ? `by key ${f.signer}` : 'none'],
    ];
  },

  /** What the card says, whatever that is: the names of what lies within others one after another. @returns {[string, string][]} */
  card(card, before = '') {
    return Object.entries(card ?? {}).flatMap(([key, value]) => {
      const name = before + key.replaceAll('_', ' ');
      return value && typeof value === 'object' && !Array.isArray(value) ? describe.card(value, `${name}, `)
        : [[name, typeof value === 'string' ? value : JSON.stringify(value)]];
    });
  },
};
