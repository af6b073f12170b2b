// Runs a WebAssembly program of WASI in Node, which sees the files of this machine by their full paths:
// node --no-warnings run.mjs PROGRAM.wasm [ARGUMENT...]
import { readFileSync } from 'node:fs';
import { WASI } from 'node:wasi';

const wasi = new WASI({ version: 'preview1', args: process.argv.slice(2), preopens: { '/': '/' }, returnOnExit: true });
const imports = wasi.getImportObject();
// V8 calls native functions that a module imports with no mark on the stack by which garbage collection finds their callers, so they must not
// collect it. Those of node:wasi allocate, and do where memory is large (64 MiB): V8 then frees the bytecode of functions that have yet to return,
// and crashes (https://github.com/nodejs/node/issues/46777). It calls functions in JavaScript, and they native ones, with that mark.
for (const [name, call] of Object.entries(imports.wasi_snapshot_preview1))
  imports.wasi_snapshot_preview1[name] = (...words) => call(...words);
const { instance } = await WebAssembly.instantiate(readFileSync(process.argv[2]), imports);
process.exitCode = wasi.start(instance);
