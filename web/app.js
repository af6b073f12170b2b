// What the page does: it asks worker.js for everything that computes, and shows what comes back.
import { describe, parts } from './describe.js';

// The models that lie beside the page. tests/web compares the hashes with the files.
const SHIPPED = [
  { file: 'models/shakespeare-qr.smol', title: 'Shakespeare', size: '2.9', what: 'fits in a QR code', prompt: 'ROMEO:', hash: '4fb0d2cc845257bc1959bec5ebfc66f0' },
  { file: 'models/shakespeare-16k.smol', title: 'Shakespeare', size: '16', what: 'words take shape', prompt: 'ROMEO:', hash: '6b498f3014abcd06eed3bbe2cdcc536b' },
  { file: 'models/shakespeare-64k.smol', title: 'Shakespeare', size: '63', what: 'speaks in lines', prompt: 'ROMEO:', hash: 'c77275bb216b929030d80314e67aa975' },
  { file: 'models/stories-256k.smol', title: 'Stories', size: '258', what: 'for small children', prompt: 'Once upon a time', hash: '4a11bd1a5ac548fcb4a7620e9d4854a1' },
  { file: 'models/messages-64k.smol', title: 'Messages', size: '63', what: 'packs short messages', prompt: 'hey ', hash: '07ac1271cdb47a6ad7056fd69abe3037' },
];
const FIRST = 2;
// models/smol-4.pub: 'Ed', the key's number, the key.
const SMOL_KEY = 'RWQVK7JpVGlb7K8ocRkhFE77ebChVcaPzi1agc+Sfq7f6HtYbZoL4EV8';
const HASH_DIGITS = 32; // of a hash in a link
const NUMBERS = { n: 400, temp: 0.8, topK: 40, topP: 0.95, minP: 0.05, repeatPenalty: 1 };
const LETTERS = { n: 'n', temp: 't', topK: 'k', topP: 'p', minP: 'm', repeatPenalty: 'r' }; // in a link

const $ = (id) => document.getElementById(id);
const worker = new Worker(new URL('worker.js', import.meta.url), { type: 'module' });
let requests = 0;

/** The model that is open: its facts, a name, the hash it has. */
let model = null;
let opening = { id: 0, name: '' };
let text = { id: 0, finished: true };
/** A link's text that waits for its model: {hash, prompt, settings}. */
let wanted = null;

/** @returns {number} the request's number */
function ask(kind, what = {}) {
  worker.postMessage({ id: ++requests, kind, ...what });
  return requests;
}

function show(id, line) {
  $(id).textContent = line;
  $(id).hidden = !line;
}

// ---- settings ----

/** The options of a text, or null after the browser has said which field is wrong. */
function settings() {
  for (const id of [...Object.keys(NUMBERS), 'seed'])
    if (!$(id).checkValidity() || (id !== 'n' && $(id).value.trim() === '')) {
      $('settings').open = true;
      if (!$(id).reportValidity())
        return null;
      $(id).value = id === 'seed' ? '1' : NUMBERS[id];
    }
  const found = { seed: $('seed').value.trim() };
  for (const id of Object.keys(NUMBERS))
    found[id] = id === 'n' && $(id).value === '' ? -1 : Number($(id).value);
  return found;
}

function setSettings(given) {
  for (const [id, value] of Object.entries({ ...NUMBERS, ...given }))
    $(id).value = id === 'n' && value === -1 ? '' : String(value);
}

/** smolrun's words for them. */
function commandOf(name, prompt, s) {
  const quote = (word) => /^[\w.:/-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
  const options = { temp: 'temp', topK: 'top-k', topP: 'top-p', minP: 'min-p', repeatPenalty: 'repeat-penalty' };
  const words = ['smolrun', quote(name), '-p', quote(prompt), ...s.n < 0 ? [] : ['-n', s.n], '-s', s.seed];
  for (const [id, option] of Object.entries(options))
    if (s[id] !== NUMBERS[id])
      words.push(`--${option}`, s[id]);
  return words.join(' ');
}

// ---- links ----

function linkOf(hash, prompt, s) {
  const words = new URLSearchParams({ model: hash.slice(0, HASH_DIGITS), prompt, seed: s.seed });
  for (const [id, letter] of Object.entries(LETTERS))
    if (id === 'n' || s[id] !== NUMBERS[id])
      words.set(letter, s[id]);
  return `#${words}`;
}

/** What a link asks for, or null if it is none of ours. */
function readLink(fragment) {
  const words = new URLSearchParams(fragment.replace(/^#/, '')), hash = words.get('model') ?? '';
  if (!/^[0-9a-f]{16,128}$/.test(hash))
    return null;
  const given = {};
  if (/^[0-9]{1,20}$/.test(words.get('seed') ?? ''))
    given.seed = words.get('seed');
  for (const [id, letter] of Object.entries(LETTERS))
    if (words.has(letter) && Number.isFinite(Number(words.get(letter))))
      given[id] = Number(words.get(letter));
  return { hash, prompt: words.get('prompt') ?? '', settings: given };
}

const isOf = (hash, prefix) => hash.startsWith(prefix) || prefix.startsWith(hash);

function askForFile() {
  const other = model ? ` What ${model.name} writes is another text.` : '';
  show('notice', `The link's text is by another model, of hash ${wanted.hash.slice(0, 16)}…: open its file here, and the same text appears.${other}`);
}

/** Opens the model of a link, if the page has it, or says that its file is needed. */
function follow(link) {
  wanted = link;
  const shipped = SHIPPED.find((m) => isOf(m.hash, link.hash));
  if (model && isOf(model.facts.hash, link.hash))
    arrive();
  else if (shipped)
    openShipped(shipped);
  else {
    if (!model)
      openShipped(SHIPPED[FIRST]);
    askForFile();
  }
}

/** Writes what a link asks for, whose model is open. */
function arrive() {
  $('prompt').value = wanted.prompt;
  setSettings(wanted.settings);
  wanted = null;
  show('notice', '');
  write();
}

// ---- models ----

function openShipped(shipped) {
  $('models').querySelectorAll('input').forEach((input) => { input.checked = input.value === shipped.file; });
  open(new URL(shipped.file, location.href).href, shipped.file.replace(/.*\//, ''), shipped.prompt);
}

function open(source, name, prompt) {
  show('alert', '');
  opening = { id: ask('open', { source }), name, prompt };
}

function openFile(file) {
  if (file)
    open(file, file.name, null);
}

const MAGIC = 10, TRUNCATED = 12, CHECKSUM = 30, HASH = 31, SIGNATURE = 32;

/** One plain line: whose fault, and the library's own words. */
function refused({ line, status, size }) {
  const why = size === 0 ? 'is empty' : status === MAGIC ? 'is no model' : status === SIGNATURE ? 'is signed, but not by the key that it names'
    : status === CHECKSUM || status === HASH || status === TRUNCATED ? 'is damaged' : 'cannot be opened';
  show('alert', `${opening.name} ${why}: ${line}.${model ? ` ${model.name} stays open.` : ''}`);
  $('models').querySelectorAll('input').forEach((input) => { input.checked = model?.file === input.value; });
}

function verdictOf(facts) {
  if (!facts.signed)
    return 'is undamaged. It is not signed, so nothing says who made it';
  const bytes = Uint8Array.from(atob(SMOL_KEY), (c) => c.charCodeAt(0)).subarray(10);
  const known = [...bytes].map((b) => b.toString(16).padStart(2, '0')).join('');
  return facts.public_key === known ? `is undamaged, and signed by smol's own key, ${facts.signer}`
    : `is undamaged, and signed by key ${facts.signer}, which this page does not know`;
}

function opened({ facts }) {
  stop(); // the text of the model before, of which nothing more comes
  const { name, prompt } = opening, shipped = SHIPPED.find((m) => isOf(facts.hash, m.hash));
  model = { facts, name, file: shipped?.file };
  $('models').querySelectorAll('input').forEach((input) => { input.checked = input.value === shipped?.file; });
  show('verdict-text', `${name} ${verdictOf(facts)}.`);
  $('verdict').className = facts.signed ? 'verdict good' : 'verdict';
  describeModel();
  const runs = facts.architecture !== 'delta';
  $('write').disabled = $('again').disabled = $('pack').disabled = $('unpack').disabled = !runs;
  if (!runs) {
    clear('');
    show('notice', '');
    show('alert', `${name} is a delta, which changes another model and runs only with it: smolrun --base does that, this page does not.`);
  } else if (wanted && isOf(facts.hash, wanted.hash))
    arrive();
  else {
    if (wanted)
      askForFile();
    else
      show('notice', '');
    if (prompt !== null || facts.tokenizer === 'bpe')
      $('prompt').value = prompt ?? '';
    write();
  }
}

function describeModel() {
  const { facts, name } = model, found = parts(facts);
  $('sum').textContent = describe.sum(facts, name);
  $('bar').replaceChildren(...found.map((part) => {
    const span = document.createElement('span');
    span.className = part.colour;
    span.style.flexGrow = part.bytes;
    span.title = `${part.name}: ${part.bytes.toLocaleString('en')} bytes`;
    return span;
  }));
  $('bar').setAttribute('aria-label', `The file, byte by byte: ${found.map((part) => `${part.name} ${part.bytes}`).join(', ')}`);
  $('legend').replaceChildren(...found.map((part) => {
    const item = document.createElement('li'), colour = document.createElement('i'), count = document.createElement('span');
    colour.className = part.colour;
    count.textContent = part.bytes.toLocaleString('en');
    item.append(colour, part.name, count);
    return item;
  }));
  fill('facts', describe.facts(facts, name));
  fill('card', describe.card(facts.card));
  $('card-title').hidden = !facts.card;
}

/** @param {[string, string][]} pairs */
function fill(id, pairs) {
  $(id).replaceChildren(...pairs.flatMap(([term, value]) => {
    const dt = document.createElement('dt'), dd = document.createElement('dd');
    dt.textContent = term;
    dd.textContent = value;
    return [dt, dd];
  }));
}

// ---- texts ----

function clear(given) {
  $('given').textContent = given;
  $('made').textContent = '';
}

function setBusy(busy) {
  $('text').setAttribute('aria-busy', String(busy));
  $('stop').disabled = !busy;
}

function write() {
  const options = model && settings(), prompt = $('prompt').value;
  if (!options)
    return;
  clear(prompt);
  setBusy(true);
  $('status').textContent = 'Writing…';
  $('command').textContent = commandOf(model.name, prompt, options);
  history.replaceState(null, '', linkOf(model.facts.hash, prompt, options));
  text = { id: ask('write', { prompt, options }), finished: false };
}

/** A piece of the text, or its end. */
function progress(answer) {
  const box = $('text'), atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 40;
  if (answer.text)
    $('made').append(answer.text);
  if (atEnd)
    box.scrollTop = box.scrollHeight;
  if (answer.kind === 'text')
    return;
  finish(answer);
}

const ENDS = { length: '', end: ' The text ends here.', context: ' The model holds no more.' };

function finish({ kind, tokens, rate, finish: how, line }) {
  text.finished = true;
  setBusy(false);
  $('made').normalize();
  if (kind === 'failed')
    $('status').textContent = `Not written: ${line}.`;
  else
    $('status').textContent = `${tokens.toLocaleString('en')} tokens${rate ? `, ${Math.round(rate).toLocaleString('en')} a second` : ''}.${ENDS[how]}`;
}

function stop() {
  if (text.finished)
    return;
  ask('stop');
  text = { id: 0, finished: true }; // what is still under way is not shown
  setBusy(false);
  $('status').textContent = 'Stopped.';
}

async function copy(button, what, done) {
  try {
    await navigator.clipboard.writeText(what);
  } catch { // where the clipboard is not for pages, as without https
    const area = document.createElement('textarea');
    area.value = what;
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
    button.focus();
  }
  $('status').textContent = done;
}

// ---- messages ----

function answered(answer) {
  if (answer.kind === 'packed') {
    $('packed').value = answer.packed;
    const saved = answer.of ? Math.round(100 * (1 - answer.bytes / answer.of)) : 0;
    $('pack-status').textContent = `${answer.of} bytes in ${answer.bytes}${saved > 0 ? `, ${saved} % saved` : ''}; as text ${answer.packed.length} characters.`;
  } else if (answer.kind === 'unpacked') {
    $('message').value = answer.text;
    $('pack-status').textContent = `${answer.bytes} bytes unpacked.`;
  } else
    $('pack-status').textContent = `Not done: ${answer.line}.`;
}

// ---- what happens ----

worker.onmessage = ({ data }) => {
  if (data.id === opening.id)
    (data.kind === 'opened' ? opened : refused)(data);
  else if (data.id === text.id)
    progress(data);
  else if (data.id === packing)
    answered(data);
};
worker.onerror = (event) => show('alert', `The models cannot run here: ${event.message ?? 'this browser is too old for WebAssembly with vectors'}.`);

let packing = 0;
$('open').before(...SHIPPED.map((m) => {
  const label = document.createElement('label');
  label.className = 'model';
  label.innerHTML = '<input type="radio" name="model"><span class="box"><span class="size"></span><span class="title"></span><span class="what"></span></span>';
  const input = label.querySelector('input');
  input.value = m.file;
  label.querySelector('.size').innerHTML = `${m.size} <small>kB</small>`;
  label.querySelector('.title').textContent = m.title;
  label.querySelector('.what').textContent = m.what;
  input.addEventListener('change', () => { wanted = null; openShipped(m); });
  return label;
}));
$('open').addEventListener('click', () => $('file').click());
$('file').addEventListener('change', () => { openFile($('file').files[0]); $('file').value = ''; });
$('write-form').addEventListener('submit', (event) => { event.preventDefault(); write(); });
$('prompt').addEventListener('keydown', (event) => {
  if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    write();
  }
});
$('again').addEventListener('click', () => { $('seed').value = String(crypto.getRandomValues(new Uint32Array(1))[0]); write(); });
$('stop').addEventListener('click', stop);
addEventListener('keydown', (event) => { if (event.key === 'Escape') stop(); });
$('defaults').addEventListener('click', () => setSettings({}));
$('link').addEventListener('click', () => copy($('link'), location.href, 'The link is copied: it repeats this text.'));
$('copy').addEventListener('click', () => copy($('copy'), $('given').textContent + $('made').textContent, 'The text is copied.'));
$('pack').addEventListener('click', () => { show('pack-status', 'Packing…'); packing = ask('pack', { text: $('message').value, check: $('check').checked }); });
$('unpack').addEventListener('click', () => { show('pack-status', 'Unpacking…'); packing = ask('unpack', { packed: $('packed').value, check: $('check').checked }); });

let dragging = 0;
addEventListener('dragenter', () => { dragging++; $('drop').hidden = false; });
addEventListener('dragleave', () => { if (--dragging <= 0) $('drop').hidden = true; });
addEventListener('dragover', (event) => event.preventDefault());
addEventListener('drop', (event) => {
  event.preventDefault();
  dragging = 0;
  $('drop').hidden = true;
  openFile(event.dataTransfer?.files[0]);
});
addEventListener('hashchange', () => { const link = readLink(location.hash); if (link) follow(link); });

const link = readLink(location.hash);
if (link)
  follow(link);
else
  openShipped(SHIPPED[FIRST]);
